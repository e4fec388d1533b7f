package webapi

import "testing"

// Streams by the Streams standard, beyond which web-platform-tests are run by hand (make wpt).
func TestStreams(t *testing.T) {
	t.Parallel()

	cases{
		// A pipe that is aborted cancels its source, also one that never gives anything.
		`let cancelled; const rs = new ReadableStream({ pull() { return new Promise(() => {}) }, cancel(r) { cancelled = r.name } });
		const a = new AbortController(); setTimeout(() => a.abort(), 1);
		return await rs.pipeTo(new WritableStream(), { signal: a.signal }).catch((e) => [e.name, cancelled])`: "AbortError,AbortError",
		`const a = new AbortController(); a.abort("why"); return await new ReadableStream().pipeTo(new WritableStream(), { signal: a.signal }).catch((e) => e)`: "why",

		// Backpressure is the strategy's.
		`const w = new WritableStream({ write: () => new Promise(() => {}) }, { highWaterMark: 3, size: (c) => c.length }).getWriter();
		const d = [w.desiredSize]; w.write("ab"); d.push(w.desiredSize); w.write("cd"); d.push(w.desiredSize); return d`: "3,1,-1",
		`let signal; const w = new WritableStream({ start(c) { signal = c.signal }, write: () => new Promise((_, no) => signal.addEventListener("abort", () => no(signal.reason))) }).getWriter();
		await w.ready; const p = w.write(1); await null; w.abort("stop").catch(() => {}); return [await p.catch((e) => e), signal.aborted]`: "stop,true",
		`new WritableStream({}, { highWaterMark: -1 })`: "RangeError: highWaterMark must not be negative or NaN",
		`new WritableStream({ type: "bytes" })`:         "RangeError: a writable stream has no type",

		// Branches of a byte stream are byte streams; reasons of both reach the source.
		`const rs = new ReadableStream({ type: "bytes", start(c) { c.enqueue(new Uint8Array([1, 2, 3])); c.close(); } });
		const [a, b] = rs.tee(); const r = a.getReader({ mode: "byob" }); const { value } = await r.read(new Uint8Array(2));
		const all = []; for (let n, it = b.values(); !(n = await it.next()).done;) all.push(...n.value); return [...value, "|", ...all]`: "1,2,|,1,2,3",
		`let reasons; const rs = new ReadableStream({ cancel(r) { reasons = r } }); const [a, b] = rs.tee(); await Promise.all([a.cancel(1), b.cancel(2)]); return reasons`: "1,2",

		// Buffers are transferred.
		`const r = new ReadableStream({ type: "bytes", pull(c) { c.byobRequest.view[0] = 7; c.byobRequest.respond(1); } }).getReader({ mode: "byob" });
		const mine = new Uint8Array(4); const { value } = await r.read(mine); return [mine.byteLength, value.byteLength, value[0], value.buffer.byteLength]`: "0,1,7,4",
		`const r = new ReadableStream({ type: "bytes", start(c) { c.enqueue(new Uint8Array([1, 0, 2])); c.close(); } }).getReader({ mode: "byob" });
		return await r.read(new Uint16Array(2), { min: 2 })`: "TypeError: the stream ends in the middle of an element",

		// Iteration, and streams of what can be iterated.
		`const out = []; for (let n, it = ReadableStream.from([1, Promise.resolve(2)]).values(); !(n = await it.next()).done;) out.push(n.value); return out`:                            "1,2",
		`function* g() { try { yield 1; yield 2 } finally { done = "closed" } } let done; const it = ReadableStream.from(g()).values(); await it.next(); await it.return(); return done`: "closed",
		`ReadableStream.from(7)`: "TypeError: it is not iterable",
		`let left; const rs = new ReadableStream({ pull(c) { c.enqueue(1) }, cancel() { left = true } }); const it = rs.values({ preventCancel: true }); await it.next(); const r = await it.return(7); return [left, rs.locked, r.value, r.done]`: ",false,7,true",

		// The order in which options are read is that of their names.
		`const seen = []; const options = new Proxy({}, { get: (_, k) => void seen.push(k) });
		new ReadableStream().pipeThrough(new TransformStream(), options); return seen`: "preventAbort,preventCancel,preventClose,signal",

		// Texts in pieces.
		`const t = new TextEncoderStream(), w = t.writable.getWriter(); w.write("\ud83d"); w.write("\udca9"); w.close();
		return await new Response(t.readable).text()`: "💩",
		`const t = new TextEncoderStream(), w = t.writable.getWriter(); w.write("\ud83d"); w.close(); return await new Response(t.readable).text()`: "\ufffd",
		`const d = new TextDecoderStream("iso-8859-2", { fatal: true, ignoreBOM: true }); return [d.encoding, d.fatal, d.ignoreBOM]`:                "iso-8859-2,true,true",

		// Nothing of a stream's state can be seen or reached.
		`const s = new ReadableStream(); return [Object.getOwnPropertyNames(s).length, Object.getOwnPropertySymbols(s).length, JSON.stringify(s)]`: "0,0,{}",
		`ReadableStream.prototype.getReader.call({})`:                                "TypeError: Cannot read private member #s from an object whose class did not declare it",
		`new ReadableStreamDefaultController()`:                                      "TypeError: Illegal constructor",
		`return await ReadableStream.prototype.cancel.call({}).catch((e) => e.name)`: "TypeError",
	}.check(t)
}

// A body of many pieces is read without a stack that grows with them.
func TestLongStream(t *testing.T) {
	t.Parallel()

	cases{
		`const one = new Uint8Array(1), rs = new ReadableStream({ start(c) { for (let k = 0; k < 20000; k++) c.enqueue(one); c.close(); } });
		return (await new Response(rs).arrayBuffer()).byteLength`: "20000",
		`const one = new Uint8Array(1); let k = 0; const rs = new ReadableStream({ pull(c) { if (++k > 5000) c.close(); else c.enqueue(one); } });
		return (await new Response(rs).arrayBuffer()).byteLength`: "5000",
	}.check(t)
}
