// Streams, Blob, File and FormData: loaded before the app's module when its code names any of them or a body, else when a
// body is first asked for. The classes follow the Streams, Compression, File API and XMLHttpRequest standards as far as
// scripts use them.
(function (host) {
  "use strict";
  const asBytes = (chunk) => {
    if (typeof chunk === "string") return new Uint8Array(host.utf8Encode(chunk));
    if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
    if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    throw new TypeError("a body's stream must give strings, ArrayBuffers or views of them");
  };
  const join = (chunks) => {
    const all = new Uint8Array(chunks.reduce((n, c) => n + c.byteLength, 0));
    let at = 0;
    for (const c of chunks) {
      all.set(c, at);
      at += c.byteLength;
    }
    return all;
  };
  const deferred = () => {
    const d = {};
    d.promise = new Promise((resolve, reject) => Object.assign(d, { resolve, reject }));
    d.promise.catch(() => {}); // who waits sees the rejection
    return d;
  };

  class CountQueuingStrategy {
    constructor({ highWaterMark }) {
      this.highWaterMark = highWaterMark;
    }
    size() {
      return 1;
    }
  }
  class ByteLengthQueuingStrategy {
    constructor({ highWaterMark }) {
      this.highWaterMark = highWaterMark;
    }
    size(chunk) {
      return chunk.byteLength;
    }
  }

  // What a stream is made of; the classes share it through this map, which scripts cannot reach.
  const stateOf = new WeakMap();

  class ReadableStreamDefaultController {
    constructor(key) {
      if (key !== stateOf) throw new TypeError("Illegal constructor");
    }
    get desiredSize() {
      const s = stateOf.get(this);
      if (s.error) return null;
      return s.closed ? 0 : s.highWaterMark - s.queueSize;
    }
    enqueue(chunk) {
      const s = stateOf.get(this);
      if (s.closing || s.closed || s.error) throw new TypeError("the stream is closed");
      if (s.readers.length) s.readers.shift().resolve({ value: chunk, done: false });
      else {
        const size = s.sizeOf(chunk);
        s.queue.push({ chunk, size });
        s.queueSize += size;
      }
      pull(s);
    }
    close() {
      const s = stateOf.get(this);
      if (s.closing || s.closed || s.error) throw new TypeError("the stream is closed");
      s.closing = true;
      if (!s.queue.length) finish(s);
    }
    error(reason) {
      fail(stateOf.get(this), reason);
    }
  }
  const finish = (s) => {
    if (s.closed || s.error) return;
    s.closed = true;
    for (const r of s.readers.splice(0)) r.view ? settle(r) : r.resolve({ value: undefined, done: true });
    s.done.resolve();
  };
  const fail = (s, reason) => {
    if (s.closed || s.error) return;
    s.error = { reason };
    s.queue = [];
    s.queueSize = 0;
    for (const r of s.readers.splice(0)) r.reject(reason);
    s.done.reject(reason);
  };
  const pull = (s) => {
    if (!s.started || s.closing || s.closed || s.error || !s.source.pull) return;
    if (!s.readers.length && s.queueSize >= s.highWaterMark) return;
    if (s.pulling) {
      s.pullAgain = true;
      return;
    }
    s.pulling = true;
    Promise.resolve()
      .then(() => s.source.pull(s.controller))
      .then(
        () => {
          s.pulling = false;
          if (s.pullAgain) {
            s.pullAgain = false;
            pull(s);
          }
        },
        (e) => fail(s, e),
      );
  };
  const read = (s) => {
    s.disturbed = true;
    if (s.queue.length) {
      const { chunk, size } = s.queue.shift();
      s.queueSize -= size;
      if (s.closing && !s.queue.length) finish(s);
      else pull(s);
      return Promise.resolve({ value: chunk, done: false });
    }
    if (s.error) return Promise.reject(s.error.reason);
    if (s.closed) return Promise.resolve({ value: undefined, done: true });
    const d = deferred();
    if (s.autoAllocate) Object.assign(d, { view: new Uint8Array(s.autoAllocate), min: 1, filled: 0, settled: false, resolve: readWhole(d.resolve) });
    s.readers.push(d);
    pull(s);
    return d.promise;
  };
  const readWhole = (resolve) => (r) => resolve(r.done ? { value: undefined, done: true } : r);
  const cancel = async (s, reason) => {
    s.disturbed = true;
    if (s.error) throw s.error.reason;
    if (s.closed) return;
    s.queue = [];
    s.queueSize = 0;
    finish(s);
    if (s.source.cancel) await s.source.cancel(reason);
  };

  // A reader's own buffer that waits to be filled, and a byte source's view of it (Streams standard, 4.7 and 4.8).
  class ReadableStreamBYOBRequest {
    constructor(key, state, into) {
      if (key !== stateOf) throw new TypeError("Illegal constructor");
      stateOf.set(this, { state, into });
    }
    get view() {
      const { into } = stateOf.get(this);
      return into.settled ? null : new Uint8Array(into.view.buffer, into.view.byteOffset + into.filled, into.view.byteLength - into.filled);
    }
    respond(n) {
      const { state, into } = stateOf.get(this);
      if (into.settled) throw new TypeError("this request was answered already");
      n = Number(n);
      if (!(n >= 0 && n <= into.view.byteLength - into.filled)) throw new RangeError("more bytes than the view has");
      if (state.closing || state.closed) return settle(into);
      if (n === 0) throw new TypeError("0 bytes can be given only by a stream that is closed");
      into.filled += n;
      state.request = null;
      serve(state);
    }
    respondWithNewView(view) {
      const { into } = stateOf.get(this);
      if (!ArrayBuffer.isView(view) || view.buffer !== into.view.buffer) throw new TypeError("the view must be of the request's buffer");
      this.respond(view.byteLength);
    }
  }
  const viewOf = (into) =>
    into.view instanceof DataView
      ? new DataView(into.view.buffer, into.view.byteOffset, into.filled)
      : new into.view.constructor(into.view.buffer, into.view.byteOffset, into.filled / (into.view.BYTES_PER_ELEMENT ?? 1));
  const settle = (into) => {
    into.settled = true;
    into.resolve({ value: viewOf(into), done: into.filled === 0 });
  };
  // serve moves bytes from the queue into waiting buffers, and answers those that have enough.
  const serve = (s) => {
    while (s.readers.length) {
      const into = s.readers[0];
      if (!into.view) {
        if (!s.queue.length) return;
        s.readers.shift();
        const { chunk, size } = s.queue.shift();
        s.queueSize -= size;
        into.resolve({ value: chunk, done: false });
        continue;
      }
      while (s.queue.length && into.filled < into.view.byteLength) {
        const { chunk } = s.queue[0];
        const n = Math.min(chunk.byteLength, into.view.byteLength - into.filled);
        new Uint8Array(into.view.buffer, into.view.byteOffset, into.view.byteLength).set(chunk.subarray(0, n), into.filled);
        into.filled += n;
        s.queueSize -= n;
        if (n === chunk.byteLength) s.queue.shift();
        else s.queue[0] = { chunk: chunk.subarray(n), size: chunk.byteLength - n };
      }
      const element = into.view.BYTES_PER_ELEMENT ?? 1;
      if (into.filled < into.min * element || into.filled % element) return;
      s.readers.shift();
      settle(into);
    }
  };
  class ReadableByteStreamController {
    constructor(key) {
      if (key !== stateOf) throw new TypeError("Illegal constructor");
    }
    get desiredSize() {
      const s = stateOf.get(this);
      if (s.error) return null;
      return s.closed ? 0 : s.highWaterMark - s.queueSize;
    }
    get byobRequest() {
      const s = stateOf.get(this);
      const into = s.readers[0];
      if (!into?.view || s.queue.length) return null;
      return (s.request ??= new ReadableStreamBYOBRequest(stateOf, s, into));
    }
    enqueue(view) {
      const s = stateOf.get(this);
      if (!ArrayBuffer.isView(view) || !view.byteLength) throw new TypeError("a byte stream takes views of at least one byte");
      if (s.closing || s.closed || s.error) throw new TypeError("the stream is closed");
      const chunk = asBytes(view).slice();
      s.queue.push({ chunk, size: chunk.byteLength });
      s.queueSize += chunk.byteLength;
      s.request = null;
      serve(s);
      pull(s);
    }
    close() {
      const s = stateOf.get(this);
      if (s.closing || s.closed || s.error) throw new TypeError("the stream is closed");
      const part = s.readers[0];
      if (part?.view && part.filled % (part.view.BYTES_PER_ELEMENT ?? 1)) {
        const e = new TypeError("the stream was closed in the middle of an element");
        fail(s, e);
        throw e;
      }
      s.closing = true;
      if (!s.queue.length) finish(s);
    }
    error(reason) {
      fail(stateOf.get(this), reason);
    }
  }
  class ReadableStreamBYOBReader {
    #stream;
    constructor(stream) {
      const s = stateOf.get(stream);
      if (!s || !s.bytes) throw new TypeError("a BYOB reader needs a stream of bytes");
      if (s.reader) throw new TypeError("the stream is locked to a reader already");
      s.reader = this;
      this.#stream = s;
    }
    get closed() {
      return this.#stream ? this.#stream.done.promise : Promise.reject(new TypeError("the reader was released"));
    }
    async read(view, { min = 1 } = {}) {
      const s = this.#stream;
      if (!s) throw new TypeError("the reader was released");
      if (!ArrayBuffer.isView(view) || !view.byteLength) throw new TypeError("read needs a view of at least one byte");
      if (!(min >= 1 && min <= (view.length ?? view.byteLength))) throw new RangeError("min must be from 1 to the length of the view");
      s.disturbed = true;
      if (s.error) throw s.error.reason;
      const into = Object.assign(deferred(), { view, min, filled: 0, settled: false });
      s.readers.push(into);
      serve(s);
      if (s.closing && !s.queue.length) finish(s);
      if (s.closed) for (const r of s.readers.splice(0)) settle(r);
      pull(s);
      return into.promise;
    }
    cancel(reason) {
      return this.#stream ? cancel(this.#stream, reason) : Promise.reject(new TypeError("the reader was released"));
    }
    releaseLock() {
      if (!this.#stream) return;
      for (const r of this.#stream.readers.splice(0)) r.reject(new TypeError("the reader was released"));
      this.#stream.reader = null;
      this.#stream = null;
    }
  }

  class ReadableStreamDefaultReader {
    #stream;
    constructor(stream) {
      const s = stateOf.get(stream);
      if (!s) throw new TypeError("a reader needs a ReadableStream");
      if (s.reader) throw new TypeError("the stream is locked to a reader already");
      s.reader = this;
      this.#stream = s;
    }
    get closed() {
      return this.#stream ? this.#stream.done.promise : Promise.reject(new TypeError("the reader was released"));
    }
    read() {
      return this.#stream ? read(this.#stream) : Promise.reject(new TypeError("the reader was released"));
    }
    cancel(reason) {
      return this.#stream ? cancel(this.#stream, reason) : Promise.reject(new TypeError("the reader was released"));
    }
    releaseLock() {
      if (!this.#stream) return;
      for (const r of this.#stream.readers.splice(0)) r.reject(new TypeError("the reader was released"));
      this.#stream.reader = null;
      this.#stream = null;
    }
  }

  class ReadableStream {
    constructor(source = {}, strategy = {}) {
      const bytes = source?.type !== undefined;
      if (bytes && String(source.type) !== "bytes") throw new TypeError('the type of a source is "bytes" or not given');
      const s = {
        bytes, request: null, autoAllocate: bytes ? source.autoAllocateChunkSize : undefined, source: source ?? {}, queue: [], queueSize: 0, readers: [], reader: null, started: false, closing: false, closed: false, error: null,
        pulling: false, pullAgain: false, disturbed: false, done: deferred(),
        highWaterMark: strategy.highWaterMark ?? (source?.type === "bytes" ? 0 : 1),
        sizeOf: strategy.size ? (c) => Number(strategy.size(c)) : () => 1,
      };
      if (!(s.highWaterMark >= 0)) throw new RangeError("highWaterMark must not be negative");
      s.controller = bytes ? new ReadableByteStreamController(stateOf) : new ReadableStreamDefaultController(stateOf);
      stateOf.set(this, s);
      stateOf.set(s.controller, s);
      const begun = s.source.start ? s.source.start(s.controller) : undefined;
      Promise.resolve(begun).then(
        () => {
          s.started = true;
          pull(s);
        },
        (e) => fail(s, e),
      );
    }
    static from(iterable) {
      const make = iterable?.[Symbol.asyncIterator] ?? iterable?.[Symbol.iterator];
      if (typeof make !== "function") throw new TypeError("ReadableStream.from needs an iterable");
      const it = make.call(iterable);
      return new ReadableStream(
        {
          async pull(c) {
            const { value, done } = await it.next();
            if (done) c.close();
            else c.enqueue(await value);
          },
          async cancel(reason) {
            await it.return?.(reason);
          },
        },
        { highWaterMark: 0 },
      );
    }
    get locked() {
      return stateOf.get(this).reader !== null;
    }
    getReader(options) {
      if (options?.mode !== undefined) {
        if (String(options.mode) !== "byob") throw new TypeError('the mode of a reader is "byob" or not given');
        return new ReadableStreamBYOBReader(this);
      }
      return new ReadableStreamDefaultReader(this);
    }
    cancel(reason) {
      if (this.locked) return Promise.reject(new TypeError("the stream is locked to a reader"));
      return cancel(stateOf.get(this), reason);
    }
    tee() {
      const reader = this.getReader();
      const branches = [];
      const pullBoth = async () => {
        const { value, done } = await reader.read();
        for (const c of branches) {
          if (!c.open) continue;
          if (done) {
            c.open = false;
            c.controller.close();
          } else c.controller.enqueue(value);
        }
      };
      let going = null;
      const branch = () => {
        const b = { open: true };
        branches.push(b);
        return new ReadableStream(
          {
            start(c) {
              b.controller = c;
            },
            pull() {
              return (going ??= pullBoth().finally(() => (going = null)));
            },
            async cancel(reason) {
              b.open = false;
              if (branches.every((x) => !x.open)) await reader.cancel(reason);
            },
          },
          { highWaterMark: 0 },
        );
      };
      return [branch(), branch()];
    }
    async pipeTo(destination, { preventClose, preventAbort, preventCancel, signal } = {}) {
      const reader = this.getReader();
      const writer = destination.getWriter();
      try {
        for (;;) {
          signal?.throwIfAborted();
          await writer.ready;
          const { value, done } = await reader.read();
          if (done) break;
          await writer.write(value);
        }
        if (!preventClose) await writer.close();
      } catch (e) {
        if (!preventAbort) await writer.abort(e).catch(() => {});
        if (!preventCancel) await reader.cancel(e).catch(() => {});
        throw e;
      } finally {
        reader.releaseLock();
        writer.releaseLock();
      }
    }
    pipeThrough({ readable, writable }, options) {
      this.pipeTo(writable, options).catch(() => {});
      return readable;
    }
    values({ preventCancel } = {}) {
      const reader = this.getReader();
      return {
        next: async () => {
          const r = await reader.read();
          if (r.done) reader.releaseLock();
          return r;
        },
        return: async (value) => {
          if (!preventCancel) await reader.cancel(value);
          reader.releaseLock();
          return { value, done: true };
        },
        [Symbol.asyncIterator]() {
          return this;
        },
      };
    }
    [Symbol.asyncIterator](options) {
      return this.values(options);
    }
  }

  class WritableStreamDefaultController {
    constructor(key) {
      if (key !== stateOf) throw new TypeError("Illegal constructor");
    }
    error(reason) {
      failSink(stateOf.get(this), reason);
    }
  }
  const failSink = (s, reason) => {
    if (s.closed || s.error) return;
    s.error = { reason };
    s.done.reject(reason);
  };
  class WritableStreamDefaultWriter {
    #stream;
    constructor(stream) {
      const s = stateOf.get(stream);
      if (s.writer) throw new TypeError("the stream is locked to a writer already");
      s.writer = this;
      this.#stream = s;
    }
    get closed() {
      return this.#stream.done.promise;
    }
    get ready() {
      return this.#stream.tail.then(() => undefined);
    }
    get desiredSize() {
      return this.#stream.error ? null : this.#stream.closed ? 0 : 1;
    }
    write(chunk) {
      const s = this.#stream;
      if (!s || s.closing) return Promise.reject(new TypeError("the stream is closed"));
      return after(s, () => s.sink.write?.(chunk, s.controller));
    }
    close() {
      const s = this.#stream;
      if (!s || s.closing) return Promise.reject(new TypeError("the stream is closed"));
      return closeSink(s);
    }
    abort(reason) {
      return abortSink(this.#stream, reason);
    }
    releaseLock() {
      if (this.#stream) this.#stream.writer = null;
    }
  }
  const after = (s, work) => {
    const p = s.tail.then(async () => {
      if (s.error) throw s.error.reason;
      await work();
    });
    s.tail = p.catch((e) => failSink(s, e));
    return p;
  };
  const closeSink = (s) => {
    s.closing = true;
    return after(s, async () => {
      await s.sink.close?.();
      s.closed = true;
      s.done.resolve();
    });
  };
  const abortSink = async (s, reason) => {
    if (s.closed || s.error) return;
    failSink(s, reason);
    await s.sink.abort?.(reason);
  };
  class WritableStream {
    constructor(sink = {}, strategy = {}) {
      if (strategy.highWaterMark !== undefined && !(strategy.highWaterMark >= 0)) throw new RangeError("highWaterMark must not be negative");
      const s = { sink: sink ?? {}, writer: null, closing: false, closed: false, error: null, done: deferred(), tail: null };
      s.controller = new WritableStreamDefaultController(stateOf);
      stateOf.set(this, s);
      stateOf.set(s.controller, s);
      s.tail = Promise.resolve(s.sink.start?.(s.controller)).catch((e) => failSink(s, e));
    }
    get locked() {
      return stateOf.get(this).writer !== null;
    }
    getWriter() {
      return new WritableStreamDefaultWriter(this);
    }
    close() {
      if (this.locked) return Promise.reject(new TypeError("the stream is locked to a writer"));
      return closeSink(stateOf.get(this));
    }
    abort(reason) {
      if (this.locked) return Promise.reject(new TypeError("the stream is locked to a writer"));
      return abortSink(stateOf.get(this), reason);
    }
  }

  class TransformStreamDefaultController {
    constructor(key, out, full, stop) {
      if (key !== stateOf) throw new TypeError("Illegal constructor");
      stateOf.set(this, { out, full, stop });
    }
    get desiredSize() {
      return stateOf.get(this).out.desiredSize;
    }
    enqueue(chunk) {
      const s = stateOf.get(this);
      s.out.enqueue(chunk);
      s.full();
    }
    error(reason) {
      const s = stateOf.get(this);
      s.out.error(reason);
      s.stop(reason);
    }
    terminate() {
      const s = stateOf.get(this);
      s.out.close();
      s.stop(new TypeError("the stream was terminated"));
    }
  }
  class TransformStream {
    #readable;
    #writable;
    constructor(transformer, writableStrategy, readableStrategy) {
      transformer ??= {};
      let out;
      let wanted = deferred(); // resolves while the readable side wants more
      let served = deferred(); // resolves when it has enough
      const full = () => {
        if (!served || out.desiredSize > 0 || stateOf.get(out).readers.length) return;
        wanted = deferred();
        served.resolve();
        served = null;
      };
      const open = () => {
        served ??= deferred();
        wanted.resolve();
      };
      served = null;
      this.#readable = new ReadableStream(
        {
          start: (c) => void (out = c),
          pull() {
            open();
            return served.promise;
          },
          async cancel(reason) {
            stop(reason);
            await transformer.cancel?.(reason);
          },
        },
        readableStrategy ?? { highWaterMark: 0 },
      );
      const stop = (reason) => {
        failSink(sink, reason);
        wanted.resolve();
      };
      const controller = new TransformStreamDefaultController(stateOf, out, full, stop);
      const guarded = async (work) => {
        try {
          await work();
        } catch (e) {
          out.error(e);
          throw e;
        }
      };
      this.#writable = new WritableStream(
        {
          start: () => transformer.start?.(controller),
          async write(chunk) {
            await wanted.promise;
            if (sink.error) throw sink.error.reason;
            await guarded(() => (transformer.transform ? transformer.transform(chunk, controller) : controller.enqueue(chunk)));
          },
          close: () =>
            guarded(async () => {
              await transformer.flush?.(controller);
              const s = stateOf.get(out);
              if (!s.closing && !s.closed && !s.error) out.close();
            }),
          async abort(reason) {
            out.error(reason);
            wanted.resolve();
            await transformer.cancel?.(reason);
          },
        },
        writableStrategy,
      );
      const sink = stateOf.get(this.#writable);
    }
    get readable() {
      return this.#readable;
    }
    get writable() {
      return this.#writable;
    }
  }
  // The Compression standard's streams: what comes out is decided by Go, chunk by chunk.
  const coder = (make, format) => {
    if (!["gzip", "deflate", "deflate-raw"].includes(format)) throw new TypeError(`the format ${format} is not supported: gzip, deflate and deflate-raw are`);
    const step = make(format);
    const give = (bytes, c) => bytes.byteLength && c.enqueue(bytes);
    return {
      transform(chunk, c) {
        if (typeof chunk === "string") throw new TypeError("a chunk must be an ArrayBuffer or a view of one");
        give(step(asBytes(chunk), false), c);
      },
      flush: (c) => give(step(new Uint8Array(0), true), c),
    };
  };
  class CompressionStream extends TransformStream {
    constructor(format) {
      super(coder(host.compressor, String(format)));
    }
  }
  class DecompressionStream extends TransformStream {
    constructor(format) {
      super(coder(host.decompressor, String(format)));
    }
  }
  class TextEncoderStream extends TransformStream {
    constructor() {
      super({ transform: (chunk, c) => c.enqueue(new TextEncoder().encode(String(chunk))) });
    }
    get encoding() {
      return "utf-8";
    }
  }
  class TextDecoderStream extends TransformStream {
    constructor(label, options) {
      const decoder = new TextDecoder(label, options);
      const give = (text, c) => text && c.enqueue(text);
      super({ transform: (chunk, c) => give(decoder.decode(chunk, { stream: true }), c), flush: (c) => give(decoder.decode(), c) });
    }
    get encoding() {
      return "utf-8";
    }
  }

  const blobBytes = new WeakMap();
  class Blob {
    #type;
    constructor(parts = [], options = {}) {
      if (parts === null || typeof parts !== "object") throw new TypeError("a Blob is made of a list of parts");
      const chunks = [];
      for (const p of parts) chunks.push(p instanceof Blob ? blobBytes.get(p) : typeof p === "object" && p !== null && (p instanceof ArrayBuffer || ArrayBuffer.isView(p)) ? asBytes(p).slice() : asBytes(String(p)));
      blobBytes.set(this, join(chunks));
      const type = String(options?.type ?? "");
      this.#type = /^[\x20-\x7e]*$/.test(type) ? type.toLowerCase() : "";
    }
    get size() {
      return blobBytes.get(this).byteLength;
    }
    get type() {
      return this.#type;
    }
    slice(start, end, type = "") {
      return new Blob([blobBytes.get(this).slice(start, end)], { type });
    }
    async text() {
      return host.utf8Decode(blobBytes.get(this), false, false);
    }
    async arrayBuffer() {
      return blobBytes.get(this).slice().buffer;
    }
    async bytes() {
      return blobBytes.get(this).slice();
    }
    stream() {
      return fromBytes(blobBytes.get(this).slice());
    }
    get [Symbol.toStringTag]() {
      return "Blob";
    }
  }
  class File extends Blob {
    #name;
    #lastModified;
    constructor(parts, name, options = {}) {
      if (arguments.length < 2) throw new TypeError("a File needs parts and a name");
      super(parts, options);
      this.#name = String(name);
      this.#lastModified = Number(options?.lastModified ?? Date.now());
    }
    get name() {
      return this.#name;
    }
    get lastModified() {
      return this.#lastModified;
    }
    get [Symbol.toStringTag]() {
      return "File";
    }
  }

  const well = (s) => host.utf8Decode(host.utf8Encode(String(s)), false, true); // lone surrogates become U+FFFD
  class FormData {
    #list = [];
    static {
      stateOf.set(FormData, (f) => f.#list);
    }
    constructor(form) {
      if (form !== undefined) throw new TypeError("there are no forms here: use new FormData() and append");
    }
    #entry(name, value, filename) {
      if (value instanceof Blob) {
        if (filename !== undefined || !(value instanceof File)) value = new File([value], filename ?? "blob", { type: value.type });
      } else value = well(value);
      return [well(name), value];
    }
    append(name, value, filename) {
      this.#list.push(this.#entry(name, value, filename));
    }
    set(name, value, filename) {
      const entry = this.#entry(name, value, filename);
      const at = this.#list.findIndex(([n]) => n === entry[0]);
      if (at < 0) this.#list.push(entry);
      else this.#list = [...this.#list.slice(0, at), entry, ...this.#list.slice(at + 1).filter(([n]) => n !== entry[0])];
    }
    get(name) {
      return this.#list.find(([n]) => n === well(name))?.[1] ?? null;
    }
    getAll(name) {
      return this.#list.filter(([n]) => n === well(name)).map(([, v]) => v);
    }
    has(name) {
      return this.#list.some(([n]) => n === well(name));
    }
    delete(name) {
      this.#list = this.#list.filter(([n]) => n !== well(name));
    }
    forEach(f, self) {
      for (const [n, v] of this.#list) f.call(self, v, n, this);
    }
    entries() {
      return this.#list.map(([n, v]) => [n, v]).values();
    }
    keys() {
      return this.#list.map(([n]) => n).values();
    }
    values() {
      return this.#list.map(([, v]) => v).values();
    }
    [Symbol.iterator]() {
      return this.entries();
    }
    get [Symbol.toStringTag]() {
      return "FormData";
    }
  }

  // multipart/form-data as the HTML standard encodes it (4.10.21.8).
  const escape = (s) => s.replace(/\r\n?|\n/g, "%0D%0A").replace(/"/g, "%22");
  const encodeForm = (form) => {
    const boundary = "----picloud" + host.random();
    const chunks = [];
    for (const [name, value] of stateOf.get(FormData)(form)) {
      let head = `--${boundary}\r\nContent-Disposition: form-data; name="${escape(name)}"`;
      if (value instanceof Blob) {
        head += `; filename="${escape(value.name)}"\r\nContent-Type: ${value.type || "application/octet-stream"}\r\n\r\n`;
        chunks.push(asBytes(head), blobBytes.get(value), asBytes("\r\n"));
      } else chunks.push(asBytes(`${head}\r\n\r\n${value.replace(/\r\n?|\n/g, "\r\n")}\r\n`));
    }
    chunks.push(asBytes(`--${boundary}--\r\n`));
    return { bytes: join(chunks), type: "multipart/form-data; boundary=" + boundary };
  };

  const fromBytes = (bytes) =>
    new ReadableStream({
      type: "bytes",
      start(c) {
        if (bytes.byteLength) c.enqueue(bytes);
        c.close();
      },
    });

  // A stream whose pieces the platform has: next() gives [bytes, whether there are more].
  const fromPull = (next, cancel) =>
    new ReadableStream(
      {
        type: "bytes",
        async pull(c) {
          for (;;) {
            const [bytes, more] = await next();
            if (bytes.byteLength) c.enqueue(bytes);
            if (!more) c.close();
            if (!more || bytes.byteLength) return;
          }
        },
        cancel,
      },
      { highWaterMark: 0 },
    );

  return {
    classes: {
      ReadableStream, ReadableStreamDefaultReader, ReadableStreamDefaultController, ReadableByteStreamController, ReadableStreamBYOBReader,
      ReadableStreamBYOBRequest, TransformStreamDefaultController, CompressionStream, DecompressionStream, WritableStream, WritableStreamDefaultWriter,
      WritableStreamDefaultController, TransformStream, TextEncoderStream, TextDecoderStream, CountQueuingStrategy, ByteLengthQueuingStrategy,
      Blob, File, FormData,
    },
    fromBytes,
    fromPull,
    /** What a body is made of: "stream", or bytes with their type; undefined for anything that is none of ours. */
    bodyInit(v) {
      if (v instanceof ReadableStream) {
        if (v.locked || stateOf.get(v).disturbed) throw new TypeError("the stream is locked or has been read");
        return { stream: v };
      }
      if (v instanceof Blob) return { bytes: blobBytes.get(v), type: v.type };
      if (v instanceof FormData) return encodeForm(v);
      return undefined;
    },
    disturbed: (stream) => stateOf.get(stream).disturbed,
    untouched: (stream) => !stream.locked && !stateOf.get(stream).disturbed,
    reader: (stream) => stream.getReader(),
    piece: (reader) => reader.read().then(({ value, done }) => (done ? null : asBytes(value))),
    giveUp: (reader) => reader.cancel().catch(() => {}),
    async drain(stream, limit) {
      const reader = stream.getReader();
      const chunks = [];
      let size = 0;
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return join(chunks);
        const bytes = asBytes(value);
        if ((size += bytes.byteLength) > limit) {
          reader.cancel().catch(() => {});
          throw host.tooLarge(limit);
        }
        chunks.push(bytes.slice());
      }
    },
    blob: (bytes, type) => new Blob([bytes], { type }),
    form(parts) {
      const f = new FormData();
      for (const [name, value, filename, type] of parts) f.append(name, filename === null ? host.utf8Decode(value, false, false) : new File([value], filename, { type }));
      return f;
    },
  };
});
