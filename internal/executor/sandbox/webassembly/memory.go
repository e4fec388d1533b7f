package webassembly

import (
	"github.com/dop251/goja"
	"github.com/tetratelabs/wazero/api"

	"picloud/internal/executor/sandbox/realm"
)

// place is where the engine has something: an instance, and the name of an export of it.
type place struct {
	home api.Module
	name string
}

// memory is what an instance of WebAssembly.Memory carries.
type memory struct {
	place
	max    *uint32 // as it was declared; nil if it was not
	object *goja.Object

	buffer *goja.Object // nil until a script asks for it, and after each growth
	seen   uint32       // bytes, when buffer was made
}

// addMemory defines Memory (5.3).
func (a *API) addMemory() {
	a.memoryClass = a.r.ClassIn(a.Object, "Memory", 1, func(c goja.ConstructorCall) *goja.Object {
		made := a.newMemory(a.descriptor(c.Argument(0), "the descriptor of a memory"))
		made.object = a.r.Wrap(made, c)
		return made.object
	})

	this := func(v goja.Value) *memory { return realm.MustState[memory](a.r, v, "WebAssembly.Memory") }
	a.r.Getter(a.memoryClass.Proto, "buffer", func(v goja.Value) goja.Value { return a.bufferOf(this(v)) })
	a.r.Method(a.memoryClass.Proto, "grow", 1, func(c goja.FunctionCall) goja.Value {
		m := this(c.This)
		return a.r.VM.ToValue(a.growMemory(m, a.enforced(c.Argument(0), "the number of pages")))
	})
}

// newMemory is new WebAssembly.Memory(descriptor).
func (a *API) newMemory(o *goja.Object) *memory {
	sizes := a.sizes(o)
	if shared := o.Get("shared"); shared != nil && shared.ToBoolean() {
		a.typeError("shared memories are not supported")
	}
	if sizes.min > memoryPages || sizes.max != nil && *sizes.max > memoryPages {
		a.rangeError("a memory has at most %d pages", memoryPages)
	}
	if sizes.max != nil && *sizes.max < sizes.min {
		a.rangeError("maximum must not be smaller than initial")
	}

	a.makeRoom(sizes.min)
	e := newEncoder()
	e.section(sectionMemory, func(e *encoder) {
		e.u32(1)
		e.limits(limits{min: sizes.min, max: atMost(sizes.max, a.maxPages())})
	})
	e.section(sectionExport, func(e *encoder) {
		e.u32(1)
		e.export("m", kindMemory, 0)
	})

	return &memory{place: place{a.build(e, nil), "m"}, max: sizes.max}
}

// makeRoom throws a RangeError if more pages are more than all memories may have.
func (a *API) makeRoom(more uint32) {
	if bytes := uint64(more) * pageSize; bytes > a.memory.most-a.memory.used {
		a.rangeError("could not allocate memory: %d KiB more than the %d KiB that there are would be over "+
			"the %d MiB that all memories may have", bytes>>10, a.memory.used>>10, a.memory.most>>20)
	}
}

// size is how many bytes a memory has.
func (m *memory) size() uint32 { return m.home.ExportedMemory(m.name).Size() }

// bufferOf is memory.buffer: the memory itself, until it grows.
func (a *API) bufferOf(m *memory) goja.Value {
	if m.buffer != nil {
		if shown, _ := m.buffer.Export().(goja.ArrayBuffer); !shown.Detached() {
			return m.buffer
		}
		a.forget(m)
	}

	m.seen = m.size()
	all, _ := m.home.ExportedMemory(m.name).Read(0, m.seen)
	m.buffer = a.r.VM.ToValue(a.r.VM.NewArrayBuffer(realm.NotNil(all))).(*goja.Object)
	a.views = append(a.views, m)
	return m.buffer
}

// detach takes a memory's buffer from the script, as it shows the memory no more.
func (a *API) detach(m *memory) {
	if m.buffer != nil {
		if shown, ok := m.buffer.Export().(goja.ArrayBuffer); ok {
			shown.Detach()
		}
		a.forget(m)
	}
}

func (a *API) forget(m *memory) {
	m.buffer = nil
	for k, seen := range a.views {
		if seen == m {
			last := len(a.views) - 1
			a.views[k] = a.views[last]
			a.views[last] = nil
			a.views = a.views[:last]
			return
		}
	}
}

// refresh detaches the buffers of memories that have grown. It is called whenever a module gives control to
// JavaScript.
func (a *API) refresh() {
	for k := len(a.views) - 1; k >= 0; k-- {
		if m := a.views[k]; m.size() != m.seen {
			a.detach(m)
		}
	}
}

// growMemory is memory.grow(delta): the number of pages that there were.
func (a *API) growMemory(m *memory, delta uint32) uint32 {
	a.makeRoom(delta)
	before, ok := m.home.ExportedMemory(m.name).Grow(delta)
	if !ok {
		a.rangeError("a memory of %d pages cannot grow by %d", m.size()/pageSize, delta)
	}
	a.detach(m)
	return before
}
