// Streams of Node: readable, writable, both, and what joins them.
(function (host, require) {
  "use strict";
  const EventEmitter = require("events");
  const { Buffer } = require("buffer");
  const { StringDecoder } = require("string_decoder");
  const { withCode, argType } = require("internal:errors");
  const tick = (f, ...args) => queueMicrotask(() => f(...args));

  let highWaterMark = 65536, objectHighWaterMark = 16;
  const markOf = (o, prefix, objectMode) => {
    const v = o?.highWaterMark ?? o?.[prefix + "HighWaterMark"];
    if (v !== undefined && !(Number.isInteger(v) && v >= 0)) throw withCode(TypeError, "ERR_INVALID_ARG_VALUE", `The property 'options.highWaterMark' is invalid. Received ${v}`);
    return v ?? (objectMode ? objectHighWaterMark : highWaterMark);
  };

  function Stream(options) {
    EventEmitter.call(this, options);
  }
  Object.setPrototypeOf(Stream.prototype, EventEmitter.prototype);
  Object.setPrototypeOf(Stream, EventEmitter);
  Stream.prototype.pipe = function (to) {
    this.on("data", (chunk) => to.write(chunk));
    this.on("end", () => to.end());
    return to;
  };

  // What both sides have: how a stream is destroyed.
  const destroyMethods = {
    destroy(error, done) {
      const r = this._readableState, w = this._writableState;
      if ((r ?? w).destroyed) {
        done?.(error ?? null);
        return this;
      }
      if (r) r.destroyed = true;
      if (w) w.destroyed = true;
      if (error) for (const s of [r, w]) if (s) s.errored ??= error;
      const finish = (e) => {
        const shown = e ?? error;
        if (shown) for (const s of [r, w]) if (s) s.errored ??= shown;
        for (const s of [r, w]) if (s) s.closed = true;
        done?.(shown ?? null);
        tick(() => {
          if (shown && !(r ?? w).errorEmitted) {
            for (const s of [r, w]) if (s) s.errorEmitted = true;
            this.emit("error", shown);
          }
          if ((r ?? w).emitClose) {
            (r ?? w).closeEmitted = true;
            this.emit("close");
          }
        });
      };
      try {
        this._destroy(error ?? null, (e) => finish(e));
      } catch (e) {
        finish(e);
      }
      return this;
    },
    _destroy(error, done) {
      done(error);
    },
    [Symbol.asyncDispose ?? Symbol.for("nodejs.asyncDispose")]() {
      if (!this.destroyed) this.destroy(this.readableEnded || this.writableFinished ? null : abortError());
      return new Promise((resolve, reject) => finished(this, (e) => (e && e.name !== "AbortError" ? reject(e) : resolve(null))));
    },
  };
  const abortError = (reason) => {
    const e = withCode(Error, "ABORT_ERR", "The operation was aborted");
    e.name = "AbortError";
    if (reason !== undefined) e.cause = reason;
    return e;
  };
  const failing = (stream, error) => {
    if ((stream._readableState ?? stream._writableState).autoDestroy) stream.destroy(error);
    else tick(() => stream.emit("error", error));
  };
  const addSignal = (signal, stream) => {
    if (signal.aborted) stream.destroy(abortError(signal.reason));
    else signal.addEventListener("abort", () => stream.destroy(abortError(signal.reason)), { once: true });
    return stream;
  };
  const define = (proto, name, get, set) => Object.defineProperty(proto, name, { get, set, configurable: true, enumerable: false });

  // ---- Readable

  function Readable(options) {
    if (!(this instanceof Readable)) return new Readable(options);
    initReadable(this, options);
    Stream.call(this, options);
  }
  Object.setPrototypeOf(Readable.prototype, Stream.prototype);
  Object.setPrototypeOf(Readable, Stream);

  function initReadable(stream, o) {
    const objectMode = Boolean(o?.objectMode || o?.readableObjectMode);
    stream._readableState = {
      objectMode, highWaterMark: markOf(o, "readable", objectMode), buffer: [], length: 0, flowing: null, ended: false, endEmitted: false, reading: false, sync: true,
      destroyed: false, errored: null, closed: false, closeEmitted: false, errorEmitted: false, emitClose: o?.emitClose !== false, autoDestroy: o?.autoDestroy !== false, pipes: [], scheduled: false, readableListening: false, needReadable: false,
      decoder: o?.encoding ? new StringDecoder(o.encoding) : null, encoding: o?.encoding ?? null, constructed: true, dataEmitted: false,
    };
    if (typeof o?.read === "function") stream._read = o.read;
    if (typeof o?.destroy === "function") stream._destroy = o.destroy;
    construct(stream, o);
    if (o?.signal) addSignal(o.signal, stream);
  }
  function construct(stream, o) {
    if (typeof o?.construct === "function") stream._construct = o.construct;
    if (typeof stream._construct !== "function" || stream._constructing) return;
    stream._constructing = true;
    const states = () => [stream._readableState, stream._writableState].filter(Boolean);
    for (const s of states()) s.constructed = false;
    tick(() => {
      for (const s of states()) s.constructed = false;
      stream._construct((e) => {
        for (const s of states()) s.constructed = true;
        if (e) return failing(stream, e);
        if (stream._readableState) flow(stream);
        if (stream._writableState) process(stream);
      });
    });
  }

  const readableMethods = {
    _read() {
      throw withCode(Error, "ERR_METHOD_NOT_IMPLEMENTED", "The _read() method is not implemented");
    },
    push(chunk, encoding) {
      return add(this, chunk, encoding, false);
    },
    unshift(chunk, encoding) {
      return add(this, chunk, encoding, true);
    },
    read(n) {
      const s = this._readableState;
      if (n !== undefined) n = Number.parseInt(n, 10);
      if (n === 0) {
        s.needReadable = true;
        if (s.ended && s.length === 0) endOf(this);
        else fill(this);
        return null;
      }
      if (s.length === 0 && s.ended) {
        endOf(this);
        return null;
      }
      const chunk = take(s, n);
      if (s.length < s.highWaterMark || s.length === 0) fill(this);
      if (chunk === null) {
        s.needReadable = true;
        if (s.length === 0 && s.ended) endOf(this);
        return null;
      }
      if (s.length === 0) {
        s.needReadable = true;
        if (s.ended) endOf(this);
      }
      if (!s.errored) {
        s.dataEmitted = true;
        this.emit("data", chunk);
      }
      return chunk;
    },
    isPaused() {
      return this._readableState.paused === true || this._readableState.flowing === false;
    },
    setEncoding(encoding) {
      const s = this._readableState;
      s.decoder = new StringDecoder(encoding);
      s.encoding = s.decoder.encoding;
      const text = s.buffer.map((b) => s.decoder.write(b)).join("");
      s.buffer = text ? [text] : [];
      s.length = text.length;
      return this;
    },
    pause() {
      const s = this._readableState;
      if (s.flowing !== false) {
        s.flowing = false;
        this.emit("pause");
      }
      s.paused = true;
      return this;
    },
    resume() {
      const s = this._readableState;
      if (!s.flowing) {
        s.flowing = !s.readableListening;
        tick(() => {
          if (!s.reading) this.read(0);
          this.emit("resume");
          flow(this);
        });
      }
      s.paused = false;
      return this;
    },
    pipe(to, options) {
      const from = this, s = this._readableState;
      s.pipes.push(to);
      const ends = options?.end !== false && to !== globalThis.process?.stdout && to !== globalThis.process?.stderr;
      const onData = (chunk) => {
        if (to.write(chunk) === false) from.pause();
      };
      const onDrain = () => {
        if (s.pipes.includes(to)) from.resume();
      };
      const onEnd = () => (ends ? to.end() : from.unpipe(to));
      const onError = (e) => {
        from.unpipe(to);
        if (to.listenerCount("error") === 0) to._writableState ? failing(to, e) : to.emit("error", e);
      };
      const onUnpipe = (source) => {
        if (source !== from) return;
        from.removeListener("data", onData);
        from.removeListener("end", onEnd);
        to.removeListener("drain", onDrain);
        to.removeListener("error", onError);
        to.removeListener("unpipe", onUnpipe);
        to.removeListener("close", onClose);
      };
      const onClose = () => from.unpipe(to);
      to.on("unpipe", onUnpipe);
      to.on("drain", onDrain);
      to.prependListener("error", onError);
      to.once("close", onClose);
      if (s.endEmitted) tick(onEnd);
      else from.once("end", onEnd);
      from.on("data", onData);
      to.emit("pipe", from);
      if (to.writableNeedDrain === true) from.pause();
      else if (!s.flowing) from.resume();
      return to;
    },
    unpipe(to) {
      const s = this._readableState;
      if (to === undefined) {
        for (const d of [...s.pipes]) this.unpipe(d);
        return this;
      }
      const at = s.pipes.indexOf(to);
      if (at < 0) return this;
      s.pipes.splice(at, 1);
      if (s.pipes.length === 0) this.pause();
      to.emit("unpipe", this, { hasUnpiped: true });
      return this;
    },
    on(name, f) {
      EventEmitter.prototype.on.call(this, name, f);
      const s = this._readableState;
      if (name === "data") {
        if (!s.readableListening && s.flowing !== false) this.resume();
      } else if (name === "readable" && !s.endEmitted && !s.readableListening) {
        s.readableListening = s.needReadable = true;
        s.flowing = false;
        if (s.length) announce(this);
        else if (!s.reading) tick(() => this.read(0));
      }
      return this;
    },
    removeListener(name, f) {
      EventEmitter.prototype.removeListener.call(this, name, f);
      if (name === "readable") this._readableState.readableListening = this.listenerCount("readable") > 0;
      return this;
    },
    iterator(options) {
      return iterate(this, options);
    },
    [Symbol.asyncIterator]() {
      return iterate(this);
    },
    wrap(old) {
      old.on("data", (chunk) => {
        if (!this.push(chunk) && old.pause) old.pause();
      });
      old.on("end", () => this.push(null));
      old.on("error", (e) => failing(this, e));
      this._read = () => old.resume?.();
      return this;
    },
  };
  readableMethods.addListener = readableMethods.on;
  readableMethods.off = readableMethods.removeListener;

  function add(stream, chunk, encoding, front) {
    const s = stream._readableState;
    s.reading = false;
    if (chunk === null) {
      if (!s.ended) {
        const tail = s.decoder?.end();
        if (tail) {
          s.buffer.push(tail);
          s.length += s.objectMode ? 1 : tail.length;
        }
        s.ended = true;
        if (s.flowing && s.length === 0) endOf(stream);
        announce(stream);
      }
      return false;
    }
    if (!s.objectMode) {
      if (typeof chunk === "string") {
        if (s.decoder && (encoding ?? "utf8") !== s.encoding) chunk = Buffer.from(chunk, encoding);
        else if (!s.decoder) chunk = Buffer.from(chunk, encoding);
      } else if (chunk instanceof Uint8Array && !Buffer.isBuffer(chunk)) chunk = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      else if (!Buffer.isBuffer(chunk)) {
        failing(stream, argType("chunk", "of type string or an instance of Buffer or Uint8Array", chunk));
        return false;
      }
      if (chunk.length === 0) {
        maybeMore(stream);
        return !s.ended && s.length < s.highWaterMark;
      }
    }
    if (s.ended && !front) {
      failing(stream, withCode(Error, "ERR_STREAM_PUSH_AFTER_EOF", "stream.push() after EOF"));
      return false;
    }
    if (s.endEmitted && front) {
      failing(stream, withCode(Error, "ERR_STREAM_UNSHIFT_AFTER_END_EVENT", "stream.unshift() after end event"));
      return false;
    }
    if (s.destroyed || s.errored) return false;
    if (s.decoder && typeof chunk !== "string" && !front) {
      chunk = s.decoder.write(chunk);
      if (chunk === "") {
        maybeMore(stream);
        return s.length < s.highWaterMark;
      }
    }
    if (s.flowing && s.length === 0 && !s.sync && stream.listenerCount("data") > 0) {
      s.dataEmitted = true;
      stream.emit("data", chunk);
    } else {
      s.length += s.objectMode ? 1 : chunk.length;
      if (front) s.buffer.unshift(chunk);
      else s.buffer.push(chunk);
      if (s.needReadable) announce(stream);
    }
    maybeMore(stream);
    return !s.ended && (s.length < s.highWaterMark || s.length === 0);
  }
  function maybeMore(stream) {
    const s = stream._readableState;
    if (s.scheduledMore) return;
    s.scheduledMore = true;
    tick(() => {
      s.scheduledMore = false;
      if (!s.reading && !s.ended && !s.destroyed && (s.length < s.highWaterMark || (s.flowing && s.length === 0))) fill(stream);
      if (s.flowing) flow(stream);
    });
  }
  function fill(stream) {
    const s = stream._readableState;
    if (s.reading || s.ended || s.destroyed || s.errored || !s.constructed) return;
    s.reading = s.sync = true;
    try {
      stream._read(s.highWaterMark);
    } catch (e) {
      failing(stream, e);
    }
    s.sync = false;
  }
  function take(s, n) {
    if (s.length === 0) return null;
    if (s.objectMode) {
      s.length--;
      return s.buffer.shift();
    }
    if (n === undefined || Number.isNaN(n) || n >= s.length) {
      if (n > s.length && !s.ended) return null;
      const all = s.flowing && n === undefined && s.buffer.length > 1 ? s.buffer.shift() : s.buffer.length === 1 ? s.buffer.shift() : join(s.buffer.splice(0));
      s.length -= all.length;
      return all;
    }
    const all = join(s.buffer);
    s.buffer = [all.slice(n)];
    s.length -= n;
    return all.slice(0, n);
  }
  const join = (list) => (typeof list[0] === "string" ? list.join("") : Buffer.concat(list));
  function announce(stream) {
    const s = stream._readableState;
    s.needReadable = false;
    if (s.scheduled) return;
    s.scheduled = true;
    tick(() => {
      s.scheduled = false;
      if (!s.destroyed && !s.errored && (s.length || s.ended)) stream.emit("readable");
      s.needReadable = !s.flowing && !s.ended && s.length <= s.highWaterMark;
      flow(stream);
    });
  }
  function flow(stream) {
    const s = stream._readableState;
    while (s.flowing && !s.destroyed && stream.read() !== null);
  }
  function endOf(stream) {
    const s = stream._readableState;
    if (s.endEmitted || s.ending) return;
    s.ending = true;
    tick(() => {
      s.ending = false;
      if (s.errored || s.closed || s.endEmitted || s.length > 0) return;
      s.endEmitted = true;
      stream.emit("end");
      const w = stream._writableState;
      if (w && stream.allowHalfOpen === false && !w.ending) tick(() => stream.end());
      else if (s.autoDestroy && (!w || (w.autoDestroy && (w.finished || !stream.writable)))) stream.destroy();
    });
  }
  // The engine has no asynchronous generators.
  function iterate(stream, options) {
    let wake = () => {}, error, done = false, over = false;
    const onReadable = () => wake();
    stream.on("readable", onReadable);
    const stop = finished(stream, { writable: false }, (e) => {
      error = e ?? null;
      done = true;
      wake();
    });
    const close = (completed) => {
      if (over) return;
      over = true;
      stop();
      stream.removeListener("readable", onReadable);
      if ((!completed || stream._readableState.autoDestroy) && options?.destroyOnReturn !== false && !stream.destroyed) stream.destroy(null);
    };
    const step = async () => {
      while (!over) {
        const chunk = stream.destroyed ? null : stream.read();
        if (chunk !== null) return { value: chunk, done: false };
        if (error) {
          close(false);
          throw error;
        }
        if (done) {
          close(true);
          break;
        }
        await new Promise((resolve) => (wake = resolve));
      }
      return { value: undefined, done: true };
    };
    let last = Promise.resolve(); // calls of next wait for each other
    return {
      next() {
        last = last.then(step, step);
        return last;
      },
      async return(value) {
        close(false);
        wake();
        return { value, done: true };
      },
      async throw(e) {
        close(false);
        throw e;
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }
  // Calls f with what comes, until it gives true.
  async function each(source, f) {
    const it = source[Symbol.asyncIterator]?.() ?? source[Symbol.iterator]();
    try {
      for (;;) {
        const { value, done } = await it.next();
        if (done) return;
        if (await f(await value)) break;
      }
    } catch (e) {
      await it.return?.();
      throw e;
    }
    await it.return?.();
  }
  for (const name of Reflect.ownKeys(readableMethods)) Object.defineProperty(Readable.prototype, name, { value: readableMethods[name], writable: true, configurable: true, enumerable: typeof name === "string" });
  for (const name of Reflect.ownKeys(destroyMethods)) Object.defineProperty(Readable.prototype, name, { value: destroyMethods[name], writable: true, configurable: true, enumerable: typeof name === "string" });

  const readableProperties = {
    readable: (s) => !s.destroyed && !s.errored && !s.endEmitted,
    readableFlowing: (s) => s.flowing,
    readableEnded: (s) => s.endEmitted,
    readableObjectMode: (s) => s.objectMode,
    readableHighWaterMark: (s) => s.highWaterMark,
    readableLength: (s) => s.length,
    readableEncoding: (s) => s.encoding,
    readableAborted: (s) => (s.destroyed || Boolean(s.errored)) && !s.endEmitted,
    readableDidRead: (s) => s.dataEmitted,
    destroyed: (s) => s.destroyed,
    closed: (s) => s.closed,
    errored: (s) => s.errored,
  };
  for (const [name, get] of Object.entries(readableProperties)) define(Readable.prototype, name, function () { return this._readableState ? get(this._readableState) : undefined; }, function (v) { if (name === "destroyed" && this._readableState) this._readableState.destroyed = v; });

  // Lists and steps over what comes, as iterators have them. Each step gives what it makes of an item to put,
  // and gives true when it wants no more.
  const operators = {
    map: (f) => async (x, put) => void (await put(await f(x, {}))),
    filter: (f) => async (x, put) => void ((await f(x, {})) && (await put(x))),
    flatMap: (f) => async (x, put) => each(await f(x, {}), (y) => void put(y)),
    drop: (n) => async (x, put) => void (n-- <= 0 && (await put(x))),
    take: (n) => async (x, put) => {
      if (n-- > 0) await put(x);
      return n <= 0;
    },
  };
  for (const [name, make] of Object.entries(operators)) {
    Readable.prototype[name] = function (v) {
      const step = make(v), source = this;
      let room, begun = false;
      const out = new Readable({
        objectMode: true, highWaterMark: 1,
        read() {
          room?.();
          if (begun) return;
          begun = true;
          if (name === "take" && !(v > 0)) return void this.push(null);
          const put = (x) => out.push(x) || new Promise((resolve) => (room = resolve));
          each(source, (x) => step(x, put)).then(() => out.push(null), (e) => out.destroy(e));
        },
      });
      return out;
    };
  }
  Object.assign(Readable.prototype, {
    async toArray() {
      const out = [];
      await each(this, (x) => void out.push(x));
      return out;
    },
    async forEach(f) {
      await each(this, async (x) => void (await f(x, {})));
    },
    async reduce(f, ...initial) {
      let acc = initial[0], has = initial.length > 0;
      await each(this, async (x) => {
        acc = has ? await f(acc, x, {}) : x;
        has = true;
      });
      if (!has) throw withCode(TypeError, "ERR_MISSING_ARGS", "Reduce of an empty stream requires an initial value");
      return acc;
    },
    async some(f) {
      let found = false;
      await each(this, async (x) => (found = Boolean(await f(x, {}))));
      return found;
    },
    async every(f) {
      return !(await this.some(async (x) => !(await f(x, {}))));
    },
    async find(f) {
      let found;
      await each(this, async (x) => ((await f(x, {})) ? ((found = x), true) : false));
      return found;
    },
  });

  Readable.from = (source, options) => {
    if (typeof source === "string" || source instanceof Uint8Array) {
      return new Readable({ objectMode: true, ...options, read() { this.push(source); this.push(null); } });
    }
    const make = source?.[Symbol.asyncIterator] ?? source?.[Symbol.iterator];
    if (typeof make !== "function") throw argType("iterable", "an instance of Iterable", source);
    const it = make.call(source);
    let reading = false;
    const stream = new Readable({ objectMode: true, highWaterMark: 1, ...options });
    stream._read = () => {
      if (reading) return;
      reading = true;
      next();
    };
    const next = async () => {
      try {
        for (;;) {
          const r = it.next();
          const { value, done } = typeof r?.then === "function" ? await r : r;
          if (done) return void stream.push(null);
          const item = typeof value?.then === "function" ? await value : value;
          if (item === null) throw withCode(TypeError, "ERR_STREAM_NULL_VALUES", "May not write null values to stream");
          if (!stream.push(item)) {
            reading = false;
            return;
          }
        }
      } catch (e) {
        stream.destroy(e);
      }
    };
    stream._destroy = (error, done) => {
      Promise.resolve(it.return?.()).then(() => done(error), (e) => done(error ?? e));
    };
    return stream;
  };
  Readable.fromWeb = (web, options) => Readable.from(web, { objectMode: false, highWaterMark: undefined, ...options });
  Readable.toWeb = (stream) => {
    const it = stream[Symbol.asyncIterator]();
    return new ReadableStream({
      async pull(c) {
        const { value, done } = await it.next();
        if (done) c.close();
        else c.enqueue(Buffer.isBuffer(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : value);
      },
      async cancel(reason) {
        stream.destroy(reason);
      },
    });
  };
  Readable.isDisturbed = (s) => Boolean(s._readableState?.dataEmitted || s.destroyed);

  // ---- Writable

  function Writable(options) {
    if (!(this instanceof Writable) && !(this instanceof Duplex)) return new Writable(options);
    initWritable(this, options);
    Stream.call(this, options);
  }
  Object.setPrototypeOf(Writable.prototype, Stream.prototype);
  Object.setPrototypeOf(Writable, Stream);
  Object.defineProperty(Writable, Symbol.hasInstance, {
    value(v) {
      return Function.prototype[Symbol.hasInstance].call(this, v) || (this === Writable && v?._writableState !== undefined && v instanceof Duplex);
    },
  });

  function initWritable(stream, o) {
    const objectMode = Boolean(o?.objectMode || o?.writableObjectMode);
    stream._writableState = {
      objectMode, highWaterMark: markOf(o, "writable", objectMode), length: 0, buffer: [], writing: false, ending: false, finished: false, needDrain: false, corked: 0, finishing: false,
      destroyed: false, errored: null, closed: false, closeEmitted: false, errorEmitted: false, emitClose: o?.emitClose !== false, autoDestroy: o?.autoDestroy !== false,
      decodeStrings: o?.decodeStrings !== false, defaultEncoding: o?.defaultEncoding ?? "utf8", constructed: true, callbacks: [], prefinished: false,
    };
    for (const name of ["write", "writev", "destroy", "final"]) if (typeof o?.[name] === "function") stream["_" + name] = o[name];
    if (!stream._readableState) construct(stream, o);
    else if (stream._constructing) stream._writableState.constructed = false;
    if (o?.signal && !stream._readableState) addSignal(o.signal, stream);
  }

  const writableMethods = {
    _write(chunk, encoding, done) {
      if (this._writev) this._writev([{ chunk, encoding }], done);
      else throw withCode(Error, "ERR_METHOD_NOT_IMPLEMENTED", "The _write() method is not implemented");
    },
    write(chunk, encoding, done) {
      if (typeof encoding === "function") {
        done = encoding;
        encoding = undefined;
      }
      const s = this._writableState;
      encoding = encoding || s.defaultEncoding;
      if (chunk === null) throw withCode(TypeError, "ERR_STREAM_NULL_VALUES", "May not write null values to stream");
      if (!s.objectMode) {
        if (typeof chunk === "string") {
          if (encoding !== "buffer" && !Buffer.isEncoding(encoding)) throw withCode(TypeError, "ERR_UNKNOWN_ENCODING", `Unknown encoding: ${encoding}`);
          if (s.decodeStrings) {
            chunk = Buffer.from(chunk, encoding);
            encoding = "buffer";
          }
        } else if (chunk instanceof Uint8Array) {
          if (!Buffer.isBuffer(chunk)) chunk = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
          encoding = "buffer";
        } else if (ArrayBuffer.isView(chunk)) {
          chunk = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
          encoding = "buffer";
        } else throw argType("chunk", "of type string or an instance of Buffer, TypedArray, or DataView", chunk);
      }
      const refused = s.ending ? withCode(Error, "ERR_STREAM_WRITE_AFTER_END", "write after end") : s.destroyed ? withCode(Error, "ERR_STREAM_DESTROYED", "Cannot call write after a stream was destroyed") : null;
      if (refused) {
        if (done) tick(done, refused);
        if (!s.destroyed) failing(this, refused);
        return false;
      }
      s.length += s.objectMode ? 1 : chunk.length;
      const room = s.length < s.highWaterMark;
      if (!room) s.needDrain = true;
      s.buffer.push({ chunk, encoding, callback: done });
      process(this);
      return room && !s.errored && !s.destroyed;
    },
    cork() {
      this._writableState.corked++;
    },
    uncork() {
      const s = this._writableState;
      if (s.corked > 0 && --s.corked === 0) process(this);
    },
    setDefaultEncoding(encoding) {
      if (!Buffer.isEncoding(encoding)) throw withCode(TypeError, "ERR_UNKNOWN_ENCODING", `Unknown encoding: ${encoding}`);
      this._writableState.defaultEncoding = encoding;
      return this;
    },
    end(chunk, encoding, done) {
      const s = this._writableState;
      if (typeof chunk === "function") {
        done = chunk;
        chunk = undefined;
      } else if (typeof encoding === "function") {
        done = encoding;
        encoding = undefined;
      }
      if (chunk !== undefined && chunk !== null) this.write(chunk, encoding);
      s.corked = 0;
      const refused = s.finished ? withCode(Error, "ERR_STREAM_ALREADY_FINISHED", "Cannot call end after a stream was finished") : s.destroyed ? withCode(Error, "ERR_STREAM_DESTROYED", "Cannot call end after a stream was destroyed") : null;
      if (typeof done === "function") {
        if (refused) tick(done, refused);
        else s.callbacks.push(done);
      }
      if (!s.ending && !refused) {
        s.ending = true;
        process(this);
        finish(this);
      }
      return this;
    },
    pipe() {
      failing(this, withCode(Error, "ERR_STREAM_CANNOT_PIPE", "Cannot pipe, not readable"));
    },
  };
  function process(stream) {
    const s = stream._writableState;
    if (s.writing || s.corked || s.destroyed || !s.constructed || s.buffer.length === 0) return;
    const many = stream._writev && s.buffer.length > 1;
    const list = many ? s.buffer.splice(0) : [s.buffer.shift()];
    const size = list.reduce((n, e) => n + (s.objectMode ? 1 : e.chunk.length), 0);
    s.writing = true;
    let sync = true, called = false;
    const done = (e) => {
      if (called) return failing(stream, withCode(Error, "ERR_MULTIPLE_CALLBACK", "Callback called multiple times"));
      called = true;
      s.writing = false;
      s.length -= size;
      const after = () => {
        if (e) {
          s.errored ??= e;
          for (const w of list) w.callback?.(e);
          return failing(stream, e);
        }
        if (s.needDrain && s.length === 0 && !s.ending && !s.destroyed) {
          s.needDrain = false;
          stream.emit("drain");
        }
        for (const w of list) w.callback?.(null);
        if (s.destroyed) return failBuffered(stream);
        process(stream);
        finish(stream);
      };
      if (sync) tick(after);
      else after();
    };
    try {
      if (many) stream._writev(list.map(({ chunk, encoding }) => ({ chunk, encoding })), done);
      else stream._write(list[0].chunk, list[0].encoding, done);
    } catch (e) {
      if (!called) {
        s.writing = false;
        called = true;
      }
      sync = false;
      throw e;
    }
    sync = false;
  }
  function failBuffered(stream) {
    const s = stream._writableState;
    for (const w of s.buffer.splice(0)) w.callback?.(s.errored ?? withCode(Error, "ERR_STREAM_DESTROYED", "Cannot call write after a stream was destroyed"));
  }
  function finish(stream) {
    const s = stream._writableState;
    if (!s.ending || s.finished || s.finishing || s.writing || s.buffer.length || s.errored || s.destroyed || !s.constructed) return;
    s.finishing = true;
    const end = (e) => {
      if (e) {
        for (const f of s.callbacks.splice(0)) f(e);
        return failing(stream, e);
      }
      stream.emit("prefinish");
      tick(() => {
        if (s.errored || s.finished) return;
        s.finished = true;
        for (const f of s.callbacks.splice(0)) f(null);
        stream.emit("finish");
        const r = stream._readableState;
        if (s.autoDestroy && (!r || (r.autoDestroy && (r.endEmitted || stream.readable === false)))) stream.destroy();
      });
    };
    if (typeof stream._final !== "function") return tick(end);
    tick(() => {
      try {
        const r = stream._final(end);
        if (typeof r?.then === "function") r.then(() => end(), end);
      } catch (e) {
        end(e);
      }
    });
  }
  for (const name of Reflect.ownKeys(writableMethods)) Object.defineProperty(Writable.prototype, name, { value: writableMethods[name], writable: true, configurable: true, enumerable: true });
  for (const name of Reflect.ownKeys(destroyMethods)) {
    const f = destroyMethods[name];
    Object.defineProperty(Writable.prototype, name, { value: f, writable: true, configurable: true, enumerable: typeof name === "string" });
  }
  Writable.prototype.destroy = function (error, done) {
    const s = this._writableState;
    if (!s.destroyed && s.buffer.length) tick(() => failBuffered(this));
    return destroyMethods.destroy.call(this, error, done);
  };
  const writableProperties = {
    writable: (s) => !s.destroyed && !s.errored && !s.ending && !s.finished,
    writableEnded: (s) => s.ending,
    writableFinished: (s) => s.finished,
    writableObjectMode: (s) => s.objectMode,
    writableHighWaterMark: (s) => s.highWaterMark,
    writableLength: (s) => s.length,
    writableCorked: (s) => s.corked,
    writableNeedDrain: (s) => !s.destroyed && !s.ending && s.needDrain,
    writableAborted: (s) => (s.destroyed || Boolean(s.errored)) && !s.finished,
  };
  const shared = { destroyed: (s) => s.destroyed, closed: (s) => s.closed, errored: (s) => s.errored };
  for (const [name, get] of Object.entries({ ...writableProperties, ...shared })) define(Writable.prototype, name, function () { return this._writableState ? get(this._writableState) : undefined; }, function (v) { if (name === "destroyed" && this._writableState) this._writableState.destroyed = v; });
  Writable.toWeb = (stream) =>
    new WritableStream({
      write: (chunk) => new Promise((resolve, reject) => stream.write(chunk, (e) => (e ? reject(e) : resolve()))),
      close: () => new Promise((resolve, reject) => stream.end((e) => (e ? reject(e) : resolve()))),
      abort: (reason) => void stream.destroy(reason instanceof Error ? reason : abortError(reason)),
    });
  Writable.fromWeb = (web, options) => {
    const w = web.getWriter();
    return new Writable({
      ...options,
      write: (chunk, encoding, done) => void w.write(chunk).then(() => done(), done),
      final: (done) => void w.close().then(() => done(), done),
      destroy: (e, done) => (e ? void w.abort(e).then(() => done(e), () => done(e)) : done(null)),
    });
  };

  // ---- Duplex, Transform, PassThrough

  function Duplex(options) {
    if (!(this instanceof Duplex)) return new Duplex(options);
    initReadable(this, options);
    initWritable(this, options);
    Stream.call(this, options);
    this.allowHalfOpen = options?.allowHalfOpen !== false;
    if (options?.readable === false) {
      this._readableState.ended = this._readableState.endEmitted = true;
    }
    if (options?.writable === false) this._writableState.ending = this._writableState.finished = true;
  }
  Object.setPrototypeOf(Duplex.prototype, Readable.prototype);
  Object.setPrototypeOf(Duplex, Readable);
  for (const name of Object.keys(writableMethods)) if (name !== "pipe") Duplex.prototype[name] = writableMethods[name];
  Duplex.prototype.destroy = Writable.prototype.destroy;
  for (const name of Object.keys(writableProperties)) Object.defineProperty(Duplex.prototype, name, Object.getOwnPropertyDescriptor(Writable.prototype, name));
  Duplex.from = (v) => {
    if (v instanceof Duplex) return v;
    if (v?.readable || v?.writable) {
      const { readable, writable } = v;
      const d = new Duplex({
        objectMode: true,
        read() { readable?.resume?.(); },
        write(chunk, encoding, done) { writable.write(chunk, encoding, done); },
        final(done) { writable.end(done); },
        readable: Boolean(readable), writable: Boolean(writable),
      });
      readable?.on("data", (chunk) => { if (!d.push(chunk)) readable.pause(); });
      readable?.on("end", () => d.push(null));
      for (const s of [readable, writable]) s?.on("error", (e) => d.destroy(e));
      return d;
    }
    if (typeof v === "function") {
      const input = new PassThrough({ objectMode: true });
      const out = v(input);
      return Duplex.from({ writable: input, readable: Readable.from(out) });
    }
    return Readable.from(v);
  };

  function Transform(options) {
    if (!(this instanceof Transform)) return new Transform(options);
    const mark = options?.readableHighWaterMark;
    Duplex.call(this, mark === 0 ? { ...options, highWaterMark: null } : options);
    this._readableState.sync = false;
    if (typeof options?.transform === "function") this._transform = options.transform;
    if (typeof options?.flush === "function") this._flush = options.flush;
    Object.defineProperty(this, kWaiting, { value: null, writable: true });
  }
  const kWaiting = Symbol("kWaiting");
  Object.setPrototypeOf(Transform.prototype, Duplex.prototype);
  Object.setPrototypeOf(Transform, Duplex);
  Object.assign(Transform.prototype, {
    _transform() {
      throw withCode(Error, "ERR_METHOD_NOT_IMPLEMENTED", "The _transform() method is not implemented");
    },
    _write(chunk, encoding, done) {
      const r = this._readableState, length = r.length;
      const next = (e, value) => {
        if (e) return done(e);
        if (value !== undefined && value !== null) this.push(value);
        if (this._writableState.ending || length === r.length || r.length < r.highWaterMark) done();
        else this[kWaiting] = done;
      };
      const result = this._transform(chunk, encoding, next);
      if (typeof result?.then === "function") result.then((v) => next(null, v), next);
    },
    _read() {
      const done = this[kWaiting];
      if (!done) return;
      this[kWaiting] = null;
      done();
    },
    _final(done) {
      const end = (e, value) => {
        if (e) return done(e);
        if (value !== undefined && value !== null) this.push(value);
        this.push(null);
        done();
      };
      if (typeof this._flush === "function" && !this.destroyed) {
        const result = this._flush(end);
        if (typeof result?.then === "function") result.then((v) => end(null, v), end);
      } else end();
    },
  });

  function PassThrough(options) {
    if (!(this instanceof PassThrough)) return new PassThrough(options);
    Transform.call(this, options);
  }
  Object.setPrototypeOf(PassThrough.prototype, Transform.prototype);
  Object.setPrototypeOf(PassThrough, Transform);
  PassThrough.prototype._transform = (chunk, encoding, done) => done(null, chunk);

  // ---- finished, pipeline

  function finished(stream, options, done) {
    if (typeof options === "function") {
      done = options;
      options = {};
    }
    const r = stream._readableState, w = stream._writableState;
    const needRead = (options?.readable ?? Boolean(r)) && Boolean(r), needWrite = (options?.writable ?? Boolean(w)) && Boolean(w);
    let called = false;
    const undo = () => {
      for (const [name, f] of listeners) stream.removeListener(name, f);
    };
    const call = (e) => {
      if (called) return;
      called = true;
      if (options?.cleanup) undo();
      done.call(stream, e ?? undefined);
    };
    const readDone = () => !needRead || r.endEmitted, writeDone = () => !needWrite || w.finished;
    const check = () => {
      if (readDone() && writeDone()) call();
    };
    const onClose = () => {
      const e = r?.errored ?? w?.errored;
      if (e && typeof e !== "boolean") return call(e);
      if (!readDone() || !writeDone()) return call(withCode(Error, "ERR_STREAM_PREMATURE_CLOSE", "Premature close"));
      call();
    };
    const listeners = [["end", check], ["finish", check], ["error", (e) => call(e)], ["close", onClose]];
    for (const [name, f] of listeners) stream.on(name, f);
    if ((r ?? w)?.closed) tick(onClose);
    else if ((r ?? w)?.errorEmitted) tick(() => call(r?.errored ?? w?.errored));
    else if (readDone() && writeDone()) tick(check);
    if (options?.signal) {
      const abort = () => call(abortError(options.signal.reason));
      if (options.signal.aborted) tick(abort);
      else options.signal.addEventListener("abort", abort, { once: true });
    }
    return undo;
  }

  const isStream = (v) => typeof v?.on === "function" && (typeof v.pipe === "function" || typeof v.write === "function");
  function pipeline(...list) {
    const done = list.pop();
    if (typeof done !== "function") throw argType("streams[stream.length - 1]", "of type function", done);
    let streams = list.length === 1 && Array.isArray(list[0]) ? list[0] : list;
    let options = {};
    const last = streams[streams.length - 1];
    if (last && typeof last === "object" && !isStream(last) && !last[Symbol.asyncIterator] && !last[Symbol.iterator] && !last.getWriter && !last.getReader) {
      options = last;
      streams = streams.slice(0, -1);
    }
    if (streams.length < 2) throw withCode(TypeError, "ERR_MISSING_ARGS", 'The "streams" argument must be specified');
    let value, error, open = 0, ended = false;
    const made = [];
    const end = (e) => {
      if (e && !error) error = e;
      else if (e && error?.code === "ERR_STREAM_PREMATURE_CLOSE") error = e;
      if (e) for (const s of made) if (!s.destroyed) s.destroy(e);
      if (--open > 0 || ended) return;
      ended = true;
      done(error ?? undefined, value);
    };
    const watch = (s, o) => {
      made.push(s);
      open++;
      let told = false;
      s.on("error", () => {});
      finished(s, o, (e) => {
        if (told) return;
        told = true;
        end(e);
      });
    };
    let current;
    for (const [k, s] of streams.entries()) {
      const first = k === 0, isLast = k === streams.length - 1;
      let next;
      if (typeof s === "function") {
        const result = first ? s({ signal: options.signal }) : s(current, { signal: options.signal });
        if (isLast && typeof result?.[Symbol.asyncIterator] !== "function") {
          open++;
          Promise.resolve(result).then((v) => {
            value = v;
            end();
          }, end);
          break;
        }
        next = Readable.from(result);
        watch(next, { readable: true, writable: false });
      } else if (isStream(s)) {
        next = s;
        watch(s, { readable: !isLast || undefined === s._writableState, writable: !first });
      } else if (s?.getWriter && !first) {
        next = Writable.fromWeb(s);
        watch(next, {});
      } else {
        next = Readable.from(s);
        watch(next, { readable: true, writable: false });
      }
      if (!first && typeof s !== "function") current.pipe(next, { end: !(isLast && options.end === false) });
      current = next;
    }
    if (options.signal) {
      const abort = () => {
        for (const s of made) s.destroy(abortError(options.signal.reason));
      };
      if (options.signal.aborted) tick(abort);
      else options.signal.addEventListener("abort", abort, { once: true });
    }
    return current;
  }

  const promises = {
    finished: (stream, options) => new Promise((resolve, reject) => finished(stream, options ?? {}, (e) => (e ? reject(e) : resolve()))),
    pipeline: (...list) => new Promise((resolve, reject) => pipeline(...list, (e, v) => (e ? reject(e) : resolve(v)))),
  };
  finished[Symbol.for("nodejs.util.promisify.custom")] = promises.finished;
  pipeline[Symbol.for("nodejs.util.promisify.custom")] = promises.pipeline;

  return Object.assign(Stream, {
    Stream, Readable, Writable, Duplex, Transform, PassThrough, finished, pipeline, promises, addAbortSignal: addSignal,
    isReadable: (s) => (s ? Boolean(s.readable) : null), isErrored: (s) => Boolean(s?.errored), isDisturbed: Readable.isDisturbed,
    compose: (...list) => {
      const head = list[0], tail = list[list.length - 1];
      pipeline(...list, () => {});
      return Duplex.from({ writable: head, readable: tail });
    },
    getDefaultHighWaterMark: (objectMode) => (objectMode ? objectHighWaterMark : highWaterMark),
    setDefaultHighWaterMark(objectMode, n) {
      if (objectMode) objectHighWaterMark = n;
      else highWaterMark = n;
    },
    _isUint8Array: (v) => v instanceof Uint8Array,
    _uint8ArrayToBuffer: (v) => Buffer.from(v.buffer, v.byteOffset, v.byteLength),
  });
});
