// Writable streams (Streams standard, 5).
const newWritable = () => ({ state: "writable", storedError: undefined, writer: undefined, controller: undefined, inFlightWrite: undefined, closeRequest: undefined, inFlightClose: undefined, pendingAbort: undefined, writes: new Queue(), backpressure: false, object: undefined });
const isWriterLocked = (s) => s.writer !== undefined;
const closeQueuedOrInFlight = (s) => s.closeRequest !== undefined || s.inFlightClose !== undefined;

const writableAbort = (s, reason) => {
  if (s.state === "closed" || s.state === "errored") return resolvedWith(undefined);
  s.controller.signalAbort(reason);
  if (s.state === "closed" || s.state === "errored") return resolvedWith(undefined); // a listener may have ended it
  if (s.pendingAbort !== undefined) return s.pendingAbort.promise;
  const wasErroring = s.state === "erroring";
  s.pendingAbort = new Deferred();
  s.pendingAbort.reason = wasErroring ? undefined : reason;
  s.pendingAbort.wasErroring = wasErroring;
  const { promise } = s.pendingAbort;
  if (!wasErroring) startErroring(s, reason);
  return promise;
};
const writableClose = (s) => {
  if (s.state === "closed" || s.state === "errored") return rejectedWith(new TypeError("the stream is closed or errored"));
  s.closeRequest = new Deferred();
  const { promise } = s.closeRequest;
  if (s.writer !== undefined && s.backpressure && s.state === "writable") s.writer.ready.resolve(undefined);
  s.controller.close();
  return promise;
};
const startErroring = (s, reason) => {
  s.state = "erroring";
  s.storedError = reason;
  if (s.writer !== undefined) ensureRejected(s.writer, "ready", reason);
  if (s.inFlightWrite === undefined && s.inFlightClose === undefined && s.controller.started) finishErroring(s);
};
const finishErroring = (s) => {
  s.state = "errored";
  resetQueue(s.controller);
  while (s.writes.length > 0) s.writes.shift().reject(s.storedError);
  const abort = s.pendingAbort;
  s.pendingAbort = undefined;
  if (abort === undefined) {
    rejectCloseAndClosed(s);
    return;
  }
  if (abort.wasErroring) {
    abort.reject(s.storedError);
    rejectCloseAndClosed(s);
    return;
  }
  then(
    s.controller.abortSteps(abort.reason),
    () => {
      abort.resolve(undefined);
      rejectCloseAndClosed(s);
    },
    (e) => {
      abort.reject(e);
      rejectCloseAndClosed(s);
    },
  );
};
const rejectCloseAndClosed = (s) => {
  if (s.closeRequest !== undefined) {
    s.closeRequest.reject(s.storedError);
    s.closeRequest = undefined;
  }
  if (s.writer !== undefined) {
    s.writer.closed.reject(s.storedError);
    markHandled(s.writer.closed.promise);
  }
};
const dealWithRejection = (s, e) => {
  if (s.state === "writable") startErroring(s, e);
  else finishErroring(s);
};
const updateBackpressure = (s, backpressure) => {
  if (s.writer !== undefined && backpressure !== s.backpressure) {
    if (backpressure) s.writer.ready = new Deferred();
    else s.writer.ready.resolve(undefined);
  }
  s.backpressure = backpressure;
};

// Writers (5.3).
const newWriter = (s) => {
  if (isWriterLocked(s)) throw new TypeError("the stream is locked to a writer already");
  const w = { stream: s, ready: undefined, closed: undefined };
  s.writer = w;
  if (s.state === "writable") {
    w.ready = !closeQueuedOrInFlight(s) && s.backpressure ? new Deferred() : Deferred.resolved(undefined);
    w.closed = new Deferred();
  } else if (s.state === "erroring") {
    w.ready = Deferred.rejected(s.storedError);
    w.closed = new Deferred();
  } else if (s.state === "closed") {
    w.ready = Deferred.resolved(undefined);
    w.closed = Deferred.resolved(undefined);
  } else {
    w.ready = Deferred.rejected(s.storedError);
    w.closed = Deferred.rejected(s.storedError);
  }
  return w;
};
const ensureRejected = (w, which, e) => {
  if (w[which].pending) {
    w[which].reject(e);
    markHandled(w[which].promise);
  } else w[which] = Deferred.rejected(e);
};
const writerRelease = (w) => {
  const e = new TypeError("the writer was released");
  ensureRejected(w, "ready", e);
  ensureRejected(w, "closed", e);
  w.stream.writer = undefined;
  w.stream = undefined;
};
const writerWrite = (w, chunk) => {
  const s = w.stream;
  const size = s.controller.sizeOf(chunk);
  if (s !== w.stream) return rejectedWith(new TypeError("the writer was released"));
  if (s.state === "errored") return rejectedWith(s.storedError);
  if (closeQueuedOrInFlight(s) || s.state === "closed") return rejectedWith(new TypeError("the stream is closed"));
  if (s.state === "erroring") return rejectedWith(s.storedError);
  const request = new Deferred();
  s.writes.push(request);
  s.controller.write(chunk, size);
  return request.promise;
};
const writerCloseWithErrorPropagation = (w) => {
  const s = w.stream;
  if (closeQueuedOrInFlight(s) || s.state === "closed") return resolvedWith(undefined);
  if (s.state === "errored") return rejectedWith(s.storedError);
  return writableClose(s);
};

