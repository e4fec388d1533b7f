package sandbox

import (
	"fmt"
	"strings"
	"testing"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// A bundle has bounded modules, and refuses what scripts cannot have with a sentence that says what to
// write instead.
func TestBundleRefuses(t *testing.T) {
	t.Parallel()

	modules := map[string]cloud.Module{}

	var many strings.Builder
	for k := range maxModules + 1 {
		modules[fmt.Sprintf("m%d", k)] = cloud.Module{Language: "javascript", Source: "export default 1"}
		fmt.Fprintf(&many, "import m%d from './m%d';\n", k, k)
	}

	for k := range maxImportDepth + 1 {
		modules[fmt.Sprintf("d%d", k)] = cloud.Module{Language: "javascript", Source: fmt.Sprintf("export { default } from './d%d'", k+1)}
	}

	modules[fmt.Sprintf("d%d", maxImportDepth+1)] = cloud.Module{Language: "javascript", Source: "export default 1"}
	for source, want := range map[string]string{
		many.String() + "export default () => m0":           "can import 200 modules",
		"import d from './d0'; export default () => d":      "imports are more than 32 deep",
		"const x = await 1; export default () => x":         "Top-level await is not supported",
		"import x from 'hono'; export default () => x":      "bundle packages into the script",
		"import x from './nowhere'; export default () => x": "no module named",
		"export default () => { with (a) {} }":              "",
		"export default () => {":                            "",
	} {
		out := bundle(&wire.CompileMsg{Name: "main", Language: "javascript", Source: source, Modules: modules})
		if out.Error == nil || !strings.Contains(out.Error.Message, want) {
			t.Errorf("%.60q: %+v, want %q", source, out.Error, want)
		}
	}
	if out := bundle(&wire.CompileMsg{Name: "main", Language: "javascript", Source: strings.Join(strings.SplitAfter(many.String(), "\n")[:maxModules], "") + "export default () => m0", Modules: modules}); out.Error != nil {
		t.Errorf("%d modules: %+v", maxModules, out.Error)
	}
}

// Literals reach the engine as the author wrote them, whatever their flags, and one that is wrong is refused
// at the author's position.
func TestBundleRegExps(t *testing.T) {
	t.Parallel()

	literals := []string{`/[\p{L}x]/u`, `/[\p{L}--[a-z]]/v`, `/a(?<n>b)/dgs`, `/(?i:a)b/`, `/(?<y>a)|(?<y>b)/`, `/(?<!x)y/`}
	out := bundle(&wire.CompileMsg{
		Name: "main", Language: "typescript",
		Source: "export default () => [" + strings.Join(literals, ", ") + "];",
	})
	if out.Error != nil {
		t.Fatal(out.Error)
	}

	for _, want := range literals {
		if !strings.Contains(out.Code, want) {
			t.Errorf("no %s in %s", want, out.Code[:strings.Index(out.Code, "//# source")])
		}
	}

	for source, want := range map[string]wire.CompileError{
		"\n\nexport default { fetch() { return /(?x:a)b/ } }": {
			Line: 3, Column: 35, Message: "Invalid regular expression: /(?x:a)b/: Invalid group",
		},
		"export default () => /[b-a]/g": {
			Line: 1, Column: 22, Message: "Invalid regular expression: /[b-a]/g: Range out of order in character class",
		},
	} {
		out := bundle(&wire.CompileMsg{Name: "main", Language: "javascript", Source: source})
		want.File = "main.js"
		if out.Error == nil || *out.Error != want {
			t.Errorf("%q is refused with %+v, want %+v", source, out.Error, want)
		}
	}
}
