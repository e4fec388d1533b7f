package sandbox

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"picloud/internal/cloud"
)

// usage measures what a run uses. Between resume and pause its goroutine stays on one thread, whose CPU clock counts; where
// there is no such clock, the time between them does.
type usage struct {
	cpu     time.Duration
	since   time.Duration
	started time.Time
	running bool
}

func (u *usage) resume() {
	runtime.LockOSThread()
	u.running = true
	if u.since = threadTime(); u.since == 0 {
		u.started = time.Now()
	}
}

func (u *usage) pause() {
	if u.running {
		u.cpu += u.lap()
		u.running = false
		runtime.UnlockOSThread()
	}
}

func (u *usage) lap() time.Duration {
	if u.since > 0 {
		return threadTime() - u.since
	}
	return time.Since(u.started)
}

// longRun is from when on the process's memory is looked up again: a short run has not changed it much, and a look costs
// as much as the run.
const longRun = 2 * time.Millisecond

// now is what was used so far.
func (u *usage) now() cloud.Usage {
	cpu := u.cpu
	if u.running {
		cpu += u.lap()
	}
	return cloud.Usage{CPU: cpu, MemoryKiB: processMemory.peak(cpu >= longRun)}
}

// memoryFile is the process's own status, opened before it gives up what it does not need.
type memoryFile struct {
	mu   sync.Mutex
	file *os.File
	kib  int64
}

var processMemory memoryFile

// peak is the most memory that the process has had resident, in KiB, as it was looked up last.
func (m *memoryFile) peak(look bool) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.file == nil || !look && m.kib > 0 {
		return m.kib
	}
	var buf [4096]byte
	n, _ := m.file.ReadAt(buf[:], 0)
	_, rest, ok := bytes.Cut(buf[:n], []byte("VmHWM:"))
	if fields := bytes.Fields(rest); ok && len(fields) > 0 {
		m.kib, _ = strconv.ParseInt(string(fields[0]), 10, 64)
	}
	return m.kib
}
