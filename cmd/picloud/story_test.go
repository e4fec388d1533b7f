package main

import (
	"fmt"
	"strings"
	"testing"
)

// The main job: a script sets a key, a trigger's script fails, retries, becomes a dead letter, is mended,
// replayed, done.
func TestStory(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.deploy("order", `import { kv } from "picloud";
		export default { async fetch(r) { await kv.collection("orders").set("o1", { n: 1 }); return { ok: true } } }`)
	w.deploy("worker", `export default { async kv(e, env, ctx) { console.log("attempt", ctx.attempt); throw new Error("broken") } }`)
	id := w.trigger(map[string]any{"kind": "kv", "script": "worker", "collection": "orders",
		"retry": map[string]any{"max_attempts": 3, "base_ms": 20}})
	r := w.do("POST", "/f/default/order", nil).want(200)
	if r.body != `{"ok":true}` {
		t.Fatalf("body %s", r.body)
	}

	root := r.header.Get("X-Execution-Id")
	w.eventually("dead letter", func() bool {
		return w.api("GET", "/apps/default/dead-letters/count", nil).want(200).json["unresolved"] == 1.0
	})
	letters := w.api("GET", "/apps/default/dead-letters?script=worker&source=kv", nil).want(200)
	letter := letters.str("items.0.id")
	letters.members(map[string]any{
		"items.0.attempts":        3.0,
		"items.0.error.message":   "broken",
		"items.0.trigger_id":      id,
		"items.0.root_id":         root,
		"items.0.payload.value.n": 1.0,
	})

	execs := w.api("GET", "/apps/default/executions?root="+root, nil).want(200)
	if len(execs.items()) != 4 {
		t.Fatalf("want the request and three attempts: %s", execs.body)
	}

	for k := range 3 {
		object(t, fmt.Sprint("attempt ", 3-k), execs.items()[k], map[string]any{
			"attempt": float64(3 - k), "status": "failed", "parent_id": root, "principal": "registrant:admin",
		})
	}

	if msg := execs.str("items.0.logs.0.message"); msg != "attempt 3" {
		t.Errorf("log %q", msg)
	}

	w.deploy("worker", `import { kv } from "picloud"; export default {
		async kv(e) { await kv.collection("done").increment("n", e.value.n) } }`)
	rep := w.api("POST", "/apps/default/dead-letters/"+letter+"/replay", nil).want(200)
	w.eventually("replayed event handled", func() bool { return w.kv("done", "n") == 1.0 })
	d := w.api("GET", "/apps/default/dead-letters/"+letter, nil).want(200)
	d.members(map[string]any{
		"resolution": "replayed", "replayed_as": rep.str("outbox_id"), "resolved_by": "admin",
	})

	w.api("POST", "/apps/default/dead-letters/"+letter+"/replay", nil).want(409)
	c := w.balanced()
	if c["enqueued"] != 2.0 || c["done"] != 1.0 || c["dead_lettered"] != 1.0 {
		t.Errorf("conservation %v", c)
	}
}

// A dead letter can be replayed with an edited payload, in bulk, or be resolved; handlers resolve it too.
func TestDeadLetters(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.deploy("worker", `import { kv } from "picloud"; export default { async kv(e, env, ctx) {
		if (!e.value.good) throw new TypeError("bad value"); await kv.collection("done").increment("n") } }`)
	w.deploy("put", `import { kv } from "picloud"; export default { async fetch(r) { await kv.collection("in").set(r.headers.get("k"), {}) } }`)
	w.trigger(map[string]any{"kind": "kv", "script": "worker", "collection": "in", "retry": map[string]any{"max_attempts": 1}})
	fail := func(key string) string {
		w.do("POST", "/f/default/put", nil, "k", key).want(204)
		var id string
		w.eventually("dead letter of "+key, func() bool {
			for _, it := range w.api("GET", "/apps/default/dead-letters", nil).want(200).items() {
				m := it.(map[string]any)
				if m["payload"].(map[string]any)["key"] == key {
					id = m["id"].(string)
				}
			}
			return id != ""
		})
		return id
	}

	edited := fail("a")
	w.api("POST", "/apps/default/dead-letters/"+edited+"/replay", `{"payload":{"value":{"good":true}}}`, "Content-Type", "application/json").want(200)
	w.eventually("edited payload handled", func() bool { return w.kv("done", "n") == 1.0 })

	ignored := fail("b")
	w.api("POST", "/apps/default/dead-letters/"+ignored+"/resolve", map[string]any{"reason": "test data"}).want(200)
	w.api("POST", "/apps/default/dead-letters/"+ignored+"/resolve", map[string]any{"reason": "again"}).want(409)

	for k := range 5 {
		fail(fmt.Sprint("bulk", k))
	}

	w.deploy("worker", `import { kv } from "picloud"; export default { async kv(e) { await kv.collection("done").increment("n") } }`)
	r := w.api("POST", "/apps/default/dead-letters/replay", map[string]any{"filter": map[string]any{"script": "worker"}}).want(200)
	if r.json["matched"] != 5.0 || r.json["replayed"] != 5.0 || r.json["next_cursor"] != nil {
		t.Errorf("bulk replay %s", r.body)
	}

	w.eventually("bulk handled", func() bool { return w.kv("done", "n") == 6.0 })
	if n := w.api("GET", "/apps/default/dead-letters/count", nil).want(200).json["unresolved"]; n != 0.0 {
		t.Errorf("unresolved %v", n)
	}
	w.balanced()
}

