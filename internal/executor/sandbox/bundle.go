package sandbox

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"

	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/wire"
)

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

// engineSyntax lists the syntax that esbuild must lower, as the engine lacks it.
var engineSyntax = map[string]bool{
	"async-generator":   false,
	"decorators":        false,
	"dynamic-import":    false,
	"for-await":         false,
	"import-attributes": false,
	"using":             false,

	// Beyond the target, and no syntax that must be lowered.
	"regexp-set-notation": true,
}

// loweredSyntax lists what the engine has, but not in every form: it takes no field named get, set, static
// or async. It is lowered where the engine refuses a script.
var loweredSyntax = map[string]bool{
	"class-field":                   false,
	"class-private-accessor":        false,
	"class-private-brand-check":     false,
	"class-private-field":           false,
	"class-private-method":          false,
	"class-private-static-accessor": false,
	"class-private-static-field":    false,
	"class-private-static-method":   false,
	"class-static-blocks":           false,
	"class-static-field":            false,
}

// bundle makes one program of a script and the modules it imports, as a function expression of (exports,
// require, module).
func bundle(msg *wire.CompileMsg) wire.CompiledMsg {
	out, refused := build(msg, engineSyntax, renaming.MatchString(msg.Source))
	if !refused {
		return out
	}

	if again, refused := build(msg, allLowered(), true); !refused && again.Error == nil {
		return again
	}

	return out
}

// allLowered is what is lowered where the engine refuses a script.
func allLowered() map[string]bool {
	lowered := maps.Clone(engineSyntax)
	maps.Copy(lowered, loweredSyntax)
	return lowered
}

// renaming finds sources in which esbuild may rename functions and classes: of several modules, which may use
// the same names, with decorators, and of classes with static members.
var renaming = regexp.MustCompile(`["']\./|@[\w(]|\bstatic\b`)

// build is bundle with the syntax that esbuild lowers. keepNames keeps what scripts see in a function's name
// where esbuild renames it, at the price of a call for many of them. refused is true if the error is the
// engine's.
func build(msg *wire.CompileMsg, supported map[string]bool, keepNames bool) (
	out wire.CompiledMsg, refused bool,
) {
	app := newBundler(msg)
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
		KeepNames:      keepNames,
		TsconfigRaw:    "{}",
		LogLevel:       api.LogLevelSilent,
		Banner:         map[string]string{"js": "(function (exports, require, module) { \"use strict\";"},
		Footer:         map[string]string{"js": "})"},
		Supported:      supported,
		Plugins:        []api.Plugin{{Name: "app", Setup: app.setup}},
	})
	if len(res.Errors) > 0 {
		refused := compileError(res.Errors[0])
		source, language := app.source(refused.File)
		if language == "typescript" && !jsxPragma.MatchString(source) && isUnknownJSX(source) {
			refused.Message = howToJSX
		}
		return wire.CompiledMsg{Error: refused}, false
	}

	// The source map goes into the code, from where the engine reads it.
	var code, sourceMap string
	for _, f := range res.OutputFiles {
		if strings.HasSuffix(f.Path, ".map") {
			sourceMap = cleanSources(string(f.Contents))
		} else {
			code = string(f.Contents)
		}
	}

	code = strings.TrimRight(code, "\n") +
		"\n//# sourceMappingURL=data:application/json;base64," +
		base64.StdEncoding.EncodeToString([]byte(sourceMap))

	if _, err := engine.Compile(entry, code, false); err != nil {
		return wire.CompiledMsg{Error: refusal(err, entry, sourceMap)}, true
	}

	slices.Sort(app.imports)
	return wire.CompiledMsg{Code: code, Imports: app.imports}, false
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
