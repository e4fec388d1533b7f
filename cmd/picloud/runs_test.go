package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// storm sends n requests at once, spread over the nodes, and counts the statuses.
func storm(t *testing.T, n int, nodes []*fixture, path func(k int) string) map[int]int {
	t.Helper()
	var mu sync.Mutex
	got := map[int]int{}

	var wg sync.WaitGroup
	for k := range n {
		wg.Go(func() {
			res, err := http.Post(nodes[k%len(nodes)].base+path(k), "", nil)
			if err != nil {
				t.Error(err)
				return
			}
			_ = res.Body.Close()
			mu.Lock()
			got[res.StatusCode]++
			mu.Unlock()
		})
	}

	wg.Wait()
	return got
}

// stormOfSuccess sends n requests as storm does, and those that the gate refused once more, until all have
// succeeded.
func stormOfSuccess(t *testing.T, n int, nodes []*fixture, path func(k int) string) {
	t.Helper()

	missing := n
	for round := 0; missing > 0; round++ {
		got := storm(t, missing, nodes, path)
		if got[200]+got[503] != missing || round == 50 {
			t.Fatalf("round %d: statuses %v of %d requests", round, got, missing)
		}
		missing -= got[200]
	}
}

// No update is ever lost: 64 concurrent runs that read and write one counter, on two nodes of one database,
// all succeed; the counter has what was answered with 200, and nothing of what a busy node refused.
func TestNoLostUpdates(t *testing.T) {
	t.Parallel()
	url := newDatabase(t)
	a := joinFixture(t, url)
	b := joinFixture(t, url)
	a.deploy("getset", `import { kv } from "picloud"; const c = kv.collection("c");
		export default { async fetch() { const n = (await c.get("getset")) ?? 0; await c.set("getset", n + 1); return n } }`)
	a.deploy("increment", `import { kv } from "picloud"; const c = kv.collection("c"); export default { fetch: () => c.increment("increment") }`)
	a.deploy("update", `import { kv } from "picloud"; const c = kv.collection("c"); export default { fetch: () => c.update("update", (n) => (n ?? 0) + 1) }`)
	b.eventually("the other node knows the scripts", func() bool {
		return b.do("POST", "/f/default/update", nil).status == 200
	})

	for _, how := range []string{"getset", "increment", "update"} {
		t.Run(how, func(t *testing.T) {
			before, _ := a.kv("c", how).(float64)
			stormOfSuccess(t, 64, []*fixture{a, b}, func(int) string { return "/f/default/" + how })
			if got := a.kv("c", how); got != before+64 {
				t.Errorf("counter %v after 64 answers of 200, it was %v", got, before)
			}
		})
	}
}

// Two runs that read and write each other's keys never both commit on stale reads.
func TestWriteSkew(t *testing.T) {
	t.Parallel()
	url := newDatabase(t)
	a := joinFixture(t, url)
	b := joinFixture(t, url)
	a.deploy("leave", `import { kv } from "picloud"; const c = kv.collection("duty");
		export default { async fetch(r) {
			const [me, other] = new URL(r.url).pathname.split("/").slice(-2);
			if (await c.get(other) === "off") return "stays";
			await c.set(me, "off");
			return "left";
		} }`)

	b.eventually("the other node knows the script", func() bool { return b.do("POST", "/f/default/leave/warm/up", nil).status == 200 })

	for round := range 40 {
		x := fmt.Sprintf("x%d", round)
		y := fmt.Sprintf("y%d", round)
		storm(t, 2, []*fixture{a, b}, func(k int) string {
			if k == 0 {
				return "/f/default/leave/" + x + "/" + y
			}
			return "/f/default/leave/" + y + "/" + x
		})
		if a.kv("duty", x) == "off" && a.kv("duty", y) == "off" {
			t.Fatalf("round %d: both left on stale reads", round)
		}
	}
}

