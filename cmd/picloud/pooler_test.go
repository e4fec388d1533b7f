package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"picloud/db/pglocal"
	"picloud/internal/testkit"
)

// startPgBouncer puts the real PgBouncer in front of a database, in transaction mode, and gives the address
// to use instead.
func startPgBouncer(t *testing.T, dsn string) string {
	t.Helper()
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}

	dir, err := os.MkdirTemp("", "pgbouncer-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	port := freePort(t)
	config := fmt.Sprintf(`[databases]
%[1]s = host=%[2]s port=5432 dbname=%[1]s user=%[3]s password=%[4]s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %[5]s
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_client_conn = 200
default_pool_size = 20
`, cfg.Database, cfg.Host, cfg.User, cfg.Password, port)
	if err := os.WriteFile(filepath.Join(dir, "pgbouncer.ini"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}

	acc, err := pglocal.ServerAccount() // it refuses root as well
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}

	cmd := exec.Command("pgbouncer", filepath.Join(dir, "pgbouncer.ini"))
	cmd.SysProcAttr = acc.SysProcAttr()
	var out bytes.Buffer
	cmd.Stdout = &out
	cmd.Stderr = &out
	cmd.Path = findPgBouncer(t)
	if err := cmd.Start(); err != nil {
		t.Fatalf("pgbouncer: %v", err)
	}
	t.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait() })

	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = c.Close()
			return fmt.Sprintf("postgres://%s@127.0.0.1:%s/%s?sslmode=disable", cfg.User, port, cfg.Database)
		}
		if time.Now().After(end) {
			t.Fatalf("pgbouncer did not start: %s", out.String())
		}
	}
}

func findPgBouncer(t *testing.T) string {
	t.Helper()

	for _, path := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} { // Debian keeps it from ordinary users' PATH
		if p, err := exec.LookPath(path); err == nil {
			return p
		}
	}

	t.Fatal("pgbouncer is missing: `make test` installs it")
	return ""
}

// Two nodes behind a pooler in transaction mode: they notice that they cannot hear each other, say so, and
// look for news every second. Everything else is as ever, from an empty database on.
func TestPooler(t *testing.T) {
	t.Parallel()
	needsNode(t)
	dsn := startPgBouncer(t, testkit.EmptyDatabase(t))
	a := joinFixture(t, dsn)
	b := joinFixture(t, dsn)
	if !a.n.db.Pooled() {
		t.Fatal("the pooler was not noticed")
	}

	a.deploy("count", `import { kv } from "picloud"; export default { async fetch(r) {
		await kv.collection("made").set(new URL(r.url).searchParams.get("id"), 1); return kv.collection("total").increment("n"); },
		async kv(e) { await kv.collection("handled").increment(e.key); },
		async scheduled(e) { await kv.collection("ticks").increment(String(e.scheduledTime)); } }`)
	began := time.Now()
	b.eventually("the other node knows the script", func() bool { return b.do("GET", "/f/default/count?id=first", nil).status == 200 })
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("a deployment reached the other node after %s", took)
	}

	a.trigger(map[string]any{"kind": "kv", "script": "count", "collection": "made"})
	clock := a.trigger(map[string]any{"kind": "cron", "script": "count", "schedule": "* * * * * *"})
	b.eventually("the other node knows the trigger", func() bool { return b.n.orchestrator.Catalog.MatchingKV(1, "made") == 1 })

	for how, want := range map[string]int{"sync": 200, "outbox": 200} {
		var got map[int]int
		if how == "sync" {
			got = storm(t, 64, []*fixture{a, b}, func(k int) string { return fmt.Sprintf("/f/default/count?id=%s%d", how, k) })
		} else {
			got = map[int]int{}
			for k := range 16 {
				got[[]*fixture{a, b}[k%2].do("POST", fmt.Sprintf("/f/default/count?id=%s%d", how, k), nil, "X-PiCloud-Dispatch", "outbox", "Authorization", "Bearer "+a.token, "Idempotency-Key", how+fmt.Sprint(k)).status]++
			}
		}
		if len(got) != 1 || got[want] == 0 {
			t.Errorf("%s: statuses %v", how, got)
		}
	}

	a.eventually("every event is handled", func() bool { return len(a.allKeys("handled")) == 80 })

	for key, n := range a.allKeys("handled") {
		if n != 1.0 {
			t.Errorf("%s was handled %v times", key, n)
		}
	}

	a.eventually("the schedule fires", func() bool { return len(a.allKeys("ticks")) >= 3 })
	a.eventually("no tick waits", func() bool { return a.api("DELETE", "/apps/default/triggers/"+clock, nil).status == 204 })
	a.balanced()
	var deaf string
	a.eventually("the doctor says so", func() bool {
		for _, it := range a.api("GET", "/doctor", nil).want(200).items() {
			if f := it.(map[string]any); f["check"] == "listening" && f["state"] == "warn" {
				deaf = f["text"].(string)
			}
		}
		return strings.Contains(deaf, a.n.cfg.NodeName) && strings.Contains(deaf, b.n.cfg.NodeName)
	})
}
