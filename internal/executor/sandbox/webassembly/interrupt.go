package webassembly

import (
	"context"
	"sync"

	"github.com/tetratelabs/wazero/api"
)

// homes are the engine's instances of one realm. They live as long as it does.
type homes struct {
	// mu guards the fields below, which the goroutine that interrupts reads. The engine's own locks are taken
	// under it.
	mu          sync.Mutex
	list        []api.Module
	interrupted bool
}

// add keeps an instance; one that comes after an interrupt ends what it computes at once.
func (h *homes) add(home api.Module) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, home)
	if h.interrupted {
		end(home)
	}
}

// isInterrupted reports whether nothing may be called any more.
func (h *homes) isInterrupted() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.interrupted
}

// interrupt ends what all instances compute, and whatever is called later.
func (h *homes) interrupt() {
	h.mu.Lock()
	defer h.mu.Unlock()

	h.interrupted = true
	for _, home := range h.list {
		end(home)
	}
}

// end makes an instance's code stop at its next loop. It marks the instance as closed, and frees nothing.
func end(home api.Module) { _ = home.CloseWithExitCode(context.Background(), 1) }

// Interrupt ends, for good, what the realm's modules compute: loops at their next round, anything else when
// it is called next. Any goroutine may call it.
func (a *API) Interrupt() { a.homes.interrupt() }
