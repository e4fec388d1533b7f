package sandbox

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/dop251/goja"
	"github.com/evanw/esbuild/pkg/api"

	"picloud/internal/executor/sandbox/nodeapi"
	"picloud/internal/executor/sandbox/webapi"
	"picloud/internal/executor/wire"
)

// What a bundle may be made of, so that it stays something a person can follow.
const (
	maxImportDepth = 32 // modules in a chain of imports
	maxModules     = 200
)

// virtualFS is the namespace of an app's scripts inside esbuild; no file of this machine can be imported.
const virtualFS = "app"

// compile answers a Compile frame.
func (s *server) compile(id uint64, body []byte) {
	var msg wire.CompileMsg
	var out wire.CompiledMsg
	if err := json.Unmarshal(body, &msg); err != nil {
		out.Error = &wire.CompileError{Message: "malformed compile request"}
	} else {
		out = bundle(&msg)
	}

	s.answer(wire.Compiled, id, out)
}

func fileName(name, language string) string {
	if language == "typescript" {
		return name + ".ts"
	}
	return name + ".js"
}

func loader(language string) api.Loader {
	if language == "typescript" {
		return api.LoaderTS
	}
	return api.LoaderJS
}

// unsupported lists the syntax that esbuild must lower, as the engine lacks it.
var unsupported = map[string]bool{
	// The engine takes no field named get, set, static or async.
	"class-field":        false,
	"class-static-field": false,

	"async-generator":                 false,
	"class-static-blocks":             false,
	"decorators":                      false,
	"dynamic-import":                  false,
	"for-await":                       false,
	"import-attributes":               false,
	"regexp-match-indices":            false,
	"regexp-set-notation":             false,
	"regexp-unicode-property-escapes": false,
	"using":                           false,
}

// bundle makes one program of a script and the modules it imports, as a function expression of (exports,
// require, module).
func bundle(msg *wire.CompileMsg) wire.CompiledMsg {
	app := &bundler{msg: msg, depth: map[string]int{}}
	entry := fileName(msg.Name, msg.Language)
	res := api.Build(api.BuildOptions{
		EntryPoints:    []string{entry},
		AbsWorkingDir:  "/",
		Bundle:         true,
		Write:          false,
		Outfile:        "/bundle.js",
		Format:         api.FormatCommonJS,
		Platform:       api.PlatformNeutral,
		Target:         api.ES2022,
		Charset:        api.CharsetUTF8,
		Sourcemap:      api.SourceMapExternal,
		SourcesContent: api.SourcesContentExclude,
		TreeShaking:    api.TreeShakingFalse,
		TsconfigRaw:    "{}",
		LogLevel:       api.LogLevelSilent,
		Banner:         map[string]string{"js": "(function (exports, require, module) { \"use strict\";"},
		Footer:         map[string]string{"js": "})"},
		Supported:      unsupported,
		Plugins:        []api.Plugin{{Name: "app", Setup: app.setup}},
	})
	if len(res.Errors) > 0 {
		return wire.CompiledMsg{Error: compileError(res.Errors[0])}
	}

	// The source map goes into the code, from where the engine reads it.
	var code, sourceMap string
	for _, f := range res.OutputFiles {
		if strings.HasSuffix(f.Path, ".map") {
			sourceMap = string(f.Contents)
		} else {
			code = string(f.Contents)
		}
	}

	code = strings.TrimRight(webapi.LowerRegExps(entry, code), "\n") +
		"\n//# sourceMappingURL=data:application/json;base64," +
		base64.StdEncoding.EncodeToString([]byte(cleanSources(sourceMap)))

	if _, err := goja.Compile(entry, code, false); err != nil {
		return wire.CompiledMsg{Error: engineError(err, entry)}
	}

	slices.Sort(app.imports)
	return wire.CompiledMsg{Code: code, Imports: app.imports}
}

// bundler gives esbuild the modules of one script's app.
type bundler struct {
	msg     *wire.CompileMsg
	imports []string
	depth   map[string]int // of the shortest chain of imports to a module, by its path
}

func (b *bundler) setup(p api.PluginBuild) {
	p.OnResolve(api.OnResolveOptions{Filter: ".*"}, b.resolve)
	p.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: virtualFS}, b.load)
}

