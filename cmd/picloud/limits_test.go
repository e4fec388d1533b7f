package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// limitsSource runs into a limit by the name of a case. Its lines are counted: outcomes name them.
const limitsSource = `import { kv, log } from "picloud";
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

// A limit that is hit ends the run with an outcome that names the limit, its value, what was used and, where
// known, the line.
func TestLimitsAreNamed(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.putScript("quick", limitsSource, 2000) // for the cases that are about time: it must begin to compute before
	w.putScript("l", limitsSource, unhurried)

	cases := []struct {
		name, script, status string
		message              []string // parts of what the error says
		stack                string   // a part of it, where the line is known
	}{
		{"computing", "quick", "timeout", []string{"its limit of 2s", "it was computing", "of CPU time"}, "at computing (quick.js:4:"},
		{"waiting", "quick", "timeout", []string{"its limit of 2s", "waiting for 1 timer"}, ""},
		{"stuck", "l", "failed", []string{"never settles"}, ""},
		{"memory", "l", "memory", []string{"its 64 MiB", "in use", "did not fit"}, ""},
		{"key", "l", "failed", []string{"1 to 512 bytes", "600"}, "at key (l.js:14:"},
		{"value", "l", "memory", []string{"bytes"}, "at value (l.js:17:"},
		{"body", "l", "memory", []string{"11534336 bytes", "10485760 are allowed"}, ""},
		{"calls", "l", "memory", []string{"a run can make 10000 host calls"}, ""},
		{"timers", "l", "memory", []string{"a run can have 10000 timers"}, "at timers (l.js:25:"},
		{"stack", "l", "failed", []string{"Maximum call stack size exceeded"}, "l.js:28:"},
	}

	// All of them run before the first is looked at: records are written once a second. The two that wait for
	// their time do so together, the others one after the other: each has a child to itself.
	ids := map[string]string{}

	slow := map[string]func() *reply{}
	for _, c := range cases {
		if c.script == "quick" {
			slow[c.name] = w.begin("GET", "/f/default/quick?c="+c.name, nil)
			continue
		}
		ids[c.name] = w.limit(c.name)
	}

	for _, name := range []string{"lines", "bytes", "work"} {
		ids[name] = w.limit(name)
	}

	for name, answer := range slow {
		ids[name] = answer().header.Get("X-Execution-Id")
	}

	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := w.on(t).record(ids[c.name])
			if got := e.str("status"); got != c.status {
				t.Errorf("status %s, want %s", got, c.status)
			}

			for _, want := range c.message {
				if got := e.str("error.message"); !strings.Contains(got, want) {
					t.Errorf("no %q in the message %q", want, got)
				}
			}
			if stack, _ := e.get("error.stack").(string); !strings.Contains(stack, c.stack) {
				t.Errorf("no %q in the stack %q", c.stack, stack)
			}
		})
	}

	t.Run("lines", func(t *testing.T) {
		logs := w.on(t).record(ids["lines"])
		if got := logs.str("status"); got != "failed" {
			t.Errorf("status %s", got)
		}
		n, last := logs.lastLogs(2)
		if n != 1001 || last[0] != "line 999" || !strings.Contains(last[1], "500 more lines were dropped") {
			t.Errorf("%d lines that end with %q", n, last)
		}
	})

	t.Run("bytes", func(t *testing.T) {
		logs := w.on(t).record(ids["bytes"])
		if got := logs.str("status"); got != "failed" {
			t.Errorf("status %s", got)
		}
		if !strings.Contains(logs.body, "[cut: the run has reached its log limit") {
			t.Errorf("no line says that it is cut: %.1500s", logs.body)
		}
	})

	// What a run used is recorded.
	t.Run("work", func(t *testing.T) {
		e := w.on(t).record(ids["work"])
		cpu := e.number("cpu_ms")
		memory := e.number("memory_mib")
		duration := e.number("duration_ms")
		if cpu <= 0 || cpu > duration+1 {
			t.Errorf("%v ms of CPU in %v ms", cpu, duration)
		}
		if memory < 5 || memory > 200 {
			t.Errorf("%v MiB", memory)
		}
	})

	t.Run("source", func(t *testing.T) {
		large := map[string]any{"source": "//" + strings.Repeat("x", 1<<20)}
		r := w.on(t).api("PUT", "/apps/default/scripts/big", large).want(413)
		if !strings.Contains(r.str("detail"), "1048578 bytes; at most 1048576") {
			t.Errorf("a large source: %s", r.body)
		}
	})
}

// limit runs a case of limitsSource that is not about time, and gives its execution's id.
func (w *fixture) limit(name string) string {
	w.t.Helper()
	return w.do("GET", "/f/default/l?c="+name, nil).header.Get("X-Execution-Id")
}

// lastLogs counts the log lines of an execution, and gives the messages of the last ones.
func (r *reply) lastLogs(last int) (n int, messages []string) {
	r.t.Helper()
	var execution struct{ Logs []struct{ Message string } }
	if err := json.Unmarshal([]byte(r.body), &execution); err != nil {
		r.t.Fatal(err)
	}

	n = len(execution.Logs)
	for _, line := range execution.Logs[max(0, n-last):] {
		messages = append(messages, line.Message)
	}
	return n, messages
}
