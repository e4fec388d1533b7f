//go:build !linux

// Package rawsys makes system calls without the Go runtime's bookkeeping, on Linux. Elsewhere it does
// nothing.
package rawsys

import "time"

// ThreadTime is 0 where threads have no clock.
func ThreadTime() time.Duration { return 0 }

// WakeMonitor has nothing to do where only ordinary system calls are made.
func WakeMonitor() {}
