package engine

import (
	"math"
	"reflect"
	"strconv"
	"sync"
	"unicode/utf8"
	"unsafe"

	"github.com/dop251/goja"
	"github.com/dop251/goja/unistring"
)

// JSON of plain data - objects and arrays as literals and JSON.parse make them, strings, numbers - is written and made in the
// engine's own tables, property by property, where the engine would look up each by way of JavaScript's rules. Whatever may be
// anything else is left to the engine: a getter, a toJSON, a class, a hole, a name that is a number and belongs in front.
// Nothing of a script runs before that is known.
//
// As in intrinsics.go the layout is checked once per process; without it everything is left to the engine.

// maxPlainDepth is how deep plain data may nest. A value that holds itself comes to it, and the engine says so.
const maxPlainDepth = 200

// plainObject mirrors the part of goja's baseObject that matters here.
type plainObject struct {
	class      string
	val        *goja.Object
	prototype  *goja.Object
	extensible bool
	values     map[unistring.String]goja.Value
	propNames  []unistring.String
}

// kind tells apart what lies behind an interface of the engine's: two values of the same type have the same.
type kind = unsafe.Pointer

// kindOf reads a value's kind.
func kindOf(v goja.Value) kind { return *(*kind)(unsafe.Pointer(&v)) }

// objectWords mirrors an object: its implementation is an interface, and comes first.
type objectWords struct {
	kind kind
	impl unsafe.Pointer
}

func wordsOf(o *goja.Object) *objectWords { return (*objectWords)(unsafe.Pointer(o)) }

// plainLayout is where the engine keeps plain data.
type plainLayout struct {
	ok            bool
	object, array kind // of implementations
	// items and length are offsets in the implementation of an array.
	items, length uintptr
	// Kinds of values.
	integer, float, boolean, null, undefined, ascii, unicode, imported, reference kind
}

var plain = sync.OnceValue(func() *plainLayout {
	l := &plainLayout{}
	l.find()
	return l
})

func (l *plainLayout) find() {
	defer func() {
		if recover() != nil {
			l.ok = false
		}
	}()
	vm := goja.New()
	o, a := vm.NewObject(), vm.NewArray(1, 2)
	if objectSelf.Type == nil || objectSelf.Offset != 0 || objectSelf.Type.Kind() != reflect.Interface {
		return
	}
	base, array := layout().impl(o).Type(), layout().impl(a).Type()
	ours := reflect.TypeFor[plainObject]()
	for k := range ours.NumField() {
		f := ours.Field(k)
		if theirs, ok := base.FieldByName(f.Name); !ok || theirs.Offset != f.Offset || theirs.Type != f.Type {
			return
		}
	}
	items, ok1 := array.FieldByName("values")
	length, ok2 := array.FieldByName("length")
	if array.Field(0).Type != base || !ok1 || !ok2 || items.Type != reflect.TypeFor[[]goja.Value]() || length.Type != reflect.TypeFor[uint32]() {
		return
	}
	l.items, l.length = items.Offset, length.Offset
	l.object, l.array = wordsOf(o).kind, wordsOf(a).kind
	kinds := map[kind]bool{}
	for _, s := range []struct {
		to     *kind
		sample goja.Value
	}{
		{&l.integer, vm.ToValue(1)}, {&l.float, vm.ToValue(1.5)}, {&l.boolean, vm.ToValue(true)}, {&l.null, goja.Null()}, {&l.undefined, goja.Undefined()},
		{&l.ascii, vm.ToValue("a")}, {&l.unicode, goja.StringFromUTF16([]uint16{0xe9})}, {&l.imported, vm.ToValue("more than sixteen bytes")}, {&l.reference, o},
	} {
		*s.to = kindOf(s.sample)
		kinds[*s.to] = true
	}
	v, err := vm.RunString(`({a: 1, b: [true, null]})`)
	if err != nil || len(kinds) != 9 || l.object == l.array {
		return
	}
	l.ok = true
	made := v.(*goja.Object)
	b := l.plainObject(made)
	if b == nil || b.val != made || b.class != "Object" || b.prototype != made.Prototype() || len(b.propNames) != 2 || len(b.values) != 2 || b.propNames[1] != "b" {
		l.ok = false
		return
	}
	list, ok := b.values["b"].(*goja.Object)
	if !ok {
		l.ok = false
		return
	}
	values, ok := l.list(list, list.Prototype())
	l.ok = ok && len(values) == 2 && kindOf(values[0]) == l.boolean && kindOf(values[1]) == l.null
}

// plainObject gives the tables of an ordinary object; nil: it is another, or the layout is not known.
func (l *plainLayout) plainObject(o *goja.Object) *plainObject {
	if w := wordsOf(o); l.ok && w.kind == l.object {
		return (*plainObject)(w.impl)
	}
	return nil
}

// list gives the items of an array that has nothing else of its own.
func (l *plainLayout) list(o, prototype *goja.Object) ([]goja.Value, bool) {
	w := wordsOf(o)
	if w.kind != l.array {
		return nil, false
	}
	items := *(*[]goja.Value)(unsafe.Add(w.impl, l.items))
	b := (*plainObject)(w.impl)
	return items, b.prototype == prototype && len(b.propNames) == 1 && len(items) == int(*(*uint32)(unsafe.Add(w.impl, l.length)))
}

