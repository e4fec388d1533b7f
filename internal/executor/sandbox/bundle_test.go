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

// Regular expressions that the engine does not know are written out; all others are left as they are.
func TestLowerRegExps(t *testing.T) {
	t.Parallel()

	out := bundle(&wire.CompileMsg{Name: "main", Language: "typescript", Source: "const a = /[\\p{L}x]/u, b = /\\p{Lu}/gu, c = /[\\/p{]/, d = /plain/g; export default () => [a, b, c, d, '[\\\\p{L}]', `[\\\\p{`];"})
	if out.Error != nil {
		t.Fatal(out.Error)
	}

	for _, want := range []string{`new RegExp("[\\p{L}x]", "u")`, `new RegExp("\\p{Lu}", "gu")`, `/[\/p{]/`, `/plain/g`} {
		if !strings.Contains(out.Code, want) {
			t.Errorf("no %s in %s", want, out.Code[:strings.Index(out.Code, "//# source")])
		}
	}
}
