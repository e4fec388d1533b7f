// Readable streams (Streams standard, 4.9): the state of a stream and of its readers.
const newReadable = () => ({ state: "readable", reader: undefined, storedError: undefined, disturbed: false, controller: undefined, object: undefined });
const isLocked = (s) => s.reader !== undefined;
const readRequests = (s) => (s.reader !== undefined && !s.reader.byob ? s.reader.requests.length : 0);
const readIntoRequests = (s) => (s.reader !== undefined && s.reader.byob ? s.reader.requests.length : 0);
const takeRequests = (reader) => {
  const { requests } = reader;
  reader.requests = new Queue();
  return requests;
};

const readableClose = (s) => {
  s.state = "closed";
  const { reader } = s;
  if (reader === undefined) return;
  reader.closed.resolve(undefined);
  if (reader.byob) return;
  const requests = takeRequests(reader);
  while (requests.length) requests.shift().close();
};
const readableError = (s, e) => {
  s.state = "errored";
  s.storedError = e;
  const { reader } = s;
  if (reader === undefined) return;
  reader.closed.reject(e);
  markHandled(reader.closed.promise);
  errorRequests(reader, e);
};
const errorRequests = (reader, e) => {
  const requests = takeRequests(reader);
  while (requests.length) requests.shift().error(e);
};
const readableCancel = (s, reason) => {
  s.disturbed = true;
  if (s.state === "closed") return resolvedWith(undefined);
  if (s.state === "errored") return rejectedWith(s.storedError);
  readableClose(s);
  if (s.reader !== undefined && s.reader.byob) {
    const requests = takeRequests(s.reader);
    while (requests.length) requests.shift().close(undefined);
  }
  return then(s.controller.cancelSteps(reason), noop);
};
const fulfillRequest = (s, chunk, done) => {
  const request = s.reader.requests.shift();
  if (done) request.close(chunk);
  else request.chunk(chunk);
};

// Readers (4.3): byob says of which kind one is.
const newReader = (s, byob) => {
  if (isLocked(s)) throw new TypeError("the stream is locked to a reader already");
  const reader = { stream: s, byob, requests: new Queue(), closed: undefined };
  if (s.state === "readable") reader.closed = new Deferred();
  else if (s.state === "closed") reader.closed = Deferred.resolved(undefined);
  else reader.closed = Deferred.rejected(s.storedError);
  s.reader = reader;
  return reader;
};
const readerRelease = (reader) => {
  const s = reader.stream;
  const e = new TypeError("the reader was released");
  if (s.state === "readable") reader.closed.reject(e);
  else reader.closed = Deferred.rejected(e);
  markHandled(reader.closed.promise);
  s.controller.releaseSteps();
  s.reader = undefined;
  reader.stream = undefined;
  errorRequests(reader, e);
};
const readerRead = (reader, request) => {
  const s = reader.stream;
  s.disturbed = true;
  if (s.state === "closed") request.close();
  else if (s.state === "errored") request.error(s.storedError);
  else s.controller.pullSteps(request);
};
const readerReadInto = (reader, view, min, request) => {
  const s = reader.stream;
  s.disturbed = true;
  if (s.state === "errored") request.error(s.storedError);
  else s.controller.pullInto(view, min, request);
};

// A request whose answer is a promise of { value, done }.
class PromiseRequest {
  constructor() {
    this.promise = new PromiseOf((resolve, reject) => {
      this.resolve = resolve;
      this.error = reject;
    });
  }
  chunk(value) {
    this.resolve({ value, done: false });
  }
  close(value) {
    this.resolve({ value, done: true });
  }
}

