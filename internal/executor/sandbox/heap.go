package sandbox

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"sync/atomic"

	"picloud/internal/executor/sandbox/webassembly"
	"picloud/internal/executor/wire"
)

// What a child's memory is, is what the collector says of its heap: how much of it was in use after the last
// collection. What a process has resident says less, as garbage counts there until it is collected, and the
// address space is taken by Go in steps of 64 MiB. So the heap has a limit of its own, which ends the run
// that exceeds it with a sentence (server.overLimit); the limit of the address space is the wall behind it.

const (
	// perCodeByte and perMapByte are what parsing and compiling take for each byte of a program's code and of
	// its source map, in bytes.
	perCodeByte = 28
	perMapByte  = 3
	// collectAfter is the least allowance, in bytes, around which a collection makes garbage known as such.
	collectAfter = 4 << 20

	// gcPercent is how much may be made, in percent of what is in use, until it is collected: the limit of
	// the heap is what bounds it.
	gcPercent      = 200
	parseGCPercent = 75
)

// heap is what a child knows of its heap.
type heap struct {
	limit uint64 // of scripts, in bytes; 0: there is none
	own   uint64 // what was in use before any script

	// inUse is what was in use after the last collection, in bytes.
	inUse atomic.Uint64
	// allowance is what may be in use beside the limit, for the build that is compiled.
	allowance atomic.Uint64
	// checkC has a token when memory should be looked at.
	checkC chan struct{}

	// parsing is held while a program is compiled: two at a time would need twice the allowance. The lock
	// of keptRuntimes may be taken under it.
	parsing sync.Mutex
}

func newHeap() *heap { return &heap{checkC: make(chan struct{}, 1)} }

// bound sets the limit of scripts, in bytes, and begins to watch the heap.
func (h *heap) bound(limit uint64) {
	h.limit = limit
	webassembly.SetScriptMemory(limit)
	h.collect()
	h.own = h.inUse.Load()
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(int64(h.total()))
	h.armSentinel()
}

// total is all that the child may have, in bytes.
func (h *heap) total() uint64 { return wire.HeapLimit(h.limit) }

// allowed is what scripts and the child itself may have in use, in bytes, with the present allowance.
func (h *heap) allowed() uint64 { return h.limit + h.own + h.allowance.Load() }

// level is how full the heap was after the last collection, without what is there for a build that is
// compiled.
func (h *heap) level() wire.MemoryLevel {
	inUse := h.inUse.Load()
	inUse -= min(inUse, h.allowance.Load())

	total := h.total()
	switch {
	case h.limit == 0 || inUse < total/3:
		return wire.Roomy
	case inUse < total*2/3:
		return wire.Crowded
	default:
		return wire.Full
	}
}

// sentinel is garbage from the start: its finalizer runs after the next collection. It has a pointer, as
// Go may keep small values without pointers together, and then alive.
type sentinel struct{ _ *byte }

// armSentinel has each collection read what is in use, and ask for a look at it when that is much.
func (h *heap) armSentinel() {
	s := &sentinel{}
	runtime.SetFinalizer(s, func(*sentinel) {
		h.read()
		if h.level() != wire.Roomy {
			h.askForCheck()
		}
		h.armSentinel()
	})
}

// askForCheck has the server look at its memory. Any goroutine may call it.
func (h *heap) askForCheck() {
	select {
	case h.checkC <- struct{}{}:
	default: // it is asked already
	}
}

// read takes up what the last collection found.
func (h *heap) read() {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() == metrics.KindUint64 {
		h.inUse.Store(sample[0].Value.Uint64())
	}
}

// measureFrom is how much must have been allocated, in bytes, for a collection to say what of it is in use.
const measureFrom = 16 << 20

// measure begins to measure what is made, and returns the function that ends that: it gives the bytes which
// are in use then and were not before. Of less than measureFrom it guesses that half is.
func (h *heap) measure() (done func() uint64) {
	before := h.inUse.Load()
	began := allocated()

	return func() uint64 {
		made := allocated() - began
		if made < measureFrom || h.limit == 0 {
			return made / 2
		}
		h.collect()
		return min(made, h.inUse.Load()-min(before, h.inUse.Load()))
	}
}

// allocated is how many bytes were ever allocated.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}

// collect frees what is garbage, and reads what is in use then.
func (h *heap) collect() {
	runtime.GC()
	h.read()
}

// beginParse waits until no other program is compiled, and lets the child have what parsing a bundle takes
// that has so many bytes, of which so many are code. makeRoom is called first, if that would not fit beside
// what is in use. Most of what a parser makes is garbage soon, so it is collected more often than that of
// scripts.
func (h *heap) beginParse(bundle, code uint64, makeRoom func(target uint64) bool) {
	h.parsing.Lock()
	if h.limit == 0 {
		return
	}

	allowance := min(code*perCodeByte+(bundle-code)*perMapByte, wire.MaxParse)
	if most := h.total() * 2 / 3; h.inUse.Load()+allowance > most {
		makeRoom(most - min(most, allowance))
	}
	if allowance >= collectAfter {
		h.collect()
		debug.SetGCPercent(parseGCPercent)
	}
	h.allowance.Store(allowance)
	debug.SetMemoryLimit(int64(h.total() + allowance))
}

// endParse takes the allowance back.
func (h *heap) endParse() {
	defer h.parsing.Unlock()
	if h.limit == 0 {
		return
	}

	if h.allowance.Load() >= collectAfter {
		h.collect()
		debug.SetGCPercent(gcPercent)
	}
	h.allowance.Store(0)
	debug.SetMemoryLimit(int64(h.total()))
	if h.level() != wire.Roomy {
		h.askForCheck()
	}
}
