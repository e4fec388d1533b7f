package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Outcome by outcome: the status table, each row by a script that earns it.
func TestStatusTable(t *testing.T) {
	t.Parallel()
	w := newFixture(t, func(c *Config) { c.ScriptTimeout = unhurried * time.Millisecond })
	scripts := map[string]string{
		"json":      `export default () => ({ hello: "world" })`,
		"text":      `export default () => "text"`,
		"empty":     `export default () => undefined`,
		"nul":       `export default () => null`,
		"async":     `export default async () => [1]`,
		"response":  `export default { fetch: () => new Response("made", { status: 201, headers: { "x-a": "b" } }) }`,
		"throws":    `export default () => { throw new Error("secret detail") }`,
		"badvalue":  `export default () => () => 1`,
		"bigint":    `export default () => 1n`,
		"crash":     `export default () => { ''.padStart(2**33, 'ab') }`,
		"nohandler": `export default { kv() {} }`,
		"toplevel":  `throw new Error("at evaluation"); export default {}`,
		"params":    `export default { fetch: (r, env, ctx) => ({ params: ctx.params, method: r.method, url: new URL(r.url).pathname }) }`,
	}

	for name, src := range scripts {
		w.deploy(name, src)
	}
	w.putScript("loop", `export default () => { for (;;); }`, 700)
	w.putScript("sleep", `export default async () => { await new Promise((r) => setTimeout(r, 60000)) }`, 700)

	for _, c := range []struct {
		script string
		status int
		body   string
		code   string
	}{
		{"json", 200, `{"hello":"world"}`, ""},
		{"text", 200, "text", ""},
		{"empty", 204, "", ""},
		{"nul", 200, "null", ""},
		{"async", 200, "[1]", ""},
		{"response", 201, "made", ""},
		{"throws", 502, "", "failed"},
		{"badvalue", 502, "", "failed"},
		{"bigint", 502, "", "failed"},
		{"crash", 507, "", "memory"},
		{"loop", 504, "", "timeout"},
		{"sleep", 504, "", "timeout"},
		{"nohandler", 502, "", "failed"},
		{"toplevel", 502, "", "failed"},
		{"missing", 404, "", "not-found"},
	} {
		t.Run(c.script, func(t *testing.T) {
			r := w.on(t).do("GET", "/f/default/"+c.script, nil).want(c.status)
			if c.code == "" && r.body != c.body {
				t.Errorf("body %q", r.body)
			}
			if c.code != "" && r.str("code") != c.code {
				t.Errorf("code %s, want %s", r.str("code"), c.code)
			}
			if contentType := r.header.Get("Content-Type"); c.code != "" && !strings.HasPrefix(contentType, "application/problem+json") {
				t.Errorf("a problem of type %q: %s", contentType, r.body)
			}
			if (c.status == 404) == (r.header.Get("X-Execution-Id") != "") {
				t.Errorf("X-Execution-Id %q", r.header.Get("X-Execution-Id"))
			}
			if strings.Contains(r.body, "secret detail") {
				t.Errorf("an anonymous caller sees what the script threw: %s", r.body)
			}
			if r.status == 503 && r.header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		})
	}

	for script, header := range map[string]string{"json": "application/json", "text": "text/plain;charset=UTF-8"} {
		if got := w.do("GET", "/f/default/"+script, nil).header.Get("Content-Type"); got != header {
			t.Errorf("%s: content type %q", script, got)
		}
	}

	w.eventually("failures are recorded", func() bool {
		r := w.api("GET", "/apps/default/executions?script=throws", nil).want(200)
		return len(r.items()) == 1 && r.str("items.0.error.stack") != "" && r.get("items.0.http_status") == 502.0
	})

	r := w.do("GET", "/f/default/throws", nil, "Accept", "text/html,*/*").want(502)
	if !strings.Contains(r.header.Get("Content-Type"), "text/html") || !strings.Contains(r.body, "<h1>502 Bad Gateway</h1>") {
		t.Errorf("a browser gets %s", r.body)
	}

	// What a script throws is for those who may read it, and not for everybody who is logged in.
	w.api("POST", "/users", map[string]any{"username": "stranger", "password": testPassword}).want(201)

	for username, sees := range map[string]bool{"admin": true, "stranger": false} {
		r := w.do("GET", "/f/default/throws", nil, "Authorization", "Bearer "+w.login(username, testPassword)).want(502)
		if strings.Contains(r.str("detail"), "secret detail") != sees {
			t.Errorf("%s gets %s", username, r.body)
		}
	}
	if r := w.do("HEAD", "/f/default/json", nil).want(200); r.body != "" {
		t.Errorf("HEAD has a body: %q", r.body)
	}
}

