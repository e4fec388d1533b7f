package sandbox

import (
	"regexp"

	"github.com/evanw/esbuild/pkg/api"
)

// What the import source of JSX ends with (jsx-transform of React 17): scripts have one module of both.
const (
	jsxRuntime    = "/jsx-runtime"
	jsxDevRuntime = "/jsx-dev-runtime"
)

// jsxPragma is a comment that says what the elements of JSX are made by. Without one a file is not JSX:
// in TypeScript, <T>x is a type assertion.
var (
	jsxPragma = regexp.MustCompile(`(?:/\*|//|\n)[*\s]*@jsx(?:ImportSource|Frag|Runtime)?\s`)
	jsxValue  = regexp.MustCompile(`(@jsx\w*[ \t]+\S+)(\r?\n)`)
	jsxSource = regexp.MustCompile(`(?:/\*|//|\n)[*\s]*@jsxImportSource\s`)
)

// howToJSX answers a script with JSX in it that does not say what JSX is.
const howToJSX = "JSX needs a comment that says what makes its elements: /** @jsx h */ at the top of the " +
	"file, with h imported, or /** @jsxImportSource ./jsx */ with a module script \"jsx\" of this app that " +
	"exports jsx, jsxs and Fragment"

// isUnknownJSX reports whether TypeScript is refused for nothing but JSX in it.
func isUnknownJSX(source string) bool {
	refuses := func(l api.Loader) bool {
		made := api.Transform(source, api.TransformOptions{Loader: l, LogLevel: api.LogLevelSilent})
		return len(made.Errors) > 0
	}
	return refuses(api.LoaderTS) && !refuses(api.LoaderTSX)
}

// loadSource is a source with the loader that it needs.
func loadSource(source, language string) api.OnLoadResult {
	isTypeScript := language == "typescript"
	isJSX := jsxPragma.MatchString(source)

	loader := api.LoaderJS
	switch {
	case isTypeScript && isJSX:
		loader = api.LoaderTSX
	case isTypeScript:
		loader = api.LoaderTS
	case isJSX:
		loader = api.LoaderJSX
	}

	if isJSX { // esbuild takes the end of a line into the value before it
		source = jsxValue.ReplaceAllString(source, "$1 $2")
	}
	if isJSX && jsxSource.MatchString(source) {
		source += "\n/** @jsxRuntime automatic */" // which an import source implies
	}

	return api.OnLoadResult{Contents: &source, Loader: loader}
}