// WritableStreamDefaultController (5.4).
const closing = {}; // stands in the queue for the end
class WriteControl {
  constructor(s, sink, highWaterMark, size) {
    this.stream = s;
    this.object = undefined;
    this.queue = new Queue();
    this.queueTotalSize = 0;
    this.started = false;
    this.sink = sink; // write, close and abort, which give promises; undefined when it is over
    this.size = size;
    this.highWaterMark = highWaterMark;
    this.signal = undefined; // made when it is asked for
    this.aborted = undefined;
    s.controller = this;
  }
  start(start) {
    const s = this.stream;
    updateBackpressure(s, this.desiredSize <= 0);
    then(
      resolvedWith(start()),
      () => {
        this.started = true;
        this.advance();
      },
      (e) => {
        this.started = true;
        dealWithRejection(s, e);
      },
    );
  }
  get desiredSize() {
    return this.highWaterMark - this.queueTotalSize;
  }
  signalAbort(reason) {
    this.aborted ??= { reason };
    if (this.signal !== undefined) host.abort(this.signal, reason);
  }
  theSignal() {
    if (this.signal === undefined) {
      this.signal = host.newSignal();
      if (this.aborted !== undefined) host.abort(this.signal, this.aborted.reason);
    }
    return this.signal;
  }
  clear() {
    this.sink = this.size = undefined;
  }
  sizeOf(chunk) {
    if (this.size === undefined || this.size === one) return 1;
    try {
      return this.size(chunk);
    } catch (e) {
      this.errorIfNeeded(e);
      return 1;
    }
  }
  write(chunk, size) {
    try {
      enqueueValueWithSize(this, chunk, size);
    } catch (e) {
      this.errorIfNeeded(e);
      return;
    }
    const s = this.stream;
    if (!closeQueuedOrInFlight(s) && s.state === "writable") updateBackpressure(s, this.desiredSize <= 0);
    this.advance();
  }
  close() {
    enqueueValueWithSize(this, closing, 0);
    this.advance();
  }
  error(e) {
    this.clear();
    startErroring(this.stream, e);
  }
  errorIfNeeded(e) {
    if (this.stream.state === "writable") this.error(e);
  }
  abortSteps(reason) {
    const result = this.sink.abort(reason);
    this.clear();
    return result;
  }
  advance() {
    const s = this.stream;
    if (!this.started || s.inFlightWrite !== undefined) return;
    if (s.state === "erroring") {
      finishErroring(s);
      return;
    }
    if (this.queue.length === 0) return;
    const { value } = this.queue.peek();
    if (value === closing) this.processClose();
    else this.processWrite(value);
  }
  processWrite(chunk) {
    const s = this.stream;
    s.inFlightWrite = s.writes.shift();
    then(
      this.sink.write(chunk),
      () => {
        s.inFlightWrite.resolve(undefined);
        s.inFlightWrite = undefined;
        dequeueValue(this);
        if (!closeQueuedOrInFlight(s) && s.state === "writable") updateBackpressure(s, this.desiredSize <= 0);
        this.advance();
      },
      (e) => {
        if (s.state === "writable") this.clear();
        s.inFlightWrite.reject(e);
        s.inFlightWrite = undefined;
        dealWithRejection(s, e);
      },
    );
  }
  processClose() {
    const s = this.stream;
    s.inFlightClose = s.closeRequest;
    s.closeRequest = undefined;
    dequeueValue(this);
    const closed = this.sink.close();
    this.clear();
    then(
      closed,
      () => {
        s.inFlightClose.resolve(undefined);
        s.inFlightClose = undefined;
        if (s.state === "erroring") {
          s.storedError = undefined;
          if (s.pendingAbort !== undefined) s.pendingAbort.resolve(undefined);
          s.pendingAbort = undefined;
        }
        s.state = "closed";
        if (s.writer !== undefined) s.writer.closed.resolve(undefined);
      },
      (e) => {
        s.inFlightClose.reject(e);
        s.inFlightClose = undefined;
        if (s.pendingAbort !== undefined) s.pendingAbort.reject(e);
        s.pendingAbort = undefined;
        dealWithRejection(s, e);
      },
    );
  }
}
const createWritable = (start, sink, highWaterMark, size) => {
  const s = newWritable();
  new WriteControl(s, sink, highWaterMark, size).start(start);
  return s;
};

