package executor

import (
	"errors"
	"strings"
	"testing"
)

// What is read from the last words of a child: why it died, in which run, and what did not fit.
func TestDiagnose(t *testing.T) {
	t.Parallel()
	const running = "\n\ngoroutine 7 [running]:\nmain.f()\n\tx.go:1\n" +
		"picloud/internal/executor/sandbox.markedRun(0x2a, 0x1)\n\ty.go:2\n"
	const waiting = "\ngoroutine 8 [chan receive]:\n" +
		"picloud/internal/executor/sandbox.markedRun(0x63, 0x1)\n\ty.go:2\n"
	const noMemory = "runtime: out of memory: cannot allocate 4194304-byte block (130023424 in use)"
	pages := strings.Repeat("x", maxDumpHead)

	exit := errors.New("exit status 2")
	for name, c := range map[string]struct {
		err  error
		dump string
		want deathError
	}{
		"nothing":       {nil, "", deathError{detail: "no reason given"}},
		"only an error": {exit, "", deathError{detail: "exit status 2"}},
		"panic": {exit, "panic: boom" + running + waiting,
			deathError{detail: "panic: boom", culprit: 42}},
		"panic outside of runs": {exit, "panic: boom\n\ngoroutine 1 [running]:\nmain.f()\n" + waiting,
			deathError{detail: "panic: boom"}},
		"out of memory": {exit, noMemory + running,
			deathError{
				detail:  noMemory,
				memory:  true,
				culprit: 42,
				wanted:  4194304,
				used:    130023424,
			}},
		"stack overflow": {exit, "runtime: goroutine stack exceeds 268435456-byte limit" + running,
			deathError{
				detail:  "runtime: goroutine stack exceeds 268435456-byte limit",
				memory:  true,
				culprit: 42,
			}},
		"too long a string": {exit, "panic: strings: Repeat output length overflow" + running,
			deathError{detail: "panic: strings: Repeat output length overflow", memory: true, culprit: 42}},
		"memory is mentioned late": {exit, "panic: boom\n" + pages + "out of memory\n",
			deathError{detail: "panic: boom"}},
		"numbers that do not fit": {exit, "cannot allocate 99999999999999999999-byte block (1 in use)\n",
			deathError{detail: "cannot allocate 99999999999999999999-byte block (1 in use)"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := diagnose(c.err, c.dump); *got != c.want {
				t.Errorf("got %+v, want %+v", *got, c.want)
			}
		})
	}
}

// An author reads how much was in use, if that is known.
func TestInUse(t *testing.T) {
	t.Parallel()
	death := &deathError{wanted: 4 << 20, used: 124 << 20}
	want := " (its process had 124 MiB in use, some 20 of them its own, when 4096 KiB more did not fit)"
	if got := death.inUse(); got != want {
		t.Errorf("got %q", got)
	}
	if got := (&deathError{}).inUse(); got != "" {
		t.Errorf("unknown: %q", got)
	}
}

// A child may write what it wants to stderr: the first part is kept, and the rest is taken without an error.
func TestStderrHead(t *testing.T) {
	t.Parallel()

	h := &stderrHead{}
	for range 3 {
		if n, err := h.Write(make([]byte, maxDump/2+1)); n != maxDump/2+1 || err != nil {
			t.Errorf("%d %v", n, err)
		}
	}
	if got := len(h.String()); got != maxDump {
		t.Errorf("%d bytes are kept, want %d", got, maxDump)
	}
}

func TestMaxChildren(t *testing.T) {
	t.Parallel()

	for memory, want := range map[uint64]int{
		0:         16, // unknown
		256 << 20: 16,
		2 << 30:   73,
		64 << 30:  256,
	} {
		if got := maxChildren(memory); got != want {
			t.Errorf("%d MiB: %d, want %d", memory>>20, got, want)
		}
	}
}
