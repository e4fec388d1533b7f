package engine

import (
	"reflect"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"github.com/dop251/goja"
	"github.com/dop251/goja/unistring"
)

// A runtime serves another run only if no intrinsic was changed. The engine makes its built-ins lazily: most runs touch a
// few of them, and looking at all through JavaScript would both cost more than a small run and make every one of them
// (6 ms and 750 KB a runtime, measured; this way it is 2 us and a few KB). So this file reads the engine's own tables: what
// exists is compared with what was recorded, and what came into being since must be what the engine's template makes.
//
// The layout of those tables is checked against the engine once per process (layout). If it is not the one known here,
// every runtime is thrown away after its run: slow, and as safe.

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

// table mirrors the part of goja's baseObject that holds properties. It is empty for kinds of objects that have none.
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

// engineLayout is where the engine keeps what we look at.
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

func (l *engineLayout) find() {
	defer func() {
		if recover() != nil {
			l.ok = false
		}
	}()
	vm := goja.New()
	rt := reflect.TypeFor[goja.Runtime]()
	global, _ := rt.FieldByName("global")
	object := reflect.TypeFor[*goja.Object]()
	for k := range global.Type.NumField() {
		if f := global.Type.Field(k); f.Type == object {
			l.globals = append(l.globals, global.Offset+f.Offset)
		}
	}
	arrayProto := vm.GlobalObject().Get("Array").(*goja.Object).Get("prototype").(*goja.Object)
	arrayProto.Get("map")
	t := l.tableOf(arrayProto)
	if len(l.globals) < 80 || t.names == nil || t.tmpl == nil || t.tmpl.props["map"] == nil {
		return
	}
	prop := (*t.values)["map"]
	l.valueProperty = reflect.TypeOf(prop)
	l.nativeFunc = map[reflect.Type]uintptr{}
	for _, name := range []string{"map", "constructor"} { // a method, and a constructor made from a template
		fn := arrayProto.Get(name).(*goja.Object)
		impl := l.impl(fn)
		if f, ok := impl.Type().FieldByName("f"); ok {
			l.nativeFunc[impl.Type()] = f.Offset
		}
	}
	l.ok = mirrors(l.valueProperty.Elem(), reflect.TypeFor[property](), "value", "writable", "configurable", "enumerable", "accessor") &&
		len(l.nativeFunc) > 0 && (*property)(reflect.ValueOf(prop).UnsafePointer()).value == arrayProto.Get("map") && mirrorsMaps(l.impl(arrayProto).Type())
}

// mirrors reports whether the named fields lie in both structs at the same place.
func mirrors(theirs, ours reflect.Type, names ...string) bool {
	for _, n := range names {
		a, ok1 := theirs.FieldByName(n)
		b, ok2 := ours.FieldByName(n)
		if !ok1 || !ok2 || a.Offset != b.Offset || a.Type.Size() != b.Type.Size() {
			return false
		}
	}
	return theirs.Size() == ours.Size()
}

func mirrorsMaps(object reflect.Type) bool {
	syms, ok1 := object.FieldByName("symValues")
	tmpl, ok2 := object.FieldByName("tmpl")
	if !ok1 || !ok2 {
		return false
	}
	entry, ok := syms.Type.Elem().FieldByName("iterFirst")
	return ok && mirrors(syms.Type.Elem(), reflect.TypeFor[orderedMap](), "iterFirst") &&
		mirrors(entry.Type.Elem(), reflect.TypeFor[mapEntry](), "key", "value", "iterNext") &&
		mirrors(tmpl.Type.Elem(), reflect.TypeFor[objectTemplate](), "props", "symProps", "protoFactory") && mirrorsNames(tmpl.Type.Elem())
}

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
type tableFields struct{ names, values, syms, tmpl []int }