// ReadableStreamDefaultController (4.6).
class DefaultControl {
  constructor(s, pull, cancel, highWaterMark, size) {
    this.stream = s;
    this.object = undefined;
    this.queue = new Queue();
    this.queueTotalSize = 0;
    this.started = this.closeRequested = this.pullAgain = this.pulling = false;
    this.size = size;
    this.highWaterMark = highWaterMark;
    this.pull = pull;
    this.cancel = cancel;
    s.controller = this;
  }
  start(start) {
    then(
      resolvedWith(start()),
      () => {
        this.started = true;
        this.pullIfNeeded();
      },
      (e) => this.error(e),
    );
  }
  get open() {
    return !this.closeRequested && this.stream.state === "readable";
  }
  get desiredSize() {
    const { state } = this.stream;
    return state === "errored" ? null : state === "closed" ? 0 : this.highWaterMark - this.queueTotalSize;
  }
  get wantsMore() {
    if (!this.open || !this.started) return false;
    return readRequests(this.stream) > 0 || this.desiredSize > 0;
  }
  pullIfNeeded() {
    if (!this.wantsMore) return;
    if (this.pulling) {
      this.pullAgain = true;
      return;
    }
    this.pulling = true;
    then(
      this.pull(),
      () => {
        this.pulling = false;
        if (!this.pullAgain) return;
        this.pullAgain = false;
        this.pullIfNeeded();
      },
      (e) => this.error(e),
    );
  }
  clear() {
    this.pull = this.cancel = this.size = undefined;
  }
  close() {
    if (!this.open) return;
    this.closeRequested = true;
    if (this.queue.length > 0) return;
    this.clear();
    readableClose(this.stream);
  }
  enqueue(chunk) {
    if (!this.open) return;
    if (readRequests(this.stream) > 0) fulfillRequest(this.stream, chunk, false);
    else
      try {
        enqueueValueWithSize(this, chunk, this.size === one ? 1 : this.size(chunk));
      } catch (e) {
        this.error(e);
        throw e;
      }
    this.pullIfNeeded();
  }
  error(e) {
    if (this.stream.state !== "readable") return;
    resetQueue(this);
    this.clear();
    readableError(this.stream, e);
  }
  cancelSteps(reason) {
    resetQueue(this);
    const result = this.cancel(reason);
    this.clear();
    return result;
  }
  pullSteps(request) {
    if (this.queue.length === 0) {
      this.stream.reader.requests.push(request);
      this.pullIfNeeded();
      return;
    }
    const chunk = dequeueValue(this);
    if (this.closeRequested && this.queue.length === 0) {
      this.clear();
      readableClose(this.stream);
    } else this.pullIfNeeded();
    request.chunk(chunk);
  }
  releaseSteps() {}
}

// A stream of the platform's own: pull and cancel give promises.
const createReadable = (start, pull, cancel, highWaterMark = 1, size = one) => {
  const s = newReadable();
  new DefaultControl(s, pull, cancel, highWaterMark, size).start(start);
  return s;
};