class WritableStreamDefaultController {
  #c;
  constructor(given, c) {
    illegal(given);
    this.#c = c;
    c.object = this;
  }
  get signal() {
    return this.#c.theSignal();
  }
  error(e = undefined) {
    this.#c.errorIfNeeded(e);
  }
}
define(WritableStreamDefaultController);

let writableOf;
const writableObject = (s) => s.object ?? new WritableStream(key, s);
class WritableStream {
  #s;
  constructor(sink, strategy) {
    if (sink === key) {
      this.#s = strategy;
      strategy.object = this;
      return;
    }
    if (sink === undefined) sink = null;
    else if (!isObject(sink)) throw new TypeError("an underlying sink must be an object");
    const queuing = readStrategy(strategy);
    const of = sink ?? {};
    const dict = { abort: method(of, "abort"), close: method(of, "close"), start: method(of, "start"), type: of.type, write: method(of, "write") };
    if (dict.type !== undefined) throw new RangeError("a writable stream has no type");
    const s = newWritable();
    s.object = this;
    this.#s = s;
    const size = extractSize(queuing);
    const c = new WriteControl(s, undefined, extractHighWaterMark(queuing, 1), size);
    const controller = new WritableStreamDefaultController(key, c);
    const call = (f, args) => (f === undefined ? resolvedWith(undefined) : promiseCall(f, sink, args));
    c.sink = { write: (chunk) => call(dict.write, [chunk, controller]), close: () => call(dict.close, []), abort: (reason) => call(dict.abort, [reason]) };
    c.start(() => (dict.start === undefined ? undefined : apply(dict.start, sink, [controller])));
  }
  get locked() {
    return isWriterLocked(this.#s);
  }
  abort(reason = undefined) {
    try {
      if (isWriterLocked(this.#s)) throw new TypeError("the stream is locked to a writer");
    } catch (e) {
      return rejectedWith(e);
    }
    return writableAbort(this.#s, reason);
  }
  close() {
    try {
      if (isWriterLocked(this.#s)) throw new TypeError("the stream is locked to a writer");
      if (closeQueuedOrInFlight(this.#s)) throw new TypeError("the stream is closed already");
    } catch (e) {
      return rejectedWith(e);
    }
    return writableClose(this.#s);
  }
  getWriter() {
    this.#s;
    return new WritableStreamDefaultWriter(this);
  }
  static {
    writableOf = (v) => {
      if (!(isObject(v) && #s in v)) throw new TypeError("it is not a WritableStream");
      return v.#s;
    };
  }
}
define(WritableStream);

class WritableStreamDefaultWriter {
  #w;
  constructor(stream) {
    needArguments(arguments, 1, "WritableStreamDefaultWriter");
    this.#w = newWriter(writableOf(stream));
  }
  get closed() {
    try {
      return this.#w.closed.promise;
    } catch (e) {
      return rejectedWith(e);
    }
  }
  get desiredSize() {
    const s = this.#w.stream;
    if (s === undefined) throw new TypeError("the writer was released");
    return s.state === "errored" || s.state === "erroring" ? null : s.state === "closed" ? 0 : s.controller.desiredSize;
  }
  get ready() {
    try {
      return this.#w.ready.promise;
    } catch (e) {
      return rejectedWith(e);
    }
  }
  #stream() {
    if (this.#w.stream === undefined) throw new TypeError("the writer was released");
    return this.#w.stream;
  }
  abort(reason = undefined) {
    try {
      return writableAbort(this.#stream(), reason);
    } catch (e) {
      return rejectedWith(e);
    }
  }
  close() {
    try {
      const s = this.#stream();
      if (closeQueuedOrInFlight(s)) throw new TypeError("the stream is closed already");
      return writableClose(s);
    } catch (e) {
      return rejectedWith(e);
    }
  }
  releaseLock() {
    if (this.#w.stream !== undefined) writerRelease(this.#w);
  }
  write(chunk = undefined) {
    try {
      this.#stream();
    } catch (e) {
      return rejectedWith(e);
    }
    return writerWrite(this.#w, chunk);
  }
}
define(WritableStreamDefaultWriter);