// prototypes are those of plain data, as the runtime made them.
type prototypes struct {
	object, array *goja.Object
	tables        [2]table
}

func prototypesOf(vm *goja.Runtime) prototypes {
	p := prototypes{object: vm.NewObject().Prototype(), array: vm.NewArray().Prototype()}
	p.tables = [2]table{layout().tableOf(p.object), layout().tableOf(p.array)}
	return p
}

// plain reports whether nothing that plain data inherits has a say in its JSON.
func (p *prototypes) plain() bool {
	for _, t := range p.tables {
		if t.names == nil || (*t.values)["toJSON"] != nil {
			return false
		}
	}
	return p.object.Prototype() == nil && p.array.Prototype() == p.object
}

// Encode gives the JSON text of a value (ECMA-262, 25.5.2) in UTF-8; nil: it has none. Its error is what a script threw.
func (j *JSON) Encode(v goja.Value) ([]byte, error) {
	if text, ok := j.plainJSON(v); ok {
		return text, nil
	}
	text, err := j.stringify(goja.Undefined(), v)
	if err != nil || goja.IsUndefined(text) {
		return nil, err
	}
	return UTF8(text.String()), nil
}

// EncodeByEngine is JSON.stringify as the engine has it, whatever a script made of the global function.
func (j *JSON) EncodeByEngine(v goja.Value) (goja.Value, error) {
	return j.stringify(goja.Undefined(), v)
}

// plainJSON gives the JSON text of plain data; false: it may be something else.
func (j *JSON) plainJSON(v goja.Value) ([]byte, bool) {
	w := jsonWriter{l: plain(), of: &j.prototypes}
	if !w.l.ok || !w.of.plain() || !w.value(v, 0) {
		return nil, false
	}
	return w.out, true
}

type jsonWriter struct {
	l   *plainLayout
	of  *prototypes
	out []byte
}

// value writes a value; false: it is not plain data.
func (w *jsonWriter) value(v goja.Value, depth int) bool {
	switch kindOf(v) {
	case w.l.ascii, w.l.imported, w.l.unicode:
		return w.quote(v.String())
	case w.l.integer:
		w.out = strconv.AppendInt(w.out, v.ToInteger(), 10)
	case w.l.reference:
		o := v.(*goja.Object)
		if depth >= maxPlainDepth {
			return false
		}
		if b := w.l.plainObject(o); b != nil {
			return w.object(b, depth+1)
		}
		return w.array(o, depth+1)
	case w.l.boolean:
		w.out = strconv.AppendBool(w.out, v.ToBoolean())
	case w.l.float:
		if f := v.ToFloat(); math.IsNaN(f) || math.IsInf(f, 0) {
			w.out = append(w.out, "null"...)
		} else {
			w.out = append(w.out, v.String()...)
		}
	case w.l.null:
		w.out = append(w.out, "null"...)
	default:
		return false
	}
	return true
}

func (w *jsonWriter) object(b *plainObject, depth int) bool {
	if b.class != "Object" || b.prototype != nil && b.prototype != w.of.object {
		return false
	}
	w.out = append(w.out, '{')
	first := true
	for _, name := range b.propNames {
		if name == "toJSON" || beginsWithDigit(name) {
			return false
		}
		v := b.values[name]
		if v == nil {
			return false
		}
		if kindOf(v) == w.l.undefined {
			continue
		}
		if !first {
			w.out = append(w.out, ',')
		}
		first = false
		if !w.quote(name.String()) {
			return false
		}
		w.out = append(w.out, ':')
		if !w.value(v, depth) {
			return false
		}
	}
	w.out = append(w.out, '}')
	return true
}

func (w *jsonWriter) array(o *goja.Object, depth int) bool {
	items, ok := w.l.list(o, w.of.array)
	if !ok {
		return false
	}
	w.out = append(w.out, '[')
	for k, v := range items {
		if k > 0 {
			w.out = append(w.out, ',')
		}
		switch {
		case v == nil: // a hole: what the prototype has there counts
			return false
		case kindOf(v) == w.l.undefined:
			w.out = append(w.out, "null"...)
		case !w.value(v, depth):
			return false
		}
	}
	w.out = append(w.out, ']')
	return true
}

// quote writes a string. U+FFFD may stand for a lone surrogate, which has a form of its own.
func (w *jsonWriter) quote(s string) bool {
	const hex = "0123456789abcdef"
	out := append(w.out, '"')
	start := 0
	for k := 0; k < len(s); {
		c := s[k]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[k:])
			if r == utf8.RuneError {
				return false
			}
			k += size
			continue
		}
		if c >= 0x20 && c != '"' && c != '\\' {
			k++
			continue
		}
		out = append(out, s[start:k]...)
		k++
		start = k
		switch c {
		case '"', '\\':
			out = append(out, '\\', c)
		case '\b':
			out = append(out, '\\', 'b')
		case '\f':
			out = append(out, '\\', 'f')
		case '\n':
			out = append(out, '\\', 'n')
		case '\r':
			out = append(out, '\\', 'r')
		case '\t':
			out = append(out, '\\', 't')
		default:
			out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	w.out = append(append(out, s[start:]...), '"')
	return true
}
