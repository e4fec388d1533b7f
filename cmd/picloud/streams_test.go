package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A response made of a stream reaches its caller piece by piece, after the run's commit; what the stream
// writes is a second commit.
func TestStreamedResponses(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	source := `
		import { kv } from "picloud";
		const notes = kv.collection("notes");
		const enc = new TextEncoder();
		const later = (ms) => new Promise((r) => setTimeout(r, ms));
		const stream = (source) => new Response(new ReadableStream(source), { headers: { "content-type": "text/event-stream" } });
		const cases = {
			async events(name) { await notes.set(name, "first"); let n = 0; return stream({ async pull(c) {
				if (n++) { while ((await notes.get("go", { unchecked: true })) !== n) await later(10); }
				c.enqueue(enc.encode("data: " + n + "\n\n")); if (n === 3) { await notes.set(name, "second"); c.close(); } } }); },
			async breaks(name) { await notes.set(name, "first"); let n = 0; return stream({ async pull(c) {
				if (n++) { await notes.set(name, "second"); throw new Error("dry"); } c.enqueue(enc.encode("one")); } }); },
			endless() { return stream({ pull(c) { c.enqueue(new Uint8Array(1 << 20)); } }); },
			never() { let n = 0; return stream({ pull(c) { if (n++) return new Promise(() => {}); c.enqueue(enc.encode("one")); } }); },
			slow() { let n = 0; return stream({ async pull(c) { if (n++) await later(60000); c.enqueue(enc.encode("one")); } }); },
			strange() { return stream({ start(c) { c.enqueue({ a: 1 }); } }); },
			left(name) { return stream({ async pull(c) { c.enqueue(enc.encode("one")); await later(50); }, async cancel() { await notes.set(name, "cancelled"); } }); },
		};
		export default (r) => { const u = new URL(r.url); return cases[u.searchParams.get("c")](u.searchParams.get("k")); };`
	w.putScript("s", source, unhurried)
	w.putScript("quick", source, 2000) // for the case that is about time

	w.api("PUT", "/apps/default/scripts/go", map[string]any{"source": `import { kv } from "picloud"; export default async (r) => { await kv.collection("notes").set("go", Number(new URL(r.url).searchParams.get("n"))); return "ok"; }`}).want(201)
	note := func(key string) string {
		return fmt.Sprint(w.kv("notes", key))
	}
	openOf := func(t *testing.T, script, name, key string) *http.Response {
		t.Helper()
		address := fmt.Sprintf("%s/f/default/%s?c=%s&k=%s", w.base, script, name, key)
		req, err := http.NewRequestWithContext(t.Context(), "GET", address, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := w.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = res.Body.Close() })
		return res
	}

	open := func(name, key string) *http.Response { return openOf(t, "s", name, key) }

	res := open("events", "e")

	lines := bufio.NewReader(res.Body)
	for n := 1; n <= 3; n++ {
		line, err := lines.ReadString('\n')
		if err != nil || line != fmt.Sprintf("data: %d\n", n) {
			t.Fatalf("piece %d: %q %v", n, line, err)
		}
		if n == 1 && !strings.Contains(note("e"), "first") {
			t.Error("the first commit did not come before the body")
		}
		_, _ = lines.ReadString('\n')
		w.do("GET", fmt.Sprintf("/f/default/go?n=%d", n+1), nil).want(200)
	}

	if _, err := lines.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the end: %v", err)
	}
	w.eventually("the second commit", func() bool { return strings.Contains(note("e"), "second") })

	for _, c := range []struct{ name, script, body, status, want string }{
		{"breaks", "s", "one", "failed", "dry"},
		{"endless", "s", "", "memory", "more than the"},
		{"never", "s", "one", "failed", "never ends"},
		{"slow", "quick", "one", "timeout", "limit"},
		{"strange", "s", "", "failed", "must give Uint8Arrays"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := w.on(t)
			res := openOf(t, c.script, c.name, c.name)
			body, err := io.ReadAll(res.Body)
			if res.StatusCode != 200 || err == nil {
				t.Errorf("%d, %v: want a body that is cut off", res.StatusCode, err)
			}
			if c.body != "" && string(body) != c.body || len(body) > 10<<20 {
				t.Errorf("%d bytes came: %.20q", len(body), body)
			}
			id := res.Header.Get("X-Execution-Id")
			w.eventually("it is recorded", func() bool {
				r := w.api("GET", "/apps/default/executions/"+id, nil)
				return strings.Contains(r.body, c.want) && strings.Contains(r.body, `"after":"`+c.status+`"`)
			})
		})
	}

	if got := note("breaks"); !strings.Contains(got, "first") {
		t.Errorf("after a stream that failed: %s", got)
	}

	res = open("left", "l")
	if _, err := res.Body.Read(make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	w.eventually("the stream of a caller who left is cancelled", func() bool { return strings.Contains(note("l"), "cancelled") })

	// HTTP/1.0 knows no chunks, a kept answer is kept whole: both get the body at once.
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = fmt.Fprint(conn, "GET /f/default/s?c=strange HTTP/1.0\r\n\r\n")
	if first, _ := bufio.NewReader(conn).ReadString('\n'); !strings.Contains(first, "502") {
		t.Errorf("HTTP/1.0: %q", first)
	}

	w.do("GET", "/f/default/s?c=strange", nil, "Idempotency-Key", "k").want(502)
	w.do("GET", "/f/default/go?n=1", nil).want(200)
}

