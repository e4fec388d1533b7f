package webassembly

import (
	"errors"
	"reflect"
	"strings"

	"github.com/dop251/goja"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"picloud/internal/executor/sandbox/realm"
)

// instance is what an instance of WebAssembly.Instance carries.
type instance struct {
	module  *module
	home    api.Module
	exports *goja.Object

	// What a script has seen of it, by the indices of the module: each is made once.
	functions map[uint32]*function
	tables    map[uint32]*table
	memories  map[uint32]*memory
	globals   map[uint32]*global
}

// addInstance defines Instance (5.2).
func (a *API) addInstance() {
	a.instanceClass = a.r.ClassIn(a.Object, "Instance", 1, func(c goja.ConstructorCall) *goja.Object {
		m := a.moduleOf(c.Argument(0))
		list := a.readImports(m, a.importObject(c.Argument(1)))
		return a.r.Wrap(a.instantiate(m, list), c)
	})
	a.r.Getter(a.instanceClass.Proto, "exports", func(v goja.Value) goja.Value {
		return realm.MustState[instance](a.r, v, "WebAssembly.Instance").exports
	})
}

// importObject is the optional object that an argument must be.
func (a *API) importObject(v goja.Value) goja.Value {
	if _, ok := v.(*goja.Object); !ok && !goja.IsUndefined(v) {
		a.typeError("the imports must be an object")
	}
	return v
}

// instantiate makes an instance of a module, with what was found for its imports, and runs its start
// function.
func (a *API) instantiate(m *module, list []resolved) *instance {
	if m.tooLarge != "" {
		a.rangeError("%s", m.tooLarge)
	}

	for _, memory := range m.memories[m.importedCount(kindMemory):] {
		a.makeRoom(memory.min)
	}
	a.checkSegments(m, list)

	in := &instance{
		module:    m,
		functions: map[uint32]*function{},
		tables:    map[uint32]*table{},
		memories:  map[uint32]*memory{},
		globals:   map[uint32]*global{},
	}
	home, err := a.start(m.code, a.link(in, list))
	if err != nil {
		a.refuse(err)
	}
	in.home = home
	a.instances[reflect.ValueOf(home).Pointer()] = in

	in.takeImports(list)
	a.refresh()
	in.exports = a.exportsObject(in)
	if m.hasStart {
		a.invoke(home, m.functionExport(m.start), nil)
	}
	return in
}

// refuse throws why a module was not instantiated.
func (a *API) refuse(err error) {
	var exit *sys.ExitError
	switch {
	case errors.As(err, &exit):
		a.throw(err)
	case strings.Contains(err.Error(), "out of bounds memory access"):
		a.trap("data segment is out of bounds of the memory")
	}
	a.fail(a.linkError, "%s", plain(err))
}

// takeImports notes what the script already knows of what the instance imports.
func (in *instance) takeImports(list []resolved) {
	var next [kindGlobal + 1]uint32
	for k, r := range list {
		kind := in.module.imports[k].kind
		index := next[kind]
		next[kind]++

		switch {
		case r.function != nil:
			in.functions[index] = r.function
		case r.table != nil:
			in.tables[index] = r.table
		case r.memory != nil:
			in.memories[index] = r.memory
		case r.global != nil:
			in.globals[index] = r.global
		}
	}
}

// functionAt is a function of an instance that can be referred to from elsewhere.
func (a *API) functionAt(in *instance, index uint32) *function {
	f := in.functions[index]
	if f == nil {
		f = &function{
			place: place{in.home, in.module.functionExport(index)},
			typ:   in.module.functions[index],
			index: index,
		}
		in.functions[index] = f
	}
	return f
}

// exportsObject makes the frozen object of an instance's exports.
func (a *API) exportsObject(in *instance) *goja.Object {
	exports := a.r.VM.CreateObject(nil)
	for _, x := range in.module.exports {
		_ = exports.DefineDataProperty(x.name, a.exportOf(in, x),
			goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_TRUE)
	}
	a.r.Freeze(exports)
	return exports
}

// exportOf is the object of one export, which is the same for all exports of the same thing.
func (a *API) exportOf(in *instance, x exported) goja.Value {
	switch x.kind {
	case kindFunction:
		return a.objectOf(a.functionAt(in, x.index))
	case kindTable:
		t := in.tables[x.index]
		if t == nil {
			declared := in.module.tables[x.index]
			t = &table{place: place{in.home, x.name}, element: declared.element, max: declared.max}
			in.tables[x.index] = t
		}
		return a.shown(&t.object, a.tableClass, t)
	case kindMemory:
		m := in.memories[x.index]
		if m == nil {
			m = &memory{place: place{in.home, x.name}, max: in.module.memories[x.index].max}
			in.memories[x.index] = m
		}
		return a.shown(&m.object, a.memoryClass, m)
	default:
		g := in.globals[x.index]
		if g == nil {
			g = &global{place: place{in.home, x.name}, globalType: in.module.globals[x.index]}
			in.globals[x.index] = g
		}
		return a.shown(&g.object, a.globalClass, g)
	}
}

// shown is the object of something, which is made once.
func (a *API) shown(object **goja.Object, class realm.Class, state any) *goja.Object {
	if *object == nil {
		*object = a.r.Instance(class, state)
	}
	return *object
}
