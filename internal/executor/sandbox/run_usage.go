package sandbox

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/rawsys"
)

// usage measures what a run uses. Between resume and pause its goroutine stays on one thread, whose CPU
// clock counts; where there is no such clock, the time between them does.
type usage struct {
	cpu   time.Duration // until the last pause
	since time.Duration // of the thread's clock; 0 where there is none
	// resumed is when it last began to compute, in nanoseconds since the process started; 0 while it does
	// not.
	resumed atomic.Int64
}

// resume begins to count, for the goroutine that calls it.
func (u *usage) resume() {
	runtime.LockOSThread()
	u.resumed.Store(int64(time.Since(processStart)))
	u.since = rawsys.ThreadTime()
}

// pause ends what resume began; it may be called twice.
func (u *usage) pause() {
	if u.resumed.Load() != 0 {
		u.cpu += u.lap()
		u.resumed.Store(0)
		runtime.UnlockOSThread()
	}
}

// lap is what was used since resume.
func (u *usage) lap() time.Duration {
	if u.since > 0 {
		return rawsys.ThreadTime() - u.since
	}
	return u.computing(time.Now())
}

// computing is for how long the run has been computing without a pause. Any goroutine may ask.
func (u *usage) computing(now time.Time) time.Duration {
	since := u.resumed.Load()
	if since == 0 {
		return 0
	}
	return now.Sub(processStart) - time.Duration(since)
}

var processStart = time.Now()

// now is what was used so far. The process's memory is read again after a long run and after many
// short ones: a short one has not changed it much, and reading it costs as much as the run.
func (u *usage) now() cloud.Usage {
	cpu := u.cpu
	if u.resumed.Load() != 0 {
		cpu += u.lap()
	}
	return cloud.Usage{CPU: cpu, MemoryKiB: processMemory.peak(cpu >= longRun)}
}

// memoryFile is the process's own status, opened before it gives up what it does not need.
type memoryFile struct {
	file *os.File // nil where there is none

	// mu guards the fields below. No other lock is taken under it.
	mu   sync.Mutex
	kib  int64 // as it was read last
	asks int   // since then
}

// fd is the file's descriptor, -1 if there is none.
func (m *memoryFile) fd() int {
	if m.file == nil {
		return -1
	}
	return int(m.file.Fd())
}

// readAfter is the number of runs after which the process's memory is read at the latest.
const readAfter = 256

var processMemory memoryFile

// peak is the most memory that the process has had resident, in KiB, as it was read last.
func (m *memoryFile) peak(look bool) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.asks++; m.file == nil || !look && m.kib > 0 && m.asks < readAfter {
		return m.kib
	}

	m.asks = 0
	var buf [4096]byte
	n, _ := m.file.ReadAt(buf[:], 0)
	_, rest, ok := bytes.Cut(buf[:n], []byte("VmHWM:"))
	if fields := bytes.Fields(rest); ok && len(fields) > 0 {
		m.kib, _ = strconv.ParseInt(string(fields[0]), 10, 64)
	}

	return m.kib
}
