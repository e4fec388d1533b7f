package executor

import (
	"io"
	"sync"
)

// tail keeps the first part of what a child says on stderr.
type tail struct {
	mu sync.Mutex
	b  []byte
}

// Write keeps what fits and drops the rest.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if room := maxDump - len(t.b); room > 0 {
		t.b = append(t.b, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}

var _ io.Writer = (*tail)(nil)