func refuse(format string, args ...any) (api.OnResolveResult, error) {
	return api.OnResolveResult{Errors: []api.Message{{Text: fmt.Sprintf(format, args...)}}}, nil
}

// resolve finds out what a script means by an import, or says what it can write instead.
func (b *bundler) resolve(a api.OnResolveArgs) (api.OnResolveResult, error) {
	node, isNode := nodeapi.Module(a.Path)
	switch {
	case a.Kind == api.ResolveEntryPoint:
		return api.OnResolveResult{Path: a.Path, Namespace: virtualFS}, nil
	case a.Path == "picloud":
		return api.OnResolveResult{Path: "picloud", External: true}, nil
	case isNode:
		return api.OnResolveResult{Path: node, External: true}, nil
	case a.Kind == api.ResolveJSDynamicImport:
		return refuse("import(%q) is not supported: use a static import at the top of the file", a.Path)
	}

	name, ok := strings.CutPrefix(a.Path, "./")
	if !ok {
		return refuse("cannot import %q: a script imports \"picloud\" and modules of its app as \"./name\"; "+
			"bundle packages into the script before you upload it", a.Path)
	}

	name = strings.TrimSuffix(strings.TrimSuffix(name, ".js"), ".ts")
	module, ok := b.msg.Modules[name]
	if !ok {
		return refuse("this app has no module named %q: "+
			"deploy a script of that name with kind \"module\" first", name)
	}

	file := fileName(name, module.Language)
	depth := b.depth[a.Importer] + 1
	if depth > maxImportDepth {
		return refuse("imports are more than %d deep", maxImportDepth)
	}

	if old, seen := b.depth[file]; !seen || depth < old {
		b.depth[file] = depth
	}

	if !slices.Contains(b.imports, name) {
		if len(b.imports) >= maxModules {
			return refuse("a script can import %d modules, directly and through others", maxModules)
		}
		b.imports = append(b.imports, name)
	}

	return api.OnResolveResult{Path: file, Namespace: virtualFS}, nil
}

// load gives esbuild the source of a module.
func (b *bundler) load(a api.OnLoadArgs) (api.OnLoadResult, error) {
	if a.Path == fileName(b.msg.Name, b.msg.Language) {
		return api.OnLoadResult{Contents: &b.msg.Source, Loader: loader(b.msg.Language)}, nil
	}
	m := b.msg.Modules[strings.TrimSuffix(a.Path, path.Ext(a.Path))]
	return api.OnLoadResult{Contents: &m.Source, Loader: loader(m.Language)}, nil
}

// compileError is esbuild's message for the author.
func compileError(m api.Message) *wire.CompileError {
	e := &wire.CompileError{Message: m.Text}
	if m.Location != nil {
		e.File = strings.TrimPrefix(m.Location.File, virtualFS+":")
		e.Line, e.Column = m.Location.Line, m.Location.Column+1
	}
	if strings.Contains(m.Text, "Top-level await") {
		e.Message = "Top-level await is not supported: " +
			"do the work inside a handler, or in a function that handlers await"
	}

	return e
}

// engineError reports syntax that esbuild lets through and the engine does not know.
func engineError(err error, file string) *wire.CompileError {
	msg := err.Error()
	if i := strings.Index(msg, " (and "); i > 0 { // "and 3 more errors"
		msg = msg[:i]
	}

	e := &wire.CompileError{File: file, Message: "the JavaScript engine refuses this: " + msg}
	// "SyntaxError: file: Line 3:14 text", with the position already mapped to the source.
	var line, col int
	if i := strings.Index(msg, "Line "); i >= 0 {
		if n, _ := fmt.Sscanf(msg[i:], "Line %d:%d", &line, &col); n == 2 {
			e.Line, e.Column = line, col
		}
	}

	return e
}

// cleanSources takes esbuild's namespace off the file names of a source map.
func cleanSources(m string) string {
	var parsed map[string]any
	if json.Unmarshal([]byte(m), &parsed) != nil {
		return m
	}

	if sources, ok := parsed["sources"].([]any); ok {
		for i, s := range sources {
			if name, ok := s.(string); ok {
				sources[i] = strings.TrimPrefix(name, virtualFS+":")
			}
		}
	}

	out, err := json.Marshal(parsed)
	if err != nil {
		return m
	}

	return string(out)
}
