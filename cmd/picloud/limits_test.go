package main

import (
	"fmt"
	"strings"
	"testing"
)

// A limit that is hit ends the run with an outcome that names the limit, its value, what was used and, where known, the line.
func TestLimitsAreNamed(t *testing.T) {
	w := newFixture(t)
	source := `import { kv, log } from "picloud";
const c = kv.collection("limits");
const cases = {
  computing() {
    for (;;);
  },
  waiting: () => new Promise((r) => setTimeout(r, 60000)),
  stuck: () => new Promise(() => {}),
  memory() {
    const a = [];
    for (;;) a.push(new Array(1000).fill(a.length));
  },
  async key() {
    await c.set("k".repeat(600), 1);
  },
  async value() {
    await c.set("k", "v".repeat(2 << 20));
  },
  body: () => "x".repeat(11 << 20),
  async calls() {
    for (let i = 0; i < 10001; i++) c.has("k");
    await c.has("k");
  },
  timers() {
    for (;;) setTimeout(() => {}, 1);
  },
  stack() {
    const f = () => f();
    f();
  },
  async lines() {
    for (let i = 0; i < 1500; i++) log.info("line " + i);
    throw new Error("done");
  },
  async bytes() {
    for (let i = 0; i < 10; i++) log.info("x".repeat(50000));
    throw new Error("done");
  },
  work() {
    let n = 0;
    for (let i = 0; i < 2e5; i++) n += i;
    throw new Error("worked " + n);
  },
};
export default (r) => cases[new URL(r.url).searchParams.get("c")]();`
	for name, timeout := range map[string]int{"quick": 400, "l": 10000} {
		w.api("PUT", "/apps/default/scripts/"+name, map[string]any{"source": source, "limits": map[string]any{"timeout_ms": timeout, "memory_mib": 64}}).want(201)
	}
	cases := []struct {
		name, status string
		want         []string
	}{
		{"computing", "timeout", []string{"its limit of 400ms", "it was computing", "of CPU time", "at computing (quick.js:4:"}},
		{"waiting", "timeout", []string{"its limit of 400ms", "waiting for 1 timer"}},
		{"stuck", "failed", []string{"never settles"}},
		{"memory", "memory", []string{"its 64 MiB", "in use", "did not fit"}},
		{"key", "failed", []string{"1 to 512 bytes", "600", "at key (l.js:14:"}},
		{"value", "memory", []string{"bytes", "at value (l.js:17:"}},
		{"body", "memory", []string{"11534336 bytes", "10485760 are allowed"}},
		{"calls", "memory", []string{"a run can make 10000 host calls"}},
		{"timers", "memory", []string{"a run can have 10000 timers", "at timers (l.js:25:"}},
		{"stack", "failed", []string{"Maximum call stack size exceeded", "l.js:28:"}},
		{"lines", "failed", []string{"line 999", "500 more lines were dropped"}},
		{"bytes", "failed", []string{"[cut: the run has reached its log limit"}},
	}
	ids := map[string]string{}
	for _, c := range cases {
		script := "l"
		if c.status == "timeout" {
			script = "quick"
		}
		ids[c.name] = w.do("GET", "/f/default/"+script+"?c="+c.name, nil).header.Get("X-Execution-Id")
	}
	for _, c := range cases {
		var e *reply
		w.eventually(c.name+" is recorded", func() bool {
			e = w.api("GET", "/apps/default/executions/"+ids[c.name], nil)
			return e.status == 200
		})
		for _, want := range append(c.want, fmt.Sprintf(`"status":%q`, c.status)) {
			if !strings.Contains(e.body, want) {
				t.Errorf("%s: no %q in %.1500s", c.name, want, e.body)
			}
		}
	}
	id := w.do("GET", "/f/default/l?c=work", nil).header.Get("X-Execution-Id")
	w.eventually("work is recorded", func() bool { return w.api("GET", "/apps/default/executions/"+id, nil).status == 200 })
	e := w.api("GET", "/apps/default/executions/"+id, nil).json
	if cpu, memory := e["cpu_ms"].(float64), e["memory_mib"].(float64); cpu <= 0 || cpu > e["duration_ms"].(float64)+1 || memory < 5 || memory > 200 {
		t.Errorf("work took %v ms of CPU in %v ms, and %v MiB", cpu, e["duration_ms"], memory)
	}

	r := w.api("PUT", "/apps/default/scripts/big", map[string]any{"source": "//" + strings.Repeat("x", 1<<20)})
	if r.status != 413 || !strings.Contains(r.body, "1048578 bytes; at most 1048576") {
		t.Errorf("a large source: %d %s", r.status, r.body)
	}
}
