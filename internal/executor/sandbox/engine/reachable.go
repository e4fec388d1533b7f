package engine

import "github.com/dop251/goja"

// Reachable lists the objects that a script can come to, from the global object and from roots, by
// properties, getters, setters and prototypes: roots and what hangs on them, each once, without the engine's
// own objects. What was written in JavaScript is ours also where it hangs on one of these. It reads the
// engine's tables, so that nothing is made by looking. It is empty when the engine's memory is not Known.
func Reachable(vm *goja.Runtime, roots []*goja.Object) []*goja.Object {
	if !Known() {
		return nil
	}

	l := layout()
	w := walk{seen: map[*goja.Object]struct{}{}}
	l.eachIntrinsic(vm, func(_ int, o *goja.Object) bool {
		w.seen[o] = struct{}{}
		return true
	})

	l.eachIntrinsic(vm, func(_ int, o *goja.Object) bool {
		w.scriptFunctions(o)
		return true
	})

	global := vm.GlobalObject()
	w.seen[global] = struct{}{}
	w.neighbours(global)

	for _, o := range roots {
		w.visit(o)
	}

	for k := 0; k < len(w.found); k++ {
		w.neighbours(w.found[k])
	}

	return w.found
}

// walk is one search for objects.
type walk struct {
	seen  map[*goja.Object]struct{}
	found []*goja.Object
}

// visit notes an object, if it is new.
func (w *walk) visit(o *goja.Object) {
	if o == nil {
		return
	}
	if _, seen := w.seen[o]; !seen {
		w.seen[o] = struct{}{}
		w.found = append(w.found, o)
	}
}

// neighbours visits what an object leads to.
func (w *walk) neighbours(o *goja.Object) {
	t := layout().tableOf(o)
	if t.names == nil { // a proxy, or another object whose properties are not in tables
		return
	}

	w.visit(o.Prototype())
	t.eachObject(w.visit)
}

// scriptFunctions visits the functions of an engine's object that were written in JavaScript.
func (w *walk) scriptFunctions(o *goja.Object) {
	t := layout().tableOf(o)
	t.eachObject(func(found *goja.Object) {
		if found != nil && layout().source(found) != nil {
			w.visit(found)
		}
	})
}

// eachObject calls f with the values, getters and setters of all properties in a table; nil for one that is
// not there.
func (t *table) eachObject(f func(*goja.Object)) {
	property := func(v goja.Value) {
		p := layout().property(v)
		if o, ok := p.value.(*goja.Object); ok {
			f(o)
		}
		f(p.getter)
		f(p.setter)
	}

	if t.names == nil {
		return
	}

	for _, v := range *t.values {
		property(v)
	}
	eachSymbol(*t.syms, func(_ *goja.Symbol, v goja.Value) bool {
		property(v)
		return true
	})
}
