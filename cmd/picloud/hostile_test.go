package main

import (
	_ "embed"
	"encoding/json"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

//go:embed testdata/hostile.js
var hostileSource string

// cleanAnswer is what an innocent script answers in a runtime that nobody has left traces in.
const (
	cleanSource = `export default () => ({
		keys: Object.keys({}), p: {}.polluted ?? null, json: JSON.stringify([1].map((x) => x + 1)),
		then: typeof {}.then + (1.5).toLocaleString("de") + new Date(0).toLocaleDateString("en", { timeZone: "UTC" }) });`
	cleanAnswer = `{"keys":[],"p":null,"json":"[2]","then":"undefined1,51/1/1970"}`
)

// attack is a case of testdata/hostile.js: its name, and "outcome|outcome: text", what it may end as and what
// its answer holds.
type attack struct{ Name, Want string }

// A hostile script hurts only itself: each ends as it must, another app's endpoint answers all the while, the
// next run of the same script finds a clean runtime, and the memory of PiCloud itself stays flat. Not
// parallel: it measures that memory.
func TestHostileScripts(t *testing.T) {
	w := newFixture(t)
	w.putScript("hasty", hostileSource, 500) // for what runs until its time is over
	w.putScript("patient", hostileSource, unhurried)
	w.api("PUT", "/apps/default/scripts/clean", map[string]any{"source": cleanSource}).want(201)
	w.api("POST", "/apps", map[string]any{"slug": "quiet", "name": "Quiet"}).want(201)
	w.api("PUT", "/apps/quiet/scripts/s", map[string]any{"source": `import { kv } from "picloud";
		export default async () => ({ n: await kv.collection("c").increment("n") });`}).want(201)

	var attacks []attack
	if err := json.Unmarshal([]byte(w.do("GET", "/f/default/patient", nil).want(200).body), &attacks); err != nil {
		t.Fatal(err)
	}
	if len(attacks) < 100 {
		t.Errorf("%d cases", len(attacks))
	}

	before := residentMiB(t)
	var neighbours sync.WaitGroup
	var over atomic.Bool

	var answered atomic.Int64
	for range 2 {
		neighbours.Go(func() {
			for !over.Load() {
				if r := w.do("GET", "/f/quiet/s", nil); r.status != 200 {
					t.Errorf("another app's endpoint answered %d %s", r.status, r.body)
					return
				}
				answered.Add(1)
			}
		})
	}

	t.Run("attacks", func(t *testing.T) { // returns when all of them have
		for _, a := range attacks {
			t.Run(a.Name, func(t *testing.T) {
				t.Parallel()
				w.on(t).attack(t, a)
			})
		}
	})

	// The neighbours ask while the attacks run; when only one attack was chosen with -run, they have not come
	// far yet.
	w.eventually("the other app answered 100 times", func() bool { return answered.Load() >= 100 || t.Failed() })
	over.Store(true)
	neighbours.Wait()

	after := residentMiB(t)
	t.Logf("%d cases; another app answered %d times meanwhile; resident %d -> %d MiB",
		len(attacks), answered.Load(), before, after)
	if after > before+150 {
		t.Errorf("PiCloud's memory grew from %d to %d MiB", before, after)
	}
}

// attack runs one case, and then an innocent script.
func (w *fixture) attack(t *testing.T, a attack) {
	outcomes, text, _ := strings.Cut(a.Want, ": ")
	allowed := strings.Split(outcomes, "|")
	script := "patient"
	if slices.Contains(allowed, "timeout") {
		script = "hasty"
	}

	auth := []string{"Authorization", "Bearer " + w.token} // so that the answer says what was thrown
	got, body := "", ""
	var r *reply
	// The sandbox that a run was given may die of another attack before the run has begun: the caller is told
	// that nothing was run, and asks again.
	w.eventually("the attack is run", func() bool {
		r = w.do("GET", "/f/default/"+script+"?name="+url.QueryEscape(a.Name), nil, auth...)
		got, body = "succeeded", r.body
		if r.status >= 400 && r.json["code"] != nil {
			got, _ = r.json["code"].(string)
			body, _ = r.json["detail"].(string)
		}
		return got != "interrupted" || slices.Contains(allowed, got)
	})

	if !slices.Contains(allowed, got) || !strings.Contains(body, text) {
		t.Errorf("%s %.200q, want %s", got, body, a.Want)
	}
	if got == "crashed" {
		t.Errorf("the sandbox crashed: %s", body)
	}

	if r.header.Get("X-Execution-Id") == "forged" {
		t.Errorf("the script forged its execution's id: %v", r.header)
	}
	if cookies := strings.Join(r.header.Values("Set-Cookie"), " "); strings.Contains(cookies, "picloud") {
		t.Errorf("the script set PiCloud's cookie: %s", cookies)
	}

	if clean := w.do("GET", "/f/default/clean", nil).want(200).body; clean != cleanAnswer {
		t.Errorf("the next script finds %s", clean)
	}
}

// residentMiB is this process's resident memory after a collection.
func residentMiB(t *testing.T) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		return 0
	}
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}

	m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(b)
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}

	return n >> 10
}
