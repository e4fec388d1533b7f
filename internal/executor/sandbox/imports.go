package sandbox

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"

	"picloud/internal/executor/sandbox/nodeapi"
	"picloud/internal/executor/sandbox/sdk"
	"picloud/internal/executor/wire"
)

// What a bundle may be made of, so that it stays something a person can follow.
const (
	maxImportDepth = 32 // modules in a chain of imports
	maxModules     = 200
)

// Namespaces inside esbuild; no file of this machine can be imported.
const (
	virtualFS = "app"     // an app's scripts
	platform  = "picloud" // the module "picloud"
	absent    = "absent"  // what is not there, and is asked for when the code runs
)

// bundler gives esbuild the modules of one script's app.
type bundler struct {
	msg     *wire.CompileMsg
	imports []string
	depth   map[string]int // of the shortest chain of imports to a module, by its path
}

func newBundler(msg *wire.CompileMsg) *bundler {
	return &bundler{msg: msg, depth: map[string]int{}}
}

func (b *bundler) setup(p api.PluginBuild) {
	p.OnResolve(api.OnResolveOptions{Filter: ".*"}, b.resolve)
	p.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: virtualFS}, b.load)
	p.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: platform}, loadPlatform)
	p.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: absent}, b.loadAbsent)
}

// resolve finds out what a script means by an import, or says what it can write instead. What import() or
// require asks for and is not there fails when it is called: packages probe so for what they can do without.
func (b *bundler) resolve(a api.OnResolveArgs) (api.OnResolveResult, error) {
	node, isNode := nodeapi.Module(a.Path)
	switch {
	case a.Kind == api.ResolveEntryPoint:
		return api.OnResolveResult{Path: a.Path, Namespace: virtualFS}, nil
	case a.Path == platform && a.Namespace == platform:
		return api.OnResolveResult{Path: platform, External: true}, nil
	case a.Path == platform:
		return api.OnResolveResult{Path: platform, Namespace: platform}, nil
	case isNode:
		return api.OnResolveResult{Path: node, External: true}, nil
	}

	file, problem := b.moduleFile(a)
	switch {
	case problem == "":
		return api.OnResolveResult{Path: file, Namespace: virtualFS}, nil
	case a.Kind == api.ResolveJSDynamicImport || a.Kind == api.ResolveJSRequireCall:
		return api.OnResolveResult{Path: a.Path, Namespace: absent}, nil
	default:
		return api.OnResolveResult{Errors: []api.Message{{Text: problem}}}, nil
	}
}

// moduleFile is the file of the app's module that an import means, or what is wrong with the import.
func (b *bundler) moduleFile(a api.OnResolveArgs) (file, problem string) {
	name, problem := b.moduleName(a.Path)
	if problem != "" {
		return "", problem
	}

	file = fileName(name, b.msg.Modules[name].Language)
	depth := b.depth[a.Importer] + 1
	if depth > maxImportDepth {
		return "", fmt.Sprintf("imports are more than %d deep", maxImportDepth)
	}

	if old, seen := b.depth[file]; !seen || depth < old {
		b.depth[file] = depth
	}

	if !slices.Contains(b.imports, name) {
		if len(b.imports) >= maxModules {
			return "", fmt.Sprintf("a script can import %d modules, directly and through others", maxModules)
		}
		b.imports = append(b.imports, name)
	}

	return file, ""
}

// moduleName is the name of the app's module that a path means, or why there is none.
func (b *bundler) moduleName(path string) (name, problem string) {
	name, isLocal := strings.CutPrefix(path, "./")
	if !isLocal {
		return "", notImportable(path)
	}

	for _, suffix := range []string{".js", ".ts", jsxRuntime, jsxDevRuntime} {
		name = strings.TrimSuffix(name, suffix)
	}
	if _, ok := b.msg.Modules[name]; ok {
		return name, ""
	}

	return "", noSuchModule(name)
}

// load gives esbuild the source of a module.
func (b *bundler) load(a api.OnLoadArgs) (api.OnLoadResult, error) {
	return loadSource(b.source(a.Path)), nil
}

// source is what a file of the app has in it; empty if there is no such file.
func (b *bundler) source(file string) (source, language string) {
	if file == fileName(b.msg.Name, b.msg.Language) {
		return b.msg.Source, b.msg.Language
	}
	m := b.msg.Modules[strings.TrimSuffix(file, path.Ext(file))]
	return m.Source, m.Language
}

// loadPlatform is the module "picloud": written out, so that esbuild knows what it exports.
func loadPlatform(api.OnLoadArgs) (api.OnLoadResult, error) {
	text := "const picloud = require(\"picloud\");\nexport default picloud;\nexport const {" +
		strings.Join(sdk.Names(), ", ") + "} = picloud;\n"
	return api.OnLoadResult{Contents: &text, Loader: api.LoaderJS}, nil
}

// loadAbsent is a module that says why it is not there.
func (b *bundler) loadAbsent(a api.OnLoadArgs) (api.OnLoadResult, error) {
	_, problem := b.moduleName(a.Path)
	if problem == "" { // it is there, but its import was refused
		problem = "cannot import " + a.Path
	}

	message, err := json.Marshal(problem)
	text := "throw new Error(" + string(message) + ");"
	return api.OnLoadResult{Contents: &text, Loader: api.LoaderJS}, err
}