// Routes: the more precise one answers, params are decoded, what cannot be a route is refused, hosts go
// before paths.
func TestRoutes(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.deploy("p", `export default { fetch: (r, env, ctx) => ({ p: ctx.params, m: r.method }) }`)
	w.deploy("q", `export default () => "q"`)
	route := func(body map[string]any) *reply { return w.api("POST", "/apps/default/routes", body) }
	route(map[string]any{"script": "p", "path": "/users/:id", "method": "get"}).want(201)
	route(map[string]any{"script": "q", "path": "/users/me", "method": "GET"}).want(201)
	route(map[string]any{"script": "p", "path": "/files/*"}).want(201)
	route(map[string]any{"script": "q", "path": "/only", "method": "POST"}).want(201)

	for path, want := range map[string]string{
		"/users/me": "q", "/users/7": `{"p":{"id":"7"},"m":"GET"}`, "/users/a%2Fb%20c": `{"p":{"id":"a/b c"},"m":"GET"}`,
		"/files/x/y.txt": `{"p":{"*":"x/y.txt"},"m":"GET"}`, "/users/%C3%A9": `{"p":{"id":"é"},"m":"GET"}`,
	} {
		if r := w.do("GET", path, nil).want(200); r.body != want {
			t.Errorf("%s: %s", path, r.body)
		}
	}

	w.do("GET", "/files", nil).want(404)
	w.do("GET", "/nothing", nil).want(404)
	w.do("GET", "/users/%FF", nil).want(422)
	if r := w.do("GET", "/only", nil).want(405); r.header.Get("Allow") != "POST" || r.header.Get("X-Execution-Id") != "" {
		t.Errorf("405 headers %v", r.header)
	}

	for name, c := range map[string]struct {
		body   map[string]any
		status int
	}{
		"same precedence":   {map[string]any{"script": "q", "path": "/users/:name"}, 409},
		"reserved":          {map[string]any{"script": "q", "path": "/api/x"}, 422},
		"bad pattern":       {map[string]any{"script": "q", "path": "/a/*/b"}, 422},
		"relative":          {map[string]any{"script": "q", "path": "a"}, 422},
		"bad method":        {map[string]any{"script": "q", "path": "/m", "method": "BREW"}, 422},
		"unknown script":    {map[string]any{"script": "nope", "path": "/n"}, 422},
		"host not held":     {map[string]any{"script": "q", "path": "/h", "host": "example.com"}, 422},
		"unknown field":     {map[string]any{"script": "q", "path": "/h", "hots": "x"}, 422},
		"NUL in the path":   {map[string]any{"script": "q", "path": "/a\x00"}, 422},
		"very long pattern": {map[string]any{"script": "q", "path": "/" + strings.Repeat("a", 5000)}, 422},
	} {
		t.Run(name, func(t *testing.T) { w.on(t).api("POST", "/apps/default/routes", c.body).want(c.status) })
	}

	// Hosts: exact before wildcard before any; a path that misses falls through.
	w.api("PATCH", "/apps/default", map[string]any{"hosts": []string{"api.example.com", "*.example.com"}}).want(200)
	w.deploy("exact", `export default () => "exact"`)
	w.deploy("wild", `export default () => "wild"`)
	route(map[string]any{"script": "exact", "path": "/users/me", "host": "api.example.com"}).want(201)
	route(map[string]any{"script": "wild", "path": "/users/:x", "host": "*.example.com"}).want(201)

	for host, want := range map[string]string{"api.example.com": "exact", "other.example.com": "wild", "elsewhere.org": "q", "API.example.com:99": "exact"} {
		if r := w.do("GET", "/users/me", nil, "Host", host).want(200); r.body != want {
			t.Errorf("host %s: %s", host, r.body)
		}
	}

	m := w.api("POST", "/apps/default/routes/match", map[string]any{"method": "GET", "url": "http://other.example.com/users/5"}).want(200)
	if m.json["matched"] != true || m.str("route.host") != "*.example.com" || m.str("params.x") != "5" {
		t.Errorf("match %s", m.body)
	}
	w.api("PATCH", "/apps/default", map[string]any{"hosts": []string{}}).want(409)
}

