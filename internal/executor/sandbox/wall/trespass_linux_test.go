//go:build amd64 || arm64

package wall

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"picloud/internal/executor/sandbox/rawsys"
)

// This test binary can be a child that has inherited something, one that tries to get out, and one that waits
// to be harmed.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 {
		os.Exit(m.Run())
	}

	switch os.Args[1] {
	case "inherited":
		printInherited()
	case "trespass":
		trespass(os.Args[2])
	case "foreign":
		callForeign()
	case "beyond-landlock":
		tryLandlock(os.Args[2])
	case "lacking":
		raiseWithout()
	case "victim":
		_, _ = io.Copy(io.Discard, os.Stdin)
	default:
		os.Exit(m.Run())
	}
}

// place is what a trespasser is told of the machine around it.
type place struct {
	UID      int    // what it becomes; 0: it stays
	Victim   int    // the process of a neighbour
	Dir      string // that everybody may write to
	File     string // that everybody may read
	Address  string // of a listener, 127.0.0.1:port
	Abstract string // name of a listener's abstract socket
}

// ordinary is the user of trespassers that are not root, and neighbour the one of another app.
const (
	ordinary  = 2_100_900_001
	neighbour = 2_100_900_002
)

// publicDir is a temporary directory that every user may enter and write to.
func publicDir(t *testing.T) string {
	t.Helper()

	dir, err := os.MkdirTemp("", "wall")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

// plainBinary is this test's binary without cgo, as PiCloud itself is built: with cgo landlock cannot reach
// every thread.
func plainBinary(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds a program")
	}

	path := filepath.Join(publicDir(t), "wall.test")
	cmd := exec.Command("go", "test", "-c", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

// victim starts a process that is to outlive what trespassers do, and checks that it has.
func victim(t *testing.T, binary string, uid uint32) int {
	t.Helper()

	cmd := exec.Command(binary, "victim")
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the victim was harmed: %v", err)
		}
	})
	return cmd.Process.Pid
}

// surroundings makes what a trespasser could be after. uid is the victim's.
func surroundings(t *testing.T, binary string, uid uint32) *place {
	t.Helper()

	p := &place{Dir: publicDir(t), Victim: victim(t, binary, uid)}
	p.File = filepath.Join(p.Dir, "file")
	if err := os.WriteFile(p.File, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}

	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tcp.Close() })
	p.Address = tcp.Addr().String()

	p.Abstract = "@picloud-wall-" + strconv.Itoa(p.Victim)
	abstract, err := net.Listen("unix", p.Abstract)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = abstract.Close() })
	return p
}

// run starts this binary as a sandbox is started: from a thread with no_new_privs, with descriptor 3 as its
// connection, and 4, which somebody forgot to close. asUser starts it as an ordinary user.
func (p *place) run(t *testing.T, binary, how string, asUser bool) (lines map[string]string, err error) {
	t.Helper()

	arg, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := os.Open(p.File)
	if err != nil {
		t.Fatal(err)
	}
	defer secret.Close()
	connection, parent, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	defer parent.Close()

	cmd := exec.Command(binary, how, string(arg))
	cmd.Env = []string{}
	cmd.ExtraFiles = []*os.File{connection, secret}
	if asUser {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: ordinary, Gid: ordinary}}
	}
	out, err := runWithoutPrivileges(cmd)

	lines = map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, result, _ := strings.Cut(strings.TrimSpace(line), ": ")
		lines[name] = result
	}
	return lines, err
}

// runWithoutPrivileges runs a command from a thread of its own: the death of that thread is the child's.
func runWithoutPrivileges(cmd *exec.Cmd) (out []byte, err error) {
	doneCh := make(chan struct{})
	go func() {
		defer close(doneCh)
		runtime.LockOSThread() // and never unlock
		if err = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err == nil {
			out, err = cmd.Output()
		}
	}()
	<-doneCh
	return out, err
}