// A run that fails leaves no trace; what it wrote before is not there.
func TestAllOrNothing(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.deploy("half", `import { kv } from "picloud"; const c = kv.collection("c");
		export default { async fetch(r) { await c.set("a", 1); await c.increment("n"); if (r.method === "POST") throw new Error("x"); await c.set("b", 2) } }`)
	w.do("POST", "/f/default/half", nil).want(502)
	if w.kv("c", "a") != nil || w.kv("c", "n") != nil {
		t.Error("a failed run left a trace")
	}

	w.do("GET", "/f/default/half", nil).want(204)
	if w.kv("c", "a") != 1.0 || w.kv("c", "b") != 2.0 || w.kv("c", "n") != 1.0 {
		t.Error("a run that succeeded is not whole")
	}
}

// The KV API from a script, each answer asserted in JavaScript.
func TestKVFromScripts(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.deploy("t", kvScript)
	r := w.do("GET", "/f/default/t", nil)
	if r.status != 200 || r.body != "ok" {
		t.Fatalf("%d %s\n%s", r.status, r.body, w.record(r.header.Get("X-Execution-Id")).body)
	}

	if w.kv("c", "first") != "v" || w.kv("c", "gone") != nil {
		t.Error("committed state is wrong")
	}
	if r := w.do("POST", "/f/default/t", nil); r.body != "ok" || r.status != 200 {
		t.Errorf("second run: %d %s", r.status, r.body)
	}
}

const kvScript = `import { kv, KvConflictError, LimitError } from "picloud";
const c = kv.collection("c");
const eq = (a, b, what) => { const x = JSON.stringify(a), y = JSON.stringify(b); if (x !== y) throw new Error(what + ": " + x + " is not " + y) };
const throws = async (name, f) => {
	try { await f() } catch (e) { if (e.name !== name || !(e instanceof Error)) throw new Error("want " + name + ", got " + e); return e }
	throw new Error("nothing thrown, want " + name);
};
export default { async fetch(request) {
	if (request.method === "POST") {
		const m = await c.getWithMetadata("first");
		eq(m.value, "v", "committed value");
		eq(m.expiresAt instanceof Date, true, "expiry is a date");
		eq((await throws("KvConflictError", () => c.set("first", 1, { ifVersion: m.version + 1 }))) instanceof KvConflictError, true, "class");
		await c.set("first", "w", { ifVersion: m.version });
		eq((await c.getWithMetadata("first")).expiresAt, null, "set without ttl clears it");
		eq(await c.increment("n"), 8, "increment of a committed number");
		eq((await c.getWithMetadata("n")).expiresAt !== null, true, "increment keeps the ttl");
		return "ok";
	}
	eq(await c.get("missing"), null, "missing is null");
	eq(await c.getWithMetadata("missing"), null, "missing has no metadata");
	eq(await c.has("missing"), false, "has");
	eq(await c.delete("missing"), false, "delete of a missing key");
	await c.set("first", "v", { ttl: 100, ifVersion: 0 });
	await throws("KvConflictError", () => c.set("first", "v", { ifVersion: 0 }));
	eq(await c.get("first"), "v", "own write is read");
	eq(await c.increment("n", 5), 5, "increment starts at 0");
	await c.set("n", 7, { ttl: 50 });
	await throws("TypeError", () => c.increment("first"));
	await throws("RangeError", () => c.increment("n", 2 ** 53));
	eq(await c.update("u", (v) => { eq(v, null, "update sees null"); return { a: [1, "é", null, -0, "\u0000"] } }), { a: [1, "é", null, 0, "\u0000"] }, "update");
	eq(await c.update("u", async (v) => { v.b = 1; return v }), { a: [1, "é", null, 0, "\u0000"], b: 1 }, "async update");
	eq(await c.update("u", () => undefined), { a: [1, "é", null, 0, "\u0000"], b: 1 }, "undefined changes nothing");
	await throws("TypeError", () => c.update("u", async () => { await c.update("x", () => 1); return 1 }));
	await c.set("gone", 1);
	eq(await c.update("gone", () => null), null, "null deletes");
	eq(await c.has("gone"), false, "deleted");
	await throws("TypeError", () => c.set("f", undefined));
	await throws("TypeError", () => c.set("f", () => 1));
	await throws("TypeError", () => c.set("", 1));
	await throws("TypeError", () => c.set("..", 1));
	await throws("TypeError", () => c.set("a\u0000b", 1));
	await throws("TypeError", () => c.set("x".repeat(513), 1));
	await throws("TypeError", () => kv.collection("bad name").get("x"));
	await throws("LimitError", () => c.set("big", "x".repeat(256 * 1024)));
	await throws("RangeError", () => c.set("t", 1, { ttl: 0.5 }));
	await c.set("surrogate", "\ud800");
	eq(await c.get("surrogate"), "\ud800", "lone surrogates");
	const l = kv.collection("list");
	for (const k of ["b", "a", "é", "Z", "aa", "ab", "c"]) await l.set(k, k);
	await l.delete("c");
	const all = await l.list();
	eq(all.items.map((i) => i.key), ["Z", "a", "aa", "ab", "b", "é"], "byte order, own writes");
	eq(all.cursor, null, "no further page");
	const page = await l.list({ prefix: "a", limit: 2 });
	eq(page.items.map((i) => i.value), ["a", "aa"], "prefix");
	eq((await l.list({ prefix: "a", limit: 2, cursor: page.cursor })).items.map((i) => i.key), ["ab"], "second page");
	await throws("TypeError", () => l.list({ prefix: "b", cursor: page.cursor }));
	await throws("RangeError", () => l.list({ limit: 1001 }));
	return "ok";
} };`

