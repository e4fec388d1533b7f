package sandbox

import (
	"errors"
	"regexp"
	"strings"
	"unicode/utf16"

	"github.com/evanw/esbuild/pkg/api"
	"github.com/go-sourcemap/sourcemap"

	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/sandbox/sdk"
	"picloud/internal/executor/wire"
)

// noExport is esbuild's message for an import of what a module does not export.
var noExport = regexp.MustCompile(`^No matching export in "([^"]*)" for import "([^"]*)"$`)

// compileError is esbuild's message for the author.
func compileError(m api.Message) *wire.CompileError {
	e := &wire.CompileError{Message: explained(m.Text)}
	if m.Location != nil {
		e.File = strings.TrimPrefix(m.Location.File, virtualFS+":")
		e.Line = m.Location.Line
		e.Column = columnOf(m.Location.LineText, m.Location.Column)
	}

	return e
}

// columnOf is the column, from 1 and in the units of JavaScript, of a place that is given in bytes.
func columnOf(line string, offset int) int {
	if offset > len(line) {
		return offset + 1
	}
	return len(utf16.Encode([]rune(line[:offset]))) + 1
}

// explained is a message of esbuild, or what an author can do about it where that is known.
func explained(text string) string {
	if found := noExport.FindStringSubmatch(text); found != nil {
		module := strings.TrimPrefix(found[1], virtualFS+":")
		if module == platform+":"+platform {
			return "\"picloud\" has no export \"" + found[2] + "\"; it exports " +
				strings.Join(sdk.Names(), ", ")
		}
		return "the module " + module + " has no export \"" + found[2] + "\""
	}

	switch {
	case strings.Contains(text, "Top-level await"):
		return "Top-level await is not supported: " +
			"do the work inside a handler, or in a function that handlers await"
	case strings.Contains(text, "JSX syntax extension is not currently enabled"):
		return howToJSX
	case strings.Contains(text, "Parameter decorators only work when experimental decorators are enabled"):
		return "parameter decorators are those of TypeScript's experimentalDecorators, which scripts do " +
			"not have: decorators here are the standard ones, of classes, methods, fields and accessors"
	default:
		return text
	}
}

// refusal reports syntax that esbuild lets through and the engine does not know, at its place in the
// author's file, or without one if what is refused was not written there.
func refusal(err error, file, sourceMap string) *wire.CompileError {
	var syntax *engine.SyntaxError
	if !errors.As(err, &syntax) {
		return &wire.CompileError{File: file, Message: "the JavaScript engine refuses this: " + err.Error()}
	}

	e := &wire.CompileError{File: file, Message: syntax.Message}
	if !strings.HasPrefix(syntax.Message, "Invalid regular expression") { // no engine takes that
		e.Message = "the JavaScript engine refuses this: " + syntax.Message
	}

	places, err := sourcemap.Parse("", []byte(sourceMap))
	if err != nil {
		return e
	}
	if source, _, line, column, ok := places.Source(syntax.Line, syntax.Column-1); ok {
		e.File, e.Line, e.Column = source, line, column+1
	}

	return e
}
