package engine

import (
	"reflect"
	"slices"
	"sync"
	"unsafe"

	"github.com/dop251/goja"
	"github.com/dop251/goja/unistring"
)

// Factories of goja's templates: of a property, and of an object's prototype.
type (
	propFactory = func(*goja.Runtime) goja.Value
	protoMaker  = func(*goja.Runtime) *goja.Object
)

// property mirrors goja's valueProperty.
type property struct {
	value                                        goja.Value
	writable, configurable, enumerable, accessor bool
	getter, setter                               *goja.Object
}

// table mirrors the part of goja's baseObject that holds properties. It is empty for kinds of objects that
// have none.
type table struct {
	names  *[]unistring.String
	values *map[unistring.String]goja.Value
	syms   **orderedMap
	// tmpl is set for objects made from a template, by whose factories lazily made properties are judged.
	tmpl *objectTemplate
}

// orderedMap and mapEntry mirror goja's.
type orderedMap struct {
	_         unsafe.Pointer
	_         map[uint64]*mapEntry
	iterFirst *mapEntry
	_         *mapEntry
	_         int
}

type mapEntry struct {
	key, value  goja.Value
	_, iterNext *mapEntry
	_           *mapEntry
}

// objectTemplate mirrors goja's.
type objectTemplate struct {
	names        []unistring.String
	props        map[unistring.String]propFactory
	symProps     map[*goja.Symbol]propFactory
	_            []*goja.Symbol
	protoFactory protoMaker
}

// engineLayout is where the engine keeps what a Snapshot reads.
type engineLayout struct {
	ok            bool
	globals       []uintptr // offsets of the intrinsics' pointers in goja.Runtime
	valueProperty reflect.Type
	kinds         sync.Map                 // of reflect.Type to *tableFields
	nativeFunc    map[reflect.Type]uintptr // offset of the Go function in kinds of native functions
}

// layout finds the engine's fields by name and type, once.
var layout = sync.OnceValue(func() *engineLayout {
	l := &engineLayout{}
	l.find()
	return l
})

// minGlobals is how many intrinsics goja.Runtime lists at least; fewer are not the list.
const minGlobals = 80

// find looks for the mirrored fields, and sets ok only if each of them is where it is expected.
func (l *engineLayout) find() {
	defer func() {
		if recover() != nil { // reflect refuses what is not there
			l.ok = false
		}
	}()

	vm := goja.New()

	global, _ := reflect.TypeFor[goja.Runtime]().FieldByName("global")
	for k := range global.Type.NumField() {
		if f := global.Type.Field(k); f.Type == reflect.TypeFor[*goja.Object]() {
			l.globals = append(l.globals, global.Offset+f.Offset)
		}
	}

	// Array.prototype is made from a template and has, once it is asked for, a property with attributes of
	// its own.
	arrayProto := vm.GlobalObject().Get("Array").(*goja.Object).Get("prototype").(*goja.Object)
	method := arrayProto.Get("map")
	t := l.tableOf(arrayProto)
	if len(l.globals) < minGlobals || t.names == nil || t.tmpl == nil || t.tmpl.props["map"] == nil {
		return
	}

	prop := (*t.values)["map"]
	l.valueProperty = reflect.TypeOf(prop)
	l.findNativeFunctions(arrayProto)

	typeError := vm.GlobalObject().Get("TypeError").(*goja.Object)
	l.ok = len(l.nativeFunc) > 0 && l.constructor(typeError) != nil && l.frames(vm.NewTypeError()) != nil &&
		l.function(method.(*goja.Object)) != nil && callStack() != nil && siteLayout() != nil &&
		mirrors(l.valueProperty.Elem(), reflect.TypeFor[property](),
			"value", "writable", "configurable", "enumerable", "accessor") &&
		(*property)(reflect.ValueOf(prop).UnsafePointer()).value == method &&
		mirrorsMaps(l.impl(arrayProto).Type())
}

// findNativeFunctions learns the kinds of native functions from a method, and from a constructor made from
// a template.
func (l *engineLayout) findNativeFunctions(arrayProto *goja.Object) {
	l.nativeFunc = map[reflect.Type]uintptr{}
	for _, name := range []string{"map", "constructor"} {
		impl := l.impl(arrayProto.Get(name).(*goja.Object))
		if f, ok := impl.Type().FieldByName("f"); ok {
			l.nativeFunc[impl.Type()] = f.Offset
		}
	}
}

// mirrors reports whether the named fields lie in both structs at the same place.
func mirrors(theirs, ours reflect.Type, names ...string) bool {
	for _, name := range names {
		a, ok1 := theirs.FieldByName(name)
		b, ok2 := ours.FieldByName(name)
		if !ok1 || !ok2 || a.Offset != b.Offset || a.Type.Size() != b.Type.Size() {
			return false
		}
	}
	return theirs.Size() == ours.Size()
}

// mirrorsMaps checks what hangs on an object: its symbols and its template.
func mirrorsMaps(object reflect.Type) bool {
	syms, ok1 := object.FieldByName("symValues")
	tmpl, ok2 := object.FieldByName("tmpl")
	if !ok1 || !ok2 {
		return false
	}

	entry, ok := syms.Type.Elem().FieldByName("iterFirst")
	return ok &&
		mirrors(syms.Type.Elem(), reflect.TypeFor[orderedMap](), "iterFirst") &&
		mirrors(entry.Type.Elem(), reflect.TypeFor[mapEntry](), "key", "value", "iterNext") &&
		mirrors(tmpl.Type.Elem(), reflect.TypeFor[objectTemplate](), "props", "symProps", "protoFactory") &&
		mirrorsNames(tmpl.Type.Elem())
}

