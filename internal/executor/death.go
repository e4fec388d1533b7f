package executor

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
)

// deathError says how a child ended.
type deathError struct {
	// memory: the Go runtime reported that allocation or stack failed.
	memory bool
	// culprit is the run in whose code it happened, 0 if unknown.
	culprit uint64
	detail  string
	// wanted and used are bytes: of the allocation that failed, and what the process had then; 0 when unknown.
	wanted, used int64
}

// inUse tells an author what did not fit.
func (e *deathError) inUse() string {
	if e.used == 0 {
		return ""
	}
	return fmt.Sprintf(" (its process had %d MiB in use, some %d of them its own, when %d KiB more did not fit)", e.used>>20, ownMiB, e.wanted>>10)
}

func (e *deathError) Error() string { return "the sandbox process ended: " + e.detail }

var (
	markedRun        = regexp.MustCompile(`sandbox\.markedRun\((0x[0-9a-f]+)`)
	failedAllocation = regexp.MustCompile(`cannot allocate (\d{1,15})-byte block \((\d{1,15}) in use\)`)
	memoryText       = regexp.MustCompile(`out of memory|cannot allocate memory|stack overflow|goroutine stack exceeds|` +
		`failed to (allocate|reserve)|failed to create new OS thread|exceeds address space|runtime: VirtualAlloc|` +
		`allocation size out of range|makeslice: len out of range|growslice: len out of range|Repeat.*overflow`)
)

// diagnose reads a Go death dump. It is never shown to anybody: it names addresses and other people's code.
func diagnose(err error, dump string) *deathError {
	d := &deathError{detail: "no reason given"}
	if err != nil {
		d.detail = err.Error()
	}
	head := dump
	if len(head) > 4096 {
		head = head[:4096]
	}
	d.memory = memoryText.MatchString(head)
	if m := failedAllocation.FindStringSubmatch(head); m != nil {
		d.wanted, _ = strconv.ParseInt(m[1], 10, 64)
		d.used, _ = strconv.ParseInt(m[2], 10, 64)
	}
	// The goroutine that died comes first.
	if m := markedRun.FindStringSubmatch(firstGoroutine(dump)); m != nil {
		d.culprit, _ = strconv.ParseUint(m[1][2:], 16, 64)
	}
	if first, _, ok := bytes.Cut([]byte(dump), []byte("\n")); ok {
		d.detail = string(first)
	}
	return d
}

var goroutineHead = regexp.MustCompile(`(?m)^goroutine \d+ .*\[running`)

func firstGoroutine(dump string) string {
	loc := goroutineHead.FindStringIndex(dump)
	if loc == nil {
		return ""
	}
	rest := dump[loc[0]:]
	if end := bytes.Index([]byte(rest), []byte("\n\n")); end > 0 {
		return rest[:end]
	}
	return rest
}