// Several writes of one run to one key raise an event each, in order, with what was really replaced.
func TestEventsOfOneRun(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.deploy("w", `import { kv } from "picloud"; const c = kv.collection("c");
		export default { async fetch() { await c.set("k", 1); await c.set("k", 1); await c.delete("k"); await c.delete("k"); await c.set("k", 3, {ttl: 1}) } }`)
	w.deploy("see", `import { kv } from "picloud"; export default { async kv(e) {
		await kv.collection("seen").update("all", (a) => [...(a ?? []), [e.op, "value" in e ? e.value : "none", "oldValue" in e ? e.oldValue : "none"]]) } }`)
	w.trigger(map[string]any{"kind": "kv", "script": "see", "collection": "c"})
	w.do("POST", "/f/default/w", nil).want(204)
	w.balanced()

	seen := fmt.Sprint(w.kv("seen", "all"))
	for _, want := range []string{"[insert 1 none]", "[update 1 1]", "[delete none 1]", "[insert 3 none]"} {
		if !strings.Contains(seen, want) {
			t.Errorf("no event %s in %s", want, seen)
		}
	}

	if n := len(w.kv("seen", "all").([]any)); n != 4 {
		t.Errorf("%d events: %s", n, seen)
	}
	w.eventually("the entry expires", func() bool { return w.kv("c", "k") == nil })
	w.do("POST", "/f/default/w", nil).want(204)
	w.balanced()
	if all := w.kv("seen", "all").([]any); len(all) != 8 || !strings.Contains(fmt.Sprint(all[4:]), "[insert 1 none]") {
		t.Errorf("a write on an expired entry is an insert without old value: %v", all)
	}
}

