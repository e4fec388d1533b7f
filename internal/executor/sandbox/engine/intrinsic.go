package engine

import (
	"slices"

	"github.com/dop251/goja"
	"github.com/dop251/goja/unistring"
)

// intrinsic is one built-in object as it was when it was recorded.
type intrinsic struct {
	o     *goja.Object
	proto *goja.Object
	table table // where the engine keeps its properties
	cells []cell
	props map[unistring.String]property // those of cells, by name
	syms  []symbol                      // in order

	// names are those that the engine has listed, in order; empty while it has not, which it does when one
	// is added or deleted.
	names []unistring.String
	// last is the cell of the last of names, nil while it is not known, and if one of them may be an array
	// index.
	last *words
	// open allows properties to be added, as to globalThis, where they are module state.
	open bool
}

// cell is where the engine keeps a property, and what was there. Assignments change a property in its cell;
// the engine never moves it.
type cell struct {
	at  *words
	was words
}

func (c *cell) unchanged() bool { // word by word is faster than the call that == makes of it
	a, b := c.at, &c.was
	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3] && a[4] == b[4]
}

// symbol is a property whose name is a symbol.
type symbol struct {
	name *goja.Symbol
	cell cell // empty for a plain value
	was  property
}

// symbolOf records a property whose name is a symbol.
func symbolOf(name *goja.Symbol, v goja.Value) symbol {
	l := layout()
	s := symbol{name: name, was: l.property(v)}
	if at := l.cellOf(v); at != nil {
		s.cell = cell{at, *at}
	}
	return s
}

// record takes down an object as it is.
func record(o *goja.Object, open bool) *intrinsic {
	in := &intrinsic{
		o:     o,
		proto: o.Prototype(),
		table: layout().tableOf(o),
		open:  open,
		props: map[unistring.String]property{},
	}
	if in.table.names == nil {
		return in
	}

	in.names = slices.Clone(*in.table.names)
	for name, v := range *in.table.values {
		in.add(name, v)
	}

	eachSymbol(*in.table.syms, func(name *goja.Symbol, v goja.Value) bool {
		in.syms = append(in.syms, symbolOf(name, v))
		return true
	})
	return in
}

// add takes a property into the record. One that the engine keeps as a plain value is given a cell, as the
// engine gives one to a property with attributes of its own: then comparing all of them needs no look into
// the table.
func (in *intrinsic) add(name unistring.String, v goja.Value) {
	l := layout()
	p := l.property(v)
	in.props[name] = p

	at := l.cellOf(v)
	if at == nil {
		v = l.newCell(p)
		(*in.table.values)[name] = v
		at = l.cellOf(v)
	}

	in.cells = append(in.cells, cell{at, *at})
}

// unchanged compares an object with its record, and takes properties that the engine has made since into
// the record.
func (in *intrinsic) unchanged(vm *goja.Runtime) bool {
	if in.o.Prototype() != in.proto {
		return false
	}
	if in.table.names == nil {
		return true
	}
	if !in.sameNames() {
		return false
	}

	for k := range in.cells {
		if !in.cells[k].unchanged() {
			return false
		}
	}

	// Every property that was there is, so more of them are new ones.
	values := *in.table.values
	if len(values) != len(in.cells) && !in.newProperties(vm, values) {
		return false
	}

	return in.sameSymbols(vm)
}

// sameNames reports that no name was deleted, nor, unless the object is open, added. The engine appends
// names, so one that was deleted and added again either moved to the end, or was the last, whose value is
// then another.
func (in *intrinsic) sameNames() bool {
	names := *in.table.names
	if len(in.names) == 0 && len(names) > 0 && !in.listedByTemplate(names) {
		return false
	}

	count := len(in.names)
	if count == 0 {
		return true
	}
	if len(names) < count || len(names) > count && !in.open {
		return false
	}

	// The engine appends names, moves those that are array indices to the front, and nothing else. So when
	// the first one and the last one are where they were, and the last one was not made anew, then none was
	// deleted.
	if in.last != nil && names[0] == in.names[0] && names[count-1] == in.names[count-1] {
		return isCell((*in.table.values)[in.names[count-1]], in.last)
	}

	return slices.Equal(names[:count], in.names) && in.sameLast()
}