// Modules: bundled at deploy, rebuilt with their importers, guarded.
func TestModules(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	put := func(name, source, kind string) *reply {
		return w.api("PUT", "/apps/default/scripts/"+name, map[string]any{"source": source, "kind": kind})
	}

	put("greet", `export const greet = (n) => "hello " + n`, "module").want(201)
	put("app", `import { greet } from "./greet"; export default () => greet("you")`, "endpoint").want(201)
	if r := w.do("GET", "/f/default/app", nil).want(200); r.body != "hello you" {
		t.Fatalf("body %s", r.body)
	}

	w.do("GET", "/f/default/greet", nil).want(404)
	put("greet", `export const greet = (n: string): string => "hi " + n`, "module").want(422) // JavaScript still
	w.api("PUT", "/apps/default/scripts/greet", `export const greet = (n: string): string => "hi " + n`, "Content-Type", "application/typescript").want(200)
	if r := w.do("GET", "/f/default/app", nil).want(200); r.body != "hi you" {
		t.Errorf("the importer was not rebuilt: %s", r.body)
	}

	r := put("greet", `export const other = 1`, "module").want(422)
	if r.json["importer"] != "app" {
		t.Errorf("an importer that no longer builds: %s", r.body)
	}
	if r := w.do("GET", "/f/default/app", nil).want(200); r.body != "hi you" {
		t.Errorf("something changed: %s", r.body)
	}

	w.api("DELETE", "/apps/default/scripts/greet", nil).want(409)
	put("greet", `export const greet = (n) => n`, "endpoint").want(409)
	w.api("POST", "/apps/default/triggers", map[string]any{"kind": "kv", "script": "greet", "collection": "c"}).want(422)
	put("cycle", `import { b } from "./cycle-b"; export const a = () => 1; export const c = () => b()`, "module").want(422)
	put("cycle-b", `export const b = () => 2`, "module").want(201)
	put("cycle", `import { b } from "./cycle-b"; export const a = () => 1; export const c = () => b()`, "module").want(201)
	put("cycle-b", `import { a } from "./cycle"; export const b = () => a() + 1`, "module").want(200)
	put("cyc", `import { c } from "./cycle"; export default () => c()`, "endpoint").want(201)
	if r := w.do("GET", "/f/default/cyc", nil).want(200); r.body != "2" {
		t.Errorf("cycle: %s", r.body)
	}

	// Versions, rollback, If-Match.
	w.deploy("v", `export default () => 1`)
	w.deploy("v", `export default () => 2`)
	if r := w.api("PUT", "/apps/default/scripts/v", `export default () => 2`, "Content-Type", "text/javascript").want(200); r.json["version"] != 2.0 {
		t.Errorf("same source must be the same version: %s", r.body)
	}

	w.api("PUT", "/apps/default/scripts/v", `export default () => 3`, "Content-Type", "text/javascript", "If-Match", `"1"`).want(412)
	w.api("POST", "/apps/default/scripts/v/rollback", map[string]any{"version": 1}).want(200)
	if r := w.do("GET", "/f/default/v", nil).want(200); r.body != "1" {
		t.Errorf("after rollback %s", r.body)
	}

	w.api("POST", "/apps/default/scripts/v/rollback", map[string]any{"version": 9}).want(404)
	if r := w.api("GET", "/apps/default/scripts/v/versions", nil).want(200); len(r.items()) != 2 {
		t.Errorf("versions %s", r.body)
	}
	if r := w.api("GET", "/apps/default/scripts/v/versions/2", nil).want(200); r.str("source") != `export default () => 2` {
		t.Errorf("version 2 %s", r.body)
	}
}

