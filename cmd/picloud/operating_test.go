package main

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"picloud/internal/testkit"
)

// ownDir is a directory that PostgreSQL's user can reach.
func ownDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "picloud-own-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}

	return filepath.Join(dir, "data")
}

// stop ends a process as an operator does.
func (p *process) stop() {
	p.terminate()
	p.wait()
}

// terminate asks a process to end; asked a second time it would end at once.
func (p *process) terminate() { _ = p.cmd.Process.Signal(syscall.SIGTERM) }

// wait waits until a process that was asked to end has ended.
func (p *process) wait() {
	done := make(chan struct{})
	go func() {
		_ = p.cmd.Wait()
		close(done)
	}()

	select {
	case <-done:
	case <-time.After(patience):
		p.t.Error("picloud did not stop")
		_ = p.cmd.Process.Kill()
	}
}

// fails runs picloud and expects it to end by itself with a sentence.
func fails(t *testing.T, says string, env ...string) {
	t.Helper()
	cmd := exec.Command(testkit.Binary(t), "serve")
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "PICLOUD_LISTEN=127.0.0.1:0"}, env...)
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), says) {
		t.Errorf("%v: %v: %s", env, err, out)
	}
}

// PiCloud's own PostgreSQL survives a kill -9 of PiCloud; two PiClouds live side by side, but not on one
// directory.
func TestOwnPostgres(t *testing.T) {
	t.Parallel()
	needsNode(t)
	dir := ownDir(t)
	other := ownDir(t)
	p := startProcess(t, "PICLOUD_DATA_DIR="+dir, "DATABASE_URL=")
	q := startProcess(t, "PICLOUD_DATA_DIR="+other, "DATABASE_URL=")
	defer q.stop()
	p.fixture().api("PUT", "/apps/default/kv/c/k", map[string]any{"value": 1}).want(200)
	if q.fixture().kv("c", "k") != nil {
		t.Error("two data directories share a database")
	}

	fails(t, "another PiCloud uses the data directory", "PICLOUD_DATA_DIR="+dir)
	p.kill()
	p = startProcess(t, "PICLOUD_DATA_DIR="+dir, "DATABASE_URL=")
	w := p.fixture()
	if w.kv("c", "k") != 1.0 {
		t.Error("what was committed is gone")
	}

	// The server's environment can be read by its user, and by SQL of a superuser.
	pid, err := os.ReadFile(filepath.Join(dir, "postgres", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(pid), "\n")
	environ, err := os.ReadFile("/proc/" + first + "/environ")
	if err == nil && (len(environ) == 0 || strings.Contains(string(environ), "PICLOUD")) {
		t.Errorf("the server's environment is %q", environ)
	}

	for _, f := range []string{"secret.key", ".pg-password", ".pg-admin-password", "lock", "postgres.log"} {
		info, err := os.Stat(filepath.Join(dir, f))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", f, info.Mode(), err)
		}
	}

	p.stop()
	if _, err := os.Stat(filepath.Join(dir, "postgres", "postmaster.pid")); err == nil {
		t.Error("PostgreSQL was left running")
	}

	// The password of who lost it, while PiCloud is stopped.
	cmd := exec.Command(testkit.Binary(t), "reset-password", "admin")
	cmd.Env = append(os.Environ(), "PICLOUD_DATA_DIR="+dir, "DATABASE_URL=")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("reset-password: %v %s", err, out)
	}

	password := strings.TrimSpace(string(out[bytes.LastIndexByte(bytes.TrimSpace(out), ' '):]))
	p = startProcess(t, "PICLOUD_DATA_DIR="+dir, "DATABASE_URL=")
	defer p.stop()
	p2 := &fixture{t: t, base: p.url, http: w.http}
	admin := p2.as(p2.login("admin", password))

	// The commands find the PostgreSQL of a PiCloud that runs.
	command := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(testkit.Binary(t), args...)
		cmd.Env = append(os.Environ(), "PICLOUD_DATA_DIR="+dir, "DATABASE_URL=")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}

	last := func(line string) string { return line[strings.LastIndexByte(line, ' ')+1:] }
	p2.login("grace", last(command("user", "add", "grace", "--role=admin")))
	if got := strings.Join(strings.Fields(command("user", "list")), " "); got != "admin owner active grace admin active" {
		t.Errorf("users %q", got)
	}

	said := command("reset-password", "admin")
	has(t, "reset-password", said, "API keys go on working", "--revoke-keys admin")
	reset := last(said)
	admin.eventually("the session's end", func() bool { return admin.api("GET", "/auth/me", nil).status == 401 })
	p2.login("admin", reset)
	if got := command("doctor"); strings.Contains(got, "bad ") || strings.Count(got, "\n") != 14 {
		t.Errorf("doctor: %s", got)
	}

	file := filepath.Join(t.TempDir(), "dump")
	command("backup", file)
	if info, err := os.Stat(file); err != nil || info.Size() < 1000 {
		t.Errorf("backup: %v", err)
	}
}

