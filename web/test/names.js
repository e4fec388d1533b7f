// The 78 names of the Minimum Common Web API (ECMA-429): how far the sandbox has each, and the test that says so. A test
// gives true; what is not there is tested to be absent.
const yes = (name, spec, test, note = "") => ({ name, spec, status: "yes", note, test });
const partial = (name, spec, note, test) => ({ name, spec, status: "partial", note, test });
const no = (name, spec, note) => ({ name, spec, status: "no", note, test: () => name.split(".").reduce((o, k) => o?.[k.replace("()", "")], globalThis) === undefined });

const bytes = (...b) => new Uint8Array(b);
const text = (stream) => new Response(stream).text();
const throws = (f, name) => { try { f(); } catch (e) { return e.name === name; } return false; };
const of = (...chunks) => new ReadableStream({ start(c) { chunks.forEach((x) => c.enqueue(x)); c.close(); } });
// A module with a memory of a page, a table of a function, a global of 7 and a function that adds.
const wasm = Uint8Array.from(atob("AGFzbQEAAAABBwFgAn9/AX8DAgEABAQBcAABBQMBAAEGBgF/AEEHCwcRBAFhAAABbQIAAXQBAAFnAwAKCQEHACAAIAFqCw=="), (c) => c.charCodeAt(0));
const exports = () => new WebAssembly.Instance(new WebAssembly.Module(wasm)).exports;
const wasmResponse = () => new Response(wasm, { headers: { "content-type": "application/wasm" } });
const wasmError = (name) => yes(`WebAssembly.${name}`, "WebAssembly", () => new WebAssembly[name]("m") instanceof Error && new WebAssembly[name]("m").name === name);
const noTag = (name) => no(`WebAssembly.${name}`, "WebAssembly", "modules with exceptions are refused");
const forNamed = "there for code that names WebAssembly; WebAssembly 2.0, without threads, exceptions and tail calls";
const encoded = (s) => new TextEncoder().encode(s);