// What a caller sends reaches the script, but for PiCloud's own credentials; what a script answers reaches
// the caller, but for what would act on the dashboard's origin.
func TestEdge(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.deploy("echo", `export default { async fetch(r) {
		return Response.json({ headers: [...r.headers], body: await r.text(), method: r.method, url: r.url }) } }`)
	w.deploy("set", `export default { fetch: () => new Response("<script>1</script>", { headers: [
		["content-type", "text/html"], ["set-cookie", "a=b"], ["strict-transport-security", "max-age=1"],
		["connection", "close"], ["date", "Thu, 01 Jan 1970 00:00:00 GMT"], ["x-ok", "1"],
		["content-security-policy", "default-src 'self'"], ["clear-site-data", "*"]] }) }`)
	r := w.do("POST", "/f/default/echo?q=1", "body", "Authorization", "Bearer "+w.token,
		"Cookie", "picloud=secret; mine=1; __Host-picloud=secret", "X-Forwarded-For", "6.6.6.6", "X-Mine", "v").want(200)
	hasNot(t, "what the script sees", r.body, "secret", w.token, "authorization", "6.6.6.6")
	has(t, "what the script sees", r.body,
		`["cookie","mine=1"]`, `["x-mine","v"]`, `"body":"body"`, `/f/default/echo?q=1`)
	r = w.do("GET", "/f/default/echo", nil, "Authorization", "Basic abc").want(200)
	has(t, "a foreign credential", r.body, "Basic abc")

	h := w.do("GET", "/f/default/set", nil).want(200).header
	for name, want := range map[string]string{
		"Set-Cookie": "", "Strict-Transport-Security": "", "Clear-Site-Data": "", "X-Ok": "1", "X-Content-Type-Options": "nosniff",
	} {
		same(t, name, h.Get(name), want)
	}

	csp := h.Values("Content-Security-Policy")
	if len(csp) != 2 || csp[1] != "sandbox allow-scripts allow-forms allow-popups" {
		t.Errorf("policies %v", csp)
	}

	// Bodies: whole, binary, too large, deep.
	big := bytes.Repeat([]byte{0xff, 0x00}, 5<<20)
	w.deploy("size", `export default { async fetch(r) { const b = await r.arrayBuffer(); return { n: b.byteLength } } }`)
	if r := w.do("POST", "/f/default/size", big).want(200); r.body != `{"n":10485760}` {
		t.Errorf("10 MiB: %s", r.body)
	}

	if r := w.do("POST", "/f/default/size", append(big, make([]byte, 1<<20)...)).want(413); r.header.Get("X-Execution-Id") != "" {
		t.Error("413 has an execution")
	}
	w.deploy("parse", `export default { async fetch(r) { return { parsed: await r.json() !== undefined } } }`)
	w.do("POST", "/f/default/parse", strings.Repeat("[", 2_500_000)).want(502)
	w.do("POST", "/f/default/parse", `{"a":[1,"\ud83d\ude00"]}`).want(200)
	w.do("GET", "/f/default/echo", nil, "X-Big", strings.Repeat("x", 20<<10)).want(200)
	large := w.do("GET", "/f/default/echo", nil, "X-Big", strings.Repeat("x", 40<<10)).want(431)
	brew := w.do("BREW", "/f/default/echo", nil).want(400)
	if !strings.Contains(brew.body, `"code":"malformed"`) || !strings.Contains(brew.body, "PATCH") {
		t.Errorf("an unknown method: %s", brew.body)
	}

	// Every answer says when it was given, and no goroutine keeps an idle server's clock.
	for _, h := range []http.Header{h, large.header, w.do("GET", "/", nil).header, w.do("HEAD", "/f/nowhere", nil).want(404).header, brew.header} {
		if at, err := http.ParseTime(h.Get("Date")); err != nil || time.Since(at).Abs() > time.Minute || len(h.Values("Date")) != 1 {
			t.Errorf("the date of an answer in %v (%v)", h, err)
		}
	}

	stacks := make([]byte, 16<<20)
	if stacks = stacks[:runtime.Stack(stacks, true)]; bytes.Contains(stacks, []byte("fasthttp.updateServerDate")) {
		t.Error("an idle server is woken every second")
	}
}