// waitUntil: the response goes out after the first commit; later writes are a second one, dropped when a
// promise rejects.
func TestWaitUntil(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.deploy("w", `import { kv } from "picloud"; const c = kv.collection("c");
		export default { async fetch(r, env, ctx) {
			const fail = r.method === "POST";
			await c.set(fail ? "first-bad" : "first", 1);
			ctx.waitUntil((async () => { await new Promise((r) => setTimeout(r, 50)); await c.set(fail ? "second-bad" : "second", await c.get("first")); if (fail) throw new Error("later") })());
			return "answered";
		}, async kv(e, env, ctx) { ctx.waitUntil(Promise.reject(new Error("part of the run"))) } }`)
	r := w.do("GET", "/f/default/w", nil).want(200)

	w.eventually("second commit", func() bool { return w.kv("c", "second") == 1.0 })
	w.eventually("after is recorded", func() bool {
		return w.api("GET", "/apps/default/executions/"+r.header.Get("X-Execution-Id"), nil).want(200).json["after"] == "succeeded"
	})
	r = w.do("POST", "/f/default/w", nil).want(200)
	w.eventually("failure is recorded", func() bool {
		return w.api("GET", "/apps/default/executions/"+r.header.Get("X-Execution-Id"), nil).want(200).json["after"] == "failed"
	})

	if w.kv("c", "first-bad") != 1.0 || w.kv("c", "second-bad") != nil {
		t.Error("writes after the response must be dropped when a promise rejects, writes before it kept")
	}
	w.trigger(map[string]any{"kind": "kv", "script": "w", "collection": "x", "retry": map[string]any{"max_attempts": 1}})
	w.api("PUT", "/apps/default/kv/x/k", map[string]any{"value": 1}).want(200)
	if c := w.balanced(); c["dead_lettered"] != 1.0 {
		t.Errorf("in a dispatched run waitUntil is part of the run: %v", c)
	}
}

// A run that conflicts but made a request that must not be repeated is a conflict for its caller.
func TestConflictAfterFetch(t *testing.T) {
	t.Parallel()
	w := newFixture(t, func(c *Config) { c.FetchAllowPrivate = true })
	w.deploy("sink", `export default () => "ok"`)
	w.deploy("touch", `import { kv } from "picloud"; export default { fetch: () => kv.collection("c").set("k", Math.random()) }`)
	w.deploy("unsafe", `import { kv } from "picloud"; export default { async fetch(r) {
		const base = new URL(r.url).origin;
		await kv.collection("c").get("k");
		await fetch(base + "/f/default/touch", { method: r.headers.get("how") });
		await kv.collection("c").set("k", 0);
		return "done";
	} }`)

	w.do("GET", "/f/default/unsafe", nil, "how", "POST").want(503)
	// GET may be repeated, but conflicts each time: the same outcome, after six tries.
	r := w.do("GET", "/f/default/unsafe", nil, "how", "GET").want(503)
	if r.header.Get("Retry-After") == "" || r.json["code"] != "conflict" {
		t.Errorf("conflict answer: %v %s", r.header, r.body)
	}
}

// Dispatched runs that write a hot key and then fail do not make those that succeed conflict with what never
// was.
func TestFailedWritesAreNotFollowed(t *testing.T) {
	w := newFixture(t)
	w.deploy("s", `import { kv } from "picloud"; export default {
		async fetch(r) { for (let i = 0; i < 60; i++) await kv.collection("in").set("k" + i, i) },
		async kv(e, env, ctx) { await kv.collection("hot").increment("n"); if (ctx.attempt === 1 && e.value % 2) throw new Error("once") } }`)
	w.trigger(map[string]any{"kind": "kv", "script": "s", "collection": "in", "retry": map[string]any{"max_attempts": 2, "base_ms": 10}})
	w.do("POST", "/f/default/s", nil).want(204)
	c := w.balanced()
	if c["done"] != 60.0 || w.kv("hot", "n") != 60.0 {
		t.Errorf("ledger %v, counter %v", c, w.kv("hot", "n"))
	}

	if s := w.n.orchestrator.Stats(); s.Commits.Conflicts > 10 { // a wait that was given up on a slow machine is no fault
		t.Errorf("%d conflicts on one node, where every run waits for its turn", s.Commits.Conflicts)
	}
}