// What fetch gets: bodies short, long and endless, redirects, cancellation, and what each run is refused.
func TestFetch(t *testing.T) {
	t.Parallel()
	var cancelled atomic.Int32
	mux := http.NewServeMux()
	up := httptest.NewServer(mux)
	t.Cleanup(up.Close)
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Method", r.Method)
		w.Header().Set("X-Agent", r.UserAgent())
		w.Header().Set("X-Type", r.Header.Get("Content-Type"))
		_, _ = w.Write(body)
	})

	mux.HandleFunc("/pieces", func(w http.ResponseWriter, r *http.Request) {
		for k := range 5 {
			_, _ = fmt.Fprintf(w, "%d,", k)
			_ = http.NewResponseController(w).Flush()
			time.Sleep(5 * time.Millisecond)
		}
	})

	mux.HandleFunc("/big", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 3<<20)) })
	mux.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			_, _ = w.Write(make([]byte, 1<<20))
		}
	})

	mux.HandleFunc("/hang", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done(); cancelled.Add(1) })
	mux.HandleFunc("/stall", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("x"))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		cancelled.Add(1)
	})

	mux.HandleFunc("/to/", func(w http.ResponseWriter, r *http.Request) {
		var n int
		_, _ = fmt.Sscanf(r.URL.Path, "/to/%d", &n)
		to := "/echo"
		if n > 0 {
			to = fmt.Sprintf("/to/%d", n-1)
		}
		http.Redirect(w, r, to, http.StatusFound)
	})

	mux.HandleFunc("/inside", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusFound)
	})
	mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "file:///etc/passwd")
		w.WriteHeader(302)
	})

	mux.HandleFunc("/headers", func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X", strings.Repeat("x", 100<<10)) })

	w := newFixture(t, func(c *Config) { c.FetchAllowPrivate = true })
	w.putScript("f", `
		const up = "`+up.URL+`";
		const text = async (p, init) => (await fetch(up + p, init)).text();
		const caught = async (f) => { try { return JSON.stringify(await f()); } catch (e) { return e.name + ": " + e.message; } };
		const cases = {
			post: async () => { const r = await fetch(up + "/echo", { method: "POST", body: JSON.stringify({ a: 1 }), headers: { "content-type": "x/y" } }); return [r.status, r.headers.get("x-method"), r.headers.get("x-agent").startsWith("PiCloud/"), r.headers.get("x-type"), await r.json()]; },
			reason: async () => { const r = await fetch(up + "/nothing#part"); return [r.status, r.statusText, r.url === up + "/nothing", r.type]; },
			immutable: () => caught(async () => (await fetch(up + "/echo")).headers.set("a", "b")),
			streamed: () => text("/echo", { method: "POST", body: new ReadableStream({ start(c) { const enc = new TextEncoder(); c.enqueue(enc.encode("a")); c.enqueue(enc.encode("b")); c.close(); } }), duplex: "half" }),
			pieces: () => text("/pieces"),
			read: async () => { const r = await fetch(up + "/pieces"); let s = "", n = 0; for await (const c of r.body.pipeThrough(new TextDecoderStream())) { s += c; n++; } return [s, n > 1]; },
			pass: () => fetch(up + "/pieces"),
			cloned: async () => { const r = await fetch(up + "/pieces"); const d = r.clone(); return [await r.text(), await d.text(), r.bodyUsed]; },
			twice: async () => { const r = await fetch(up + "/pieces"); await r.text(); return caught(() => r.text()); },
			big: async () => (await (await fetch(up + "/big")).arrayBuffer()).byteLength,
			bigStream: async () => { let n = 0; for await (const c of (await fetch(up + "/big")).body) n += c.length; return n; },
			endless: () => caught(() => text("/endless")),
			endlessRead: () => caught(async () => { let n = 0; for await (const c of (await fetch(up + "/endless")).body) n += c.length; return n; }),
			redirects: async () => { const r = await fetch(up + "/to/3", { method: "POST", body: "x" }); return [r.redirected, r.url === up + "/echo", r.headers.get("x-method"), r.headers.get("x-type")]; },
			loop: () => caught(() => text("/to/99")),
			manual: async () => { const r = await fetch(up + "/to/3", { redirect: "manual" }); return [r.status, r.headers.get("location")]; },
			refuse: () => caught(() => fetch(up + "/to/3", { redirect: "error" })),
			inside: () => caught(() => text("/inside")),
			file: () => caught(() => text("/file")),
			headers: () => caught(() => text("/headers")),
			abort: () => caught(() => text("/hang", { signal: AbortSignal.timeout(30) })),
			abortBody: () => caught(async () => { const a = new AbortController(); const r = await fetch(up + "/stall", { signal: a.signal }); setTimeout(() => a.abort(new RangeError("enough")), 20); return r.text(); }),
			aborted: () => caught(() => fetch(up + "/echo", { signal: AbortSignal.abort() })),
			cancelBody: async () => { const r = await fetch(up + "/stall"); await r.body.cancel(); return "ok"; },
			signal: () => caught(() => fetch(up + "/echo", { signal: {} })),
			many: async () => (await Promise.all(Array.from({ length: 40 }, () => text("/echo", { method: "POST", body: "x" })))).join(""),
			open: () => caught(() => Promise.all(Array.from({ length: 101 }, () => fetch(up + "/stall")))),
			port: () => caught(() => fetch("http://127.0.0.1:25/")),
			user: () => caught(() => fetch("http://u:p@127.0.0.1/")),
			scheme: () => caught(() => fetch("ftp://127.0.0.1/")),
			name: () => caught(() => fetch("http://no-such-host.invalid/")),
			closed: () => caught(() => fetch("http://127.0.0.1:9999/")),
			metadata: () => Promise.all(["169.254.169.254", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "2852039166", "0xa9.254.169.254"].map((h) => caught(() => fetch("http://" + h + "/")))).then((a) => a.every((s) => s.includes("not reachable for scripts")) || a),
			smuggle: () => caught(() => fetch(up + "/echo", { headers: { "x-a": "b\r\nx-c: d" } })),
			upload: () => caught(() => text("/echo", { method: "POST", body: new Uint8Array(11 << 20) })),
			used: async () => { const q = new Request(up + "/echo", { method: "POST", body: "x" }); await fetch(q); return caught(() => fetch(q)); },
		};
		export default (r) => cases[new URL(r.url).searchParams.get("c")]();`, unhurried)

	for name, want := range map[string]string{
		"post": `[200,"POST",true,"x/y",{"a":1}]`, "streamed": "ab", "reason": `[404,"Not Found",true,"basic"]`,
		"immutable": "TypeError: these headers are immutable", "pieces": "0,1,2,3,4,", "read": `["0,1,2,3,4,",true]`, "pass": "0,1,2,3,4,",
		"cloned": `["0,1,2,3,4,","0,1,2,3,4,",true]`, "twice": "TypeError: the body has already been read", "big": "3145728", "bigStream": "3145728",
		"endless": "LimitError: the response has more than the 10485760 bytes that are allowed", "endlessRead": "LimitError: the response has more than the 10485760 bytes that are allowed",
		"redirects": `[true,true,"GET",""]`, "loop": "more than 20 times", "manual": `[302,"/to/2"]`, "refuse": "TypeError: ", "inside": "not reachable for scripts",
		"file": "TypeError: ", "headers": "TypeError: ", "abort": "TimeoutError: The operation timed out.", "abortBody": "RangeError: enough",
		"aborted": "AbortError: The operation was aborted.", "cancelBody": "ok", "signal": "TypeError: signal must be an AbortSignal", "many": strings.Repeat("x", 40),
		"open": "LimitError: a run can have 100 responses", "port": "this port is not reachable", "user": "TypeError: ", "scheme": "TypeError: ", "name": "does not resolve",
		"closed": "could not be made", "metadata": "true", "smuggle": "TypeError: ", "upload": "LimitError: ", "used": "TypeError: the request's body has already been read",
	} {
		t.Run(name, func(t *testing.T) {
			w := w.on(t)
			r := w.do("GET", "/f/default/f?c="+name, nil, "Authorization", "Bearer "+w.token).want(200)
			if !strings.Contains(r.body, want) {
				t.Errorf("%.300q, want %q", r.body, want)
			}
		})
	}

	w.eventually("requests given up are cancelled", func() bool { return cancelled.Load() >= 3+100 })

	// Without the development setting nothing on this machine answers.
	w = newFixture(t)
	w.api("PUT", "/apps/default/scripts/f", map[string]any{"source": `export default async (r) => { try { await fetch(await r.text()); return "reached"; } catch (e) { return e.message; } };`}).want(201)

	_, port, _ := net.SplitHostPort(strings.TrimPrefix(up.URL, "http://"))
	for _, host := range []string{"127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "017700000001", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0", "0", "[::]",
		"[64:ff9b::7f00:1]", "[2002:7f00:1::1]", "１２７.0.0.1", "127.0.0.1.", "%31%32%37.0.0.1"} {
		t.Run(host, func(t *testing.T) {
			r := w.on(t).do("POST", "/f/default/f", "http://"+host+":"+port+"/echo").want(200)
			if strings.Contains(r.body, "reached") {
				t.Errorf("%s was reached", host)
			}
		})
	}
}