// The dashboard's host and the scripts' hosts are apart when an admin host is set.
func TestAdminHost(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.deploy("set", `export default { fetch: () => new Response("x", { headers: [["set-cookie", "a=b"], ["set-cookie", "picloud=evil"]] }) }`)
	url := w.n.cfg.DatabaseURL
	cfg := testConfig(url, func(c *Config) { c.AdminHost = "admin.test"; c.NodeName = "second" })
	if err := cfg.complete(); err != nil {
		t.Fatal(err)
	}

	n := &node{cfg: cfg, log: w.n.log, command: w.n.command, passwords: w.n.passwords}
	if err := n.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Stop)
	b := *w
	b.base = n.URL()
	b.api("GET", "/apps", nil).want(404)
	b.api("GET", "/apps", nil, "Host", "admin.test").want(200)

	b.do("GET", "/f/default/set", nil, "Host", "admin.test").want(404)
	h := b.do("GET", "/f/default/set", nil).want(200).header
	if got := h.Values("Set-Cookie"); len(got) != 1 || got[0] != "a=b" || h.Get("Content-Security-Policy") != "" {
		t.Errorf("headers %v", h)
	}
}

// A caller is answered at once and the run follows, or waits for a run that goes through the outbox.
func TestAsyncAndOutbox(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.deploy("job", `import { kv } from "picloud"; export default { async fetch(r, env, ctx) {
		const body = await r.text();
		await kv.collection("jobs").set("last", { body, method: r.method, principal: ctx.principal, params: ctx.params, key: ctx.idempotencyKey });
		if (body === "fail") throw new Error("x");
		return new Response("done " + body, { status: 201, headers: { "x-job": "1" } });
	} }`)

	auth := []string{"Authorization", "Bearer " + w.token}
	async := append([]string{"Prefer", "respond-async"}, auth...)
	r := w.do("POST", "/f/default/job", "a\xff\x00b", async...).want(202)
	id := r.str("execution_id")
	if r.header.Get("X-Execution-Id") != id || r.str("accepted_at") == "" {
		t.Errorf("202: %v %s", r.header, r.body)
	}

	w.eventually("the job ran", func() bool {
		e := w.api("GET", "/apps/default/executions/"+id, nil).want(200)
		return e.str("status") == "succeeded"
	})
	job, _ := w.kv("jobs", "last").(map[string]any)
	object(t, "what the job saw", job, map[string]any{"method": "POST", "key": id})
	object(t, "the job's principal", job["principal"], map[string]any{"username": "admin"})

	// Anonymous callers are served sync, whatever they wish.
	w.do("POST", "/f/default/job", "x", "Prefer", "respond-async").want(201)
	w.do("POST", "/f/default/job", strings.Repeat("x", 1<<20+1), async...).want(413)

	// Through outbox and inbox, and the answer is the script's.
	r = w.do("POST", "/f/default/job", "b", append([]string{"X-PiCloud-Dispatch", "outbox"}, auth...)...).want(201)
	if r.body != "done b" || r.header.Get("X-Job") != "1" || r.header.Get("X-Execution-Id") == "" {
		t.Errorf("through the outbox: %v %s", r.header, r.body)
	}

	w.do("POST", "/f/default/job", "fail", append([]string{"X-PiCloud-Dispatch", "outbox"}, auth...)...).want(502)
	c := w.balanced()
	if c["done"] != 3.0 || c["dead_lettered"] != 0.0 {
		t.Errorf("a row with a client is never retried: %v", c)
	}

	// A route can be async for everybody.
	w.api("POST", "/apps/default/routes", map[string]any{"script": "job", "path": "/hook/:who", "dispatch": "async"}).want(201)
	w.do("POST", "/hook/me", "hooked").want(202)
	w.eventually("the hook ran", func() bool {
		v, _ := w.kv("jobs", "last").(map[string]any)
		return v["body"] == "hooked" && v["params"].(map[string]any)["who"] == "me" && v["principal"] == nil
	})

	// A failing async call is retried and becomes a dead letter of source http, which can be replayed edited.
	w.balanced()
}

