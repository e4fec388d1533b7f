package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"picloud/internal/testkit"
	"picloud/internal/testkit/machine"
)

// process is a picloud as an operator runs it, which the test may kill.
type process struct {
	t       *testing.T
	command string
	program []string // what to run instead of picloud and its command
	cmd     *exec.Cmd
	url     string
}

func startProcess(t *testing.T, env ...string) *process {
	t.Helper()
	return startService(t, "serve", env...)
}

func startService(t *testing.T, command string, env ...string) *process {
	t.Helper()
	needsNode(t)
	p := &process{t: t, command: command, url: "http://127.0.0.1:" + freePort(t)}
	p.restart(env...)
	return p
}

// restart starts it, at the address that it had.
func (p *process) restart(env ...string) {
	t := p.t
	addr := strings.TrimPrefix(p.url, "http://")
	t.Helper()
	program := p.program
	if program == nil {
		program = []string{testkit.Binary(t), p.command}
	}
	p.cmd = exec.Command(program[0], program[1:]...)
	p.cmd.Env = append(os.Environ(), append([]string{"PICLOUD_LISTEN=" + addr, "PICLOUD_ADMIN_PASSWORD=" + testPassword}, env...)...)
	var out bytes.Buffer
	p.cmd.Stdout = &out
	p.cmd.Stderr = &out
	if os.Getenv("VERBOSE") != "" {
		p.cmd.Stderr = os.Stderr
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}

	deadline := time.Now().Add(patience)
	for {
		res, err := http.Get(p.url + "/healthz")
		if err == nil {
			_ = res.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
			t.Fatalf("picloud did not start: %s", out.String())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	_ = p.cmd.Wait()
}

func (p *process) fixture() *fixture {
	w := &fixture{t: p.t, base: p.url, http: &http.Client{Timeout: 30 * time.Second}}
	w.token = w.login("admin", testPassword)
	return w
}

func rounds(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("ROUNDS"))
	if err != nil || n < 1 {
		n = 5
	}
	if testing.Short() {
		n = 1
	}

	t.Logf("%d rounds", n)
	return n
}

// The server is killed at random moments under load, round after round. Whatever was acknowledged is there,
// whatever is there was handled exactly once, and the ledger balances.
func TestKill(t *testing.T) {
	key := "PICLOUD_SECRET_KEY=" + testKey
	env := []string{"DATABASE_URL=" + newDatabase(t), key, "PICLOUD_LEASE=2s"}
	p := startProcess(t, env...)
	w := p.fixture()
	w.deploy("produce", `import { kv } from "picloud"; export default { async fetch(r) {
		const id = new URL(r.url).searchParams.get("id");
		await kv.collection("event").set(id, 1);
		await kv.collection("total").increment("n");
		return "ok";
	} }`)

	// Every third event fails at first; every one ends after its second attempt.
	w.deploy("consume", `import { kv } from "picloud"; export default { async kv(e, env, ctx) {
		await kv.collection("handled").increment(e.key);
		if (ctx.attempt === 1 && e.key.endsWith("3")) throw new Error("once");
	} }`)

	w.trigger(map[string]any{"kind": "kv", "script": "consume", "collection": "event", "retry": map[string]any{"max_attempts": 10, "base_ms": 50, "backoff": "constant"}})
	token := w.token

	acked := map[string]bool{}
	var mu sync.Mutex

	var sent atomic.Int64
	for round := range rounds(t) {
		stop := make(chan struct{})

		var wg sync.WaitGroup
		for worker := range 8 {
			wg.Go(func() {
				client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{}}
				defer client.CloseIdleConnections()

				for k := 0; ; k++ {
					select {
					case <-stop:
						return
					default:
					}
					id := fmt.Sprintf("r%d-w%d-%d", round, worker, k)
					req, _ := http.NewRequest("POST", p.url+"/f/default/produce?id="+id, nil)
					if worker%4 == 3 {
						req.Header.Set("Prefer", "respond-async")
						req.Header.Set("Authorization", "Bearer "+token)
					}
					sent.Add(1)
					res, err := client.Do(req)
					if err != nil {
						time.Sleep(5 * time.Millisecond) // it was killed: not all of the machine for asking again
						continue
					}
					_ = res.Body.Close()
					if res.StatusCode == 200 || res.StatusCode == 202 {
						mu.Lock()
						acked[id] = true
						mu.Unlock()
					}
				}
			})
		}
		// The moment of the kill is random, and not that of anything that happens.
		time.Sleep(100*time.Millisecond + time.Duration(rand.IntN(900))*time.Millisecond)
		p.kill()
		close(stop)
		wg.Wait()
		p = startProcess(t, env...)
	}
	defer p.kill()
	w = p.fixture()
	w.eventuallyIn(60*time.Second, "everything is handled", func() bool {
		c := w.api("GET", "/apps/default/conservation", nil).want(200).json
		return c["waiting"] == 0.0 && c["running"] == 0.0
	})

	c := w.balanced()
	events := w.allKeys("event")
	handled := w.allKeys("handled")
	lost := 0
	doubled := 0

	for id := range acked {
		if events[id] == nil {
			lost++
		}
	}

	for id := range events {
		if handled[id] != 1.0 {
			doubled++
			t.Errorf("event %s was handled %v times", id, handled[id])
		}
	}

	if lost > 0 || len(handled) != len(events) || w.kv("total", "n") != float64(len(events)) {
		t.Errorf("%d acknowledged events lost; %d events, %d handled, total %v", lost, len(events), len(handled), w.kv("total", "n"))
	}
	if c["dead_lettered"] != 0.0 {
		t.Errorf("dead letters after interruptions: %v", c)
	}

	t.Logf("sent %d, acknowledged %d, events %d, lost %d, doubled %d, ledger %v", sent.Load(), len(acked), len(events), lost, doubled, c)
	if orphans := machine.Orphans(); len(orphans) > 0 {
		t.Errorf("sandbox processes outlived their parent: %v", orphans)
	}
}

func (w *fixture) eventuallyIn(d time.Duration, what string, f func() bool) {
	w.t.Helper()

	for deadline := time.Now().Add(d); !f(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("never happened: %s: %s", what, w.api("GET", "/apps/default/outbox", nil).body)
		}
	}
}

func (w *fixture) allKeys(collection string) map[string]any {
	w.t.Helper()

	out := map[string]any{}
	for cursor := ""; ; {
		r := w.api("GET", "/apps/default/kv/"+collection+"?limit=1000&cursor="+cursor, nil).want(200)
		for _, it := range r.items() {
			m := it.(map[string]any)
			out[m["key"].(string)] = m["value"]
		}
		next, ok := r.json["next_cursor"].(string)
		if !ok {
			return out
		}
		cursor = next
	}
}
