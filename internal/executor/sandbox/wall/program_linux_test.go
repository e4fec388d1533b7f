//go:build amd64 || arm64

package wall

import (
	"encoding/binary"
	"os"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// decide runs the program of the rules on a system call. The virtual machine reads big-endian numbers, so the
// two halves of an argument are put where the program looks for them on a little-endian machine.
func decide(t *testing.T, arch, call uint32, args ...uint64) uint32 {
	t.Helper()

	raw := program(rules(7))

	instructions := make([]bpf.Instruction, len(raw))
	for k, r := range raw {
		instructions[k] = bpf.RawInstruction{Op: r.Code, Jt: r.Jt, Jf: r.Jf, K: r.K}.Disassemble()
	}
	vm, err := bpf.NewVM(instructions)
	if err != nil {
		t.Fatal(err)
	}

	data := make([]byte, 64)
	binary.BigEndian.PutUint32(data[callAt:], call)
	binary.BigEndian.PutUint32(data[archAt:], arch)

	for k, arg := range args {
		binary.BigEndian.PutUint32(data[argumentAt+8*k:], uint32(arg))
		binary.BigEndian.PutUint32(data[argumentAt+8*k+4:], uint32(arg>>32))
	}
	v, err := vm.Run(data)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(v)
}

// Calls are allowed by what they are for: threads of this process, memory that holds no code, signals to the
// process itself. All else is refused, and what has another architecture's numbers ends the process.
func TestProgram(t *testing.T) {
	t.Parallel()

	self := uint64(os.Getpid())
	const goThread = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND |
		unix.CLONE_SYSVSEM | unix.CLONE_THREAD
	const anonymous = unix.MAP_PRIVATE | unix.MAP_ANON
	const rw = unix.PROT_READ | unix.PROT_WRITE

	for name, c := range map[string]struct {
		call uint32
		args []uint64
		want uint32
	}{
		"read":                       {unix.SYS_READ, []uint64{3}, allow},
		"futex":                      {unix.SYS_FUTEX, nil, allow},
		"exit":                       {unix.SYS_EXIT_GROUP, []uint64{2}, allow},
		"last of the list":           {unix.SYS_EXIT, nil, allow},
		"a thread":                   {unix.SYS_CLONE, []uint64{goThread}, allow},
		"a thread of libc":           {unix.SYS_CLONE, []uint64{goThread | unix.CLONE_SETTLS | unix.CLONE_PARENT_SETTID}, allow},
		"a process":                  {unix.SYS_CLONE, []uint64{uint64(unix.SIGCHLD)}, deny},
		"a process as vfork":         {unix.SYS_CLONE, []uint64{unix.CLONE_VM | unix.CLONE_VFORK | uint64(unix.SIGCHLD)}, deny},
		"a thread in a namespace":    {unix.SYS_CLONE, []uint64{goThread | unix.CLONE_NEWUSER}, deny},
		"a traced thread":            {unix.SYS_CLONE, []uint64{goThread | unix.CLONE_PTRACE}, deny},
		"what libc tries first":      {unix.SYS_CLONE3, nil, lacking},
		"memory":                     {unix.SYS_MMAP, []uint64{0, 4096, rw, anonymous}, allow},
		"reserved memory":            {unix.SYS_MMAP, []uint64{0, 4096, 0, anonymous | unix.MAP_NORESERVE | unix.MAP_FIXED}, allow},
		"code":                       {unix.SYS_MMAP, []uint64{0, 4096, unix.PROT_READ | unix.PROT_EXEC, anonymous}, deny},
		"a file in memory":           {unix.SYS_MMAP, []uint64{0, 4096, rw, unix.MAP_PRIVATE}, deny},
		"shared memory":              {unix.SYS_MMAP, []uint64{0, 4096, rw, unix.MAP_SHARED | unix.MAP_ANON}, deny},
		"memory becomes writable":    {unix.SYS_MPROTECT, []uint64{0, 4096, rw}, allow},
		"memory becomes code":        {unix.SYS_MPROTECT, []uint64{0, 4096, unix.PROT_EXEC}, deny},
		"a signal to itself":         {unix.SYS_TGKILL, []uint64{self, 1, 6}, allow},
		"a signal to another":        {unix.SYS_TGKILL, []uint64{self + 1, 1, 6}, deny},
		"ending itself":              {unix.SYS_KILL, []uint64{self, 6}, allow},
		"ending another":             {unix.SYS_KILL, []uint64{1, 9}, deny},
		"ending all":                 {unix.SYS_KILL, []uint64{1<<64 - 1, 9}, deny},
		"ending its group":           {unix.SYS_KILL, []uint64{0, 9}, deny},
		"naming memory":              {unix.SYS_PRCTL, []uint64{unix.PR_SET_VMA}, allow},
		"living on":                  {unix.SYS_PRCTL, []uint64{unix.PR_SET_PDEATHSIG, 0}, deny},
		"being traced":               {unix.SYS_PRCTL, []uint64{unix.PR_SET_DUMPABLE, 1}, deny},
		"its CPU time":               {unix.SYS_CLOCK_GETTIME, []uint64{unix.CLOCK_THREAD_CPUTIME_ID}, allow},
		"another's CPU time":         {unix.SYS_CLOCK_GETTIME, []uint64{^uint64(1<<3) | 2}, deny},
		"its status":                 {unix.SYS_PREAD64, []uint64{7}, allow},
		"another file":               {unix.SYS_PREAD64, []uint64{8}, deny},
		"a file's name":              {unix.SYS_OPENAT, nil, deny},
		"a socket":                   {unix.SYS_SOCKET, []uint64{unix.AF_UNIX}, deny},
		"another program":            {unix.SYS_EXECVE, nil, deny},
		"sending a descriptor":       {unix.SYS_SENDMSG, []uint64{3}, deny},
		"tracing":                    {unix.SYS_PTRACE, nil, deny},
		"a call that is not there":   {9999, nil, deny},
		"a call of another ABI":      {foreignCalls | unix.SYS_GETPID, nil, kill},
		"a call with a number of -1": {1<<32 - 1, nil, kill},
	} {
		if got := decide(t, architecture, c.call, c.args...); got != c.want {
			t.Errorf("%s: %#x, want %#x", name, got, c.want)
		}
	}

	if got := decide(t, unix.AUDIT_ARCH_I386, unix.SYS_READ, 3); got != kill {
		t.Errorf("a call of another architecture: %#x", got)
	}
}