// fields looks a kind of object up, once: nil for one that has no tables.
func (l *engineLayout) fields(kind reflect.Type) *tableFields {
	if f, known := l.kinds.Load(kind); known {
		return f.(*tableFields)
	}
	var f *tableFields
	if kind.Kind() == reflect.Struct {
		names, ok1 := kind.FieldByName("propNames")
		values, ok2 := kind.FieldByName("values")
		syms, ok3 := kind.FieldByName("symValues")
		if ok1 && ok2 && ok3 {
			tmpl, _ := kind.FieldByName("tmpl")
			f = &tableFields{names.Index, values.Index, syms.Index, tmpl.Index}
		}
	}
	l.kinds.Store(kind, f)
	return f
}

// tableOf finds an object's table.
func (l *engineLayout) tableOf(o *goja.Object) table {
	v := l.impl(o)
	f := l.fields(v.Type())
	if f == nil {
		return table{}
	}
	t := table{
		names:  (*[]unistring.String)(v.FieldByIndex(f.names).Addr().UnsafePointer()),
		values: (*map[unistring.String]goja.Value)(v.FieldByIndex(f.values).Addr().UnsafePointer()),
		syms:   (**orderedMap)(v.FieldByIndex(f.syms).Addr().UnsafePointer()),
	}
	if f.tmpl != nil {
		t.tmpl = (*objectTemplate)(v.FieldByIndex(f.tmpl).UnsafePointer())
	}
	return t
}

// intrinsic is one built-in object as it was when it was recorded.
type intrinsic struct {
	o     *goja.Object
	proto *goja.Object
	table table
	cells []cell // of the props, in no order
	// names in order; empty while the engine has not listed them, which it does when one is added or deleted.
	names []unistring.String
	// last is the cell of the last of names, nil while it is not known, and if one of them may be an array index.
	last *words
	// open: properties may be added, as to globalThis: that is module state.
	open  bool
	syms  []symbol // in order
	props map[unistring.String]property
}

// cell is where the engine keeps a property, and what was there. Assignments change a property in its cell; the engine
// never moves it.
type cell struct {
	at  *words
	was words
}

// words are a property's memory: equal words are the same property.
type words = [unsafe.Sizeof(property{}) / 8]uint64

func (c *cell) unchanged() bool { // word by word is faster than the call that == makes of it
	a, b := c.at, &c.was
	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3] && a[4] == b[4]
}

// isCell reports whether what the table has is the cell at this address.
func isCell(v goja.Value, at *words) bool {
	return (*[2]unsafe.Pointer)(unsafe.Pointer(&v))[1] == unsafe.Pointer(at) // an interface is its type and this pointer
}

// symbol is a property whose name is a symbol.
type symbol struct {
	name *goja.Symbol
	cell cell // empty for a plain value
	was  property
}

func symbolOf(s *goja.Symbol, v goja.Value) symbol {
	l := layout()
	y := symbol{name: s, was: l.property(v)}
	if at := l.cellOf(v); at != nil {
		y.cell = cell{at, *at}
	}
	return y
}

// add takes a property into the record. One that the engine keeps as a plain value is given a cell, as the engine gives one
// to a property with attributes of its own: then comparing all of them needs no look into the table.
func (in *intrinsic) add(name unistring.String, v goja.Value) {
	l := layout()
	p := l.property(v)
	in.props[name] = p
	at := l.cellOf(v)
	if at == nil {
		made := reflect.New(l.valueProperty.Elem())
		*(*property)(made.UnsafePointer()) = p
		v = made.Interface().(goja.Value)
		(*in.table.values)[name] = v
		at = l.cellOf(v)
	}
	in.cells = append(in.cells, cell{at, *at})
}

func (l *engineLayout) cellOf(v goja.Value) *words {
	if v == nil || reflect.TypeOf(v) != l.valueProperty {
		return nil
	}
	return (*words)(reflect.ValueOf(v).UnsafePointer())
}

// record takes down an object as it is.
func (s *Snapshot) record(o *goja.Object) *intrinsic {
	l := layout()
	in := &intrinsic{o: o, proto: o.Prototype(), table: l.tableOf(o), open: o == s.vm.GlobalObject(),
		props: map[unistring.String]property{}}
	if in.table.names == nil {
		return in
	}
	in.listed()
	for name, v := range *in.table.values {
		in.add(name, v)
	}
	eachSymbol(*in.table.syms, func(name *goja.Symbol, v goja.Value) bool {
		in.syms = append(in.syms, symbolOf(name, v))
		return true
	})
	return in
}

