package main

import (
	"fmt"
	"strings"
	"testing"
)

// The main job: a script sets a key, a trigger's script fails, retries, becomes a dead letter, is mended, replayed, done.
func TestStory(t *testing.T) {
	w := newWorld(t)
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
	if letters.get("items.0.attempts") != 3.0 || letters.str("items.0.error.message") != "broken" || letters.str("items.0.trigger_id") != id ||
		letters.str("items.0.root_id") != root || letters.get("items.0.payload.value.n") != 1.0 {
		t.Fatalf("dead letter %s", letters.body)
	}
	execs := w.api("GET", "/apps/default/executions?root="+root, nil).want(200)
	if len(execs.items()) != 4 {
		t.Fatalf("want the request and three attempts: %s", execs.body)
	}
	for k := range 3 {
		if execs.get(fmt.Sprintf("items.%d.attempt", k)) != float64(3-k) || execs.str(fmt.Sprintf("items.%d.status", k)) != "failed" ||
			execs.str(fmt.Sprintf("items.%d.parent_id", k)) != root || execs.str(fmt.Sprintf("items.%d.principal", k)) != "registrant:admin" {
			t.Errorf("attempt %d: %v", 3-k, execs.get(fmt.Sprint("items.", k)))
		}
	}
	if msg := execs.str("items.0.logs.0.message"); msg != "attempt 3" {
		t.Errorf("log %q", msg)
	}
	w.deploy("worker", `import { kv } from "picloud"; export default { async kv(e) { await kv.collection("done").increment("n", e.value.n) } }`)
	rep := w.api("POST", "/apps/default/dead-letters/"+letter+"/replay", nil).want(200)
	w.eventually("replayed event handled", func() bool { return w.kv("done", "n") == 1.0 })
	d := w.api("GET", "/apps/default/dead-letters/"+letter, nil).want(200)
	if d.str("resolution") != "replayed" || d.str("replayed_as") != rep.str("outbox_id") || d.str("resolved_by") != "admin" {
		t.Errorf("after replay %s", d.body)
	}
	w.api("POST", "/apps/default/dead-letters/"+letter+"/replay", nil).want(409)
	c := w.balanced()
	if c["enqueued"] != 2.0 || c["done"] != 1.0 || c["dead_lettered"] != 1.0 {
		t.Errorf("conservation %v", c)
	}
}

// A dead letter can be replayed with an edited payload, in bulk, or be resolved; handlers resolve it too.
func TestDeadLetters(t *testing.T) {
	w := newWorld(t)
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

// A dead_letter trigger's handler resolves the letter, or marks it handler_failed, which stays unresolved and replayable.
func TestDeadLetterTriggers(t *testing.T) {
	w := newWorld(t)
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
					id, res = m["id"].(string), m["resolution"].(string)
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
	v, _ := w.kv("buried", "case:good").(map[string]any)
	if v["attempts"] != 1.0 || v["error"] != "no" || v["script"] != "worker" || v["v"] != 5.0 || v["depth"] != 1.0 {
		t.Errorf("the handler saw %v", v)
	}
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

// Chains end at the depth limit, visibly.
func TestDepth(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxDepth = 3 })
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
