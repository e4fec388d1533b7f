// Transform streams (Streams standard, 6).
const newTransform = (start, writable, readable) => {
  const t = { readable: undefined, writable: undefined, backpressure: undefined, backpressureChange: undefined, controller: undefined };
  t.writable = createWritable(start, { write: (chunk) => sinkWrite(t, chunk), abort: (reason) => sinkAbort(t, reason), close: () => sinkClose(t) }, writable.highWaterMark, writable.size);
  const pull = () => {
    setBackpressure(t, false);
    return t.backpressureChange.promise;
  };
  t.readable = createReadable(start, pull, (reason) => sourceCancel(t, reason), readable.highWaterMark, readable.size);
  setBackpressure(t, true);
  return t;
};
const setBackpressure = (t, backpressure) => {
  if (t.backpressureChange !== undefined) t.backpressureChange.resolve(undefined);
  t.backpressureChange = new Deferred();
  t.backpressure = backpressure;
};
const unblockWrite = (t) => {
  if (t.backpressure) setBackpressure(t, false);
};
const transformError = (t, e) => {
  t.readable.controller.error(e);
  errorWritable(t, e);
};
const errorWritable = (t, e) => {
  t.controller.clear();
  t.writable.controller.errorIfNeeded(e);
  unblockWrite(t);
};

// TransformStreamDefaultController (6.3): transform, flush and cancel give promises.
class TransformControl {
  constructor(t, { transform, flush, cancel }) {
    this.stream = t;
    this.transform = transform;
    this.flush = flush;
    this.cancel = cancel;
    this.finishing = undefined;
    t.controller = this;
  }
  clear() {
    this.transform = this.flush = this.cancel = undefined;
  }
  enqueue(chunk) {
    const t = this.stream;
    const readable = t.readable.controller;
    if (!readable.open) throw new TypeError("the readable side is closed or errored");
    try {
      readable.enqueue(chunk);
    } catch (e) {
      errorWritable(t, e);
      throw t.readable.storedError;
    }
    const backpressure = !readable.wantsMore;
    if (backpressure !== t.backpressure) setBackpressure(t, true);
  }
  error(e) {
    transformError(this.stream, e);
  }
  terminate() {
    const t = this.stream;
    t.readable.controller.close();
    errorWritable(t, new TypeError("the stream was terminated"));
  }
  perform(chunk) {
    return then(this.transform(chunk), undefined, (e) => {
      transformError(this.stream, e);
      throw e;
    });
  }
}

const sinkWrite = (t, chunk) => {
  const c = t.controller;
  if (!t.backpressure) return c.perform(chunk);
  return then(t.backpressureChange.promise, () => {
    if (t.writable.state === "erroring") throw t.writable.storedError;
    return c.perform(chunk);
  });
};
// What ends a side runs the transformer's algorithm and then ends the other one: once, whoever begins.
const finish = (t, algorithm, done, failed) => {
  const c = t.controller;
  if (c.finishing !== undefined) return c.finishing.promise;
  c.finishing = new Deferred();
  const result = algorithm(c);
  c.clear();
  then(
    result,
    () => {
      const e = done();
      if (e === undefined) c.finishing.resolve(undefined);
      else c.finishing.reject(e.storedError);
    },
    (e) => {
      failed(e);
      c.finishing.reject(e);
    },
  );
  return c.finishing.promise;
};
const sinkAbort = (t, reason) => {
  const { readable } = t;
  return finish(
    t,
    (c) => c.cancel(reason),
    () => {
      if (readable.state === "errored") return readable;
      readable.controller.error(reason);
    },
    (e) => readable.controller.error(e),
  );
};
const sinkClose = (t) => {
  const { readable } = t;
  return finish(
    t,
    (c) => c.flush(),
    () => {
      if (readable.state === "errored") return readable;
      readable.controller.close();
    },
    (e) => readable.controller.error(e),
  );
};
const sourceCancel = (t, reason) => {
  const { writable } = t;
  const end = (e) => {
    writable.controller.errorIfNeeded(e);
    unblockWrite(t);
  };
  return finish(
    t,
    (c) => c.cancel(reason),
    () => {
      if (writable.state === "errored") return writable;
      end(reason);
    },
    end,
  );
};

class TransformStreamDefaultController {
  #c;
  constructor(given, c) {
    illegal(given);
    this.#c = c;
  }
  get desiredSize() {
    return this.#c.stream.readable.controller.desiredSize;
  }
  enqueue(chunk = undefined) {
    this.#c.enqueue(chunk);
  }
  error(e = undefined) {
    this.#c.error(e);
  }
  terminate() {
    this.#c.terminate();
  }
}
define(TransformStreamDefaultController);

class TransformStream {
  #t;
  constructor(transformer, writableStrategy, readableStrategy) {
    if (transformer === undefined) transformer = null;
    else if (!isObject(transformer)) throw new TypeError("a transformer must be an object");
    const writing = readStrategy(writableStrategy);
    const reading = readStrategy(readableStrategy);
    const of = transformer ?? {};
    const dict = { cancel: method(of, "cancel"), flush: method(of, "flush"), readableType: of.readableType, start: method(of, "start"), transform: method(of, "transform"), writableType: of.writableType };
    if (dict.readableType !== undefined || dict.writableType !== undefined) throw new RangeError("a transform stream has no types");
    const readable = { highWaterMark: extractHighWaterMark(reading, 0), size: extractSize(reading) };
    const writable = { highWaterMark: extractHighWaterMark(writing, 1), size: extractSize(writing) };
    const started = new Deferred();
    const t = newTransform(() => started.promise, writable, readable);
    this.#t = t;
    const call = (f, args) => (f === undefined ? resolvedWith(undefined) : promiseCall(f, transformer, args));
    const pass = (chunk) => {
      try {
        t.controller.enqueue(chunk);
        return resolvedWith(undefined);
      } catch (e) {
        return rejectedWith(e);
      }
    };
    const c = new TransformControl(t, {
      transform: (chunk) => (dict.transform === undefined ? pass(chunk) : call(dict.transform, [chunk, controller])),
      flush: () => call(dict.flush, [controller]),
      cancel: (reason) => call(dict.cancel, [reason]),
    });
    const controller = new TransformStreamDefaultController(key, c);
    started.resolve(dict.start === undefined ? undefined : apply(dict.start, transformer, [controller]));
  }
  get readable() {
    return objectOf(this.#t.readable);
  }
  get writable() {
    return writableObject(this.#t.writable);
  }
}
define(TransformStream);

// A pair of streams of the platform's own: transform and flush get a function that gives a chunk, and may throw.
const createPair = (transform, flush) => {
  const guarded = (f, chunk) => {
    try {
      f((given) => c.enqueue(given), chunk);
      return resolvedWith(undefined);
    } catch (e) {
      return rejectedWith(e);
    }
  };
  const t = newTransform(noop, { highWaterMark: 1, size: one }, { highWaterMark: 0, size: one });
  const c = new TransformControl(t, { transform: (chunk) => guarded(transform, chunk), flush: () => guarded(flush), cancel: () => resolvedWith(undefined) });
  return t;
};
