package main

import (
	"bytes"
	"strings"
	"testing"
)

// Bodies are bytes: what a script makes of streams, buffers, blobs and forms arrives whole, and what never
// ends is ended.
func TestBodies(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.api("PUT", "/apps/default/scripts/b", map[string]any{"limits": map[string]any{"timeout_ms": unhurried}, "source": `
		const enc = new TextEncoder();
		const cases = {
			bytes: () => new Response(new Uint8Array([0, 255, 128, 10])),
			view: () => new Response(new Uint8Array([1, 2, 3, 4]).subarray(1, 3)),
			buffer: () => new Response(enc.encode("hé").buffer),
			blob: () => new Response(new Blob(["a", new Uint8Array([98])], { type: "x/y" })),
			stream: () => new Response(new ReadableStream({ async start(c) { for (const x of ["a", "b", "c"].map((s) => enc.encode(s))) { await new Promise((r) => setTimeout(r, 5)); c.enqueue(x); } c.close(); } })),
			through: () => new Response(new Blob(["hello"]).stream().pipeThrough(new TransformStream({ transform(x, c) { c.enqueue(x.map((b) => b - 32)); } }))),
			echo: async (r) => new Response(r.body),
			reuse: async (r) => new Response(new Response(r.body, { headers: { "x-a": "1" } }).body),
			form: () => { const f = new FormData(); f.append("a", "1"); f.append("f", new File([new Uint8Array([0, 1])], "f.bin")); return new Response(f); },
			endless: () => new Response(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(1 << 20)); } })),
			never: () => new Response(new ReadableStream({ pull: () => new Promise(() => {}) })),
			throwing: () => new Response(new ReadableStream({ pull() { throw new Error("dry"); } })),
			strange: () => new Response(new ReadableStream({ start(c) { c.enqueue({ a: 1 }); c.close(); } })),
			locked: () => { const s = new ReadableStream(); s.getReader(); return new Response(s); },
			taken: async () => { const r = new Response("x"); r.body.getReader(); return r; },
			rounds: async () => { const k = await crypto.subtle.importKey("raw", enc.encode("x"), "PBKDF2", false, ["deriveBits"]); return new Response(await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-512", salt: enc.encode("s"), iterations: 2 ** 31 }, k, 256)); },
			forge: async () => { const k = await crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign"]); k.type = "public"; k.extractable = true; return new Response([k.type, k.extractable, Object.getOwnPropertyNames(k)].join()); },
		};
		export default (r) => cases[new URL(r.url).searchParams.get("c")](r);`}).want(201)

	w.api("PUT", "/apps/default/scripts/other", map[string]any{"source": "export default () => 1"}).want(201)

	for _, c := range []struct {
		name   string
		status int
		want   string
	}{
		{"bytes", 200, "\x00\xff\x80\n"},
		{"view", 200, "\x02\x03"},
		{"buffer", 200, "hé"},
		{"blob", 200, "ab"},
		{"stream", 200, "abc"},
		{"through", 200, "HELLO"},
		{"endless", 507, "more than the"},
		{"never", 502, "never settles"},
		{"throwing", 502, "dry"},
		{"strange", 502, "must give Uint8Arrays"},
		{"locked", 502, "locked"},
		{"taken", 502, "already been read"},
		{"rounds", 502, "iterations"},
		{"forge", 502, ""},
	} {
		// An answer under an Idempotency-Key is kept whole, so that its end decides.
		t.Run(c.name, func(t *testing.T) {
			w := w.on(t)
			r := w.do("GET", "/f/default/b?c="+c.name, nil, "Authorization", "Bearer "+w.token, "Idempotency-Key", c.name).
				want(c.status)
			if c.status == 200 && r.body != c.want || !strings.Contains(r.body, c.want) {
				t.Errorf("%q, want %q", r.body, c.want)
			}
			w.do("GET", "/f/default/other", nil).want(200)
		})
	}

	blob := string(bytes.Repeat([]byte{0, 1, 254, 255, '\r', '\n'}, 100_000))
	for _, name := range []string{"echo", "reuse"} {
		if r := w.do("POST", "/f/default/b?c="+name, blob).want(200); r.body != blob {
			t.Errorf("%s: %d of %d bytes came back", name, len(r.body), len(blob))
		}
	}

	const part = "filename=\"f.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n\x00\x01\r\n"
	r := w.do("GET", "/f/default/b?c=form", nil).want(200)
	if ct := r.header.Get("Content-Type"); !strings.HasPrefix(ct, "multipart/form-data; boundary=") {
		t.Errorf("a form's type: %s", ct)
	}

	if !strings.Contains(r.body, part) {
		t.Errorf("form: %q", r.body)
	}
}