export const names = [
  yes("AbortController", "DOM", () => { const a = new AbortController(); a.abort("r"); return a.signal.aborted && a.signal.reason === "r"; }),
  yes("AbortSignal", "DOM", () => AbortSignal.any([AbortSignal.abort(1)]).reason === 1 && !AbortSignal.timeout(1000).aborted),
  yes("Event", "DOM", () => { const e = new Event("x", { cancelable: true }); e.preventDefault(); return e.type === "x" && e.defaultPrevented; }),
  yes("EventTarget", "DOM", () => { let n = 0; const t = new EventTarget(); t.addEventListener("x", () => n++, { once: true }); t.dispatchEvent(new Event("x")); t.dispatchEvent(new Event("x")); return n === 1; }, "there is no tree of targets, so nothing bubbles"),
  yes("CustomEvent", "DOM", () => new CustomEvent("x", { detail: 7 }).detail === 7),
  yes("ErrorEvent", "HTML", () => new ErrorEvent("error", { message: "m", error: 1 }).message === "m"),
  partial("MessageChannel", "HTML", "ports of one run; nothing is transferred, everything is cloned", () => new Promise((r) => { const { port1, port2 } = new MessageChannel(); port1.onmessage = (e) => r(e.data.a === 1); port2.postMessage({ a: 1 }); })),
  yes("MessageEvent", "HTML", () => new MessageEvent("message", { data: 1 }).data === 1),
  partial("MessagePort", "HTML", "as MessageChannel", () => new MessageChannel().port1 instanceof MessagePort && throws(() => new MessagePort(), "TypeError")),
  yes("PromiseRejectionEvent", "HTML", () => { const p = Promise.resolve(); return new PromiseRejectionEvent("x", { promise: p, reason: 1 }).promise === p; }),
  yes("DOMException", "Web IDL", () => { const e = new DOMException("m", "AbortError"); return e.code === 20 && e instanceof Error; }),
  yes("Headers", "Fetch", () => { const h = new Headers({ A: "1" }); h.append("a", "2"); return h.get("a") === "1, 2"; }),
  yes("Request", "Fetch", async () => { const r = new Request("https://a.test/", { method: "POST", body: "x", redirect: "manual" }); return (await r.clone().text()) === "x" && r.redirect === "manual"; }, "mode, credentials, cache, integrity and referrer are there and have no meaning on a server"),
  yes("Response", "Fetch", async () => (await Response.json({ a: 1 }).json()).a === 1 && (await text(of(encoded("a"), encoded("b")))) === "ab"),
  yes("FormData", "XHR", async () => { const f = new FormData(); f.append("a", new File(["x"], "n")); return (await (await new Response(f).formData()).get("a").text()) === "x"; }),
  yes("Blob", "File API", async () => (await new Blob(["ab", bytes(99)]).slice(1).text()) === "bc"),
  yes("File", "File API", () => new File([], "n", { lastModified: 5 }).lastModified === 5),
  yes("CompressionStream", "Compression", async () => (await text(of(bytes(97)).pipeThrough(new CompressionStream("gzip")).pipeThrough(new DecompressionStream("gzip")))) === "a"),
  partial("DecompressionStream", "Compression", "gives its output when its input ends, 64 MiB at most", async () => (await text(of(bytes(97)).pipeThrough(new CompressionStream("deflate-raw")).pipeThrough(new DecompressionStream("deflate-raw")))) === "a"),
  yes("ByteLengthQueuingStrategy", "Streams", () => new ByteLengthQueuingStrategy({ highWaterMark: 2 }).size(bytes(1, 2, 3)) === 3),
  yes("CountQueuingStrategy", "Streams", () => new CountQueuingStrategy({ highWaterMark: 2 }).size() === 1),
  yes("ReadableByteStreamController", "Streams", async () => { let k; const r = new ReadableStream({ type: "bytes", start(c) { k = c; } }).getReader(); k.enqueue(bytes(5)); return k instanceof ReadableByteStreamController && (await r.read()).value[0] === 5; }),
  yes("ReadableStream", "Streams", async () => { const out = []; for await (const x of ReadableStream.from([1, 2])) out.push(x); const [a, b] = of(3).tee(); return out.join() === "1,2" && (await a.getReader().read()).value === 3 && (await b.getReader().read()).value === 3; }),
  yes("ReadableStreamBYOBReader", "Streams", async () => { const r = new Blob([bytes(1, 2, 3)]).stream().getReader({ mode: "byob" }); const { value } = await r.read(new Uint8Array(2)); return r instanceof ReadableStreamBYOBReader && value.length === 2; }),
  yes("ReadableStreamBYOBRequest", "Streams", async () => { let q; const r = new ReadableStream({ type: "bytes", pull(c) { q = c.byobRequest; q.view[0] = 9; q.respond(1); } }).getReader({ mode: "byob" }); const { value } = await r.read(new Uint8Array(4)); return q instanceof ReadableStreamBYOBRequest && value[0] === 9; }),
  yes("ReadableStreamDefaultController", "Streams", () => { let k; new ReadableStream({ start(c) { k = c; } }); return k instanceof ReadableStreamDefaultController && k.desiredSize === 1; }),
  yes("ReadableStreamDefaultReader", "Streams", async () => { const r = of(1).getReader(); await r.read(); await r.read(); return r instanceof ReadableStreamDefaultReader && (await r.closed) === undefined; }),
  yes("TransformStream", "Streams", async () => (await text(of("a").pipeThrough(new TransformStream({ transform(x, c) { c.enqueue(encoded(x + "b")); }, flush(c) { c.enqueue(encoded("c")); } })))) === "abc"),
  yes("TransformStreamDefaultController", "Streams", () => { let k; new TransformStream({ start(c) { k = c; } }); return k instanceof TransformStreamDefaultController; }),
  yes("WritableStream", "Streams", async () => { const out = []; await of(1, 2).pipeTo(new WritableStream({ write: (x) => void out.push(x) })); return out.join() === "1,2"; }),
  yes("WritableStreamDefaultController", "Streams", () => { let k; const w = new WritableStream({ start(c) { k = c; } }); w.abort(1).catch(() => {}); return k instanceof WritableStreamDefaultController && k.signal.reason === 1; }),
  yes("WritableStreamDefaultWriter", "Streams", async () => { const w = new WritableStream({}, { highWaterMark: 3 }).getWriter(); if (w.desiredSize !== 3) return false; await w.write(1); await w.close(); return w instanceof WritableStreamDefaultWriter && (await w.closed) === undefined; }),
  yes("TextDecoder", "Encoding", () => new TextDecoder("utf-16le").decode(bytes(97, 0)) === "a" && new TextDecoder().decode(bytes(0xff)) === "\ufffd", "all labels of the standard"),
  yes("TextDecoderStream", "Encoding", async () => (await of(bytes(0xc3), bytes(0xa4)).pipeThrough(new TextDecoderStream()).getReader().read()).value === "ä"),
  yes("TextEncoder", "Encoding", () => new TextEncoder().encode("ä").length === 2 && new TextEncoder().encodeInto("ä", new Uint8Array(1)).written === 0),
  yes("TextEncoderStream", "Encoding", async () => (await of("ä").pipeThrough(new TextEncoderStream()).getReader().read()).value.length === 2),
  yes("URL", "URL", () => new URL("../c?d#e", "https://u@EXAMPLE.com:443/a/b/").href === "https://u@example.com/a/c?d#e" && URL.canParse("x", "https://a")),
  yes("URLSearchParams", "URL", () => { const p = new URLSearchParams("a=1&b=%20"); p.append("a", "ä"); return p.toString() === "a=1&b=+&a=%C3%A4"; }),
  yes("URLPattern", "URL Pattern", () => { const p = new URLPattern("/books/:id(\\d+)", "https://x.test"); return p.exec("https://x.test/books/7").pathname.groups.id === "7" && !p.test("https://x.test/books/x"); }, "there for code that names it"),
  yes("Crypto", "Web Cryptography", () => crypto instanceof Crypto && /^[0-9a-f-]{36}$/.test(crypto.randomUUID()) && crypto.getRandomValues(new Uint8Array(4)).length === 4),
  yes("CryptoKey", "Web Cryptography", async () => { const k = await crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign"]); return k instanceof CryptoKey && k.type === "secret" && !k.extractable; }),
  yes("SubtleCrypto", "Web Cryptography", async () => { const p = await crypto.subtle.generateKey("X25519", false, ["deriveBits"]); return crypto.subtle instanceof SubtleCrypto && new Uint8Array(await crypto.subtle.digest("SHA-256", bytes()))[0] === 0xe3 && (await crypto.subtle.deriveBits({ name: "X25519", public: p.publicKey }, p.privateKey, null)).byteLength === 32; }, "SHA, HMAC, AES-CBC, AES-CTR, AES-GCM, AES-KW, ECDSA, ECDH, Ed25519, X25519, RSASSA-PKCS1-v1_5, RSA-PSS, RSA-OAEP, PBKDF2, HKDF; new RSA keys have 2048 to 4096 bits"),
  partial("Performance", "High Resolution Time", "now, timeOrigin and toJSON", () => performance instanceof Performance && performance.now() >= 0),
  partial("WebAssembly.Global", "WebAssembly", "an externref that cannot be changed is only imported if it is null", () => exports().g.value === 7 && new WebAssembly.Global({ value: "i64", mutable: true }, 5n).value === 5n),
  yes("WebAssembly.Instance", "WebAssembly", () => exports().a(2, 3) === 5),
  partial("WebAssembly.Memory", "WebAssembly", "no shared memories; all memories together have half of the script's memory", () => { const m = new WebAssembly.Memory({ initial: 1, maximum: 2 }), b = m.buffer; return m.grow(1) === 1 && b.byteLength === 0 && m.buffer.byteLength === 131072 && exports().m.buffer.byteLength === 65536; }),
  yes("WebAssembly.Module", "WebAssembly", () => WebAssembly.Module.exports(new WebAssembly.Module(wasm)).map((e) => e.kind).join() === "function,memory,table,global", forNamed),
  yes("WebAssembly.Table", "WebAssembly", () => { const { t, a } = exports(), own = new WebAssembly.Table({ element: "anyfunc", initial: 1 }); own.set(0, a); return t.length === 1 && t.get(0) === null && own.get(0) === a; }),
  noTag("Tag"),
  noTag("Exception"),
  ...["CompileError", "LinkError", "RuntimeError"].map(wasmError),
  yes("globalThis", "ECMAScript", () => globalThis.Array === Array),
  yes("atob()", "HTML", () => atob("YQ==") === "a" && throws(() => atob("*"), "InvalidCharacterError")),
  yes("btoa()", "HTML", () => btoa("a") === "YQ=="),
  yes("clearTimeout()", "HTML", async () => { let n = 0; clearTimeout(setTimeout(() => n++, 1)); await new Promise((r) => setTimeout(r, 5)); return n === 0; }),
  yes("clearInterval()", "HTML", async () => { let n = 0; const i = setInterval(() => n++, 1); clearInterval(i); await new Promise((r) => setTimeout(r, 5)); return n === 0; }),
  yes("navigator.userAgent", "HTML", () => navigator.userAgent === "PiCloud"),
  yes("onerror", "HTML", () => { let seen; globalThis.onerror = (m) => ((seen = m), true); reportError(new Error("e")); globalThis.onerror = null; return seen === "e"; }),
  partial("onunhandledrejection", "HTML", "told at the end of a run", () => onunhandledrejection === null),
  partial("onrejectionhandled", "HTML", "there, but never told: a run is over when its rejections are looked at", () => onrejectionhandled === null),
  yes("queueMicrotask()", "HTML", async () => { let n = 0; queueMicrotask(() => n++); await null; return n === 1; }),
  yes("reportError()", "HTML", () => { let e; const f = (x) => { e = x.error; x.preventDefault(); }; addEventListener("error", f); reportError(7); removeEventListener("error", f); return e === 7; }, "logged as the execution's error line unless prevented"),
  yes("self", "HTML", () => self === globalThis),
  yes("setTimeout()", "HTML", () => new Promise((r) => setTimeout((x) => r(x === 1), 1, 1)), "for one run: what is left at its end is dropped"),
  yes("setInterval()", "HTML", () => new Promise((r) => { let n = 0; const i = setInterval(() => { if (++n === 2) { clearInterval(i); r(true); } }, 1); })),
  partial("structuredClone()", "HTML", "only ArrayBuffers can be transferred; CryptoKey and streams are not cloned", () => { const a = { m: new Map([[1, new Date(0)]]) }; a.self = a; const b = structuredClone(a); return b.self === b && b.m.get(1).getTime() === 0 && throws(() => structuredClone(() => 1), "DataCloneError"); }),
  partial("fetch()", "Fetch", "a request's body is sent whole; http, https and data:, public addresses; no cache, no cookies", async () => { try { await fetch("ftp://x.test/"); } catch (e) { return e instanceof TypeError && e.name === "TypeError" && (await (await fetch("data:,a%20b")).text()) === "a b"; } return false; }),
  partial("console", "Console", "debug, log, info, warn, error, trace, dir, assert, count, time, group and table become lines of the execution's log", () => ["debug", "log", "info", "warn", "error", "trace", "dir", "assert", "count", "countReset", "time", "timeLog", "timeEnd", "group", "groupEnd", "table"].every((m) => typeof console[m] === "function")),
  yes("crypto", "Web Cryptography", () => typeof crypto.subtle.digest === "function"),
  yes("performance", "High Resolution Time", () => performance.timeOrigin > 1.7e12),
  yes("WebAssembly.compile()", "WebAssembly", async () => (await WebAssembly.compile(wasm)) instanceof WebAssembly.Module),
  yes("WebAssembly.compileStreaming()", "WebAssembly", async () => (await WebAssembly.compileStreaming(wasmResponse())) instanceof WebAssembly.Module, "compiles when all of the body is there"),
  yes("WebAssembly.instantiate()", "WebAssembly", async () => (await WebAssembly.instantiate(wasm)).instance.exports.a(1, 1) === 2),
  yes("WebAssembly.instantiateStreaming()", "WebAssembly", async () => (await WebAssembly.instantiateStreaming(Promise.resolve(wasmResponse()))).instance.exports.a(1, 1) === 2, "as compileStreaming"),
  noTag("JSTag"),
  yes("WebAssembly.validate()", "WebAssembly", () => WebAssembly.validate(wasm) && !WebAssembly.validate(bytes(0))),
];

export default {
  async fetch() {
    const out = [];
    for (const { name, spec, status, note, test } of names) {
      let passed;
      try {
        passed = await test();
      } catch (e) {
        passed = String(e);
      }
      out.push({ name, spec, status, note, passed: passed === true ? "" : `gave ${passed}` });
    }
    return Response.json(out);
  },
};
