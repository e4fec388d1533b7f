package executor

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// machineMemory returns the most memory that this process may use, in bytes: the machine's, or that of its
// control group (cgroup v2, memory.max) if that is less; 0 if it is unknown.
func machineMemory() uint64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}

	memory := uint64(info.Totalram) * uint64(info.Unit) //nolint:unconvert // 32 bits on some systems

	b, err := os.ReadFile("/sys/fs/cgroup/memory.max")
	if err != nil {
		return memory
	}

	limit, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	if err != nil { // it is "max": no limit
		return memory
	}
	return min(memory, limit)
}