// A dead_letter trigger's handler resolves the letter, or marks it handler_failed, which stays unresolved and
// replayable.
func TestDeadLetterTriggers(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.deploy("worker", `export default { kv() { throw new RangeError("no") } }`)
	w.deploy("put", `import { kv } from "picloud"; export default { async fetch(r) { await kv.collection(r.headers.get("c")).set("k", 5) } }`)
	w.deploy("undertaker", `import { kv } from "picloud"; export default { async deadLetter(e, env, ctx) {
		if (e.original.collection === "case:bad") throw new Error("cannot");
		await kv.collection("buried").set(e.original.collection, { attempts: e.attempts, error: e.error.message, script: e.script, v: e.original.value, depth: ctx.depth }) } }`)
	w.trigger(map[string]any{"kind": "kv", "script": "worker", "collection": "case:*", "ops": []string{"insert"}, "retry": map[string]any{"max_attempts": 1}})
	w.trigger(map[string]any{"kind": "dead_letter", "script": "undertaker", "failed_script": "worker", "source": "kv"})
	resolution := func(collection string) (id, res string) {
		w.eventually("letter of "+collection+" resolved", func() bool {
			for _, it := range w.api("GET", "/apps/default/dead-letters?state=all", nil).want(200).items() {
				m := it.(map[string]any)
				if m["payload"].(map[string]any)["collection"] == collection && m["resolution"] != nil {
					id = m["id"].(string)
					res = m["resolution"].(string)
				}
			}
			return res != ""
		})
		return id, res
	}

	w.do("POST", "/f/default/put", nil, "c", "case:good").want(204)
	if _, res := resolution("case:good"); res != "handled_by_script" {
		t.Errorf("resolution %s", res)
	}
	object(t, "what the handler saw", w.kv("buried", "case:good"), map[string]any{
		"attempts": 1.0, "error": "no", "script": "worker", "v": 5.0, "depth": 1.0,
	})

	w.do("POST", "/f/default/put", nil, "c", "case:bad").want(204)
	id, res := resolution("case:bad")
	if res != "handler_failed" {
		t.Errorf("resolution %s", res)
	}

	if n := w.api("GET", "/apps/default/dead-letters/count", nil).want(200).json["unresolved"]; n != 1.0 {
		t.Errorf("handler_failed must count as unresolved: %v", n)
	}
	w.api("POST", "/apps/default/dead-letters/"+id+"/replay", nil).want(200)
	w.balanced()
}

