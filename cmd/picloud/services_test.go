package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"picloud/internal/testkit"
)

// startExecutor runs the service of sandboxes, which answers on a socket and speaks no HTTP.
func startExecutor(t *testing.T, socket string) *exec.Cmd {
	t.Helper()
	needsNode(t)
	cmd := exec.Command(testkit.Binary(t), "executor")
	cmd.Env = []string{"PICLOUD_EXECUTOR=" + socket}
	var out bytes.Buffer
	cmd.Stdout = &out
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}

	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("unix", socket); err == nil {
			_ = c.Close()
			return cmd
		}
		if time.Now().After(end) {
			t.Fatalf("picloud executor did not start: %s", out.String())
		}
	}
}

// The three services do together what serve does alone: the manager has dashboard and API, the orchestrator
// endpoints, events and schedules, and both have their sandboxes from the executor. Each may die and come
// back.
func TestServices(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "picloud-services-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "executor.sock")
	box := startExecutor(t, socket)
	end := func(cmd *exec.Cmd) { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	defer func() { end(box) }()
	env := []string{"DATABASE_URL=" + newDatabase(t), "PICLOUD_SECRET_KEY=" + testKey, "PICLOUD_LEASE=2s",
		"PICLOUD_EXECUTOR=" + socket, "PICLOUD_FETCH_ALLOW_PRIVATE=true"}
	m := startService(t, "manager", env...)
	defer m.kill()
	o := startService(t, "orchestrator", env...)
	defer func() { o.kill() }()
	w := m.fixture()
	middle := newCheckpoint(t)
	ends := &fixture{t: t, base: o.url, http: defaultClient()}

	// Who answers what.
	w.do("GET", "/admin/login", nil).want(200)
	ends.do("GET", "/admin/login", nil).want(404)
	ends.do("GET", "/api/v1/version", nil).want(404)
	ends.do("GET", "/readyz", nil).want(200)
	w.deploy("work", `import { kv } from "picloud"; export default {
		async fetch(r) {
			const p = new URL(r.url).searchParams;
			await kv.collection("made").set(p.get("id"), 1);
			if (p.get("wait")) await fetch("`+middle.url+`/wait/middle");
			return "made";
		},
		async kv(e) { await kv.collection("handled").increment(e.key); },
		async scheduled(e) { await kv.collection("ticks").increment(String(e.scheduledTime)); } }`)

	w.do("GET", "/f/default/work?id=x", nil).want(404)
	w.trigger(map[string]any{"kind": "kv", "script": "work", "collection": "made"})
	clock := w.trigger(map[string]any{"kind": "cron", "script": "work", "schedule": "* * * * * *"})
	ends.eventually("the orchestrator knows the script", func() bool { return ends.do("GET", "/f/default/work?id=first", nil).status == 200 })
	w.eventually("events and schedules run", func() bool { return w.kv("handled", "first") == 1.0 && len(w.allKeys("ticks")) > 1 })

	// The executor is killed while a run is in the middle: the run is made again, by the executor that comes
	// back.
	var wg sync.WaitGroup
	wg.Go(func() { ends.do("GET", "/f/default/work?id=again&wait=1", nil).want(200) })
	middle.await("/wait/middle")
	end(box)
	box = startExecutor(t, socket)
	middle.await("/wait/middle") // the run that is made again
	middle.release()
	wg.Wait()

	w.eventually("its event is handled", func() bool { return w.kv("handled", "again") == 1.0 })

	// While there is no executor nothing is lost: requests are told to come again, events wait.
	end(box)
	if r := ends.do("GET", "/f/default/work?id=none", nil).want(503); r.header.Get("Retry-After") == "" {
		t.Errorf("no Retry-After: %v", r.header)
	}

	w.api("PUT", "/apps/default/kv/made/waits", map[string]any{"value": 1}).want(200)
	box = startExecutor(t, socket)
	w.eventually("the event that waited is handled", func() bool { return w.kv("handled", "waits") == 1.0 })

	// The orchestrator is killed: its sandboxes go with it, and the executor stays.
	o.kill()
	w.eventually("no sandbox outlives the orchestrator", func() bool {
		return len(childrenOf(box.Process.Pid)) <= 1 // the manager may have one
	})

	o.restart(env...)
	ends.do("GET", "/f/default/work?id=last", nil).want(200)
	w.eventually("it goes on", func() bool { return w.kv("handled", "last") == 1.0 })
	w.eventually("no tick waits", func() bool { return w.api("DELETE", "/apps/default/triggers/"+clock, nil).status == 204 })
	w.balanced()

	// In order: on SIGTERM each ends by itself.
	for _, cmd := range []*exec.Cmd{o.cmd, box} {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %v", cmd.Args, err)
		}
	}

	out, err := exec.Command(testkit.Binary(t), "orchestrator").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "needs DATABASE_URL") {
		t.Errorf("without a database: %v %s", err, out)
	}
}

func childrenOf(pid int) []string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))

	all, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, f := range all {
		if c, err := os.ReadFile(f); err == nil {
			b = append(append(b, ' '), c...)
		}
	}

	return strings.Fields(string(b))
}