// listedByTemplate takes up names that the engine has listed since the record was made: by the template,
// and what was added then.
func (in *intrinsic) listedByTemplate(names []unistring.String) bool {
	tmpl := in.table.tmpl
	if tmpl == nil || len(names) < len(tmpl.names) || !in.open && len(names) > len(tmpl.names) ||
		!slices.Equal(names[:len(tmpl.names)], tmpl.names) {
		return false
	}

	in.names = tmpl.names
	in.last = nil
	return true
}

// sameLast reports that the last of the names, of which all are where they were, is the property that it
// was. From then on its cell tells that, if no name can be moved by the engine.
func (in *intrinsic) sameLast() bool {
	last := in.names[len(in.names)-1]
	value, made := (*in.table.values)[last]
	p, known := in.props[last]
	if !known {
		return !made || in.isBuiltin(last)
	}

	l := layout()
	if !slices.ContainsFunc(in.names, beginsWithDigit) {
		in.last = l.cellOf(value)
	}

	return made && sameProperty(l.property(value), p)
}

func beginsWithDigit(name unistring.String) bool {
	return name != "" && '0' <= name[0] && name[0] <= '9'
}

// newProperties judges what the engine has made since the record, by its template.
func (in *intrinsic) newProperties(vm *goja.Runtime, values map[unistring.String]goja.Value) bool {
	l := layout()
	for name, v := range values {
		if _, known := in.props[name]; known {
			continue
		}
		if in.isBuiltin(name) && madeBy(vm, in.table.tmpl.props[name], l.property(v)) {
			in.add(name, v)
			continue
		}
		if !in.open || in.isBuiltin(name) {
			return false
		}
	}

	return true
}

// isBuiltin reports whether the object's template has a property of the name.
func (in *intrinsic) isBuiltin(name unistring.String) bool {
	return in.table.tmpl != nil && in.table.tmpl.props[name] != nil
}

// sameSymbols compares the properties whose names are symbols. Those that were there come first.
func (in *intrinsic) sameSymbols(vm *goja.Runtime) bool {
	m := *in.table.syms
	if m == nil {
		return len(in.syms) == 0
	}

	count := 0
	ok := eachSymbol(m, func(name *goja.Symbol, value goja.Value) bool {
		if count < len(in.syms) {
			old := &in.syms[count]
			count++
			return old.name == name && old.unchanged(value)
		}

		tmpl := in.table.tmpl
		isBuiltin := tmpl != nil && tmpl.symProps[name] != nil
		if !isBuiltin || !madeBy(vm, tmpl.symProps[name], layout().property(value)) {
			return in.open
		}

		in.syms = append(in.syms, symbolOf(name, value))
		count++

		return true
	})

	return ok && count == len(in.syms)
}

// unchanged compares what the table has with the record.
func (s *symbol) unchanged(v goja.Value) bool {
	if s.cell.at != nil && isCell(v, s.cell.at) {
		return s.cell.unchanged()
	}
	return sameProperty(layout().property(v), s.was)
}

// madeBy reports whether a property is what its factory makes: the same object, or another instance of the
// same native function, or the same constant.
func madeBy(vm *goja.Runtime, factory propFactory, p property) bool {
	fresh := layout().property(factory(vm))
	if fresh.writable != p.writable || fresh.configurable != p.configurable ||
		fresh.enumerable != p.enumerable || fresh.accessor != p.accessor {
		return false
	}
	return sameNative(fresh.value, p.value) &&
		sameNative(objectValue(fresh.getter), objectValue(p.getter)) &&
		sameNative(objectValue(fresh.setter), objectValue(p.setter))
}

// objectValue is an object as a value: nil, not an interface of a nil pointer, for none.
func objectValue(o *goja.Object) goja.Value {
	if o == nil {
		return nil
	}
	return o
}

// sameNative reports the same value, or two instances of the same native function.
func sameNative(a, b goja.Value) bool {
	if same(a, b) {
		return true
	}

	x, ok1 := a.(*goja.Object)
	y, ok2 := b.(*goja.Object)
	if !ok1 || !ok2 {
		return false
	}

	l := layout()
	codeX, kindX, nativeX := l.code(x)
	codeY, kindY, nativeY := l.code(y)

	return nativeX && nativeY && kindX == kindY && codeX == codeY
}

func sameProperty(a, b property) bool {
	return a.writable == b.writable && a.configurable == b.configurable && a.accessor == b.accessor &&
		a.getter == b.getter && a.setter == b.setter && same(a.value, b.value)
}

// same reports the same value. Objects are compared by identity, without a call into the engine.
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