// A request that is sent again under its key is answered as the first time, and runs once.
func TestIdempotency(t *testing.T) {
	t.Parallel()
	w := newFixture(t, func(c *Config) { c.FetchAllowPrivate = true })
	middle := newCheckpoint(t)
	w.deploy("pay", `import { kv } from "picloud"; export default { async fetch(r, env, ctx) {
		const n = await kv.collection("pay").increment("n");
		const body = await r.text();
		if (body === "fail") throw new Error("no");
		if (body === "slow") await fetch("`+middle.url+`/wait/slow");
		return Response.json({ n, key: ctx.idempotencyKey }, { status: 201, headers: { "x-n": String(n) } });
	} }`)

	key := func(k string) []string { return []string{"Idempotency-Key", k} }
	first := w.do("POST", "/f/default/pay", "x", key("k1")...).want(201)
	again := w.do("POST", "/f/default/pay", "x", key("k1")...).want(201)
	same(t, "the body again", again.body, first.body)
	same(t, "X-N again", again.header.Get("X-N"), "1")
	same(t, "Idempotent-Replayed at first", first.header.Get("Idempotent-Replayed"), "")
	same(t, "Idempotent-Replayed again", again.header.Get("Idempotent-Replayed"), "true")
	same(t, "X-Execution-Id again", again.header.Get("X-Execution-Id"), first.header.Get("X-Execution-Id"))
	same(t, "the key that the script saw", first.str("key"), "k1")

	w.do("POST", "/f/default/pay", "y", key("k1")...).want(422)
	w.do("POST", "/f/default/pay?q=1", "x", key("k1")...).want(422)
	w.do("POST", "/f/default/pay", "x", "Idempotency-Key", "k1", "Authorization", "Bearer "+w.token).want(201) // another principal: another key
	w.do("POST", "/f/default/pay", "x", key(strings.Repeat("k", 256))...).want(422)
	w.do("POST", "/f/default/pay", "x", key("a b")...).want(422)
	w.do("POST", "/f/default/pay", "fail", key("k2")...).want(502)
	if n := w.kv("pay", "n"); n != 2.0 {
		t.Errorf("n is %v: a replay or a failed run counted", n)
	}

	w.do("POST", "/f/default/pay", "ok", key("k2")...).want(201) // the failed run freed the key
	slow := w.begin("POST", "/f/default/pay", "slow", key("k3")...)
	middle.await("/wait/slow")
	if r := w.do("POST", "/f/default/pay", "slow", key("k3")...).want(409); r.header.Get("Retry-After") != "1" {
		t.Errorf("still running: %v", r.header)
	}

	middle.release()
	slow().want(201)
	w.do("POST", "/f/default/pay", "slow", key("k3")...).want(201)
	async := []string{"Idempotency-Key", "k4", "Prefer", "respond-async", "Authorization", "Bearer " + w.token}
	one := w.do("POST", "/f/default/pay", "a", async...).want(202)
	two := w.do("POST", "/f/default/pay", "a", async...).want(202)
	if one.str("execution_id") != two.str("execution_id") || two.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("async: %s %s", one.body, two.body)
	}

	w.balanced()
	if n := w.kv("pay", "n"); n != 5.0 {
		t.Errorf("n is %v", n)
	}
}

