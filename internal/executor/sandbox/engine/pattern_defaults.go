package engine

import (
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"
	"github.com/dop251/goja/parser"
	"github.com/dop251/goja/token"
)

// The engine's parser refuses a default inside of an array pattern that has a default itself, or is inside of
// a pattern with one, as in const {a: [b = 1] = []} = o (goja, parser/expression.go,
// reinterpretArrayAssignPatternAsBinding). So the outer default is taken out of the text, parsed alone, and
// put back into the tree.

const refusedDefault = "Invalid destructuring binding target"

// maxPatternDefaults bounds how often a text is parsed again.
const maxPatternDefaults = 100

// parse is the engine's parser without that fault.
func parse(name, code string, options ...parser.Option) (*ast.Program, error) {
	text := code
	var found []patternDefault

	for {
		tree, err := parser.ParseFile(nil, name, text, 0, options...)
		if err == nil {
			return tree, putBack(tree, name, code, found)
		}

		next, ok := defaultAround(text, err)
		if !ok || len(found) == maxPatternDefaults {
			return nil, parseError(err)
		}
		found = append(withoutThoseIn(found, next), next)
		text = text[:next.from] + strings.Repeat(" ", next.to-next.from) + text[next.to:]
	}
}

// patternDefault is a default that is not in the text: its pattern begins at the offset of a bracket, and
// it is at from to to, with the sign before it.
type patternDefault struct{ bracket, from, to int }

// withoutThoseIn leaves out what is inside of another default, which is parsed as a whole.
func withoutThoseIn(list []patternDefault, outer patternDefault) []patternDefault {
	return slices.DeleteFunc(list, func(d patternDefault) bool {
		return outer.from < d.bracket && d.bracket < outer.to
	})
}

// defaultAround finds the default, of the patterns around the one that the parser refuses, that is the
// innermost of those in the text.
func defaultAround(text string, err error) (found patternDefault, ok bool) {
	var list parser.ErrorList
	if !errors.As(err, &list) || len(list) == 0 || list[0].Message != refusedDefault {
		return found, false
	}

	at := offsetOf(text, list[0].Position)
	for {
		at = openBracket(text, at)
		if at < 0 || text[at] == '(' || isDeclared(text[:at]) {
			return found, false
		}

		end := skipBrackets(text, at)
		from := end + len(text[end:]) - len(strings.TrimLeft(text[end:], " \t\r\n"))
		if rest := text[from:]; len(rest) > 1 && rest[0] == '=' && rest[1] != '=' && rest[1] != '>' {
			return patternDefault{bracket: at, from: from, to: skipExpression(text, from+1)}, true
		}
	}
}

// isDeclared reports whether code ends with the word before a declared pattern, whose = is no default.
func isDeclared(before string) bool {
	before = strings.TrimRight(before, " \t\r\n")
	return strings.HasSuffix(before, "const") || strings.HasSuffix(before, "let") ||
		strings.HasSuffix(before, "var")
}

// offsetOf is the offset of a position, whose column counts bytes from 1.
func offsetOf(text string, at file.Position) int {
	offset := 0
	for line := 1; line < at.Line; line++ {
		next := strings.IndexAny(text[offset:], "\n\r\u2028\u2029")
		if next < 0 {
			return len(text)
		}

		offset += next
		switch {
		case strings.HasPrefix(text[offset:], "\r\n"):
			offset += 2
		case text[offset] == '\n' || text[offset] == '\r':
			offset++
		default:
			offset += len("\u2028")
		}
	}
	return min(offset+at.Column-1, len(text))
}

// putBack parses the defaults and makes them those of their patterns.
func putBack(tree *ast.Program, name, code string, defaults []patternDefault) error {
	if len(defaults) == 0 {
		return nil
	}

	parsed := map[file.Idx]ast.Expression{}
	for _, d := range defaults {
		// At its own place, so that positions in it are right.
		text := strings.Repeat(" ", d.from) + "(" + code[d.from+1:d.to] + ")"
		alone, err := parse(name, text)
		if err != nil {
			return err
		}
		statement, ok := alone.Body[0].(*ast.ExpressionStatement)
		if !ok {
			return &SyntaxError{Message: refusedDefault}
		}
		parsed[file.Idx(d.bracket+1)] = statement.Expression
	}

	walkPatterns(reflect.ValueOf(tree.Body), parsed)
	if len(parsed) > 0 {
		return &SyntaxError{Message: refusedDefault}
	}
	return nil
}

// walkPatterns gives patterns their defaults, by where they begin, and takes those off the list.
func walkPatterns(v reflect.Value, defaults map[file.Idx]ast.Expression) {
	switch v.Kind() {
	case reflect.Interface:
		if v.IsNil() {
			return
		}
		pattern, _ := v.Interface().(ast.Pattern)
		if value, known := takeDefault(pattern, defaults); known {
			v.Set(reflect.ValueOf(&ast.AssignExpression{Left: pattern, Operator: token.ASSIGN, Right: value}))
		}
		walkPatterns(v.Elem(), defaults)
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		if binding, ok := v.Interface().(*ast.Binding); ok {
			pattern, _ := binding.Target.(ast.Pattern)
			if value, known := takeDefault(pattern, defaults); known {
				binding.Initializer = value
			}
		}
		if _, isFile := v.Interface().(*file.File); !isFile {
			walkPatterns(v.Elem(), defaults)
		}
	case reflect.Struct:
		for k := range v.NumField() {
			if f := v.Type().Field(k); f.IsExported() && f.Name != "DeclarationList" {
				walkPatterns(v.Field(k), defaults)
			}
		}
	case reflect.Slice:
		for k := range v.Len() {
			walkPatterns(v.Index(k), defaults)
		}
	}
}

func takeDefault(p ast.Pattern, defaults map[file.Idx]ast.Expression) (ast.Expression, bool) {
	var at file.Idx
	switch p := p.(type) {
	case *ast.ArrayPattern:
		at = p.LeftBracket
	case *ast.ObjectPattern:
		at = p.LeftBrace
	default:
		return nil, false
	}

	value, known := defaults[at]
	delete(defaults, at)
	return value, known
}