// property copies what a table holds: goja keeps a plain value, or a pointer that assignments change in place.
func (l *engineLayout) property(v goja.Value) property {
	if v != nil && reflect.TypeOf(v) == l.valueProperty {
		return *(*property)(reflect.ValueOf(v).UnsafePointer())
	}
	return property{value: v, writable: true, configurable: true, enumerable: true}
}

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

// existing calls f for every intrinsic that the engine has made so far.
func (s *Snapshot) existing(f func(slot int, o *goja.Object) bool) bool {
	base := unsafe.Pointer(s.vm)
	for slot, off := range layout().globals {
		if o := *(**goja.Object)(unsafe.Add(base, off)); o != nil && !f(slot, o) {
			return false
		}
	}
	return true
}

// Snapshot is what the intrinsics of one runtime were. It belongs to the goroutine that uses the runtime.
type Snapshot struct {
	vm     *goja.Runtime
	slots  []*intrinsic // by the engine's own list; nil: not made yet
	others []*intrinsic // globalThis and the objects that Take was given
}

// Take records the intrinsics of a runtime, its global object and own, the objects that the platform has added to it. It is nil
// when the engine's memory is not Known: a nil Snapshot is never intact.
func Take(vm *goja.Runtime, own []*goja.Object) *Snapshot {
	l := layout()
	if !l.ok {
		return nil
	}
	s := &Snapshot{vm: vm, slots: make([]*intrinsic, len(l.globals))}
	s.existing(func(slot int, o *goja.Object) bool {
		s.slots[slot] = s.record(o)
		return true
	})
	for _, in := range s.slots {
		if in != nil {
			if proto := s.unlistedPrototype(in); proto != nil {
				s.others = append(s.others, s.record(proto))
			}
		}
	}
	for _, o := range append([]*goja.Object{vm.GlobalObject()}, own...) {
		s.others = append(s.others, s.record(o))
	}
	s.pack()
	return s
}

// pack lays the records side by side, in the order in which they are compared: seldom are they in the processor's cache.
func (s *Snapshot) pack() {
	var all []**intrinsic
	cells := 0
	for _, list := range [][]*intrinsic{s.others, s.slots} {
		for k := range list {
			if list[k] != nil {
				all = append(all, &list[k])
				cells += len(list[k].cells)
			}
		}
	}
	records, side := make([]intrinsic, len(all)), make([]cell, 0, cells)
	for k, in := range all {
		from := len(side)
		side = append(side, (*in).cells...)
		records[k] = **in
		records[k].cells = side[from:len(side):len(side)]
		*in = &records[k]
	}
}

// Intact reports whether every intrinsic still is what it was: nothing added, removed, replaced or re-parented. What the engine
// has made since must be what it makes, and is recorded too. No code of a script runs meanwhile; a pending interrupt is lost.
func (s *Snapshot) Intact() (ok bool) {
	if s == nil {
		return false
	}
	// A factory of a lazily made property is the engine's own code, but nothing of a script may run here: armed before
	// the look, the interrupt ends it at the first instruction.
	s.vm.Interrupt("intact")
	defer func() {
		if recover() != nil {
			ok = false
		}
		s.vm.ClearInterrupt()
	}()
	for _, in := range s.others {
		if !s.unchanged(in) {
			return false
		}
	}
	return s.existing(func(slot int, o *goja.Object) bool {
		in := s.slots[slot]
		if in == nil { // made during the run: every property is judged by its template
			in = &intrinsic{o: o, table: layout().tableOf(o), props: map[unistring.String]property{}}
			if in.table.names == nil || in.table.tmpl == nil {
				// Made whole by the engine, not from a template: what the run made of it cannot be told.
				return s.plausible(slot, o)
			}
			if in.proto = o.Prototype(); in.table.tmpl.protoFactory != nil && in.table.tmpl.protoFactory(s.vm) != in.proto {
				return false
			}
			s.slots[slot] = in
		}
		return in.o == o && s.unchanged(in)
	})
}

