package webassembly

import (
	"math"
	"math/big"
	"strconv"

	"github.com/dop251/goja"
	"github.com/tetratelabs/wazero/api"

	"picloud/internal/executor/sandbox/realm"
)

// resolved is what was found for one import. One of its fields is set.
type resolved struct {
	script   goja.Callable // a function that no module exports
	function *function
	table    *table
	memory   *memory
	global   *global
}

// readImports finds what a module imports, in the script's object (read the imports, 5.2). It throws a
// TypeError for what is not there, and a LinkError for what is of another kind or type.
func (a *API) readImports(m *module, from goja.Value) []resolved {
	if len(m.imports) == 0 {
		return nil
	}
	object, ok := from.(*goja.Object)
	if !ok {
		a.typeError("the module imports something: the second argument must be an object")
	}

	list := make([]resolved, len(m.imports))
	for k := range m.imports {
		i := &m.imports[k]
		of, ok := object.Get(i.module).(*goja.Object)
		if !ok {
			a.typeError("import %d: the module %q must be an object", k, i.module)
		}
		v := of.Get(i.name)
		if v == nil {
			v = goja.Undefined()
		}
		list[k] = a.readImport(k, i, v)
	}
	return list
}

// readImport takes a value for an import.
func (a *API) readImport(k int, i *imported, v goja.Value) (r resolved) {
	wrong := func(what string) {
		a.fail(a.linkError, "import %d %q %q: %s", k, i.module, i.name, what)
	}

	switch i.kind {
	case kindFunction:
		if r.function = a.functionIn(v); r.function != nil {
			if !r.function.typ.equal(i.function) {
				wrong("the function has another type")
			}
			return r
		}
		if r.script, _ = goja.AssertFunction(v); r.script == nil {
			wrong("must be a function")
		}
	case kindTable:
		if r.table = realm.State[table](v); r.table == nil {
			wrong("must be a WebAssembly.Table")
		}
		if r.table.element != i.table.element || !i.table.admit(a.lengthOf(r.table), r.table.max) {
			wrong("the table has another type or size")
		}
	case kindMemory:
		if r.memory = realm.State[memory](v); r.memory == nil {
			wrong("must be a WebAssembly.Memory")
		}
		if !i.memory.admit(r.memory.size()/pageSize, r.memory.max) {
			wrong("the memory has another size")
		}
	case kindGlobal:
		if r.global = realm.State[global](v); r.global == nil {
			r.global = a.globalFor(i.global, v, wrong)
		}
		if r.global.globalType != i.global {
			wrong("the global has another type")
		}
	}
	return r
}

// globalFor makes a global of a value that is imported as one.
func (a *API) globalFor(t globalType, v goja.Value, wrong func(string)) *global {
	if t.mutable {
		wrong("must be a WebAssembly.Global that can be changed")
	}

	switch t.value {
	case i64:
		if !isBigInt(v) {
			wrong("must be a BigInt or a WebAssembly.Global")
		}
	case i32, f32, f64:
		if !isNumber(v) {
			wrong("must be a number or a WebAssembly.Global")
		}
	case v128:
		wrong("must be a WebAssembly.Global")
	case funcref:
		if !goja.IsNull(v) && a.functionIn(v) == nil {
			wrong("must be a function that a module exports, or null")
		}
	}
	return a.makeGlobal(t, a.toWord(v, t.value))
}

func isBigInt(v goja.Value) bool {
	if _, isObject := v.(*goja.Object); isObject {
		return false
	}
	_, ok := v.Export().(*big.Int)
	return ok
}

func isNumber(v goja.Value) bool {
	if _, isObject := v.(*goja.Object); isObject {
		return false
	}

	switch v.Export().(type) {
	case int64, float64:
		return true
	}
	return false
}

// link makes the instances from which a module imports, and a function that finds them by the number of an
// import.
func (a *API) link(in *instance, list []resolved) func(string) api.Module {
	scripts := map[string]*scriptFunction{}
	var others []int

	var functions uint32
	for k, r := range list {
		if r.script != nil {
			scripts[strconv.Itoa(k)] = &scriptFunction{r.script, in.module.imports[k].function, in, functions}
		} else {
			others = append(others, k)
		}
		if in.module.imports[k].kind == kindFunction {
			functions++
		}
	}

	var host, linker api.Module
	if len(scripts) > 0 {
		host = a.hostModule(scripts)
	}
	if len(others) > 0 {
		linker = a.linkerModule(in.module, list, others)
	}
	return func(name string) api.Module {
		if scripts[name] != nil {
			return host
		}
		return linker
	}
}

// linkerModule makes an instance that imports what several instances have, and exports each under the number
// of its import.
func (a *API) linkerModule(m *module, list []resolved, numbers []int) api.Module {
	at := func(k int) place {
		switch r := list[k]; {
		case r.function != nil:
			return r.function.place
		case r.table != nil:
			return r.table.place
		case r.memory != nil:
			return r.memory.place
		default:
			return list[k].global.place
		}
	}

	e := newEncoder()
	e.section(sectionType, func(e *encoder) {
		e.u32(uint32(len(m.types)))

		for k := range m.types {
			e.funcType(&m.types[k])
		}
	})
	e.section(sectionImport, func(e *encoder) {
		e.u32(uint32(len(numbers)))

		for _, k := range numbers {
			e.name(strconv.Itoa(k))
			e.name(at(k).name)
			m.encodeImport(e, &m.imports[k])
		}
	})
	e.section(sectionExport, func(e *encoder) {
		var next [kindGlobal + 1]uint32
		e.u32(uint32(len(numbers)))

		for _, k := range numbers {
			kind := m.imports[k].kind
			e.export(strconv.Itoa(k), kind, next[kind])
			next[kind]++
		}
	})

	return a.build(e, func(name string) api.Module {
		k, _ := strconv.Atoi(name)
		return at(k).home
	})
}

// checkSegments throws a RuntimeError if an element segment does not fit its table: the engine would pass
// over it.
func (a *API) checkSegments(m *module, list []resolved) {
	for _, s := range m.segments {
		offset, known := m.offset(s.offset, list)
		if !known || uint64(s.table) >= uint64(len(m.tables)) {
			continue
		}
		if uint64(offset)+uint64(s.count) > uint64(a.tableSize(m, s.table, list)) {
			a.fail(a.runtimeError, "out of bounds table access")
		}
	}
}

// offset is the value of a constant expression, if it is a number or an imported global.
func (m *module) offset(c constant, list []resolved) (uint32, bool) {
	if !c.known || !c.fromGlobal {
		return uint32(c.number), c.known
	}

	var next uint32
	for k, i := range m.imports {
		if i.kind != kindGlobal {
			continue
		}
		if next == c.global {
			return uint32(list[k].global.word() & math.MaxUint32), true
		}
		next++
	}
	return 0, false
}

// tableSize is how many elements a table of a module has when it is instantiated.
func (a *API) tableSize(m *module, index uint32, list []resolved) uint32 {
	var next uint32
	for k, i := range m.imports {
		if i.kind != kindTable {
			continue
		}
		if next == index {
			return a.lengthOf(list[k].table)
		}
		next++
	}
	return m.tables[index].min
}
