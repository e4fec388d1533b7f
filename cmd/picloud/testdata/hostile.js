// Scripts that attack: each with the outcomes it may have, "status" or "status|status", and a text that its answer holds.
// A run that succeeds answers with what it found; it succeeds only where the attack gained nothing.
import { kv, log, env, deadLetters, KvError } from "picloud";

const out = [];
const a = (name, want, run) => out.push({ name, want, run });
const notes = kv.collection("hostile");
const grow = (f) => { for (;;) f(); };
const caught = async (f) => { try { return `gave ${await f()}`; } catch (e) { return `${e.name}: ${e.message}`; } };
const later = (ms) => new Promise((r) => setTimeout(r, ms));

// Time: what does not end, in code, in the engine, in promises.
a("loop", "timeout", () => grow(() => {}));
a("generator", "timeout", () => { function* g() { for (;;) yield 1; } for (const _ of g()); });
a("loop in a getter", "timeout", () => ({ get x() { return grow(() => {}); } }));
a("loop in toJSON", "timeout", () => ({ toJSON() { grow(() => {}); } }));
a("loop in a proxy", "timeout", () => new Proxy({}, { ownKeys() { grow(() => {}); } }));
a("regular expression", "timeout", () => /^(?=(a+)+$)(a+)+$/.test("a".repeat(40) + "b"));
a("regular expression of alternatives", "timeout", () => /^(?:(?=a)(a|aa|aaa)+)+$/.test("a".repeat(60) + "b"));
a("big number", "timeout|memory", () => String(2n ** 100000000n));
a("number parsed", "timeout|memory|succeeded", () => String(BigInt("9".repeat(3e6))).length);
a("sort with a liar", "timeout|memory", () => { const l = Array.from({ length: 1e6 }, Math.random); for (;;) l.sort(() => Math.random() - 0.5); });
a("microtasks", "timeout|memory", async () => { const f = () => Promise.resolve().then(f); await f(); });
a("queueMicrotask", "timeout|memory", async () => { const f = () => queueMicrotask(f); f(); await later(60000); });
a("thenable chain", "timeout|memory", () => { const f = { then: (r) => r(f) }; return f; });
a("thenable that sleeps", "failed: never settles", () => ({ then() {} }));
a("promise for ever", "failed: never settles", () => new Promise(() => {}));
a("interval", "timeout", async () => { setInterval(() => {}, 0); await new Promise(() => {}); });
a("timers that make timers", "timeout", async () => { const f = () => setTimeout(f, 0); f(); await new Promise(() => {}); });
a("waitUntil for ever", "succeeded: released", async (r, e, ctx) => { ctx.waitUntil(later(60000)); return "released"; });
a("waitUntil without end", "memory: 10000 promises", async (r, e, ctx) => grow(() => ctx.waitUntil(1)));
a("waitUntil that waits for more", "succeeded: released", async (r, e, ctx) => { const f = async () => { await later(1); ctx.waitUntil(f()); }; ctx.waitUntil(f()); return "released"; });
a("abort listeners", "timeout|memory", (r) => grow(() => r.signal.addEventListener("abort", () => {})));
a("events that dispatch events", "succeeded|timeout|failed|memory", () => { const t = new EventTarget(); t.addEventListener("x", () => t.dispatchEvent(new Event("x"))); t.dispatchEvent(new Event("x")); return "ended"; });
a("stream without end", "memory: more than the", () => new Response(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(1 << 20)); } })).text());
a("stream that gives nothing", "timeout|memory|failed", () => new Response(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(0)); } })).text());
a("key derivation", "failed: iterations", async () => { const k = await crypto.subtle.importKey("raw", new Uint8Array(1), "PBKDF2", false, ["deriveBits"]); await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-512", salt: new Uint8Array(1), iterations: 2 ** 32 - 1 }, k, 512); });
a("key generation", "failed: modulusLength", () => crypto.subtle.generateKey({ name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", modulusLength: 65536, publicExponent: new Uint8Array([1, 0, 1]) }, false, ["sign", "verify"]));

// Memory: what grows, by itself or at one stroke.
a("text doubled", "memory|failed", () => { let s = "x"; grow(() => (s += s)); });
a("repeat", "memory|failed", () => "x".repeat(2 ** 40));
a("padStart", "memory|failed", () => "".padStart(2 ** 33, "ab"));
a("array filled", "memory|timeout", () => new Array(3e7).fill(0));
a("array of arrays", "memory|timeout", () => { const l = []; grow(() => l.push(new Array(1000).fill(l))); });
a("buffer", "memory|failed", () => new Uint8Array(4e9));
a("buffers", "memory", () => { const l = []; grow(() => l.push(new Uint8Array(1 << 20).fill(1))); });
a("map", "memory|timeout", () => { const m = new Map(); let n = 0; grow(() => m.set(n++, {})); });
a("join", "memory|failed|timeout", () => new Array(2 ** 31).join("ab"));
a("spread", "memory|failed|timeout", () => Math.max(...new Array(1e8).keys()));
a("apply", "memory|failed|timeout", () => Math.max.apply(null, { length: 2 ** 31 }));
a("replace", "memory|failed|timeout", () => "x".repeat(1e6).replace(/x/g, "y".repeat(1e6)));
a("deep JSON", "failed", () => JSON.parse("[".repeat(2.5e6)));
a("deep JSON of a request", "failed", () => new Request("https://x.test/", { method: "POST", body: "[".repeat(2.5e6) }).json());
a("deep stringify", "memory|timeout|failed", () => { let l = []; for (let i = 0; i < 3e6; i++) l = [l]; return JSON.stringify(l); });
a("deep clone", "memory|timeout|failed", () => { let l = []; for (let i = 0; i < 1e6; i++) l = [l]; return structuredClone(l); });
a("recursion", "failed: call stack", () => { const f = () => f(); return f(); });
a("recursion through the engine", "failed|memory|timeout", () => { const f = () => [1].map(f); return f(); });
a("recursion through a proxy", "failed|memory|timeout", () => { const p = new Proxy({}, { get: (t, k) => p[k] }); return p.x; });
a("recursion through toString", "failed|memory|timeout", () => { const o = { toString() { return `${o}`; } }; return `${o}`; });
a("parentheses", "memory|failed", () => new Function("(".repeat(300000) + ")".repeat(300000)));
a("negations", "memory|failed", () => new Function("!".repeat(2e6) + "1"));
a("form of many fields", "failed: 1000 fields", () => { const b = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n".repeat(20000) + "--b--"; return new Response(b, { headers: { "content-type": "multipart/form-data; boundary=b" } }).formData(); });
a("compressed nothing", "memory|failed", async () => { const z = new Blob([new Uint8Array(30 << 20)]).stream().pipeThrough(new CompressionStream("gzip")); const b = await new Response(z).arrayBuffer(); const many = new Blob(Array(8).fill(b)); return new Response(many.stream().pipeThrough(new DecompressionStream("gzip"))).text(); });
a("compressed twice", "memory|failed", async () => { let b = new Uint8Array(40 << 20); for (let i = 0; i < 2; i++) b = new Uint8Array(await new Response(new Blob([b]).stream().pipeThrough(new CompressionStream("deflate"))).arrayBuffer()); for (let i = 0; i < 2; i++) b = new Uint8Array(await new Response(new Blob([b]).stream().pipeThrough(new DecompressionStream("deflate"))).arrayBuffer()); return b.length; });
a("answer too large", "memory: at most 10485760", () => "x".repeat(11 << 20));
a("random too much", "failed: 65536", () => crypto.getRandomValues(new Uint8Array(65537)));
a("base64 too much", "memory|failed|succeeded", () => atob("QUFB".repeat(1e7)).length);
a("URL too much", "memory|failed|succeeded|timeout", () => new URL("https://x.test/?" + "a=b&".repeat(2e6)).searchParams.size);
a("property escapes", "memory|failed|succeeded|timeout", () => new RegExp("\\p{L}".repeat(5000), "u").test("x"));

// Errors: what is thrown is read by the platform.
a("thrown null", "failed", () => { throw null; });
a("thrown symbol", "failed", () => { throw Symbol("x"); });
a("thrown object whose toString loops", "timeout|failed", () => { throw { toString() { grow(() => {}); }, toJSON() { grow(() => {}); } }; });
a("thrown proxy", "failed|timeout", () => { throw new Proxy({}, { get() { throw 1; }, getPrototypeOf() { throw 2; } }); });
a("thrown error with hostile members", "failed|timeout", () => { throw Object.defineProperties(new Error("x"), { message: { get() { grow(() => {}); } }, stack: { get() { throw 1; } } }); });
a("thrown error of 50 MB", "failed|memory|timeout", () => { throw new Error("x".repeat(50 << 20)); });
a("thrown markup", "failed: <script>", () => { throw new Error("<script>alert(1)</script>"); });
a("rejections", "succeeded|memory|timeout", async () => { for (let i = 0; i < 1e5; i++) Promise.reject(new Error("x")); return "ended"; });
a("rejection handler that loops", "succeeded|timeout", async () => { globalThis.onunhandledrejection = () => grow(() => {}); Promise.reject(1); return "ended"; });
a("error thrown by onerror", "succeeded: ended", async () => { globalThis.onerror = () => { throw 1; }; try { reportError(1); } catch {} return "ended"; });
a("prepareStackTrace", "failed: x", () => { Error.prepareStackTrace = () => grow(() => {}); Error.stackTraceLimit = 1e9; throw new Error("x"); });

// The answer: headers, status, body.
a("header injection", "failed", () => new Response("", { headers: { "x-a": "b\r\nset-cookie: c=d" } }));
a("header name injection", "failed", () => new Response("", { headers: { "x-a: b\r\nx-c": "d" } }));
a("header of 10 MB", "memory: at most 65536", () => new Response("", { headers: { "x-a": "b".repeat(10 << 20) } }));
a("100000 headers", "memory|timeout", () => { const h = new Headers(); for (let i = 0; i < 1e5; i++) h.append("x-" + i, "v"); return new Response("", { headers: h }); });
a("own headers", "succeeded: ended", () => new Response("ended", { headers: { "content-length": "99999", "transfer-encoding": "chunked", connection: "close", "x-execution-id": "forged", "idempotent-replayed": "true", "set-cookie": "picloud_session=evil" } }));
a("status 101", "failed", () => new Response("", { status: 101 }));
a("status 999", "failed", () => new Response("", { status: 999 }));
a("status that changes", "failed|succeeded", () => { let n = 0; return new Response("ended", { get status() { return n++ ? 999 : 200; } }); });
a("headers that throw", "failed", () => new Response("", { get headers() { throw new Error("x"); } }));
a("false Response", "succeeded: {}", () => Object.create(Response.prototype));
a("error Response", "failed", () => Response.error());
a("body of another run", "succeeded|failed", async () => { globalThis.kept ??= new Response("kept"); return globalThis.kept; });

// Log: floods and what is formatted.
a("log flood", "succeeded: ended", () => { for (let i = 0; i < 1e5; i++) log.info("x"); return "ended"; });
a("log of 100 MB", "succeeded|memory|timeout", () => { for (let i = 0; i < 10; i++) console.log("x".repeat(10 << 20)); return "ended"; });
a("log of a trap", "succeeded: ended", () => { console.log(new Proxy({}, { get() { throw 1; }, ownKeys() { throw 2; } }), { toJSON() { throw 3; } }, Object.create(null), { get x() { throw 4; } }); return "ended"; });
a("log of itself", "succeeded: ended", () => { const m = new Map(); m.set(m, m); const s = new Set(); s.add(s); const o = {}; o.o = o; console.log(m, s, o); console.log("%s %o", m, o); return "ended"; });
a("log that loops", "timeout", () => console.log({ toJSON() { grow(() => {}); } }));
a("log escape sequences", "succeeded: ended", () => { console.log("\u001b[2J\u0000\u202e</script><!--"); return "ended"; });

// Host calls: what reaches the parent.
a("key of a liar", "succeeded: TypeError", () => caught(() => notes.get({ toString: () => "k" })));
a("collection of a liar", "succeeded: TypeError", () => caught(() => kv.collection(new Proxy({}, {}))));
a("value with a hostile toJSON", "succeeded: 1", async () => { await notes.set("j", { toJSON: () => 1 }); return notes.get("j"); });
a("value that is a proxy", "succeeded|failed", () => notes.set("p", new Proxy({}, { get() { throw new Error("trap"); } })));
a("value without JSON", "succeeded: Error", () => caught(() => notes.set("u", () => 1)));
a("value that contains itself", "succeeded: TypeError", () => { const o = {}; o.o = o; return caught(() => notes.set("c", o)); });
a("value too large", "succeeded: LimitError", () => caught(() => notes.set("l", "x".repeat(1 << 20))));
a("key with NUL", "succeeded", () => caught(() => notes.set("a\u0000b", 1)));
a("key of another app", "succeeded: gave null", () => caught(() => kv.collection("secrets").get("../other/secret")));
a("key __proto__", "succeeded: 1", async () => { await notes.set("__proto__", { __proto__: { x: 1 }, a: 1 }); return (await notes.get("__proto__")).a; });
a("100000 writes", "memory|timeout", async () => { for (let i = 0; i < 1e5; i++) await notes.set("w" + i, 1); });
a("calls without waiting", "memory|timeout", async () => { for (let i = 0; i < 1e5; i++) notes.get("k"); });
a("update that never returns", "failed: never settles", () => notes.update("k", () => new Promise(() => {})));
a("update within update", "succeeded|failed|timeout|memory", () => notes.update("k", () => notes.update("k", () => 1)));
a("increment by nonsense", "succeeded: Error", async () => `${await caught(() => notes.increment("n", NaN))} ${await caught(() => notes.increment("n", { valueOf: () => 1 }))} ${await caught(() => notes.increment("n", Infinity))}`);
a("list by nonsense", "succeeded: Error", async () => caught(() => notes.list({ limit: -1, cursor: "\u0000", prefix: {} })));
a("methods on another object", "succeeded: TypeError", () => caught(() => notes.get.call({}, "k")));
a("fetch inside", "succeeded: not reachable", () => caught(() => fetch("http://127.0.0.1:5432/")));
a("fetch metadata", "succeeded: not reachable", () => caught(() => fetch("http://169.254.169.254/latest/meta-data/")));
a("fetch file", "succeeded: TypeError", () => caught(() => fetch("file:///etc/passwd")));
a("fetch header injection", "succeeded: TypeError", () => caught(() => fetch("http://127.0.0.1/", { headers: { a: "b\r\nHost: x" } })));
a("fetch method injection", "succeeded: TypeError", () => caught(() => fetch("http://127.0.0.1/", { method: "GET / HTTP/1.1\r\nHost: x\r\n\r\n" })));
a("fetch storm", "succeeded: ended", async () => { await Promise.allSettled(Array.from({ length: 500 }, () => fetch("http://127.0.0.1:1/"))); return "ended"; });
a("dead letter of a liar", "succeeded: TypeError", () => caught(() => deadLetters.get({ toString: () => "x" })));
a("dead letter of nobody", "succeeded: DeadLetterError", () => caught(() => deadLetters.replay("00000000-0000-0000-0000-000000000000", { payload: { a: 1 } })));
a("dead letters by nonsense", "succeeded: TypeError TypeError DeadLetterError", async () => `${(await caught(() => deadLetters.list({ script: {} }))).slice(0, 9)} ${(await caught(() => deadLetters.list(new Proxy({}, { get() { throw new TypeError("trap"); } })))).slice(0, 9)} ${await caught(() => deadLetters.list({ cursor: "' OR 1=1 --" }))}`);
a("dead letter payload that loops", "timeout", () => deadLetters.replay("x", { get payload() { return grow(() => {}); } }));

// Locales.
a("locale that loops", "timeout", () => new Intl.NumberFormat(new Proxy([], { get() { return grow(() => {}); } })));
a("locale of 1 MB", "succeeded: RangeError", () => caught(() => (1).toLocaleString("en-" + "aaaa-".repeat(2e5) + "!")));
a("zone of a path", "succeeded: RangeError", () => caught(() => new Date().toLocaleString("en", { timeZone: "../../etc/passwd" })));
a("number of many digits", "timeout|memory|succeeded", () => (10n ** 1000000n).toLocaleString("de").length);
a("Intl changed", "succeeded: ended", () => { Intl.NumberFormat.prototype.formatToParts = () => "forged"; Object.defineProperty(Intl, "DateTimeFormat", { value: 1 }); return "ended"; });

// The runtime: what a run leaves for the next one, and what it can reach.
a("prototype pollution", "succeeded|failed", () => { Object.prototype.polluted = 1; return "ended"; });
a("prototype pollution by JSON", "succeeded: undefined", () => { const o = JSON.parse('{"__proto__":{"polluted":1}}'); Object.assign({}, o); return String({}.polluted); });
a("then on Object.prototype", "succeeded|failed", () => { Object.prototype.then = (r) => r("stolen"); return { a: 1 }; });
a("intrinsics replaced", "succeeded: ended", () => { Array.prototype.push = () => { throw 1; }; Promise.prototype.then = () => { throw 2; }; JSON.stringify = () => "forged"; Map.prototype.get = () => 1; Function.prototype.call = 1; Reflect.apply = 1; return "ended"; });
a("JSON replaced", "succeeded: {\"a\":1}", () => { JSON.stringify = () => '"forged"'; return { a: 1 }; });
a("Response replaced", "succeeded: real", () => { const r = new Response("real"); Response.prototype.text = () => "forged"; Object.defineProperty(r, "status", { value: 999 }); return r; });
a("toJSON on Object.prototype", "succeeded|failed", () => { Object.prototype.toJSON = () => "forged"; return { a: 1 }; });
a("env changed", "succeeded: TypeError", () => caught(() => { env.X = 1; return "changed"; }));
a("ctx forged", "succeeded: TypeError", (r, e, ctx) => caught(() => Object.getOwnPropertyDescriptor(Object.getPrototypeOf(ctx), "principal").get.call({})));
a("error classes subclassed", "succeeded: ended", () => { class E extends KvError { get message() { return grow(() => {}); } } new E("x"); return "ended"; });
a("host names", "succeeded: undefined undefined undefined", () => [typeof process.getuid, typeof process.mainModule, typeof Deno].join(" "));
a("require", "succeeded: TypeError", () => caught(() => [require][0]("child_process")));
a("eval", "succeeded: undefined", () => String((0, eval)("typeof module") === "undefined" ? undefined : "found"));
a("walk to Go", "succeeded: 0", (r, e, ctx) => {
  const seen = new Set();
  const queue = [globalThis, r, e, ctx, kv, notes, log, KvError, new Headers(), new URL("https://x.test"), new Response("x"), new Blob([]), new FormData(), r.signal, crypto.subtle];
  let suspicious = 0;
  while (queue.length && seen.size < 20000) {
    const o = queue.pop();
    if ((typeof o !== "object" && typeof o !== "function") || o === null || seen.has(o)) continue;
    seen.add(o);
    queue.push(Object.getPrototypeOf(o));
    for (const k of Reflect.ownKeys(o)) {
      if (typeof k === "string" && /^(Export|ToValue|Interface|Runtime|State|Mutex|Reader|Writer|unsafe|goja|Elem|Pointer)/.test(k)) suspicious++;
      const d = Reflect.getOwnPropertyDescriptor(o, k);
      if (d && "value" in d) queue.push(d.value);
      else if (d) {
        queue.push(d.get, d.set);
        try { queue.push(o[k]); } catch {}
      }
    }
  }
  return String(suspicious + (seen.size < 500 ? 1e6 : 0));
});
a("constructor of a host function", "succeeded: undefined", () => String(fetch.constructor("return typeof process.getuid")()));
a("messages to oneself", "timeout", async () => { const { port1, port2 } = new MessageChannel(); port1.onmessage = () => port2.postMessage(1); port2.onmessage = () => port1.postMessage(1); port1.postMessage(1); await new Promise(() => {}); });
a("global listener", "succeeded: ended", () => { addEventListener("error", () => grow(() => {})); return "ended"; });

export default (request, e, ctx) => {
  const name = new URL(request.url).searchParams.get("name");
  if (name === null) return out.map(({ name, want }) => ({ name, want }));
  return out.find((x) => x.name === name).run(request, e, ctx);
};
