//go:build !linux

// Package rawsys makes the system calls of a sandbox that the Go runtime must not hear of; they are Linux's.
package rawsys

import "time"

// ThreadTime is 0 where threads have no clock.
func ThreadTime() time.Duration { return 0 }

// WakeMonitor has nothing to do where the runtime hears of every call.
func WakeMonitor() {}
