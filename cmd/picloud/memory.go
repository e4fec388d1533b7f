package main

import (
	"math"
	"runtime/debug"
)

// nodeMemory is how many bytes this process may use before its heap is collected all the time.
func nodeMemory() int64 {
	const assumed = 1 << 30 // where neither machine nor operator says anything
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		return limit
	}
	return assumed
}

// boundMemory has the heap collected more often as it comes near a quarter of the machine's memory, unless
// the operator said something else: the rest is for the scripts' processes, PostgreSQL and the files that
// the kernel keeps. What one attack took is given back so.
func boundMemory(asked string, machine uint64) {
	const least = 128 << 20
	if asked == "" && machine > 0 {
		debug.SetMemoryLimit(int64(max(machine/4, least)))
	}
}

// largeRuns is how many runs with up to 64 MiB of writes the node's memory holds. While it is committed such
// a run takes several times that.
func largeRuns(memory int64) int {
	return int(min(max(memory/(512<<20), 2), 8))
}

// bodyBudget is a quarter of the node's memory, and room for a body each of two callers.
func bodyBudget(memory int64, maxBody int) int64 {
	return max(memory/4, 4*int64(maxBody))
}
