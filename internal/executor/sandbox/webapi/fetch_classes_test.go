package webapi

import "testing"

// Request and Response as the Fetch standard has them.
func TestFetchClasses(t *testing.T) {
	t.Parallel()

	const stream = `new ReadableStream({ start(c) { c.enqueue("text"); c.close(); } })`
	cases{
		`new Response("", { statusText: "a\nb" })`:                           "TypeError: statusText must not contain control characters",
		`new Response("x", { headers: { "x": "日" } })`:                       "TypeError: a header value must have no character above U+00FF",
		`Response.redirect("http://a/").headers.set("a", "1")`:               "TypeError: these headers are immutable: make new Headers of them",
		`Response.error().headers.append("a", "1")`:                          "TypeError: these headers are immutable: make new Headers of them",
		`new Request("http://a/", { method: "POST", body: ` + stream + ` })`: `TypeError: a body that is a stream needs duplex: "half"`,
		`return await new Response(` + stream + `).text()`:                   "TypeError: a body's stream must give Uint8Arrays: encode texts with a TextEncoder or pipe them through a TextEncoderStream",
		`new Request("http://a/", { mode: "navigate" })`:                     `TypeError: mode is same-origin, no-cors or cors; it is "navigate"`,
		`new Request("http://a/", { cache: "only-if-cached" })`:              `TypeError: only-if-cached needs the mode "same-origin"`,
		`new Request("http://a/", { signal: {} })`:                           "TypeError: signal must be an AbortSignal",
		`new Request("http://a/", { window: 1 })`:                            "TypeError: window must be null",
		`new Request()`: "TypeError: Request needs 1 argument(s), 0 given",
		`const r = new Request("http://a/"); return [r.mode, r.credentials, r.cache, r.redirect, r.referrer, r.duplex, r.keepalive]`: "cors,same-origin,default,follow,about:client,half,false",

		// A body belongs to one.
		`const a = new Request("http://a/", { method: "POST", body: "x" }), b = new Request(a); return [a.bodyUsed, b.bodyUsed, await b.text()]`:                    "true,false,x",
		`const a = new Request("http://a/", { method: "POST", body: "x" }), b = new Request(a, { body: "y" }); return [a.bodyUsed, await b.text(), await a.text()]`: "false,y,x",
		`const a = new Request("http://a/", { method: "POST", body: "x" }), s = a.body, b = new Request(a); return [s.locked, await b.text()]`:                      "true,x",
		`const r = new Response("x"); await r.text(); return r.body.locked`:                                                                                         "true",
		`const r = new Response("x"); r.body; await r.text(); r.body.getReader()`:                                                                                   "TypeError: the stream is locked to a reader already",

		// The signal follows the one that was given, whose listeners come first.
		`const c = new AbortController(), r = new Request("http://a/", { signal: c.signal }), seen = [];
		r.signal.onabort = () => seen.push("request"); c.signal.addEventListener("abort", () => seen.push("own"));
		c.abort("why"); return [r.signal === c.signal, r.signal.reason, seen]`: "false,why,own,request",

		// Types of bodies.
		`return (await new Response("", { headers: { "content-type": "TEXT/HTML; Charset=\"x y\";charset=z" } }).blob()).type`: `text/html;charset="x y"`,
		`const h = new Headers([["content-type", "text/plain;charset=gbk"], ["content-type", "text/plain"]]);
		return (await new Response("", { headers: h }).blob()).type`: "text/plain;charset=gbk",
		`return await new Response("", { headers: { "content-type": "multipart/form-data; boundary=b" } }).formData()`: "TypeError: the body is no multipart/form-data: it is cut off or malformed",
	}.check(t)
}

// A network error is a TypeError for whoever looks, and a FetchError for PiCloud's own checks.
func TestNetworkError(t *testing.T) {
	t.Parallel()

	g, _ := newGlobal(t)
	_ = g.VM.Set("e", g.NewError("FetchError", "m"))
	_ = g.VM.Set("FetchError", g.ErrorClass("FetchError"))
	v, err := g.VM.RunString(`[e instanceof TypeError, e.name, e.constructor === TypeError, e instanceof FetchError, FetchError.name, e.code].join()`)
	if err != nil || v.String() != "true,TypeError,true,true,FetchError,fetch" {
		t.Errorf("it is %v %v", v, err)
	}
}

// A data: URL is a response of its own.
func TestDataURL(t *testing.T) {
	t.Parallel()

	for url, want := range map[string]string{
		"data:text/plain,hi":                   "text/plain hi",
		"data:,a%20b#c":                        "text/plain;charset=US-ASCII a b",
		"data:;base64,aGk=":                    "text/plain;charset=US-ASCII hi",
		"data:text/plain;charset=x;base64,aGk": "text/plain;charset=x hi",
		"data:;charset=x,hi":                   "text/plain;charset=x hi",
		"data:IMAGE/gif;hi=x;base64 ,aGk%3D":   "image/gif;hi=x hi",
		"data:nonsense,hi":                     "text/plain;charset=US-ASCII hi",
		"data:text/html;charset=x   ,x":        "text/html;charset=x x",
		"data:text/html":                       "malformed",
		"data:;base64,a":                       "malformed",
		"data:;base64,a=b=":                    "malformed",
	} {
		got := "malformed"
		if r, ok := dataURL(url); ok {
			got = r.Headers[0].Value + " " + string(r.Body)
		}
		if got != want {
			t.Errorf("%s gives %q, want %q", url, got, want)
		}
	}
}