// trespass raises the wall, tries everything that a process could do to others, says how it ended, and then
// lives the life of a sandbox.
func trespass(arg string) {
	var p place
	if err := json.Unmarshal([]byte(arg), &p); err != nil {
		fmt.Println("arguments:", err)
		return
	}
	status, err := os.Open("/proc/self/status")
	if err != nil {
		fmt.Println("status:", err)
		return
	}

	attempts := p.attempts()
	if err := CloseInherited(3); err != nil {
		fmt.Println("close:", err)
	}
	report, err := Raise(Options{MemoryBytes: 512 << 20, UID: p.UID, GID: p.UID, StatusFD: int(status.Fd())})
	if err != nil {
		fmt.Println("raise:", err)
		return
	}
	b, _ := json.Marshal(report)
	fmt.Printf("report: %s\n", b)

	for _, a := range attempts {
		fmt.Printf("%s: %v\n", a.name, a.try())
	}
	fmt.Println("life:", live(status))
}

// live does what a sandbox does all day: memory, threads, timers, preemption, its own status.
func live(status *os.File) string {
	garbage := make([][]byte, 0, 64)
	for range 64 {
		garbage = append(garbage, make([]byte, 1<<20))
	}
	runtime.GC()

	startedCh, endCh := make(chan struct{}), make(chan struct{})
	for range 8 {
		go func() {
			runtime.LockOSThread() // a thread of its own, which ends with it
			startedCh <- struct{}{}
			<-endCh
		}()
	}

	for range 8 {
		<-startedCh
	}
	close(endCh)

	// Only the runtime's signal to its own thread ends a loop that calls nothing.
	runtime.GOMAXPROCS(1)

	var stopped atomic.Bool
	time.AfterFunc(time.Millisecond, func() { stopped.Store(true) })

	for !stopped.Load() {
	}

	var b [4096]byte
	n, err := status.ReadAt(b[:], 0)
	if err != nil && err != io.EOF {
		return err.Error()
	}
	if !strings.Contains(string(b[:n]), "Seccomp:\t2") {
		return "the status does not say that system calls are filtered"
	}
	return fmt.Sprintf("%d MiB", len(garbage))
}

// Whoever broke out of the engine reaches no other process, no file, no socket and no other kernel interface,
// as root's child that becomes a user of its own and as one that stays the ordinary user that PiCloud is.
func TestTrespass(t *testing.T) {
	t.Parallel()
	binary := plainBinary(t)

	for name, c := range map[string]struct {
		asUser bool
		uid    int
		victim uint32
	}{
		"as root":              {uid: ordinary, victim: neighbour},
		"as root, same user":   {uid: ordinary, victim: ordinary},
		"as an ordinary user":  {asUser: true, victim: ordinary},
		"without another user": {victim: uint32(os.Getuid())},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if os.Geteuid() != 0 && name != "without another user" {
				t.Skip("needs root")
			}

			p := surroundings(t, binary, c.victim)
			p.UID = c.uid
			lines, err := p.run(t, binary, "trespass", c.asUser)
			if err != nil {
				t.Fatalf("%v\n%v", err, lines)
			}

			var report Report
			if err := json.Unmarshal([]byte(lines["report"]), &report); err != nil || !report.Seccomp {
				t.Fatalf("the wall: %s (%v)", lines["report"], err)
			}
			if c.uid != 0 && report.UID != c.uid {
				t.Errorf("it runs as %d, want %d", report.UID, c.uid)
			}
			p.check(t, lines)
		})
	}
}

// check asserts that each attempt failed, and left nothing behind.
func (p *place) check(t *testing.T, lines map[string]string) {
	t.Helper()

	for _, a := range p.attempts() {
		want := a.want
		if want == 0 {
			want = unix.EPERM
		}
		if lines[a.name] != want.Error() {
			t.Errorf("%s: %q, want %q", a.name, lines[a.name], want.Error())
		}
	}
	if lines["life"] != "64 MiB" {
		t.Errorf("the life of a sandbox: %q", lines["life"])
	}

	left, err := os.ReadDir(p.Dir)
	if err != nil || len(left) != 1 {
		t.Errorf("it left %v (%v)", left, err)
	}
}