// A script deals with dead letters: what it does takes effect with its commit, or not at all.
func TestScriptsAndDeadLetters(t *testing.T) {
	t.Parallel()
	w := newFixture(t, func(c *Config) { c.MaxDepth = 3 })
	w.deploy("worker", `import { kv } from "picloud"; export default { async kv(e) {
		if (!e.value.good) throw new TypeError("bad value"); await kv.collection("done").increment("n") } }`)
	w.deploy("put", `import { kv } from "picloud"; export default { async fetch(r) { await kv.collection("in").set(r.headers.get("k"), { from: "put" }) } }`)
	w.trigger(map[string]any{"kind": "kv", "script": "worker", "collection": "in", "retry": map[string]any{"max_attempts": 1}})
	run := func(code string) any {
		t.Helper()
		w.deploy("ops", `import { deadLetters, kv, DeadLetterError, LimitError } from "picloud";
			const thrown = (p) => p.then(() => "nothing", (e) => e.constructor.name + " " + (e.code ?? "") + ": " + e.message);
			export default async (request) => { `+code+` }`)
		return w.do("POST", "/f/default/ops", nil).want(200).json["v"]
	}

	unresolved := func(n float64) {
		t.Helper()
		w.eventually(fmt.Sprint(n, " unresolved"), func() bool {
			return w.api("GET", "/apps/default/dead-letters/count", nil).want(200).json["unresolved"] == n
		})
	}

	for k := range 5 {
		w.do("POST", "/f/default/put", nil, "k", fmt.Sprint("k", k)).want(204)
	}
	unresolved(5)

	if v := run(`const a = await deadLetters.list({ limit: 3 }), b = await deadLetters.list({ limit: 3, cursor: a.cursor });
		const l = [...a.items, ...b.items], d = await deadLetters.get(l[0].id);
		return { v: [a.items.length, b.items.length, b.cursor, new Set(l.map((x) => x.id)).size, "original" in l[0], d.original.value.from,
			d.createdAt instanceof Date && l[0].createdAt instanceof Date, d.error.name, d.attempts, d.resolution, d.source, d.op, d.script, typeof d.trigger,
			(await deadLetters.list({ script: "other" })).items.length, await deadLetters.get("nonsense"), await deadLetters.get(crypto.randomUUID())].join() }`); v !=
		"3,2,,5,false,put,true,TypeError,1,,kv,insert,worker,string,0,," {
		t.Errorf("list and get: %v", v)
	}

	if v := run(`const [a, b] = (await deadLetters.list()).items.map((x) => x.id), out = [];
		const again = await deadLetters.replay(a, { payload: { value: { good: true } } });
		await deadLetters.resolve(b, "test data");
		out.push(again.length, (await deadLetters.list()).items.length, (await deadLetters.get(a)).resolution, (await deadLetters.get(b)).resolution);
		out.push(await thrown(deadLetters.replay(a)), await thrown(deadLetters.resolve(b)), await thrown(deadLetters.replay("x")), await thrown(deadLetters.resolve(crypto.randomUUID())));
		out.push(await thrown(deadLetters.replay()), await thrown(deadLetters.resolve(a, 1)), await thrown(deadLetters.list({ cursor: "x" })), await thrown(deadLetters.list({ limit: 1e9 })),
			await thrown(deadLetters.resolve(a, "x".repeat(1001))));
		return { v: out.join("|") }`); v != "36|3|replayed|ignored|DeadLetterError dead-letter: the dead letter is resolved already: replayed|"+
		"DeadLetterError dead-letter: the dead letter is resolved already: ignored|DeadLetterError dead-letter: no such dead letter|DeadLetterError dead-letter: no such dead letter|"+
		"TypeError : an id must be a string|TypeError : a reason must be a string|DeadLetterError dead-letter: cursor must be one that list gave|RangeError : limit must be from 1 to 1000|"+
		"DeadLetterError dead-letter: the dead letter is resolved already: replayed" {
		t.Errorf("replay and resolve: %v", v)
	}

	w.eventually("replayed", func() bool { return w.kv("done", "n") == 1.0 })
	unresolved(3)
	all := w.api("GET", "/apps/default/dead-letters?state=resolved", nil).want(200)

	by := map[string]bool{}
	for _, it := range all.items() {
		m := it.(map[string]any)
		by[fmt.Sprint(m["resolution"], " ", m["resolved_by"], " ", m["resolve_reason"])] = true
	}

	if len(all.items()) != 2 || !by["replayed script:ops <nil>"] || !by["ignored script:ops test data"] {
		t.Errorf("records %v", by)
	}

	// A run that fails leaves no trace; a dry run neither.
	w.deploy("ops", `import { deadLetters } from "picloud"; export default async () => {
		for (const d of (await deadLetters.list()).items) await deadLetters.resolve(d.id); throw new Error("no") }`)
	w.do("POST", "/f/default/ops", nil).want(502)
	w.deploy("ops", `import { deadLetters } from "picloud"; export default async () => { for (const d of (await deadLetters.list()).items) await deadLetters.replay(d.id) }`)
	w.api("POST", "/apps/default/scripts/ops/invoke", map[string]any{"dry_run": true}).want(200)
	unresolved(3)

	// Of two runs that want the same letter one gets it; the other is run again and sees the next.
	w.deploy("ops", `import { deadLetters } from "picloud"; export default async () => {
		const [d] = (await deadLetters.list()).items, v = await deadLetters.resolve(d.id, "slow").then(() => "mine", (e) => e.message);
		await new Promise((r) => setTimeout(r, 300)); return { v } }`)
	one := w.begin("POST", "/f/default/ops", nil)
	other := w.begin("POST", "/f/default/ops", nil)
	same(t, "what one run got", one().want(200).str("v"), "mine")
	same(t, "what the other run got", other().want(200).str("v"), "mine")
	unresolved(1)

	// waitUntil work is a commit of its own; a handler that replays what fails again ends at the depth limit.
	w.deploy("undertaker", `import { deadLetters, kv } from "picloud"; export default { async deadLetter(e, env, ctx) {
		await kv.collection("undertaker").increment(e.original.key); await deadLetters.replay(e.id) } }`)
	w.trigger(map[string]any{"kind": "dead_letter", "script": "undertaker", "failed_script": "worker"})
	w.deploy("ops", `import { deadLetters } from "picloud"; export default (request, env, ctx) => { ctx.waitUntil((async () => {
		await new Promise((r) => setTimeout(r, 20)); const [d] = (await deadLetters.list()).items; await deadLetters.resolve(d.id, "later") })()); return "ok" }`)
	w.do("POST", "/f/default/ops", nil).want(200)
	unresolved(0)
	w.do("POST", "/f/default/put", nil, "k", "loop").want(204)

	w.eventually("the chain's end", func() bool {
		l := w.api("GET", "/apps/default/dead-letters?state=unresolved", nil).want(200)
		return len(l.items()) == 1 && l.get("items.0.resolution") == "handler_failed" && strings.Contains(l.str("items.0.resolve_reason"), "3 deep already")
	})
	if n := w.kv("undertaker", "loop"); n != 2.0 {
		t.Errorf("the handler's replays: %v", n)
	}

	w.balanced()

	// Another app's letters are not there.
	w.api("POST", "/apps", map[string]any{"slug": "other", "name": "Other"}).want(201)
	id := w.api("GET", "/apps/default/dead-letters", nil).want(200).str("items.0.id")
	w.api("PUT", "/apps/other/scripts/spy", map[string]any{"source": `import { deadLetters } from "picloud"; export default async () => [await deadLetters.get("` + id + `"), (await deadLetters.list()).items.length,
		await deadLetters.replay("` + id + `").catch((e) => e.message)].join()`}).want(201)
	if b := w.do("POST", "/f/other/spy", nil).want(200).body; b != ",0,no such dead letter" {
		t.Errorf("from another app: %s", b)
	}
}

// Chains end at the depth limit, visibly.
func TestDepth(t *testing.T) {
	t.Parallel()
	w := newFixture(t, func(c *Config) { c.MaxDepth = 3 })
	w.deploy("loop", `import { kv } from "picloud";
		const go = async (d) => { await kv.collection("loop").increment("n") };
		export default { fetch: () => go(), kv: (e, env, ctx) => go(ctx.depth) }`)
	w.trigger(map[string]any{"kind": "kv", "script": "loop", "collection": "loop"})
	root := w.do("POST", "/f/default/loop", nil).want(204).header.Get("X-Execution-Id")
	c := w.balanced()
	if c["enqueued"] != 4.0 || c["done"] != 3.0 || c["skipped"] != 1.0 || w.kv("loop", "n") != 4.0 {
		t.Errorf("conservation %v, n %v", c, w.kv("loop", "n"))
	}

	r := w.api("GET", "/apps/default/executions?status=skipped&root="+root, nil).want(200)
	if len(r.items()) != 1 || !strings.Contains(r.str("items.0.error.message"), "at most 3") {
		t.Errorf("skipped execution %s", r.body)
	}
}