// As an ordinary user, in a home that nobody else can read.
func TestOwnPostgresAsUser(t *testing.T) {
	t.Parallel()
	needsNode(t)
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user; for the others TestOwnPostgres is this test")
	}

	u, err := user.Lookup("nobody")
	if err != nil {
		t.Skip("no user nobody")
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	home := filepath.Dir(ownDir(t))
	if err := os.Chown(home, uid, gid); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(home, 0o700); err != nil {
		t.Fatal(err)
	}

	binary := filepath.Join(home, "picloud")
	src, err := os.ReadFile(testkit.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(binary, src, 0o755); err != nil {
		t.Fatal(err)
	}

	l, _ := net.Listen("tcp", "127.0.0.1:0")
	addr := l.Addr().String()
	_ = l.Close()
	cmd := exec.Command(binary, "serve")
	cmd.Dir = home
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "PICLOUD_LISTEN=" + addr, "PICLOUD_ADMIN_PASSWORD=" + testPassword}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	var out bytes.Buffer
	cmd.Stdout = &out
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}

	p := &process{t: t, cmd: cmd, url: "http://" + addr}
	defer p.stop()
	w := &fixture{t: t, base: p.url, http: defaultClient()}
	w.eventually("it answers", func() bool {
		res, err := w.http.Get(p.url + "/readyz")
		if err != nil {
			return false
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		return res.StatusCode == 200
	})

	w.token = w.login("admin", testPassword)
	w.deploy("hello", `export default () => "as a user"`)
	if r := w.do("GET", "/f/default/hello", nil).want(200); r.body != "as a user" {
		t.Errorf("body %s", r.body)
	}

	w.deploy("killer", `export default () => { ''.padStart(2**33,'ab') }`)
	w.do("GET", "/f/default/killer", nil).want(507)
}

// A bad value stops the start with a sentence.
func TestBadConfiguration(t *testing.T) {
	t.Parallel()
	needsNode(t)

	dir := "PICLOUD_DATA_DIR=" + ownDir(t)
	for env, says := range map[string]string{
		"PICLOUD_SECRET_KEY=abc":             "32 bytes in base64",
		"PICLOUD_MAX_BODY=12":                "PICLOUD_MAX_BODY must be",
		"PICLOUD_LEASE=soon":                 "lease",
		"PICLOUD_TRUSTED_PROXIES=everywhere": "PICLOUD_TRUSTED_PROXIES",
		"PICLOUD_SCRIPT_TIMEOUT=400s":        "from 10ms to 300s",
		"PICLOUD_DB_CONNECTIONS=2":           "PICLOUD_DB_CONNECTIONS must be",
		"DATABASE_URL=nonsense://x":          "DATABASE_URL",
		"PICLOUD_UNPRIVILEGED_USER=root":     "PICLOUD_UNPRIVILEGED_USER",
		"PICLOUD_SANDBOX_UIDS=0-5":           "PICLOUD_SANDBOX_UIDS must be",
	} {
		if strings.HasPrefix(env, "PICLOUD_UNPRIVILEGED_USER") && os.Geteuid() != 0 {
			continue
		}
		t.Run(env, func(t *testing.T) { fails(t, says, dir, env) })
	}

	fails(t, "PICLOUD_SECRET_KEY nor PICLOUD_DATA_DIR", "DATABASE_URL=postgres://x/y")
	secret := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(secret, []byte(testKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	cmd := exec.Command(testkit.Binary(t), "config")
	cmd.Env = []string{"PICLOUD_SECRET_KEY_FILE=" + secret, "PICLOUD_ADMIN_PASSWORD=hidden-one", dir}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("config: %v", err)
	}

	if strings.Contains(string(out), "BwcH") || strings.Contains(string(out), "hidden-one") {
		t.Errorf("config shows a secret: %s", out)
	}
	if !strings.Contains(string(out), "PICLOUD_SECRET_KEY=(set)") {
		t.Errorf("config does not say that a secret is set: %s", out)
	}
}

// SIGTERM drains: a run in progress is answered, its events wait for the next start.
func TestDrain(t *testing.T) {
	t.Parallel()
	env := []string{
		"DATABASE_URL=" + newDatabase(t), "PICLOUD_SECRET_KEY=" + testKey, "PICLOUD_FETCH_ALLOW_PRIVATE=true",
	}
	p := startProcess(t, env...)
	w := p.fixture()
	middle := newCheckpoint(t)
	w.deploy("slow", `import { kv } from "picloud"; export default {
		async fetch() {
			await fetch("`+middle.url+`/wait/middle");
			await kv.collection("in").set("k", 1);
			return "finished";
		},
		async kv() { await kv.collection("out").increment("n") } }`)

	w.trigger(map[string]any{"kind": "kv", "script": "slow", "collection": "in"})

	answer := w.begin("GET", "/f/default/slow", nil)
	middle.await("/wait/middle")
	p.terminate()
	w.eventually("nobody comes in any more", func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})

	middle.release()
	p.wait()
	if r := answer(); r.status != 200 || r.body != "finished" {
		t.Errorf("a run in progress got %d %s", r.status, r.body)
	}

	p = startProcess(t, env...)
	defer p.stop()
	w = p.fixture()
	w.eventually("the event is handled after the restart", func() bool { return w.kv("out", "n") == 1.0 })
	w.balanced()
}
