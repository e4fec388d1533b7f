package testkit

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// holdVariable makes this test binary one that uses the server of a directory until its standard input ends.
const holdVariable = "PICLOUD_TEST_HOLD"

func TestMain(m *testing.M) {
	Server()
	if dir := os.Getenv(holdVariable); dir != "" {
		os.Exit(hold(dir))
	}
	os.Exit(m.Run())
}

func hold(dir string) int {
	member, err := join(dir)
	if err != nil {
		fmt.Println("join:", err)
		return 1
	}

	fmt.Println(member.url)
	_, _ = io.Copy(io.Discard, os.Stdin)
	member.leave()
	return 0
}

// holder is another test binary that uses the server.
type holder struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	url   string
}

func startHolder(t *testing.T, dir string) *holder {
	t.Helper()
	h := &holder{cmd: exec.Command(os.Args[0])}
	h.cmd.Env = append(os.Environ(), holdVariable+"="+dir)
	stdout, err := h.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if h.stdin, err = h.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.kill)

	line, _ := bufio.NewReader(stdout).ReadString('\n')
	h.url = strings.TrimSpace(line)
	if !strings.HasPrefix(h.url, "postgres://") {
		t.Fatalf("a test binary got no server: %s", line)
	}

	return h
}

func (h *holder) kill() {
	_ = h.cmd.Process.Kill()
	_ = h.cmd.Wait()
}

// leave ends the holder as a test binary ends.
func (h *holder) leave() {
	_ = h.stdin.Close()
	_ = h.cmd.Wait()
}

// pidIn reads the process id at the beginning of a file.
func pidIn(t *testing.T, path ...string) int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}

	pid, err := strconv.Atoi(strings.Fields(string(b))[0])
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func runs(pid int) bool { return syscall.Kill(pid, 0) == nil }

func waitFor(t *testing.T, what string, f func() bool) {
	t.Helper()

	for deadline := time.Now().Add(30 * time.Second); !f(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

// serverPlace is where a server may be: PostgreSQL's user must reach it, and a test's own directory is only
// for its user.
func serverPlace(t *testing.T) string {
	t.Helper()
	parent, err := os.MkdirTemp("", "testkit-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(parent) })
	if err := os.Chmod(parent, 0o711); err != nil {
		t.Fatal(err)
	}

	return filepath.Join(parent, "server")
}

// Test binaries share one server. It outlives the one that started it, and is gone when the last one has
// left, however that one ended.
func TestServerIsShared(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts PostgreSQL")
	}
	dir := serverPlace(t)
	first := startHolder(t, dir)
	second := startHolder(t, dir)
	if first.url != second.url {
		t.Fatalf("two servers: %s and %s", first.url, second.url)
	}

	postmaster := pidIn(t, dir, dataDir, "postgres", "postmaster.pid")
	keeper := pidIn(t, dir, aliveLock)

	first.kill()
	if third := startHolder(t, dir); third.url != second.url {
		t.Errorf("the server did not outlive the binary that started it")
	} else {
		third.leave()
	}

	if !runs(postmaster) {
		t.Error("the server was stopped under one who uses it")
	}

	second.kill()
	waitFor(t, "the server is gone after the last user was killed", func() bool {
		_, err := os.Stat(dir)
		return os.IsNotExist(err) && !runs(postmaster) && !runs(keeper)
	})
}

// The last binary that leaves in order returns when nothing runs any more; and a keeper that was killed is
// replaced.
func TestKeeperIsKilled(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts PostgreSQL twice")
	}
	dir := serverPlace(t)
	first := startHolder(t, dir)
	old := pidIn(t, dir, dataDir, "postgres", "postmaster.pid")
	if err := syscall.Kill(pidIn(t, dir, aliveLock), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}

	waitFor(t, "the keeper's lock is free", func() bool { return !(&membership{dir: dir}).running() })
	first.kill()

	second := startHolder(t, dir)
	postmaster := pidIn(t, dir, dataDir, "postgres", "postmaster.pid")
	waitFor(t, "the server of the killed keeper is gone", func() bool { return !runs(old) })

	second.leave()
	if runs(postmaster) {
		t.Error("the server runs after the last binary has left")
	}
	if left, err := os.ReadDir(dir); err == nil {
		t.Errorf("the last binary left files behind: %v", left)
	}
}