// mirrorsNames checks the field that has another name in ours.
func mirrorsNames(tmpl reflect.Type) bool {
	f, ok := tmpl.FieldByName("propNames")
	return ok && f.Offset == 0
}

var objectSelf, _ = reflect.TypeFor[goja.Object]().FieldByName("self")

// impl is the struct behind an object.
func (l *engineLayout) impl(o *goja.Object) reflect.Value {
	return reflect.ValueOf(o).Elem().FieldByIndex(objectSelf.Index).Elem().Elem()
}

// tableFields is where a kind of object keeps its tables, as reflect counts fields.
type tableFields struct {
	names, values, syms, tmpl []int
	source                    []int // of a function that was written in JavaScript
}

// fields looks a kind of object up, once: nil for one that has no tables.
func (l *engineLayout) fields(kind reflect.Type) *tableFields {
	if found, known := l.kinds.Load(kind); known {
		return found.(*tableFields)
	}

	var found *tableFields
	if kind.Kind() == reflect.Struct {
		names, ok1 := kind.FieldByName("propNames")
		values, ok2 := besides(kind, names, "values")
		syms, ok3 := kind.FieldByName("symValues")
		if ok1 && ok2 && ok3 {
			tmpl, _ := kind.FieldByName("tmpl")
			found = &tableFields{names: names.Index, values: values.Index, syms: syms.Index, tmpl: tmpl.Index}
			if source, ok := kind.FieldByName("src"); ok && source.Type.Kind() == reflect.String {
				found.source = source.Index
			}
		}
	}

	l.kinds.Store(kind, found)
	return found
}

// besides finds a field in the struct that has another one. An array has items of the same name around it.
func besides(kind reflect.Type, other reflect.StructField, name string) (reflect.StructField, bool) {
	if len(other.Index) == 0 {
		return reflect.StructField{}, false
	}

	path := other.Index[:len(other.Index)-1]
	if len(path) > 0 {
		kind = kind.FieldByIndex(path).Type
	}

	field, ok := kind.FieldByName(name)
	field.Index = slices.Concat(path, field.Index)
	return field, ok
}

// tableOf finds an object's table.
func (l *engineLayout) tableOf(o *goja.Object) table {
	impl := l.impl(o)
	fields := l.fields(impl.Type())
	if fields == nil {
		return table{}
	}

	t := table{
		names:  (*[]unistring.String)(impl.FieldByIndex(fields.names).Addr().UnsafePointer()),
		values: (*map[unistring.String]goja.Value)(impl.FieldByIndex(fields.values).Addr().UnsafePointer()),
		syms:   (**orderedMap)(impl.FieldByIndex(fields.syms).Addr().UnsafePointer()),
	}
	if fields.tmpl != nil {
		t.tmpl = (*objectTemplate)(impl.FieldByIndex(fields.tmpl).UnsafePointer())
	}

	return t
}

// property copies what a table holds: goja keeps a plain value, or a pointer that assignments change in
// place.
func (l *engineLayout) property(v goja.Value) property {
	if v != nil && reflect.TypeOf(v) == l.valueProperty {
		return *(*property)(reflect.ValueOf(v).UnsafePointer())
	}
	return property{value: v, writable: true, configurable: true, enumerable: true}
}

// words are a property's memory: equal words are the same property.
type words = [unsafe.Sizeof(property{}) / 8]uint64

// cellOf is the memory of a property that is kept by a pointer, or nil for a plain value.
func (l *engineLayout) cellOf(v goja.Value) *words {
	if v == nil || reflect.TypeOf(v) != l.valueProperty {
		return nil
	}
	return (*words)(reflect.ValueOf(v).UnsafePointer())
}

// newCell makes a property that is kept by a pointer, as the engine keeps one with attributes of its own.
func (l *engineLayout) newCell(p property) goja.Value {
	made := reflect.New(l.valueProperty.Elem())
	*(*property)(made.UnsafePointer()) = p
	return made.Interface().(goja.Value)
}

// isCell reports whether what a table has is the cell at this address.
func isCell(v goja.Value, at *words) bool {
	// An interface is its type and the pointer to what it holds.
	return (*[2]unsafe.Pointer)(unsafe.Pointer(&v))[1] == unsafe.Pointer(at)
}

// code is where the Go function of a native function begins; native is false if o is none. Method values of
// one method share their code.
func (l *engineLayout) code(o *goja.Object) (at uintptr, kind reflect.Type, native bool) {
	v := l.impl(o)
	offset, native := l.nativeFunc[v.Type()]
	if !native {
		return 0, nil, false
	}
	return **(**uintptr)(unsafe.Add(v.Addr().UnsafePointer(), offset)), v.Type(), true
}

// isNative reports a native function; nil, of a property without a getter or setter, counts as one.
func (l *engineLayout) isNative(o *goja.Object) bool {
	if o == nil {
		return true
	}
	_, native := l.nativeFunc[l.impl(o).Type()]
	return native
}

// eachIntrinsic calls f for every intrinsic that the engine has made so far, until f is false, which it
// reports. slot counts the engine's list.
func (l *engineLayout) eachIntrinsic(vm *goja.Runtime, f func(slot int, o *goja.Object) bool) bool {
	base := unsafe.Pointer(vm)
	for slot, offset := range l.globals {
		if o := *(**goja.Object)(unsafe.Add(base, offset)); o != nil && !f(slot, o) {
			return false
		}
	}
	return true
}

// eachSymbol calls f for the properties whose names are symbols, in order, until f is false, which it
// reports.
func eachSymbol(m *orderedMap, f func(*goja.Symbol, goja.Value) bool) bool {
	if m == nil {
		return true
	}

	for e := m.iterFirst; e != nil; e = e.iterNext {
		if s, ok := e.key.(*goja.Symbol); ok && !f(s, e.value) {
			return false
		}
	}

	return true
}
