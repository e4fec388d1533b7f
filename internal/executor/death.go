package executor

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// maxDumpHead is how much of a dump is searched for its reason, in bytes: what follows are goroutines, whose
// arguments could imitate one.
const maxDumpHead = 4096

// deathError says how a child ended.
type deathError struct {
	// memory means that the Go runtime reported a failed allocation or a full stack.
	memory bool
	// culprit is the id of the run in whose code it happened, 0 if unknown.
	culprit uint64
	// evicted means that the pool ended the child, because all of them had too much memory.
	evicted bool
	// shared means that other runs had been in the child, whose programs and runtimes may have filled it.
	shared bool
	// detail is for the log, never for users: it names addresses and other people's code.
	detail string
	// wanted is the size of the allocation that failed, and used what the process had then, in bytes; 0 if
	// unknown.
	wanted, used int64
}

func (e *deathError) Error() string { return "the sandbox process ended: " + e.detail }

// inUse describes for an author what did not fit. It is empty if that is unknown.
func (e *deathError) inUse() string {
	if e.used == 0 {
		return ""
	}
	if e.wanted == 0 {
		return fmt.Sprintf(" (its process had %d MiB in use, some of them its own)", e.used>>20)
	}
	return fmt.Sprintf(
		" (its process had %d MiB in use, some %d of them its own, when %d KiB more did not fit)",
		e.used>>20, ownMiB, e.wanted>>10)
}

var (
	// markedRun is the sandbox's frame that has the id of the run that computes as its argument.
	markedRun = regexp.MustCompile(`sandbox\.markedRun\((0x[0-9a-f]+)`)
	// heapFull is what a child says that ended as its scripts had too much in use: how much, and whose.
	heapFull = regexp.MustCompile(
		`^sandbox: out of memory: (\d{1,15}) bytes in use of \d+, in run (\d{1,19})`)
	runningGoroutine = regexp.MustCompile(`(?m)^goroutine \d+ .*\[running`)
	failedAllocation = regexp.MustCompile(`cannot allocate (\d{1,15})-byte block \((\d{1,15}) in use\)`)
	memoryText       = regexp.MustCompile(
		`out of memory|cannot allocate memory|stack overflow|goroutine stack exceeds|` +
			`failed to (allocate|reserve)|failed to create new OS thread|exceeds address space|` +
			`runtime: VirtualAlloc|allocation size out of range|makeslice: len out of range|` +
			`growslice: len out of range|Repeat.*overflow`)
)

// diagnose reads the Go runtime's dump of a child that died: the reason, and which run is to blame.
func diagnose(err error, dump string) *deathError {
	death := &deathError{detail: "no reason given"}
	if err != nil {
		death.detail = err.Error()
	}
	if firstLine, _, ok := strings.Cut(dump, "\n"); ok {
		death.detail = firstLine
	}

	head := dump[:min(len(dump), maxDumpHead)]
	death.memory = memoryText.MatchString(head)
	if m := failedAllocation.FindStringSubmatch(head); m != nil {
		death.wanted, _ = strconv.ParseInt(m[1], 10, 64)
		death.used, _ = strconv.ParseInt(m[2], 10, 64)
	}

	if m := heapFull.FindStringSubmatch(head); m != nil {
		death.used, _ = strconv.ParseInt(m[1], 10, 64)
		death.culprit, _ = strconv.ParseUint(m[2], 10, 64)
	}

	// The goroutine that died is the first. The others may be runs that only waited.
	if m := markedRun.FindStringSubmatch(firstGoroutine(dump)); m != nil {
		death.culprit, _ = strconv.ParseUint(m[1][2:], 16, 64)
	}
	return death
}

// firstGoroutine returns the part of a dump that is about the running goroutine.
func firstGoroutine(dump string) string {
	loc := runningGoroutine.FindStringIndex(dump)
	if loc == nil {
		return ""
	}
	goroutine, _, _ := strings.Cut(dump[loc[0]:], "\n\n")
	return goroutine
}
