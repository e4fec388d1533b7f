//go:build !linux

package sandbox

import (
	"os"
	"runtime"

	"picloud/internal/executor/wire"
)

// closeInherited does nothing: what the parent has open here is closed on exec, but for what it inherited.
func closeInherited() error { return nil }

// confine does what it can where the system has no limit on address space; the parent samples memory and
// kills.
func confine(limits wire.InitMsg) error {
	runtime.GOMAXPROCS(1)
	os.Clearenv()
	tuneCollector(limits.MemoryBytes)
	return nil
}