// A caller that hangs up cancels nothing: the run commits, and what would have been sent is kept. Real
// sockets.
func TestAbandoned(t *testing.T) {
	t.Parallel()
	w := newFixture(t, func(c *Config) { c.FetchAllowPrivate = true })
	begun := newCheckpoint(t)

	// The direct run goes on until its caller has left; through the outbox a run does not learn that.
	w.deploy("slow", `import { kv } from "picloud"; export default { async fetch(r) {
		const id = new URL(r.url).searchParams.get("id");
		let aborted = false;
		const left = new Promise((gone) => r.signal.addEventListener("abort", () => { aborted = true; gone() }));
		await fetch("`+begun.url+`/" + id);
		await Promise.race([left, new Promise((r) => setTimeout(r, id === "direct" ? 4000 : 400))]);
		await kv.collection("slow").set(id, { aborted });
		return new Response("late " + id, { status: 200 });
	} }`)

	for id, outbox := range map[string]bool{"direct": false, "outbox": true} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		extra := ""
		if outbox {
			extra = "X-PiCloud-Dispatch: outbox\r\nAuthorization: Bearer " + w.token + "\r\n"
		}
		_, _ = fmt.Fprintf(conn, "GET /f/default/slow?id=%s HTTP/1.1\r\nHost: x\r\n%s\r\n", id, extra)
		begun.await("/" + id)
		_ = conn.Close()
		w.eventually("the run of "+id+" committed", func() bool { return w.kv("slow", id) != nil })
		w.eventually("the answer of "+id+" was kept", func() bool {
			for _, it := range w.api("GET", "/apps/default/abandoned-executions", nil).want(200).items() {
				m := it.(map[string]any)
				if m["summary"] == "late "+id {
					return m["status_code"] == 200.0 && m["reason"] == "client-closed" && m["script"] == "slow"
				}
			}
			return false
		})
		if v := w.kv("slow", id).(map[string]any); !outbox && v["aborted"] != true {
			t.Errorf("%s: request.signal did not abort: %v", id, v)
		}
	}

	w.balanced()
	// Pipelined requests are no hang-up.
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()

	for k := range 3 {
		fmt.Fprintf(conn, "GET /f/default/slow?id=pipe%d HTTP/1.1\r\nHost: x\r\n\r\n", k)
	}

	br := bufio.NewReader(conn)
	for k := range 3 {
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatalf("pipelined answer %d: %v", k, err)
		}
		body, _ := io.ReadAll(res.Body)
		if string(body) != fmt.Sprintf("late pipe%d", k) {
			t.Errorf("pipelined answer %d: %s", k, body)
		}
		if v := w.kv("slow", fmt.Sprintf("pipe%d", k)).(map[string]any); v["aborted"] != false {
			t.Errorf("false alarm: %v", v)
		}
	}
}

// Saturated: what cannot be served within two seconds is refused with 503, and one app does not starve
// another.
func TestGateSaturation(t *testing.T) {
	w := newFixture(t, func(c *Config) {
		c.Concurrency = 2
		c.Queue = 2
		c.ScriptTimeout = 10 * time.Second
	})

	w.deploy("hold", `export default async () => { await new Promise((r) => setTimeout(r, 4000)); return "held" }`)
	got := storm(t, 6, []*fixture{w}, func(int) string { return "/f/default/hold" })
	if got[200] != 2 || got[503] != 4 {
		t.Errorf("statuses %v", got)
	}
}
