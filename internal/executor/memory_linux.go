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

// memoryGauge is the file in which the kernel says how much memory a process has; nil if it cannot be read.
type memoryGauge struct{ file *os.File }

// openMemory opens the gauge of a process, which must not have refused tracing yet: afterwards only root
// finds it where processes are hidden from each other, as systemd's ProtectProc does. A pid of 0 has none.
func openMemory(pid int) memoryGauge {
	if pid == 0 {
		return memoryGauge{}
	}
	file, err := os.Open("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return memoryGauge{}
	}
	return memoryGauge{file}
}

func (g memoryGauge) close() {
	if g.file != nil {
		_ = g.file.Close()
	}
}

// resident is what the process has in memory, in MiB, without the pages of files, which others share. It
// reports false if that is not known, as of a process that has ended.
func (g memoryGauge) resident() (mib int, ok bool) {
	if g.file == nil {
		return 0, false
	}

	var buf [128]byte
	n, _ := g.file.ReadAt(buf[:], 0)
	return residentOf(string(buf[:n]), os.Getpagesize())
}

// residentOf reads proc_pid_statm(5): the second number is what is resident, the third what of it is of
// files, both in pages.
func residentOf(statm string, pageSize int) (mib int, ok bool) {
	fields := strings.Fields(statm)
	if len(fields) < 3 {
		return 0, false
	}

	resident, err1 := strconv.Atoi(fields[1])
	shared, err2 := strconv.Atoi(fields[2])
	if err1 != nil || err2 != nil {
		return 0, false
	}
	return (resident - shared) * pageSize >> 20, true
}
