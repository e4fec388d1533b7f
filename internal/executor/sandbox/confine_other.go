//go:build !linux

package sandbox

import (
	"os"
	"runtime"

	"picloud/internal/executor/wire"
)

// confine does what it can where the system has no limit on address space; the parent samples memory and
// kills.
func confine(limits wire.InitMsg) error {
	runtime.GOMAXPROCS(1)
	os.Clearenv()
	tuneCollector(limits.MemoryBytes)
	return nil
}