// plausible accepts an object that the engine made whole during the run, if it consists of native functions under their
// own names and of constants; from then on it is compared exactly.
func (s *Snapshot) plausible(slot int, o *goja.Object) bool {
	in := s.record(o)
	if !s.native(in) {
		return false
	}
	s.slots[slot] = in
	if proto := s.unlistedPrototype(in); proto != nil {
		p := s.record(proto)
		if !s.native(p) {
			return false
		}
		s.others = append(s.others, p)
	}
	return true
}

// unlistedPrototype is the prototype of a constructor when the engine's list does not hold it: of typed arrays and errors.
func (s *Snapshot) unlistedPrototype(in *intrinsic) *goja.Object {
	proto, ok := in.props["prototype"].value.(*goja.Object)
	if !ok || proto == nil {
		return nil
	}
	listed := !s.existing(func(_ int, o *goja.Object) bool { return o != proto })
	if listed {
		return nil
	}
	return proto
}

func (s *Snapshot) native(in *intrinsic) bool {
	l := layout()
	isNative := func(o *goja.Object) bool {
		if o == nil {
			return true
		}
		_, native := l.nativeFunc[l.impl(o).Type()]
		return native
	}
	for name, p := range in.props {
		if p.accessor {
			if !isNative(p.getter) || !isNative(p.setter) {
				return false
			}
			continue
		}
		fn, isObject := p.value.(*goja.Object)
		switch {
		case !isObject && !p.writable, name == "prototype" || name == "constructor":
		case !isObject && name == "message" || !isObject && name == "name": // of error prototypes
			if s := p.value.String(); s != "" && !strings.HasSuffix(s, "Error") {
				return false
			}
		case !isObject || !isNative(fn):
			return false
		default:
			n := fn.Get("name")
			alias := name == "keys" && n.String() == "values" // Set.prototype.keys is values (ECMA-262, 24.2.4.8)
			if !alias && (n == nil || n.String() != name.String()) {
				return false
			}
		}
	}
	return true
}

// unchanged compares an object with its record, and takes properties that the engine has made since into the record.
func (s *Snapshot) unchanged(in *intrinsic) bool {
	if in.o.Prototype() != in.proto {
		return false
	}
	if in.table.names == nil {
		return true
	}
	if !s.sameNames(in) {
		return false
	}
	for k := range in.cells {
		if !in.cells[k].unchanged() {
			return false
		}
	}
	values := *in.table.values
	if len(values) != len(in.cells) && !s.newProperties(in, values) {
		return false
	}
	return s.sameSymbols(in)
}

// listed notes which names the engine has listed.
func (in *intrinsic) listed() { in.names = slices.Clone(*in.table.names) }

// sameNames reports that no name was deleted, nor, unless the object is open, added. The engine appends names, so one that
// was deleted and added again either moved to the end, or was the last, whose value is then another.
func (s *Snapshot) sameNames(in *intrinsic) bool {
	names := *in.table.names
	if len(in.names) == 0 && len(names) > 0 { // listed since the record was made: by the template, and what was added then
		tmpl := in.table.tmpl
		if tmpl == nil || len(names) < len(tmpl.names) || !in.open && len(names) > len(tmpl.names) || !slices.Equal(names[:len(tmpl.names)], tmpl.names) {
			return false
		}
		in.names = tmpl.names
		in.last = nil
	}
	count := len(in.names)
	if count == 0 {
		return true
	}
	// The engine appends names, moves those that are array indices to the front, and nothing else. So when the first one and the
	// last one are where they were, and the last one was not made anew, then none was deleted.
	if in.last != nil && (len(names) == count || in.open && len(names) > count) && names[0] == in.names[0] && names[count-1] == in.names[count-1] {
		return isCell((*in.table.values)[in.names[count-1]], in.last)
	}
	if len(names) < count || !in.open && len(names) > count || !slices.Equal(names[:count], in.names) {
		return false
	}
	last := in.names[count-1]
	v, made := (*in.table.values)[last]
	if p, known := in.props[last]; known {
		if !slices.ContainsFunc(in.names, beginsWithDigit) {
			in.last = layout().cellOf(v)
		}
		return made && sameProperty(layout().property(v), p)
	}
	return !made || s.isBuiltin(&in.table, last)
}

