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

// A hostile script hurts only itself: each ends as it must, another app's endpoint answers all the while, the next run of
// the same script finds a clean runtime, and the memory of PiCloud itself stays flat.
func TestHostileScripts(t *testing.T) {
	w := newFixture(t)
	// What must end by its memory gets the time for it on a busy machine; what runs until its time is over gets little.
	for name, ms := range map[string]int{"hostile": 500, "hungry": 8000} {
		w.api("PUT", "/apps/default/scripts/"+name, map[string]any{"source": hostileSource, "limits": map[string]any{"timeout_ms": ms, "memory_mib": 64}}).want(201)
	}
	w.api("POST", "/apps", map[string]any{"slug": "quiet", "name": "Quiet"}).want(201)
	w.api("PUT", "/apps/quiet/scripts/s", map[string]any{"source": `import { kv } from "picloud"; export default async () => ({ n: await kv.collection("c").increment("n") });`}).want(201)
	w.api("PUT", "/apps/default/scripts/clean", map[string]any{"source": `export default () => ({ keys: Object.keys({}), p: {}.polluted ?? null, json: JSON.stringify([1].map((x) => x + 1)), then: typeof {}.then + (1.5).toLocaleString("de") + new Date(0).toLocaleDateString("en", { timeZone: "UTC" }) });`}).want(201)

	var cases []struct{ Name, Want string }
	if err := json.Unmarshal([]byte(w.do("GET", "/f/default/hostile", nil).want(200).body), &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 100 {
		t.Errorf("%d cases", len(cases))
	}
	before := residentMiB(t)
	var wg sync.WaitGroup
	var over atomic.Bool
	var answered atomic.Int64
	for range 2 {
		wg.Go(func() {
			for !over.Load() {
				if r := w.do("GET", "/f/quiet/s", nil); r.status != 200 {
					t.Errorf("another app's endpoint answered %d %s", r.status, r.body)
					return
				}
				answered.Add(1)
			}
		})
	}
	for _, c := range cases {
		script := "hostile"
		if strings.HasPrefix(c.Want, "memory") && !strings.Contains(c.Want, "timeout") {
			script = "hungry"
		}
		r := w.do("GET", "/f/default/"+script+"?name="+url.QueryEscape(c.Name), nil, "Authorization", "Bearer "+w.token)
		got, body := "succeeded", r.body
		if r.status >= 400 && r.json["code"] != nil {
			got, _ = r.json["code"].(string)
			body, _ = r.json["detail"].(string)
		}
		statuses, text, _ := strings.Cut(c.Want, ": ")
		if !slices.Contains(strings.Split(statuses, "|"), got) || !strings.Contains(body, text) {
			t.Errorf("%s: %s %.200q, want %s", c.Name, got, body, c.Want)
		}
		if got == "crashed" || r.header.Get("X-Execution-Id") == "forged" || strings.Contains(strings.Join(r.header.Values("Set-Cookie"), " "), "picloud") {
			t.Errorf("%s: %s %v", c.Name, got, r.header)
		}
		if clean := w.do("GET", "/f/default/clean", nil).want(200).body; clean != `{"keys":[],"p":null,"json":"[2]","then":"undefined1,51/1/1970"}` {
			t.Errorf("after %s: %s", c.Name, clean)
		}
	}
	over.Store(true)
	wg.Wait()
	if answered.Load() < 100 {
		t.Errorf("the other app was answered %d times", answered.Load())
	}
	after := residentMiB(t)
	t.Logf("%d cases; another app answered %d times meanwhile; resident %d -> %d MiB", len(cases), answered.Load(), before, after)
	if after > before+150 {
		t.Errorf("PiCloud's memory grew from %d to %d MiB", before, after)
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
