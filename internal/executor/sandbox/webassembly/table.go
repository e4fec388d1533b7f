package webassembly

import (
	"github.com/dop251/goja"
	"github.com/tetratelabs/wazero/api"

	"picloud/internal/executor/sandbox/realm"
)

// table is what an instance of WebAssembly.Table carries.
type table struct {
	place
	element valueType
	max     *uint32 // as it was declared; nil if it was not
	object  *goja.Object
	access  api.Module // has the functions that read and change it
}

// addTable defines Table (5.4).
func (a *API) addTable() {
	a.tableClass = a.r.ClassIn(a.Object, "Table", 1, func(c goja.ConstructorCall) *goja.Object {
		made := a.newTable(a.descriptor(c.Argument(0), "the descriptor of a table"), c.Arguments)
		made.object = a.r.Wrap(made, c)
		return made.object
	})

	this := func(v goja.Value) *table { return realm.MustState[table](a.r, v, "WebAssembly.Table") }
	proto := a.tableClass.Proto
	a.r.Getter(proto, "length", func(v goja.Value) goja.Value { return a.r.VM.ToValue(a.lengthOf(this(v))) })
	a.r.Method(proto, "get", 1, func(c goja.FunctionCall) goja.Value {
		t := this(c.This)
		index := a.indexIn(t, c.Argument(0))
		return a.toValue(a.onTable(t, "get", uint64(index)), t.element)
	})
	a.r.Method(proto, "set", 1, func(c goja.FunctionCall) goja.Value {
		t := this(c.This)
		index := a.enforced(c.Argument(0), "the index")
		value := a.element(t, c.Arguments, 1)
		a.checkIndex(t, index)
		a.onTable(t, "set", uint64(index), value)
		return goja.Undefined()
	})
	a.r.Method(proto, "grow", 1, func(c goja.FunctionCall) goja.Value {
		t := this(c.This)
		delta := a.enforced(c.Argument(0), "the number of elements")
		value := a.element(t, c.Arguments, 1)
		if uint64(delta)+uint64(a.lengthOf(t)) > maxTable {
			a.rangeError("a table has at most %d elements here", maxTable)
		}
		before := a.onTable(t, "grow", value, uint64(delta))
		if uint32(before) == ^uint32(0) {
			a.rangeError("the table cannot grow by %d elements", delta)
		}
		return a.r.VM.ToValue(int64(before))
	})
}

// element is the value for an element that a call gives, or what is there without one: undefined, or null.
func (a *API) element(t *table, arguments []goja.Value, at int) uint64 {
	if len(arguments) > at {
		return a.toWord(arguments[at], t.element)
	}
	if t.element == externref {
		return a.externs.handle(goja.Undefined())
	}
	return 0
}

// newTable is new WebAssembly.Table(descriptor, value).
func (a *API) newTable(o *goja.Object, arguments []goja.Value) *table {
	name := o.Get("element")
	if name == nil {
		name = goja.Undefined()
	}
	element, ok := typeNamed(name.String())
	if !ok || !isReference(element) {
		a.typeError(`element must be "anyfunc" or "externref"`)
	}
	sizes := a.sizes(o)
	if sizes.max != nil && *sizes.max < sizes.min {
		a.rangeError("maximum must not be smaller than initial")
	}
	if sizes.min > maxTable {
		a.rangeError("a table has at most %d elements here", maxTable)
	}

	t := &table{element: element, max: sizes.max}
	value := a.element(t, given(arguments), 1)
	bounded := limits{sizes.min, atMost(sizes.max, maxTable)}
	t.home = a.build(tableModule(tableType{bounded, element}, nil), nil)
	t.name = "table"
	t.access = t.home
	if value != 0 {
		a.onTable(t, "fill", value, uint64(sizes.min))
	}
	return t
}

// given leaves out a second argument that is undefined, which constructors take as none.
func given(arguments []goja.Value) []goja.Value {
	if len(arguments) > 1 && goja.IsUndefined(arguments[1]) {
		return arguments[:1]
	}
	return arguments
}

// tableModule is a module that has a table, or imports it if it is given where it is, and functions that read
// and change it.
func tableModule(t tableType, from *place) *encoder {
	e := newEncoder()
	e.section(sectionType, func(e *encoder) {
		e.u32(5)
		e.funcType(&funcType{[]valueType{i32}, []valueType{t.element}})
		e.funcType(&funcType{[]valueType{i32, t.element}, nil})
		e.funcType(&funcType{[]valueType{t.element, i32}, []valueType{i32}})
		e.funcType(&funcType{nil, []valueType{i32}})
		e.funcType(&funcType{[]valueType{t.element, i32}, nil})
	})
	declare := func(e *encoder) {
		e.byte(t.element)
		e.limits(t.limits)
	}
	if from != nil {
		e.section(sectionImport, func(e *encoder) {
			e.u32(1)
			e.name("its")
			e.name(from.name)
			e.byte(byte(kindTable))
			declare(e)
		})
	}
	e.section(sectionFunction, func(e *encoder) { e.byte(5, 0, 1, 2, 3, 4) })
	if from == nil {
		e.section(sectionTable, func(e *encoder) {
			e.u32(1)
			declare(e)
		})
	}
	e.section(sectionExport, func(e *encoder) {
		e.u32(6)
		e.export("table", kindTable, 0)

		for k, name := range []string{"get", "set", "grow", "size", "fill"} {
			e.export(name, kindFunction, uint32(k))
		}
	})
	e.section(sectionCode, func(e *encoder) {
		e.u32(5)
		e.body(0x20, 0, 0x25, 0)                         // table.get
		e.body(0x20, 0, 0x20, 1, 0x26, 0)                // table.set
		e.body(0x20, 0, 0x20, 1, 0xfc, 0x0f, 0)          // table.grow
		e.body(0xfc, 0x10, 0)                            // table.size
		e.body(0x41, 0, 0x20, 0, 0x20, 1, 0xfc, 0x11, 0) // table.fill from 0
	})
	return e
}

// onTable calls one of the functions of a table.
func (a *API) onTable(t *table, name string, arguments ...uint64) uint64 {
	if t.access == nil {
		from := func(string) api.Module { return t.home }
		t.access = a.build(tableModule(tableType{element: t.element}, &t.place), from)
	}
	return a.run(t.access, name, arguments...)
}

func (a *API) lengthOf(t *table) uint32 {
	return uint32(a.onTable(t, "size"))
}

// indexIn reads the index of an element that there is.
func (a *API) indexIn(t *table, v goja.Value) uint32 {
	index := a.enforced(v, "the index")
	a.checkIndex(t, index)
	return index
}

func (a *API) checkIndex(t *table, index uint32) {
	if n := a.lengthOf(t); index >= n {
		a.rangeError("the table has %d elements, and none at %d", n, index)
	}
}