func beginsWithDigit(name unistring.String) bool {
	return name != "" && '0' <= name[0] && name[0] <= '9'
}

// newProperties judges what the engine has made since the record, by its template.
func (s *Snapshot) newProperties(in *intrinsic, values map[unistring.String]goja.Value) bool {
	for name, v := range values {
		if _, known := in.props[name]; known {
			continue
		}
		if !s.fromTemplate(&in.table, name, layout().property(v)) {
			if in.open && !s.isBuiltin(&in.table, name) {
				continue
			}
			return false
		}
		in.add(name, v)
	}
	return true
}

func (s *Snapshot) isBuiltin(t *table, name unistring.String) bool {
	return t.tmpl != nil && t.tmpl.props[name] != nil
}

func (s *Snapshot) fromTemplate(t *table, name unistring.String, p property) bool {
	return s.isBuiltin(t, name) && s.madeBy(t.tmpl.props[name], p)
}

// madeBy reports whether a property is what its factory makes: the same object, or another instance of the same native
// function, or the same constant.
func (s *Snapshot) madeBy(f propFactory, p property) bool {
	l := layout()
	fresh := l.property(f(s.vm))
	if fresh.writable != p.writable || fresh.configurable != p.configurable || fresh.enumerable != p.enumerable || fresh.accessor != p.accessor {
		return false
	}
	return l.sameNative(fresh.value, p.value) && l.sameNative(objectValue(fresh.getter), objectValue(p.getter)) &&
		l.sameNative(objectValue(fresh.setter), objectValue(p.setter))
}

func objectValue(o *goja.Object) goja.Value {
	if o == nil {
		return nil
	}
	return o
}

func (l *engineLayout) sameNative(a, b goja.Value) bool {
	if same(a, b) {
		return true
	}
	x, ok1 := a.(*goja.Object)
	y, ok2 := b.(*goja.Object)
	if !ok1 || !ok2 {
		return false
	}
	vx, vy := l.impl(x), l.impl(y)
	off, native := l.nativeFunc[vx.Type()]
	if !native || vx.Type() != vy.Type() {
		return false
	}
	// Method values of one method share their code.
	code := func(v reflect.Value) uintptr { return **(**uintptr)(unsafe.Add(v.Addr().UnsafePointer(), off)) }
	return code(vx) == code(vy)
}

func (s *Snapshot) sameSymbols(in *intrinsic) bool {
	l := layout()
	m := *in.table.syms
	if m == nil {
		return len(in.syms) == 0
	}
	n := 0
	ok := eachSymbol(m, func(name *goja.Symbol, v goja.Value) bool {
		if n < len(in.syms) { // those that were there come first
			old := &in.syms[n]
			n++
			if old.cell.at != nil && isCell(v, old.cell.at) {
				return old.name == name && old.cell.unchanged()
			}
			return old.name == name && sameProperty(l.property(v), old.was)
		}
		p := l.property(v)
		if in.table.tmpl == nil || in.table.tmpl.symProps[name] == nil || !s.madeBy(in.table.tmpl.symProps[name], p) {
			return in.open
		}
		in.syms = append(in.syms, symbolOf(name, v))
		n++
		return true
	})
	return ok && n == len(in.syms)
}

func sameProperty(a, b property) bool {
	return a.writable == b.writable && a.configurable == b.configurable && a.accessor == b.accessor && a.getter == b.getter &&
		a.setter == b.setter && same(a.value, b.value)
}

func same(a, b goja.Value) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	if x, ok := a.(*goja.Object); ok {
		y, ok := b.(*goja.Object)
		return ok && x == y
	}
	return a.SameAs(b)
}
