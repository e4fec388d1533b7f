package executor

import (
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// cgroups is where the kernel shows control groups (cgroup v2).
const cgroups = "/sys/fs/cgroup"

// MachineMemory returns the most memory that this process may use, in bytes: the machine's, or the least that
// one of its control groups allows if that is less; 0 if it is unknown.
func MachineMemory() uint64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}

	memory := uint64(info.Totalram) * uint64(info.Unit) //nolint:unconvert // 32 bits on some systems

	membership, _ := os.ReadFile("/proc/self/cgroup") // without it, the group that is mounted is asked
	return cgroupMemory(cgroups, string(membership), memory)
}

// cgroupMemory is the least of a limit in bytes and those of the control groups in which a process is: its
// own, which membership names as /proc/self/cgroup does, and all above.
func cgroupMemory(root, membership string, limit uint64) uint64 {
	group := "/"
	for line := range strings.Lines(membership) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			group = path.Clean("/" + name)
		}
	}

	for ; ; group = path.Dir(group) {
		b, err := os.ReadFile(path.Join(root, group, "memory.max"))
		if err == nil {
			most, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
			if err == nil { // else it is "max": no limit
				limit = min(limit, most)
			}
		}
		if group == "/" {
			return limit
		}
	}
}
