// Cases from the algorithms of the specifications. Each runs in the sandbox and in Node; what the two say is compared, and
// conformance.golden keeps where they agree and where they differ. A case gives a value that JSON can hold, or throws.
const enc = new TextEncoder();
const dec = new TextDecoder();
const hex = (b) => [...new Uint8Array(b)].map((x) => x.toString(16).padStart(2, "0")).join("");
const all = async (stream) => {
  const out = [];
  const r = stream.getReader();
  for (;;) {
    const { value, done } = await r.read();
    if (done) return out;
    out.push(value);
  }
};
const chunks = (...list) => new ReadableStream({ start(c) { for (const x of list) c.enqueue(x); c.close(); } });
const response = (body, init) => new Response(body, init);

export const cases = {
  // URL standard
  "URL: parts": () => { const u = new URL("https://u:p@EXAMPLE.com:8080/a/../b?x=1#y"); return [u.href, u.origin, u.host, u.hostname, u.port, u.pathname, u.search, u.hash, u.username, u.password, u.protocol]; },
  "URL: default port": () => new URL("https://example.com:443/").href,
  "URL: base": () => new URL("../c?d", "https://example.com/a/b/").href,
  "URL: protocol relative": () => new URL("//other.test/x", "https://example.com").href,
  "URL: backslashes": () => new URL("https:\\\\example.com\\a").href,
  "URL: spaces and unicode": () => new URL("https://example.com/ä b?ü=ö#ß").href,
  "URL: punycode": () => new URL("https://münchen.de/").hostname,
  "URL: ipv4 forms": () => new URL("http://0x7f.1/").hostname,
  "URL: ipv6": () => new URL("http://[::1]:80/").host,
  "URL: tab and newline": () => new URL("ht\ntps://exa\tmple.com/").href,
  "URL: opaque path": () => new URL("mailto:a@b.c").pathname,
  "URL: invalid": () => new URL("no url"),
  "URL: invalid port": () => new URL("https://a:99999/"),
  "URL: forbidden host": () => new URL("https://a b/"),
  "URL: setters": () => { const u = new URL("https://a.test/"); u.pathname = "x y"; u.search = "q=1"; u.hash = "h"; u.port = "81"; u.host = "b.test:82"; return u.href; },
  "URL: protocol setter keeps special": () => { const u = new URL("https://a.test/"); u.protocol = "mailto"; return u.href; },
  "URL: canParse": () => [URL.canParse("https://a"), URL.canParse("x"), URL.canParse("x", "https://a")],
  "URL: toJSON": () => JSON.stringify({ u: new URL("https://a.test/b") }),
  "URL: searchParams write back": () => { const u = new URL("https://a.test/?a=1"); u.searchParams.append("b", "2 3"); return u.href; },
  "URLSearchParams: parse": () => [...new URLSearchParams("?a=1&b=%20+&a=2&c&=d")],
  "URLSearchParams: record": () => new URLSearchParams({ a: "1", b: "ü" }).toString(),
  "URLSearchParams: pairs": () => new URLSearchParams([["a", "1"], ["a", "2"]]).getAll("a"),
  "URLSearchParams: bad pair": () => new URLSearchParams([["a"]]),
  "URLSearchParams: sort": () => { const p = new URLSearchParams("z=1&a=2&z=0"); p.sort(); return p.toString(); },
  "URLSearchParams: set and delete": () => { const p = new URLSearchParams("a=1&a=2&b=3"); p.set("a", "9"); p.delete("b"); return [p.toString(), p.has("b"), p.size]; },
  "URLSearchParams: encoding": () => new URLSearchParams({ a: "*-._~!'() +&=" }).toString(),

  // Encoding standard
  "TextEncoder: utf-8": () => hex(enc.encode("aß€😀")),
  "TextEncoder: lone surrogate": () => hex(enc.encode("a\ud800b")),
  "TextEncoder: encodeInto": () => { const b = new Uint8Array(4); const r = enc.encodeInto("a€😀", b); return [r.read, r.written, hex(b)]; },
  "TextDecoder: replacement": () => dec.decode(new Uint8Array([0x61, 0xff, 0x62])),
  "TextDecoder: truncated": () => dec.decode(new Uint8Array([0xe2, 0x82])),
  "TextDecoder: overlong": () => dec.decode(new Uint8Array([0xc0, 0xaf])),
  "TextDecoder: fatal": () => new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array([0xff])),
  "TextDecoder: BOM": () => [dec.decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x61])).length, new TextDecoder("utf-8", { ignoreBOM: true }).decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x61])).length],
  "TextDecoder: stream": () => { const d = new TextDecoder(); return [d.decode(new Uint8Array([0xe2, 0x82]), { stream: true }), d.decode(new Uint8Array([0xac]), { stream: true }), d.decode()]; },
  "TextDecoder: labels": () => new TextDecoder("UTF8").encoding,
  "TextDecoder: unknown label": () => new TextDecoder("nonsense"),
  "TextDecoder: utf-16": () => new TextDecoder("utf-16le").decode(new Uint8Array([0x61, 0])),
  "TextDecoder: views": () => [dec.decode(new Uint8Array([65, 66, 67]).subarray(1)), dec.decode(new DataView(new Uint8Array([68]).buffer)), dec.decode(new Uint8Array([69]).buffer)],

  // HTML standard: base64, structuredClone
  "atob": () => [atob("aGk="), atob("aGk"), atob(" aG k= ")],
  "atob: bad length": () => atob("a"),
  "atob: bad character": () => atob("a*=="),
  "btoa": () => [btoa("hi"), btoa("\u00ff"), btoa("")],
  "btoa: not Latin1": () => btoa("€"),
  "structuredClone: types": () => { const c = structuredClone({ d: new Date(0), r: /a/gi, m: new Map([[1, { a: 1 }]]), s: new Set([1]), u: new Uint8Array([1, 2]), n: null, b: 1n > 0 }); return [c.d.toISOString(), String(c.r), c.m.get(1).a, c.s.has(1), [...c.u], c.n, c.b]; },
  "structuredClone: cycles": () => { const a = { n: 1 }; a.self = a; const c = structuredClone(a); return c !== a && c.self === c; },
  "structuredClone: function": () => structuredClone(() => 1),
  "structuredClone: symbol": () => structuredClone(Symbol("x")),
  "structuredClone: error": () => { const e = structuredClone(new RangeError("x")); return [e instanceof RangeError, e.message]; },
  "structuredClone: prototype is lost": () => { class A { x = 1; } return structuredClone(new A()).constructor === Object; },
  "structuredClone: sparse": () => { const a = [1, , 3]; const c = structuredClone(a); return [c.length, 1 in c]; },

  // Fetch standard: Headers
  "Headers: combine": () => { const h = new Headers([["a", "1"], ["A", "2"]]); return h.get("a"); },
  "Headers: order and case": () => [...new Headers({ B: "1", a: "2" })],
  "Headers: set-cookie": () => { const h = new Headers(); h.append("set-cookie", "a=1"); h.append("Set-Cookie", "b=2"); return [h.getSetCookie(), [...h].length]; },
  "Headers: trims values": () => new Headers({ a: "  x \t" }).get("a"),
  "Headers: bad name": () => new Headers({ "a b": "1" }),
  "Headers: bad value": () => new Headers({ a: "1\r\nb: 2" }),
  "Headers: missing": () => [new Headers().get("x"), new Headers().has("x")],
  "Headers: forEach": () => { const out = []; new Headers({ a: "1" }).forEach((v, n) => out.push([n, v])); return out; },
  "Headers: delete": () => { const h = new Headers({ a: "1" }); h.delete("A"); return h.has("a"); },

  // Request and Response
  "Request: method normalised": () => new Request("https://a.test", { method: "post" }).method,
  "Request: forbidden method": () => new Request("https://a.test", { method: "TRACE" }),
  "Request: GET with body": () => new Request("https://a.test", { body: "x" }),
  "Request: content type": () => new Request("https://a.test", { method: "POST", body: "x" }).headers.get("content-type"),
  "Request: params body": async () => { const r = new Request("https://a.test", { method: "POST", body: new URLSearchParams({ a: "1 2" }) }); return [r.headers.get("content-type"), await r.text()]; },
  "Request: copy": async () => { const r = new Request(new Request("https://a.test/x", { method: "PUT", body: "b", headers: { q: "1" } })); return [r.method, r.url, r.headers.get("q"), await r.text()]; },
  "Request: own property": () => { const r = new Request("https://a.test"); r.params = { id: 1 }; return [r.params.id, "params" in r, Object.keys(r)]; },
  "Response: defaults": () => { const r = response(); return [r.status, r.ok, r.statusText, r.body, r.bodyUsed, r.type]; },
  "Response: status out of range": () => response("", { status: 99 }),
  "Response: null body status": () => response("x", { status: 204 }),
  "Response: read once": async () => { const r = response("x"); await r.text(); return await r.text(); },
  "Response: bodyUsed": async () => { const r = response("x"); const before = r.bodyUsed; await r.arrayBuffer(); return [before, r.bodyUsed]; },
  "Response: clone": async () => { const r = response("x", { headers: { a: "1" } }); const c = r.clone(); return [await r.text(), await c.text(), c.headers.get("a")]; },
  "Response: clone after read": async () => { const r = response("x"); await r.text(); r.clone(); },
  "Response: json": async () => { const r = Response.json({ a: [1] }, { status: 201 }); return [r.status, r.headers.get("content-type"), await r.json()]; },
  "Response: json of undefined": () => Response.json(undefined),
  "Response: bad json": async () => { await response("{").json(); },
  "Response: redirect": () => { const r = Response.redirect("https://a.test/x", 303); return [r.status, r.headers.get("location")]; },
  "Response: bad redirect": () => Response.redirect("https://a.test", 200),
  "Response: error": () => { const r = Response.error(); return [r.status, r.type]; },
  "Response: bytes in": async () => [...new Uint8Array(await response(new Uint8Array([1, 2, 3]).subarray(1)).arrayBuffer())],
  "Response: buffer in": async () => (await response(enc.encode("hé").buffer).text()),
  "Response: blob out": async () => { const b = await response("hi", { headers: { "content-type": "text/x" } }).blob(); return [b.size, b.type, await b.text()]; },
  "Response: stream in": async () => await response(chunks(enc.encode("a"), enc.encode("b"))).text(),
  "Response: stream out": async () => dec.decode((await all(response("hello").body))[0]),
  "Response: locked stream": async () => { const r = response("x"); r.body.getReader(); return [r.bodyUsed, r.body.locked]; },
  "Response: clone of a stream": async () => { const r = response(chunks(enc.encode("ab"))); const c = r.clone(); return [await c.text(), await r.text()]; },

  // FormData, Blob, File
  "FormData: append and get": () => { const f = new FormData(); f.append("a", 1); f.append("a", "2"); f.set("b", "3"); return [f.get("a"), f.getAll("a"), f.has("b"), f.get("c"), [...f.keys()]]; },
  "FormData: set replaces": () => { const f = new FormData(); f.append("a", "1"); f.append("b", "2"); f.append("a", "3"); f.set("a", "4"); return [...f]; },
  "FormData: blob becomes file": () => { const f = new FormData(); f.append("a", new Blob(["x"])); return [f.get("a").name, f.get("a") instanceof File]; },
  "FormData: round trip": async () => { const f = new FormData(); f.append("t", "ü\n\"q\""); f.append("f", new File(["data"], "na\"me.txt", { type: "text/plain" })); const g = await new Response(f).formData(); const file = g.get("f"); return [g.get("t"), file.name, file.type, await file.text()]; },
  "FormData: urlencoded": async () => [...await new Response("a=1&b=%C3%BC+x", { headers: { "content-type": "application/x-www-form-urlencoded" } }).formData()],
  "FormData: wrong type": async () => { await new Response("x", { headers: { "content-type": "text/plain" } }).formData(); },
  "FormData: cut off": async () => { await new Response("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1", { headers: { "content-type": "multipart/form-data; boundary=b" } }).formData(); },
  "Blob: parts": async () => { const b = new Blob(["a", new Uint8Array([98]), new Blob(["c"])], { type: "Text/X" }); return [b.size, b.type, await b.text()]; },
  "Blob: slice": async () => await new Blob(["hello"]).slice(1, -1, "t/y").text(),
  "Blob: stream": async () => (await all(new Blob(["hi"]).stream())).reduce((n, c) => n + c.byteLength, 0),
  "Blob: not a list": () => new Blob("x"),
  "File: name": () => { const f = new File(["x"], "a/b", { lastModified: 5 }); return [f.name, f.lastModified, f.size]; },

  // Events and signals
  "AbortSignal: abort": () => { const c = new AbortController(); let n = 0; c.signal.addEventListener("abort", () => n++); c.abort(); c.abort(); return [n, c.signal.aborted, c.signal.reason.name, c.signal.reason.code]; },
  "AbortSignal: reason": () => { const c = new AbortController(); c.abort("why"); return c.signal.reason; },
  "AbortSignal: throwIfAborted": () => AbortSignal.abort(new RangeError("x")).throwIfAborted(),
  "AbortSignal: any": () => { const a = new AbortController(); const s = AbortSignal.any([a.signal, new AbortController().signal]); a.abort("r"); return [s.aborted, s.reason]; },
  "AbortSignal: timeout": async () => { const s = AbortSignal.timeout(5); await new Promise((r) => s.addEventListener("abort", r)); return s.reason.name; },
  "EventTarget: once and remove": () => { const t = new EventTarget(); let n = 0; const f = () => n++; t.addEventListener("x", f, { once: true }); t.dispatchEvent(new Event("x")); t.dispatchEvent(new Event("x")); t.addEventListener("x", f); t.removeEventListener("x", f); t.dispatchEvent(new Event("x")); return n; },
  "EventTarget: preventDefault": () => { const t = new EventTarget(); t.addEventListener("x", (e) => e.preventDefault()); return [t.dispatchEvent(new Event("x", { cancelable: true })), t.dispatchEvent(new Event("x"))]; },
  "EventTarget: handleEvent": () => { const t = new EventTarget(); let n = 0; t.addEventListener("x", { handleEvent() { n++; } }); t.dispatchEvent(new Event("x")); return n; },
  "queueMicrotask: order": async () => { const out = []; setTimeout(() => out.push("timer"), 0); queueMicrotask(() => out.push("micro")); out.push("sync"); await new Promise((r) => setTimeout(r, 5)); return out; },
  "setTimeout: arguments": () => new Promise((r) => setTimeout((a, b) => r([a, b]), 1, 1, 2)),
  "clearTimeout": async () => { let n = 0; clearTimeout(setTimeout(() => n++, 1)); await new Promise((r) => setTimeout(r, 5)); return n; },
  "setInterval": async () => { let n = 0; await new Promise((r) => { const t = setInterval(() => { if (++n === 3) { clearInterval(t); r(); } }, 1); }); return n; },

  // Streams standard
  "ReadableStream: pull": async () => { let n = 0; return await all(new ReadableStream({ pull(c) { if (++n > 3) c.close(); else c.enqueue(n); } })); },
  "ReadableStream: error": async () => { await all(new ReadableStream({ start(c) { c.error(new RangeError("x")); } })); },
  "ReadableStream: pull throws": async () => { await all(new ReadableStream({ pull() { throw new RangeError("x"); } })); },
  "ReadableStream: locked": () => { const s = chunks(); s.getReader(); s.getReader(); },
  "ReadableStream: release": async () => { const s = chunks(1, 2); const r = s.getReader(); await r.read(); r.releaseLock(); return await all(s); },
  "ReadableStream: cancel": async () => { let why; const s = new ReadableStream({ cancel(r) { why = r; } }); await s.cancel("done"); return why; },
  "ReadableStream: enqueue after close": () => new ReadableStream({ start(c) { c.close(); c.enqueue(1); } }),
  "ReadableStream: desiredSize": () => { let d; new ReadableStream({ start(c) { d = [c.desiredSize]; c.enqueue(1); d.push(c.desiredSize); c.enqueue(1); d.push(c.desiredSize); } }); return d; },
  "ReadableStream: byte strategy": () => { let d; new ReadableStream({ start(c) { c.enqueue(new Uint8Array(3)); d = c.desiredSize; } }, new ByteLengthQueuingStrategy({ highWaterMark: 10 })); return d; },
  "ReadableStream: tee": async () => { const [a, b] = chunks(1, 2).tee(); return [await all(a), await all(b)]; },
  "ReadableStream: for await": async () => { const out = []; for await (const x of chunks(1, 2)) out.push(x); return out; },
  "ReadableStream: break releases": async () => { let cancelled = false; const s = new ReadableStream({ pull(c) { c.enqueue(1); }, cancel() { cancelled = true; } }); for await (const x of s) break; return [cancelled, s.locked]; },
  "ReadableStream: from": async () => await all(ReadableStream.from([1, 2])),
  "WritableStream: write and close": async () => { const out = []; const w = new WritableStream({ write(c) { out.push(c); }, close() { out.push("end"); } }).getWriter(); w.write(1); w.write(2); await w.close(); return out; },
  "WritableStream: error": async () => { const w = new WritableStream({ write() { throw new RangeError("x"); } }).getWriter(); await w.write(1); },
  "WritableStream: after close": async () => { const w = new WritableStream().getWriter(); await w.close(); await w.write(1); },
  "TransformStream": async () => { const t = new TransformStream({ transform(x, c) { c.enqueue(x * 2); }, flush(c) { c.enqueue("end"); } }); return await all(chunks(1, 2).pipeThrough(t)); },
  "pipeTo": async () => { const out = []; await chunks(1, 2).pipeTo(new WritableStream({ write(c) { out.push(c); } })); return out; },
  "pipeTo: source error": async () => { await new ReadableStream({ start(c) { c.error(new RangeError("x")); } }).pipeTo(new WritableStream()); },
  "TextDecoderStream": async () => (await all(chunks(new Uint8Array([0xe2, 0x82]), new Uint8Array([0xac])).pipeThrough(new TextDecoderStream()))).join(""),
  "TextEncoderStream": async () => hex((await all(chunks("€").pipeThrough(new TextEncoderStream())))[0]),

  // Web Cryptography API
  "digest": async () => [hex(await crypto.subtle.digest("SHA-256", enc.encode("abc"))), hex(await crypto.subtle.digest({ name: "sha-1" }, new Uint8Array()))],
  "digest: unknown": async () => { await crypto.subtle.digest("MD5", new Uint8Array()); },
  "HMAC": async () => { const k = await crypto.subtle.importKey("raw", enc.encode("key"), { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]); const s = await crypto.subtle.sign("HMAC", k, enc.encode("data")); return [hex(s), await crypto.subtle.verify("HMAC", k, s, enc.encode("data")), await crypto.subtle.verify("HMAC", k, s, enc.encode("other")), k.type, k.algorithm.length, k.usages]; },
  "HMAC: wrong usage": async () => { const k = await crypto.subtle.importKey("raw", enc.encode("key"), { name: "HMAC", hash: "SHA-256" }, false, ["verify"]); await crypto.subtle.sign("HMAC", k, new Uint8Array()); },
  "key: not extractable": async () => { const k = await crypto.subtle.importKey("raw", enc.encode("key"), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]); await crypto.subtle.exportKey("raw", k); },
  "AES-GCM": async () => { const k = await crypto.subtle.importKey("raw", new Uint8Array(16), "AES-GCM", true, ["encrypt", "decrypt"]); const a = { name: "AES-GCM", iv: new Uint8Array(12), additionalData: enc.encode("x") }; const c = await crypto.subtle.encrypt(a, k, enc.encode("hello")); return [hex(c), dec.decode(await crypto.subtle.decrypt(a, k, c)), await crypto.subtle.exportKey("jwk", k)]; },
  "AES-GCM: tampered": async () => { const k = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]); const a = { name: "AES-GCM", iv: new Uint8Array(12) }; const c = new Uint8Array(await crypto.subtle.encrypt(a, k, enc.encode("hello"))); c[0] ^= 1; await crypto.subtle.decrypt(a, k, c); },
  "AES-CBC": async () => { const k = await crypto.subtle.importKey("raw", new Uint8Array(32), "AES-CBC", false, ["encrypt", "decrypt"]); const a = { name: "AES-CBC", iv: new Uint8Array(16) }; const c = await crypto.subtle.encrypt(a, k, enc.encode("sixteen bytes !!")); return [hex(c), dec.decode(await crypto.subtle.decrypt(a, k, c))]; },
  "PBKDF2": async () => { const k = await crypto.subtle.importKey("raw", enc.encode("pw"), "PBKDF2", false, ["deriveBits"]); return hex(await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt: enc.encode("salt"), iterations: 1000 }, k, 256)); },
  "HKDF": async () => { const k = await crypto.subtle.importKey("raw", enc.encode("secret"), "HKDF", false, ["deriveBits", "deriveKey"]); const a = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: enc.encode("i") }; const d = await crypto.subtle.deriveKey(a, k, { name: "AES-GCM", length: 128 }, true, ["encrypt"]); return [hex(await crypto.subtle.deriveBits(a, k, 128)), hex(await crypto.subtle.exportKey("raw", d))]; },
  "ECDSA": async () => { const p = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]); const a = { name: "ECDSA", hash: "SHA-256" }; const s = await crypto.subtle.sign(a, p.privateKey, enc.encode("x")); const j = await crypto.subtle.exportKey("jwk", p.publicKey); const pub = await crypto.subtle.importKey("jwk", j, { name: "ECDSA", namedCurve: "P-256" }, true, ["verify"]); return [s.byteLength, await crypto.subtle.verify(a, pub, s, enc.encode("x")), await crypto.subtle.verify(a, pub, s, enc.encode("y")), j.kty, j.crv, p.publicKey.algorithm.namedCurve, (await crypto.subtle.exportKey("raw", pub)).byteLength]; },
  "ECDSA: PKCS #8 and SPKI": async () => { const alg = { name: "ECDSA", namedCurve: "P-384" }; const p = await crypto.subtle.generateKey(alg, true, ["sign", "verify"]); const k = await crypto.subtle.importKey("pkcs8", await crypto.subtle.exportKey("pkcs8", p.privateKey), alg, false, ["sign"]); const pub = await crypto.subtle.importKey("spki", await crypto.subtle.exportKey("spki", p.publicKey), alg, true, ["verify"]); const a = { name: "ECDSA", hash: "SHA-384" }; return await crypto.subtle.verify(a, pub, await crypto.subtle.sign(a, k, enc.encode("x")), enc.encode("x")); },
  "RSA": async () => { const p = await crypto.subtle.generateKey({ name: "RSA-PSS", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" }, true, ["sign", "verify"]); const a = { name: "RSA-PSS", saltLength: 32 }; const s = await crypto.subtle.sign(a, p.privateKey, enc.encode("x")); return [s.byteLength, await crypto.subtle.verify(a, p.publicKey, s, enc.encode("x")), p.publicKey.algorithm.modulusLength, hex(p.publicKey.algorithm.publicExponent)]; },
  "RSA-OAEP": async () => { const p = await crypto.subtle.generateKey({ name: "RSA-OAEP", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-1" }, false, ["encrypt", "decrypt"]); return dec.decode(await crypto.subtle.decrypt("RSA-OAEP", p.privateKey, await crypto.subtle.encrypt("RSA-OAEP", p.publicKey, enc.encode("hi")))); },
  "getRandomValues": () => { const b = crypto.getRandomValues(new Uint32Array(4)); return [b.length, b.some((x) => x > 0)]; },
  "getRandomValues: too many": () => crypto.getRandomValues(new Uint8Array(65537)),
  "randomUUID": () => /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID()),

  // Console, performance, globals
  "performance.now": () => typeof performance.now() === "number" && performance.now() >= 0,
  "globalThis.self": () => globalThis.self === globalThis,
  "navigator.userAgent": () => typeof navigator.userAgent,
  "URLPattern": () => new URLPattern({ pathname: "/a/:id" }).exec("https://x.test/a/7").pathname.groups.id,
  "CompressionStream": async () => (await all(chunks(enc.encode("a".repeat(100))).pipeThrough(new CompressionStream("gzip")))).length > 0,
  "Intl.DateTimeFormat": () => new Intl.DateTimeFormat("en", { timeZone: "Europe/Berlin", hour: "numeric", hour12: false }).format(new Date(0)),
  "async generator": async () => { async function* g() { yield 1; yield 2; } const out = []; for await (const x of g()) out.push(x); return out; },
};

const describe = (e) => ({ throws: e?.name ?? String(e) });

/** Runs every case. */
export async function run() {
  const out = {};
  for (const [name, f] of Object.entries(cases)) {
    try {
      const v = await f();
      out[name] = JSON.stringify(v === undefined ? "undefined" : v) ?? "nothing";
    } catch (e) {
      out[name] = JSON.stringify(describe(e));
    }
  }
  return out;
}

export default { fetch: async () => Response.json(await run()) };
