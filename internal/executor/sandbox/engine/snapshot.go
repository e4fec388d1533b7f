package engine

import (
	"strings"

	"github.com/dop251/goja"
	"github.com/dop251/goja/unistring"
)

// A runtime serves another run only if no intrinsic was changed. The engine makes its built-ins lazily:
// most runs touch a few of them, and looking at all through JavaScript would both cost more than a small
// run and make every one of them (6 ms and 750 KB a runtime, measured; this way it is 2 us and a few KB).
// So a Snapshot reads the engine's own tables: what exists is compared with what was recorded, and what
// came into being since must be what the engine's template makes.

// Snapshot is what the intrinsics of one runtime were. It belongs to the goroutine that uses the runtime.
type Snapshot struct {
	vm     *goja.Runtime
	slots  []*intrinsic // by the engine's own list; nil for one that was not made yet
	others []*intrinsic // globalThis and what Take was given
	// methods are those that Take was given; they are not among others. function is their prototype.
	methods  []method
	function *goja.Object
}

// Take records the intrinsics of a runtime, its global object and own, the objects that the platform has
// added to it. It is nil when the engine's memory is not Known: a nil Snapshot is never intact.
func Take(vm *goja.Runtime, own []*goja.Object) *Snapshot {
	if !Known() {
		return nil
	}

	l := layout()
	s := &Snapshot{vm: vm, slots: make([]*intrinsic, len(l.globals))}
	l.eachIntrinsic(vm, func(slot int, o *goja.Object) bool {
		s.slots[slot] = s.record(o)
		return true
	})

	for _, in := range s.slots {
		if in == nil {
			continue
		}
		if proto := s.unlistedPrototype(in); proto != nil {
			s.others = append(s.others, s.record(proto))
		}
	}

	s.function = vm.ToValue(func() {}).(*goja.Object).Prototype()

	s.others = append(s.others, s.record(vm.GlobalObject()))
	for _, o := range own {
		if m, ok := asMethod(o, s.function); ok {
			s.methods = append(s.methods, m)
		} else {
			s.others = append(s.others, s.record(o))
		}
	}

	s.pack()
	return s
}

func (s *Snapshot) record(o *goja.Object) *intrinsic { return record(o, o == s.vm.GlobalObject()) }

// pack lays the records side by side, in the order in which they are compared: seldom are they in the
// processor's cache.
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

	packed := make([]intrinsic, len(all))

	packedCells := make([]cell, 0, cells)
	for k, in := range all {
		from := len(packedCells)
		packedCells = append(packedCells, (*in).cells...)
		packed[k] = **in
		packed[k].cells = packedCells[from:len(packedCells):len(packedCells)]
		*in = &packed[k]
	}
}

// Intact reports whether every intrinsic still is what it was: nothing added, removed, replaced or
// re-parented. What the engine has made since must be what it makes, and is recorded too. No code of a
// script runs meanwhile; a pending interrupt is lost.
func (s *Snapshot) Intact() (ok bool) {
	if s == nil {
		return false
	}

	// A factory of a lazily made property is the engine's own code, but nothing of a script may run here:
	// armed before the comparison, the interrupt ends it at the first instruction.
	s.vm.Interrupt("intact")
	defer func() {
		if recover() != nil {
			ok = false
		}
		s.vm.ClearInterrupt()
	}()

	for _, in := range s.others {
		if !in.unchanged(s.vm) {
			return false
		}
	}

	for k := range s.methods {
		if !isMethod(s.methods[k], s.function) {
			return false
		}
	}

	return layout().eachIntrinsic(s.vm, s.intact)
}

// intact compares one intrinsic with its record. One that the engine has made since has none.
func (s *Snapshot) intact(slot int, o *goja.Object) bool {
	if in := s.slots[slot]; in != nil {
		return in.o == o && in.unchanged(s.vm)
	}

	in := &intrinsic{o: o, table: layout().tableOf(o), props: map[unistring.String]property{}}
	if in.table.names == nil || in.table.tmpl == nil {
		return s.plausible(slot, o)
	}

	// It is made from a template, by which every property is judged.
	in.proto = o.Prototype()
	if makeProto := in.table.tmpl.protoFactory; makeProto != nil && makeProto(s.vm) != in.proto {
		return false
	}

	s.slots[slot] = in
	return in.unchanged(s.vm)
}

// plausible accepts an object that the engine made whole during the run, not from a template: what the run
// made of it cannot be told. It must consist of native functions under their own names and of constants;
// from then on it is compared exactly.
func (s *Snapshot) plausible(slot int, o *goja.Object) bool {
	in := s.record(o)
	if !in.isNative() {
		return false
	}

	s.slots[slot] = in

	if proto := s.unlistedPrototype(in); proto != nil {
		p := s.record(proto)
		if !p.isNative() {
			return false
		}
		s.others = append(s.others, p)
	}

	return true
}

// unlistedPrototype is the prototype of a constructor when the engine's list does not hold it: of typed
// arrays and errors.
func (s *Snapshot) unlistedPrototype(in *intrinsic) *goja.Object {
	proto, ok := in.props["prototype"].value.(*goja.Object)
	if !ok || proto == nil {
		return nil
	}
	listed := !layout().eachIntrinsic(s.vm, func(_ int, o *goja.Object) bool { return o != proto })
	if listed {
		return nil
	}

	return proto
}

// isNative reports whether an object has nothing but native functions under their own names, and constants.
func (in *intrinsic) isNative() bool {
	l := layout()
	for name, p := range in.props {
		if p.accessor {
			if !l.isNative(p.getter) || !l.isNative(p.setter) {
				return false
			}
			continue
		}
		if !l.isNativeProperty(name, p) {
			return false
		}
	}

	return true
}

// isNativeProperty reports whether a property that is no accessor is a native function under its own name,
// or a constant.
func (l *engineLayout) isNativeProperty(name unistring.String, p property) bool {
	fn, isObject := p.value.(*goja.Object)
	switch {
	case !isObject && !p.writable, name == "prototype" || name == "constructor":
		return true
	case !isObject && (name == "message" || name == "name"): // of error prototypes
		s := p.value.String()
		return s == "" || strings.HasSuffix(s, "Error")
	case !isObject || !l.isNative(fn):
		return false
	}

	own := fn.Get("name")
	if name == "keys" && own.String() == "values" { // Set.prototype.keys is values (ECMA-262, 24.2.4.8)
		return true
	}

	return own != nil && own.String() == name.String()
}
