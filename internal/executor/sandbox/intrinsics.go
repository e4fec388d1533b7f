package sandbox

import (
	"reflect"

	"github.com/dop251/goja"
)

// intrinsic is one built-in object and what its properties were after module evaluation.
type intrinsic struct {
	o       *goja.Object
	proto   *goja.Object
	names   []string
	values  []goja.Value
	syms    []*goja.Symbol
	symVals []goja.Value
	// own counts the string-keyed properties; nil when the engine's layout is not the one we know.
	own   func() int
	count int
	// open: properties may be added (globalThis, which module state may use).
	open bool
}

// collectIntrinsics takes the list that the prelude made of a pristine runtime.
func (i *isolate) collectIntrinsics(list *goja.Object) {
	n := int(list.Get("length").ToInteger())
	i.intrinsics = make([]intrinsic, 0, n)
	for k := range n {
		entry := list.Get(itoa(k)).(*goja.Object)
		in := intrinsic{o: entry.Get("0").(*goja.Object)}
		in.proto, _ = entry.Get("2").(*goja.Object)
		in.open = in.o == i.vm.GlobalObject()
		keys := entry.Get("1").(*goja.Object)
		for j := range int(keys.Get("length").ToInteger()) {
			switch k := keys.Get(itoa(j)).(type) {
			case *goja.Symbol:
				in.syms = append(in.syms, k)
			default:
				in.names = append(in.names, k.String())
			}
		}
		i.intrinsics = append(i.intrinsics, in)
	}
}

// snapshot records the intrinsics as module evaluation left them; a polyfill is part of the program.
func (i *isolate) snapshot() {
	for k := range i.intrinsics {
		in := &i.intrinsics[k]
		in.own = propertyCounter(in.o)
		in.count = in.own()
		in.proto = in.o.Prototype()
		in.values = make([]goja.Value, len(in.names))
		for j, name := range in.names {
			in.values[j] = in.o.Get(name)
		}
		in.symVals = make([]goja.Value, len(in.syms))
		for j, sym := range in.syms {
			in.symVals[j] = in.o.GetSymbol(sym)
		}
	}
}

// intact reports whether every intrinsic still is what it was: nothing added, removed, replaced or re-parented.
func (i *isolate) intact() (ok bool) {
	// A property may have become an accessor: armed before the look, the interrupt ends its code at the first instruction.
	i.vm.Interrupt("intact")
	defer func() {
		if recover() != nil {
			ok = false
		}
		i.vm.ClearInterrupt()
	}()
	for k := range i.intrinsics {
		in := &i.intrinsics[k]
		if !in.open && in.own() != in.count || in.o.Prototype() != in.proto {
			return false
		}
		for j, name := range in.names {
			if !same(in.o.Get(name), in.values[j]) {
				return false
			}
		}
		for j, sym := range in.syms {
			if !same(in.o.GetSymbol(sym), in.symVals[j]) {
				return false
			}
		}
	}
	return true
}

func same(a, b goja.Value) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.SameAs(b)
}

// propertyCounter counts an object's own string-keyed properties. Listing names would cost more than a small run, so it
// reads the length of the engine's list of names; TestPropertyCounter guards the assumption.
func propertyCounter(o *goja.Object) func() int {
	names := func() int { return len(o.GetOwnPropertyNames()) }
	names() // materialises lazily initialised built-ins
	v := reflect.ValueOf(o).Elem().FieldByName("self")
	if !v.IsValid() {
		return names
	}
	for v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return names
		}
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return names
	}
	f := v.FieldByName("propNames")
	if !f.IsValid() || f.Kind() != reflect.Slice {
		return names
	}
	return f.Len
}
