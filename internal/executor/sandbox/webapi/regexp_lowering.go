package webapi

import (
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"
	"github.com/dop251/goja/parser"
)

// LowerRegExps turns the literals with property escapes inside of classes, which the bundler leaves alone,
// into calls of RegExp.
func LowerRegExps(name, code string) string {
	if !escapeInClass.MatchString(code) {
		return code
	}

	tree, err := goja.Parse(name, code, parser.WithDisableSourceMaps)
	if err != nil {
		return code // the compiler says what is wrong
	}

	var literals []*ast.RegExpLiteral
	seen := map[file.Idx]bool{} // declarations are listed twice
	findRegExps(reflect.ValueOf(tree.Body), func(l *ast.RegExpLiteral) {
		if !seen[l.Idx] && strings.ContainsAny(l.Flags, "uv") && escapeInClass.MatchString(l.Pattern) {
			seen[l.Idx] = true
			literals = append(literals, l)
		}
	})

	// From the end, as each replacement moves what comes after it.
	slices.SortFunc(literals, func(a, b *ast.RegExpLiteral) int { return int(b.Idx - a.Idx) })

	for _, l := range literals {
		at := int(l.Idx) - 1
		pattern, _ := json.Marshal(l.Pattern)
		flags, _ := json.Marshal(l.Flags)
		call := "new RegExp(" + string(pattern) + ", " + string(flags) + ")"
		code = code[:at] + call + code[at+len(l.Literal):]
	}

	return code
}

var escapeInClass = regexp.MustCompile(`\[[^\]\n]*\\[pP]\{`)

var regExpLiteral = reflect.TypeFor[*ast.RegExpLiteral]()

// findRegExps walks a syntax tree, whatever its nodes are.
func findRegExps(v reflect.Value, found func(*ast.RegExpLiteral)) {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() || v.Type() == reflect.TypeFor[*file.File]() {
			return
		}
		if v.Type() == regExpLiteral {
			found(v.Interface().(*ast.RegExpLiteral))
			return
		}
		findRegExps(v.Elem(), found)
	case reflect.Struct:
		for k := range v.NumField() {
			if v.Type().Field(k).IsExported() {
				findRegExps(v.Field(k), found)
			}
		}
	case reflect.Slice:
		for k := range v.Len() {
			findRegExps(v.Index(k), found)
		}
	}
}
