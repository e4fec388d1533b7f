package executor

import (
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// cgroups is where the kernel shows control groups: those of version 2, and in folders of their own those of
// version 1, where a machine still has them.
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
// own, which membership names as /proc/self/cgroup does, and all above. A machine has the controller of
// memory in one of the two versions; the other one says nothing.
func cgroupMemory(root, membership string, limit uint64) uint64 {
	second, first := "/", "/"
	for line := range strings.Lines(membership) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "0::"); ok {
			second = path.Clean("/" + name)
		} else if _, name, ok := strings.Cut(line, ":memory:"); ok {
			first = path.Clean("/" + name)
		}
	}

	limit = leastLimit(root, second, "memory.max", limit)
	return leastLimit(path.Join(root, "memory"), first, "memory.limit_in_bytes", limit)
}

// leastLimit is the least of a limit and those in a file of a group and of all above.
func leastLimit(root, group, file string, limit uint64) uint64 {
	for ; ; group = path.Dir(group) {
		b, err := os.ReadFile(path.Join(root, group, file))
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
