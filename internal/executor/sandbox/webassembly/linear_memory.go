package webassembly

import (
	"runtime"

	"github.com/tetratelabs/wazero/experimental"
)

// linearMemories is all memory of the modules of one realm.
type linearMemories struct {
	used uint64 // bytes
	most uint64 // bytes
}

// Allocate makes a memory, which has no bytes yet.
func (l *linearMemories) Allocate(_, _ uint64) experimental.LinearMemory { return &linearMemory{of: l} }

// linearMemory is the bytes of one memory.
type linearMemory struct {
	of    *linearMemories
	bytes []byte
}

// largeFrom is from how many bytes on a memory that grows gets all the room that is left: each copy needs
// other addresses, and the process has no more than a few times the largest. What is not written to costs
// nothing.
const largeFrom = 16 << 20

// Reallocate gives a memory a size in bytes, or nil if that would be too much: then the module is told that
// it cannot grow. It may be called on nil, as an interrupt takes the memory from the engine while that grows
// it.
func (m *linearMemory) Reallocate(size uint64) []byte {
	if m == nil {
		return nil
	}
	now := uint64(len(m.bytes))
	if size < now || size-now > m.of.most-m.of.used {
		return nil
	}
	m.of.used += size - now
	if size <= uint64(cap(m.bytes)) {
		m.bytes = m.bytes[:size]
		return m.bytes
	}

	// The next growth finds room, unless this is the first size: most memories never grow.
	room := size
	switch left := m.of.most - m.of.used; {
	case now == 0:
	case size >= largeFrom:
		room += left
		runtime.GC() // the copies before this one
	default:
		room += min(size, left)
	}
	grown := make([]byte, size, room)
	copy(grown, m.bytes)
	m.bytes = grown
	return grown
}

// Free does nothing: the collector frees what neither the engine nor a script holds.
func (*linearMemory) Free() {}
