package realm

import (
	"reflect"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
)

// A Go state hides behind an object that is ordinary for scripts: it can be extended, frozen and subclassed,
// and has nothing of its own. The engine's kinds of objects around Go values are none of that, so the object
// is what the engine makes of new Number: one with a value inside that no property shows. That value is,
// instead of a number, an object around the state, at which no script arrives: the methods of Number throw a
// TypeError for it.

// holder is the state inside of one object. It is a goja.DynamicObject, which JSON.stringify looks at in the
// place of the object itself, as it does with numbers; so it has the object's properties.
type holder struct {
	state any
	outer *goja.Object
}

// Get gives a property of the object.
func (h *holder) Get(name string) goja.Value { return h.outer.Get(name) }

// Has reports whether the object has a property.
func (h *holder) Has(name string) bool { return h.outer.Get(name) != nil }

// Keys lists the object's own enumerable properties.
func (h *holder) Keys() []string { return h.outer.Keys() }

// Set and Delete do nothing: no script has the holder.
func (h *holder) Set(string, goja.Value) bool { return false }

// Delete does nothing.
func (h *holder) Delete(string) bool { return false }

// carrier makes objects around states.
type carrier struct {
	vm        *goja.Runtime
	newNumber func(args []goja.Value, newTarget *goja.Object) *goja.Object
	inside    number
	args      [1]goja.Value // of newNumber: inside
}

// number is the argument of new Number: a value that is a number already, as the engine believes.
type number struct {
	goja.Value

	of goja.Value
}

// ToNumber is what the engine puts into the object.
func (n *number) ToNumber() goja.Value { return n.of }

func newCarrier(vm *goja.Runtime) *carrier {
	c := &carrier{vm: vm, inside: number{Value: goja.Undefined()}}
	c.args[0] = &c.inside
	c.newNumber = engine.Construct(vm.GlobalObject().Get("Number").(*goja.Object))
	return c
}

// object makes an object around a state.
func (c *carrier) object(state any, proto *goja.Object) *goja.Object {
	h := &holder{state: state}
	c.inside.of = c.vm.NewDynamicObject(h)

	o := c.newNumber(c.args[:], nil)
	_ = o.SetPrototype(proto)
	h.outer = o
	return o
}

var holderType = reflect.TypeFor[*holder]()

// stateOf gives the Go state behind an object, or nil if there is none. It runs no code of the script.
func stateOf(v goja.Value) any {
	o, ok := v.(*goja.Object)
	if !ok || o.ExportType() != holderType {
		return nil
	}
	if h, ok := o.Export().(*holder); ok {
		return h.state
	}
	return nil
}

// State gives the Go state behind an instance, or nil if v is no such instance. It runs no code of the
// script.
func State[T any](v goja.Value) *T {
	s, _ := stateOf(v).(*T)
	return s
}

// HasState reports whether a value is an instance of a class with Go states, whichever.
func HasState(v goja.Value) bool { return stateOf(v) != nil }