// The wall's second layer holds without the first: landlock alone keeps files, ports, other processes and
// abstract sockets away.
func TestLandlockAlone(t *testing.T) {
	t.Parallel()
	binary := plainBinary(t)
	p := surroundings(t, binary, uint32(os.Getuid()))
	lines, err := p.run(t, binary, "beyond-landlock", false)
	if err != nil {
		t.Fatalf("%v\n%v", err, lines)
	}
	if lines["version"] == "0" {
		t.Skip("this kernel has no landlock")
	}

	for name, want := range map[string]error{
		"read":   unix.EACCES,
		"list":   unix.EACCES,
		"mkdir":  unix.EACCES,
		"remove": unix.EACCES,
	} {
		if lines[name] != want.Error() {
			t.Errorf("%s: %q, want %q", name, lines[name], want)
		}
	}
	if version, _ := strconv.Atoi(lines["version"]); version >= 4 && lines["connect"] != unix.EACCES.Error() {
		t.Errorf("connect: %q", lines["connect"])
	}
	if lines["scopes"] == "true true" {
		if lines["signal"] != unix.EPERM.Error() || lines["abstract"] != unix.EPERM.Error() {
			t.Errorf("a signal: %q; an abstract socket: %q", lines["signal"], lines["abstract"])
		}
	}
}

// tryLandlock gives up access, and says what is left of it.
func tryLandlock(arg string) {
	var p place
	if err := json.Unmarshal([]byte(arg), &p); err != nil {
		fmt.Println("arguments:", err)
		return
	}
	var r Report
	r.restrictAccess()
	fmt.Println("version:", r.Landlock)
	fmt.Println("scopes:", r.SocketScope, r.SignalScope)

	_, err := syscall.Open(p.File, unix.O_RDONLY, 0)
	fmt.Println("read:", err)
	_, err = syscall.Open(p.Dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	fmt.Println("list:", err)
	fmt.Println("mkdir:", syscall.Mkdir(filepath.Join(p.Dir, "dir"), 0o700))
	fmt.Println("remove:", syscall.Unlink(p.File))
	fmt.Println("connect:", dial(p.Address))
	fmt.Println("signal:", syscall.Kill(p.Victim, 0))
	fmt.Println("abstract:", dialAbstract(p.Abstract))
}

// dial connects to a port of this machine.
func dial(address string) error {
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	fd, err := syscall.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	return syscall.Connect(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
}

func dialAbstract(name string) error {
	fd, err := syscall.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	return syscall.Connect(fd, &syscall.SockaddrUnix{Name: name})
}

// callForeign makes a call by a number of another ABI.
func callForeign() {
	if _, err := Raise(Options{MemoryBytes: 512 << 20, StatusFD: -1}); err != nil {
		fmt.Println("raise:", err)
		return
	}
	fmt.Println("raised: yes")
	_, _, err := unix.RawSyscall(foreignCalls|unix.SYS_GETPID, 0, 0, 0)
	fmt.Println("survived:", err)
}

// A call with the numbers of another ABI, which the list of calls says nothing about, ends the process.
func TestForeignCall(t *testing.T) {
	t.Parallel()
	p := &place{File: os.Args[0]}
	lines, err := p.run(t, os.Args[0], "foreign", false)
	if err == nil || lines["raised"] != "yes" || lines["survived"] != "" {
		t.Errorf("%v, %v", lines, err)
	}
	exit, ok := err.(*exec.ExitError)
	if status, isUnix := exit.Sys().(syscall.WaitStatus); !ok || !isUnix || status.Signal() != syscall.SIGSYS {
		t.Errorf("it ended by %v", err)
	}
}

// raiseWithout raises the wall where the kernel has neither seccomp nor landlock to offer.
func raiseWithout() {
	lacks := []unix.SockFilter{
		load(callAt),
		jump(unix.BPF_JEQ, unix.SYS_SECCOMP, 1, 0),
		jump(unix.BPF_JEQ, unix.SYS_LANDLOCK_CREATE_RULESET, 0, 1),
		verdict(lacking),
		verdict(allow),
	}
	if err := rawsys.Filter(lacks); err != nil {
		fmt.Println("filter:", err)
		return
	}

	report, err := Raise(Options{MemoryBytes: 512 << 20, StatusFD: -1})
	report.UID = 0
	fmt.Printf("report: %+v %v\n", report, err)
	_, err = os.Open("/")
	fmt.Println("open:", errors.Is(err, unix.EMFILE))
}

// What the kernel lacks is reported and no error; the limits hold all the same.
func TestRaiseWithLess(t *testing.T) {
	t.Parallel()
	p := &place{File: os.Args[0]}
	lines, err := p.run(t, os.Args[0], "lacking", false)
	if err != nil || lines["report"] != fmt.Sprintf("%+v <nil>", Report{}) || lines["open"] != "true" {
		t.Errorf("%v (%v)", lines, err)
	}
}
