package executor

import (
	"io"
	"sync"
)

// maxDump is how much of a child's stderr is kept, in bytes. A dump begins with its reason and the goroutine
// that died.
const maxDump = 64 << 10

// stderrHead keeps the first part of what a child writes to stderr.
type stderrHead struct {
	mu sync.Mutex // guards b
	b  []byte
}

var _ io.Writer = (*stderrHead)(nil)

// Write keeps what fits and drops the rest. It never fails: a child must not block or die of what it writes.
func (h *stderrHead) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()

	if room := maxDump - len(h.b); room > 0 {
		h.b = append(h.b, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

func (h *stderrHead) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return string(h.b)
}
