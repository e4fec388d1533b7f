package main

import (
	"math"
	"runtime/debug"
	"testing"
)

// The heap's bound is a quarter of the machine's memory, unless the operator asks for another or the machine's
// is not known. This test changes the process, so it is not parallel.
func TestBoundMemory(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)

	for name, c := range map[string]struct {
		asked   string
		machine uint64
		want    int64
	}{
		"a quarter": {"", 8 << 30, 2 << 30},
		"the least": {"", 256 << 20, 128 << 20},
		"asked for": {"1GiB", 8 << 30, math.MaxInt64},
		"unknown":   {"", 0, math.MaxInt64},
	} {
		debug.SetMemoryLimit(math.MaxInt64)
		boundMemory(c.asked, c.machine)
		if got := debug.SetMemoryLimit(-1); got != c.want {
			t.Errorf("%s: %d bytes, want %d", name, got, c.want)
		}
	}
}