class ReadableStreamDefaultController {
  #c;
  constructor(given, c) {
    illegal(given);
    this.#c = c;
    c.object = this;
  }
  get desiredSize() {
    return this.#c.desiredSize;
  }
  close() {
    if (!this.#c.open) throw new TypeError("the stream is closed or errored");
    this.#c.close();
  }
  enqueue(chunk = undefined) {
    if (!this.#c.open) throw new TypeError("the stream is closed or errored");
    this.#c.enqueue(chunk);
  }
  error(e = undefined) {
    this.#c.error(e);
  }
}
define(ReadableStreamDefaultController);

// An underlying source of a script (4.2.3): its members, read in the order of their names.
const readSource = (source) => {
  if (source === null) return {};
  const size = source.autoAllocateChunkSize;
  const dict = { autoAllocateChunkSize: size === undefined ? undefined : enforceRange(size, "autoAllocateChunkSize"), cancel: method(source, "cancel"), pull: method(source, "pull"), start: method(source, "start"), type: source.type };
  if (dict.type !== undefined && `${dict.type}` !== "bytes") throw new TypeError(`a stream's type is "bytes" or undefined`);
  return dict;
};
const setUpSource = (c, Controller, source, dict) => {
  const controller = new Controller(key, c);
  c.pull = dict.pull === undefined ? () => resolvedWith(undefined) : () => promiseCall(dict.pull, source, [controller]);
  c.cancel = dict.cancel === undefined ? () => resolvedWith(undefined) : (reason) => promiseCall(dict.cancel, source, [reason]);
  c.start(() => (dict.start === undefined ? undefined : apply(dict.start, source, [controller])));
};

let readableOf; // the state behind a ReadableStream; it throws for anything else
let isReadable;
let readerOf;
const objectOf = (s) => s.object ?? new ReadableStream(key, s);
const readMode = (options) => {
  const { mode } = dictionary(options, "options");
  if (mode !== undefined && `${mode}` !== "byob") throw new TypeError(`a reader's mode is "byob" or undefined`);
  return mode !== undefined;
};
const readPipeOptions = (options) => {
  const dict = dictionary(options, "options");
  const read = { preventAbort: Boolean(dict.preventAbort), preventCancel: Boolean(dict.preventCancel), preventClose: Boolean(dict.preventClose), signal: dict.signal };
  if (read.signal !== undefined) host.isAborted(read.signal); // it throws for what is no signal
  return read;
};
class ReadableStream {
  #s;
  constructor(source, strategy) {
    if (source === key) {
      this.#s = strategy;
      strategy.object = this;
      return;
    }
    if (source === undefined) source = null;
    else if (!isObject(source)) throw new TypeError("an underlying source must be an object");
    const queuing = readStrategy(strategy);
    const dict = readSource(source);
    const s = newReadable();
    s.object = this;
    this.#s = s;
    if (dict.type === undefined) {
      const size = extractSize(queuing);
      const highWaterMark = extractHighWaterMark(queuing, 1);
      setUpSource(new DefaultControl(s, undefined, undefined, highWaterMark, size), ReadableStreamDefaultController, source, dict);
      return;
    }
    if (queuing.size !== undefined) throw new RangeError("a byte stream has no size function");
    const highWaterMark = extractHighWaterMark(queuing, 0);
    if (dict.autoAllocateChunkSize === 0) throw new TypeError("autoAllocateChunkSize must be positive");
    setUpSource(new ByteControl(s, undefined, undefined, highWaterMark, dict.autoAllocateChunkSize), ReadableByteStreamController, source, dict);
  }
  static from(iterable) {
    needArguments(arguments, 1, "ReadableStream.from");
    return objectOf(fromIterable(iterable));
  }
  get locked() {
    return isLocked(this.#s);
  }
  cancel(reason = undefined) {
    try {
      if (isLocked(this.#s)) throw new TypeError("the stream is locked to a reader");
    } catch (e) {
      return rejectedWith(e);
    }
    return readableCancel(this.#s, reason);
  }
  getReader(options = undefined) {
    const s = this.#s;
    return readMode(options) ? new ReadableStreamBYOBReader(this) : new ReadableStreamDefaultReader(this);
  }
  pipeThrough(pair, options = undefined) {
    const s = this.#s;
    needArguments(arguments, 1, "pipeThrough");
    const { readable } = dictionary(pair, "the argument of pipeThrough");
    readableOf(readable);
    const writable = writableOf(pair.writable);
    const read = readPipeOptions(options);
    if (isLocked(s) || isWriterLocked(writable)) throw new TypeError("the stream is locked");
    markHandled(pipe(s, writable, read));
    return readable;
  }
  pipeTo(destination, options = undefined) {
    let to;
    let read;
    try {
      const s = this.#s;
      needArguments(arguments, 1, "pipeTo");
      to = writableOf(destination);
      read = readPipeOptions(options);
      if (isLocked(s) || isWriterLocked(to)) throw new TypeError("the stream is locked");
    } catch (e) {
      return rejectedWith(e);
    }
    return pipe(this.#s, to, read);
  }
  tee() {
    const [a, b] = tee(this.#s);
    return [objectOf(a), objectOf(b)];
  }
  values(options = undefined) {
    const s = this.#s;
    const preventCancel = Boolean(dictionary(options, "options").preventCancel);
    const iterator = Object.create(iteratorPrototype);
    iterations.set(iterator, { reader: newReader(s, false), preventCancel, ongoing: undefined, finished: false });
    return iterator;
  }
  static {
    readableOf = (v) => {
      if (!isReadable(v)) throw new TypeError("it is not a ReadableStream");
      return v.#s;
    };
    isReadable = (v) => isObject(v) && #s in v;
  }
}
define(ReadableStream);
Object.defineProperty(ReadableStream.prototype, Symbol.asyncIterator, { value: ReadableStream.prototype.values, writable: true, configurable: true, enumerable: false });

class ReadableStreamDefaultReader {
  #r;
  constructor(stream) {
    needArguments(arguments, 1, "ReadableStreamDefaultReader");
    this.#r = newReader(readableOf(stream), false);
  }
  get closed() {
    try {
      return this.#r.closed.promise;
    } catch (e) {
      return rejectedWith(e);
    }
  }
  cancel(reason = undefined) {
    try {
      return cancelByReader(this.#r, reason);
    } catch (e) {
      return rejectedWith(e);
    }
  }
  read() {
    const request = new PromiseRequest();
    try {
      if (this.#r.stream === undefined) throw new TypeError("the reader was released");
    } catch (e) {
      return rejectedWith(e);
    }
    readerRead(this.#r, request);
    return request.promise;
  }
  releaseLock() {
    if (this.#r.stream !== undefined) readerRelease(this.#r);
  }
}
define(ReadableStreamDefaultReader);
const cancelByReader = (reader, reason) => {
  if (reader.stream === undefined) throw new TypeError("the reader was released");
  return readableCancel(reader.stream, reason);
};

// Asynchronous iteration (4.2.5; Web IDL, 3.7.10): calls wait for those before them.
const iterations = new WeakMap();
const iterationOf = (iterator) => {
  const it = isObject(iterator) ? iterations.get(iterator) : undefined;
  if (it === undefined) throw new TypeError("it is not an iterator of a ReadableStream");
  return it;
};
const nextOf = (it) => {
  if (it.finished) return resolvedWith({ value: undefined, done: true });
  const request = new PromiseRequest();
  const end = () => {
    it.finished = true;
    readerRelease(it.reader);
  };
  readerRead(it.reader, {
    chunk: (value) => request.chunk(value),
    close() {
      end();
      request.close(undefined);
    },
    error(e) {
      end();
      request.error(e);
    },
  });
  return then(request.promise, (result) => result); // the turns that Web IDL takes
};
const returnOf = (it, value) => {
  if (it.finished) return resolvedWith({ value, done: true });
  it.finished = true;
  const cancelled = it.preventCancel ? resolvedWith(undefined) : readableCancel(it.reader.stream, value);
  readerRelease(it.reader);
  return then(cancelled, () => ({ value, done: true }));
};
const queued = (it, steps) => (it.ongoing = it.ongoing === undefined ? steps() : then(it.ongoing, steps, steps));
const iteratorPrototype = {
  next() {
    try {
      const it = iterationOf(this);
      return queued(it, () => nextOf(it));
    } catch (e) {
      return rejectedWith(e);
    }
  },
  return(value) {
    try {
      const it = iterationOf(this);
      return queued(it, () => returnOf(it, value));
    } catch (e) {
      return rejectedWith(e);
    }
  },
};
// The engine has no %AsyncIteratorPrototype% of its own.
Object.setPrototypeOf(iteratorPrototype, {
  [Symbol.asyncIterator]() {
    return this;
  },
});

// ReadableStream.from (4.9.1, ReadableStreamFromIterable).
const asyncIterator = (iterable) => {
  if (iterable === undefined || iterable === null) throw new TypeError("it is not iterable");
  const open = iterable[Symbol.asyncIterator];
  if (open !== undefined && open !== null) {
    const iterator = apply(open, iterable, []);
    if (!isObject(iterator)) throw new TypeError("an iterator must be an object");
    const { next } = iterator;
    return { iterator, next: () => apply(next, iterator, []) };
  }
  const openSync = iterable[Symbol.iterator];
  if (typeof openSync !== "function") throw new TypeError("it is not iterable");
  const iterator = apply(openSync, iterable, []);
  if (!isObject(iterator)) throw new TypeError("an iterator must be an object");
  const { next } = iterator;
  return {
    iterator,
    next() {
      const result = apply(next, iterator, []);
      if (!isObject(result)) throw new TypeError("an iterator's result must be an object");
      const { done, value } = result;
      return then(resolvedWith(value), (settled) => ({ done, value: settled }));
    },
  };
};
const fromIterable = (iterable) => {
  const { iterator, next } = asyncIterator(iterable);
  const pull = () => {
    let result;
    try {
      result = resolvedWith(next());
    } catch (e) {
      return rejectedWith(e);
    }
    return then(result, (r) => {
      if (!isObject(r)) throw new TypeError("an iterator's result must be an object");
      if (r.done) s.controller.close();
      else s.controller.enqueue(r.value);
    });
  };
  const cancel = (reason) => {
    try {
      const end = iterator.return;
      if (end === undefined || end === null) return resolvedWith(undefined);
      return then(resolvedWith(apply(end, iterator, [reason])), (r) => {
        if (!isObject(r)) throw new TypeError("an iterator's result must be an object");
      });
    } catch (e) {
      return rejectedWith(e);
    }
  };
  const s = createReadable(noop, pull, cancel, 0);
  return s;
};
