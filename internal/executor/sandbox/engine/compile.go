package engine

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"

	"github.com/dop251/goja"
	"github.com/dop251/goja/parser"
)

// Compile compiles a program whose only expression is a function, a bundle or a library, and mends in its
// syntax tree what the engine would do otherwise than ECMA-262, with regular expressions of package regex:
// the positions of errors stay those of the code, and so does the text of functions. The function gets one
// parameter more than it has, which is for what ConstructedBy gives. Its error is a *SyntaxError.
func Compile(name, code string, strict bool, options ...parser.Option) (*goja.Program, error) {
	tree, err := parse(name, code, options...)
	if err != nil {
		return nil, err
	}

	if strings.Contains(code, newTargetText) {
		mendNewTarget(tree)
	}
	literals, err := takeLiterals(tree, code)
	if err != nil {
		return nil, err
	}

	program, err := goja.CompileAST(tree, strict)
	if err != nil {
		return nil, compileError(err, code)
	}
	literals.putInto(program)

	return program, nil
}

// SyntaxError is what the engine refuses in a program, at its place in the code, not in what the code was
// made of. Lines and columns count from 1, columns in UTF-16.
type SyntaxError struct {
	Message      string
	Line, Column int
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("SyntaxError: %s at %d:%d", e.Message, e.Line, e.Column)
}

// parseError takes the first of the parser's errors.
func parseError(err error) error {
	var list parser.ErrorList
	if !errors.As(err, &list) || len(list) == 0 {
		return fmt.Errorf("parse program: %w", err)
	}

	first := list[0]
	return &SyntaxError{Message: first.Message, Line: first.Position.Line, Column: first.Position.Column}
}

// compileError finds the place of what is refused after parsing. The engine's own is that of the source map.
func compileError(err error, code string) error {
	var refused *goja.CompilerSyntaxError
	if !errors.As(err, &refused) {
		return fmt.Errorf("compile program: %w", err)
	}

	return syntaxErrorAt(code, refused.Offset, refused.Message)
}

// syntaxErrorAt is a *SyntaxError at an offset of the code, in bytes.
func syntaxErrorAt(code string, offset int, message string) error {
	before := code[:min(max(offset, 0), len(code))]
	lineStart := strings.LastIndexByte(before, '\n') + 1
	return &SyntaxError{
		Message: message,
		Line:    strings.Count(before, "\n") + 1,
		Column:  len(utf16.Encode([]rune(before[lineStart:]))) + 1,
	}
}

// MustCompile is Compile for a library of ours, which is strict code.
func MustCompile(name, code string) *goja.Program {
	p, err := Compile(name, code, true)
	if err != nil {
		panic(fmt.Sprintf("compile %s: %v", name, err)) // our own code
	}
	return p
}
