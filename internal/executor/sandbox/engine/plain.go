package engine

import (
	"reflect"
	"sync"
	"unsafe"

	"github.com/dop251/goja"
	"github.com/dop251/goja/unistring"
)

// JSON of plain data - objects and arrays as literals and JSON.parse make them, strings, numbers - is
// written and made in the engine's own tables, property by property, where the engine would look up each by
// way of JavaScript's rules. Whatever may be anything else is left to the engine: a getter, a toJSON, a
// class, a hole, a name that is a number and belongs in front. Nothing of a script runs before that is
// known.

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
	// items, length and count, of the items that are there, are offsets in the implementation of an array.
	items, length, count uintptr
	// Kinds of values. A string is imported when it came from Go and is long enough not to be copied.
	integer, float, boolean, null, undefined, ascii, unicode, imported, reference kind
}

// plain finds the engine's plain data, once.
var plain = sync.OnceValue(func() *plainLayout {
	l := &plainLayout{}
	l.find()
	return l
})

// find looks for the mirrored fields, and sets ok only if a sample is read as what it is.
func (l *plainLayout) find() {
	defer func() {
		if recover() != nil { // reflect refuses what is not there
			l.ok = false
		}
	}()

	vm := goja.New()
	l.ok = objectSelf.Type != nil && objectSelf.Offset == 0 && objectSelf.Type.Kind() == reflect.Interface &&
		l.findObjects(vm) && l.findKinds(vm)
	l.ok = l.ok && l.reads(vm)
}

// findObjects finds the implementations of an object and an array, and reports whether their fields are
// those that are known here.
func (l *plainLayout) findObjects(vm *goja.Runtime) bool {
	object, array := vm.NewObject(), vm.NewArray(1, 2)
	l.object = wordsOf(object).kind
	l.array = wordsOf(array).kind

	base := layout().impl(object).Type()

	ours := reflect.TypeFor[plainObject]()
	for k := range ours.NumField() {
		f := ours.Field(k)
		theirs, ok := base.FieldByName(f.Name)
		if !ok || theirs.Offset != f.Offset || theirs.Type != f.Type {
			return false
		}
	}

	list := layout().impl(array).Type()
	items, ok1 := list.FieldByName("values")
	length, ok2 := list.FieldByName("length")
	count, ok3 := list.FieldByName("objCount")
	if !ok1 || !ok2 || !ok3 || count.Type.Kind() != reflect.Int ||
		list.Field(0).Type != base || l.object == l.array {
		return false
	}

	l.items = items.Offset
	l.length = length.Offset
	l.count = count.Offset

	return items.Type == reflect.TypeFor[[]goja.Value]() && length.Type == reflect.TypeFor[uint32]()
}

// findKinds learns the kinds of values from samples, and reports whether each is another.
func (l *plainLayout) findKinds(vm *goja.Runtime) bool {
	samples := []struct {
		kind   *kind
		sample goja.Value
	}{
		{&l.integer, vm.ToValue(1)},
		{&l.float, vm.ToValue(1.5)},
		{&l.boolean, vm.ToValue(true)},
		{&l.null, goja.Null()},
		{&l.undefined, goja.Undefined()},
		{&l.ascii, vm.ToValue("a")},
		{&l.unicode, goja.StringFromUTF16([]uint16{0xe9})},
		{&l.imported, vm.ToValue("more than sixteen bytes")},
		{&l.reference, vm.NewObject()},
	}

	kinds := map[kind]bool{}
	for _, s := range samples {
		*s.kind = kindOf(s.sample)
		kinds[*s.kind] = true
	}

	return len(kinds) == len(samples)
}

// reads reports whether a literal is read as what it is.
func (l *plainLayout) reads(vm *goja.Runtime) bool {
	v, err := vm.RunString(`({a: 1, b: [true, null]})`)
	if err != nil {
		return false
	}

	made := v.(*goja.Object)
	b := l.plainObject(made)
	if b == nil || b.val != made || b.class != "Object" || b.prototype != made.Prototype() ||
		len(b.propNames) != 2 || len(b.values) != 2 || b.propNames[1] != "b" {
		return false
	}

	list, ok := b.values["b"].(*goja.Object)
	if !ok {
		return false
	}

	items, ok := l.list(list, list.Prototype())
	return ok && len(items) == 2 && kindOf(items[0]) == l.boolean && kindOf(items[1]) == l.null
}

// plainObject gives the tables of an ordinary object, or nil if it is another kind or the layout is not
// known.
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
	length := *(*uint32)(unsafe.Add(w.impl, l.length))
	b := (*plainObject)(w.impl)
	onlyLength := len(b.propNames) == 1
	return items, b.prototype == prototype && onlyLength && len(items) == int(length)
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
