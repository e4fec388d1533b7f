package engine

import (
	"reflect"
	"strconv"
	"sync"
	"unicode/utf16"
	"unsafe"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"

	"picloud/internal/executor/sandbox/regex"
)

// A literal is compiled by the engine to an instruction that has its pattern. Before, every literal of the
// syntax tree is replaced by one that the engine takes, whose text is its number; after, the instruction of
// that number gets the pattern of ours.

// takeLiterals compiles the literals of a syntax tree and puts their numbers in their place. Without the
// engine's layout it leaves them. The error is a *SyntaxError.
func takeLiterals(tree *ast.Program, code string) (literals, error) {
	if !regExps().ok {
		return nil, nil
	}

	f := literalFinder{file: tree.File, code: code}
	f.walk(reflect.ValueOf(tree.Body))

	return f.patterns, f.err
}

// literals are the patterns of a program, by their number.
type literals []*Pattern

// putInto gives the program its patterns.
func (l literals) putInto(prg *goja.Program) {
	if len(l) > 0 {
		patcher := literalPatcher{patterns: l, seen: map[unsafe.Pointer]bool{}}
		patcher.value(reflect.ValueOf(prg))
	}
}

// literalFinder collects the patterns of a syntax tree's literals.
type literalFinder struct {
	file     *file.File
	code     string
	patterns []*Pattern
	err      error
	errAt    file.Idx // where the literal of err is
}

var literalNode = reflect.TypeFor[*ast.RegExpLiteral]()

// walk goes over a syntax tree, whatever its nodes are. What is still to be visited is a list: a tree may be
// deeper than a stack should be.
func (f *literalFinder) walk(root reflect.Value) {
	todo := []reflect.Value{root}
	for len(todo) > 0 {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]

		switch v.Kind() {
		case reflect.Interface:
			if !v.IsNil() {
				todo = append(todo, v.Elem())
			}
		case reflect.Pointer:
			if v.IsNil() {
				continue
			}
			if v.Type() == literalNode {
				f.literal(v.Interface().(*ast.RegExpLiteral))
				continue
			}

			todo = append(todo, v.Elem())
		case reflect.Struct:
			for _, k := range nodeFields(v.Type()) {
				todo = append(todo, v.Field(k))
			}
		case reflect.Slice:
			for k := range v.Len() {
				todo = append(todo, v.Index(k))
			}
		}
	}
}

// nodeFieldsOf has the fields of a type that may hold nodes.
var nodeFieldsOf sync.Map

// nodeFields lists the fields of a type of node that may hold nodes. Declarations are listed beside the
// statements that contain them.
func nodeFields(t reflect.Type) []int {
	if known, ok := nodeFieldsOf.Load(t); ok {
		return known.([]int)
	}

	var fields []int
	for k := range t.NumField() {
		field := t.Field(k)
		switch field.Type.Kind() {
		case reflect.Interface, reflect.Pointer, reflect.Struct, reflect.Slice:
			isFile := field.Type == reflect.TypeFor[*file.File]()
			if field.IsExported() && !isFile && field.Name != "DeclarationList" {
				fields = append(fields, k)
			}
		}
	}

	nodeFieldsOf.Store(t, fields)
	return fields
}

// literal compiles a literal and puts its number in its place.
func (f *literalFinder) literal(l *ast.RegExpLiteral) {
	p, err := f.pattern(l)
	if err != nil {
		if f.err == nil || l.Idx < f.errAt {
			f.err = err
			f.errAt = l.Idx
		}
		return
	}

	l.Pattern = strconv.Itoa(len(f.patterns))
	l.Flags = ""
	f.patterns = append(f.patterns, p)
}

func (f *literalFinder) pattern(l *ast.RegExpLiteral) (*Pattern, error) {
	flags, ok := regex.ParseFlags(l.Flags)
	if !ok {
		return nil, f.refuse(l, "Invalid regular expression flags")
	}

	p, err := NewPattern(goja.StringFromUTF16(utf16.Encode([]rune(l.Pattern))), flags)
	if err != nil {
		return nil, f.refuse(l, "Invalid regular expression: /"+l.Pattern+"/"+l.Flags+": "+err.Error())
	}
	return p, nil
}

func (f *literalFinder) refuse(l *ast.RegExpLiteral, message string) error {
	return syntaxErrorAt(f.code, int(l.Idx)-f.file.Base(), message)
}

// literalPatcher gives the instructions of a program our patterns.
type literalPatcher struct {
	patterns []*Pattern
	seen     map[unsafe.Pointer]bool // programs
}

// value looks for instructions in a program, and for programs in an instruction.
func (l *literalPatcher) value(v reflect.Value) {
	switch v.Kind() {
	case reflect.Interface:
		if !v.IsNil() {
			l.value(v.Elem())
		}
	case reflect.Pointer:
		if v.IsNil() {
			return
		}

		switch v.Type() {
		case reflect.TypeFor[*goja.Program]():
			if at := v.UnsafePointer(); !l.seen[at] {
				l.seen[at] = true
				l.value(v.Elem().FieldByName("code"))
			}
		case regExps().literal:
			l.patch(v.UnsafePointer())
		default:
			if v.Type().Elem().Kind() == reflect.Struct {
				l.value(v.Elem())
			}
		}
	case reflect.Struct:
		for _, k := range programFields(v.Type()) {
			l.value(v.Field(k))
		}
	case reflect.Slice:
		for k := range v.Len() {
			l.value(v.Index(k))
		}
	}
}

// programFieldsOf has the fields of a type of instruction that may hold programs.
var programFieldsOf sync.Map

// programFields lists the fields of an instruction in which there are programs, or which are instructions
// that this one is made of.
func programFields(t reflect.Type) []int {
	if known, ok := programFieldsOf.Load(t); ok {
		return known.([]int)
	}

	var fields []int
	for k := range t.NumField() {
		switch field := t.Field(k); {
		case field.Type == reflect.TypeFor[*goja.Program](),
			field.Type.Kind() == reflect.Struct && field.Anonymous:
			fields = append(fields, k)
		case field.Type.Kind() == reflect.Pointer && field.Type.Elem().Kind() == reflect.Struct &&
			len(programFields(field.Type.Elem())) > 0 && field.Type.Elem() != t:
			fields = append(fields, k)
		}
	}

	programFieldsOf.Store(t, fields)
	return fields
}

// patch gives an instruction the pattern whose number it has.
func (l *literalPatcher) patch(at unsafe.Pointer) {
	r := regExps()
	source := (*goja.String)(unsafe.Add(at, r.literalSource))

	n, err := strconv.Atoi((*source).String())
	if err != nil || n >= len(l.patterns) {
		return // it was patched already
	}

	p := l.patterns[n]
	*source = p.Source
	*(**enginePattern)(unsafe.Add(at, r.literalPattern)) = p.engineForm()
}

// findLiterals finds the instruction that makes a regular expression.
func (l *regExpLayout) findLiterals() bool {
	prg := reflect.ValueOf(goja.MustCompile("", "/a/", true)).Elem()

	code := prg.FieldByName("code")
	for k := range code.Len() {
		i := code.Index(k).Elem()
		if i.Kind() != reflect.Pointer || i.Type().Elem().Kind() != reflect.Struct {
			continue
		}

		pattern, ok1 := i.Type().Elem().FieldByName("pattern")
		source, ok2 := i.Type().Elem().FieldByName("src")
		if ok1 && ok2 && source.Type == reflect.TypeFor[goja.String]() {
			l.literal = i.Type()
			l.literalPattern = pattern.Offset
			l.literalSource = source.Offset
			return true
		}
	}
	return false
}
