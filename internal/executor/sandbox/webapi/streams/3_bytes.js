// Readable byte streams (Streams standard, 4.7 and 4.10.11): the controller, and readers that bring their own buffer. Buffers
// are transferred: a script that keeps one finds it detached.
class ByteControl {
  constructor(s, pull, cancel, highWaterMark, autoAllocateChunkSize) {
    this.stream = s;
    this.object = undefined;
    this.queue = new Queue();
    this.queueTotalSize = 0;
    this.started = this.closeRequested = this.pullAgain = this.pulling = false;
    this.highWaterMark = highWaterMark;
    this.autoAllocateChunkSize = autoAllocateChunkSize;
    this.pull = pull;
    this.cancel = cancel;
    this.pending = []; // the pull-into descriptors
    this.request = null; // the present ReadableStreamBYOBRequest
    s.controller = this;
  }
  get wantsMore() {
    if (this.stream.state !== "readable" || this.closeRequested || !this.started) return false;
    return readRequests(this.stream) > 0 || readIntoRequests(this.stream) > 0 || this.desiredSize > 0;
  }
  clear() {
    this.pull = this.cancel = undefined;
  }
  clearPending() {
    this.invalidateRequest();
    this.pending = [];
  }
  close() {
    if (this.closeRequested || this.stream.state !== "readable") return;
    if (this.queueTotalSize > 0) {
      this.closeRequested = true;
      return;
    }
    if (this.pending.length > 0 && this.pending[0].bytesFilled % this.pending[0].elementSize !== 0) {
      const e = new TypeError("the stream is closed in the middle of an element");
      this.error(e);
      throw e;
    }
    this.clear();
    readableClose(this.stream);
  }
  error(e) {
    if (this.stream.state !== "readable") return;
    this.clearPending();
    resetQueue(this);
    this.clear();
    readableError(this.stream, e);
  }
  enqueue({ buffer, byteOffset, byteLength }) {
    const s = this.stream;
    if (this.closeRequested || s.state !== "readable") return;
    if (host.isDetached(buffer)) throw new TypeError("the chunk's buffer is detached");
    const transferred = host.transfer(buffer);
    if (this.pending.length > 0) {
      const first = this.pending[0];
      if (host.isDetached(first.buffer)) throw new TypeError("the buffer of a request is detached");
      this.invalidateRequest();
      first.buffer = host.transfer(first.buffer);
      if (first.reader === "none") this.enqueueDetached(first);
    }
    if (s.reader !== undefined && !s.reader.byob) {
      this.serveReads();
      if (readRequests(s) === 0) this.enqueueChunk(transferred, byteOffset, byteLength);
      else {
        if (this.pending.length > 0) this.shiftPending();
        fulfillRequest(s, new Uint8Array(transferred, byteOffset, byteLength), false);
      }
    } else {
      this.enqueueChunk(transferred, byteOffset, byteLength);
      if (s.reader !== undefined) this.commitAll(this.fillFromQueue());
    }
    this.pullIfNeeded();
  }
  enqueueChunk(buffer, byteOffset, byteLength) {
    this.queue.push({ buffer, byteOffset, byteLength });
    this.queueTotalSize += byteLength;
  }
  enqueueCloned(buffer, byteOffset, byteLength) {
    let clone;
    try {
      clone = apply(sliceBuffer, buffer, [byteOffset, byteOffset + byteLength]);
    } catch (e) {
      this.error(e);
      throw e;
    }
    this.enqueueChunk(clone, 0, byteLength);
  }
  enqueueDetached(descriptor) {
    if (descriptor.bytesFilled > 0) this.enqueueCloned(descriptor.buffer, descriptor.byteOffset, descriptor.bytesFilled);
    this.shiftPending();
  }
  shiftPending() {
    return this.pending.shift();
  }
  invalidateRequest() {
    if (this.request === null) return;
    this.request.controller = undefined;
    this.request.view = null;
    this.request = null;
  }
  // The request of the first pending descriptor, or null.
  currentRequest() {
    if (this.request === null && this.pending.length > 0) {
      const first = this.pending[0];
      const view = new Uint8Array(first.buffer, first.byteOffset + first.bytesFilled, first.byteLength - first.bytesFilled);
      this.request = { controller: this, view, object: undefined };
    }
    return this.request;
  }
  commitAll(filled) {
    for (let k = 0; k < filled.length; k++) this.commit(filled[k]);
  }
  commit(descriptor) {
    const s = this.stream;
    fulfillRequest(s, this.viewOfFilled(descriptor), s.state === "closed");
  }
  viewOfFilled({ buffer, byteOffset, bytesFilled, elementSize, Class }) {
    return new Class(host.transfer(buffer), byteOffset, bytesFilled / elementSize);
  }
  // Moves bytes of the queue into a descriptor; true when it has as many as its reader wants.
  fill(descriptor) {
    const most = Math.min(this.queueTotalSize, descriptor.byteLength - descriptor.bytesFilled);
    const aligned = descriptor.bytesFilled + most - ((descriptor.bytesFilled + most) % descriptor.elementSize);
    const ready = aligned >= descriptor.minimumFill;
    let rest = ready ? aligned - descriptor.bytesFilled : most;
    const to = new Uint8Array(descriptor.buffer);
    while (rest > 0) {
      const head = this.queue.peek();
      const n = Math.min(rest, head.byteLength);
      copyBytes(to, descriptor.byteOffset + descriptor.bytesFilled, new Uint8Array(head.buffer, head.byteOffset, n));
      if (head.byteLength === n) this.queue.shift();
      else {
        head.byteOffset += n;
        head.byteLength -= n;
      }
      this.queueTotalSize -= n;
      descriptor.bytesFilled += n;
      rest -= n;
    }
    return ready;
  }
  fillFromQueue() {
    const filled = [];
    while (this.pending.length > 0 && this.queueTotalSize > 0) {
      const first = this.pending[0];
      if (!this.fill(first)) break;
      filled.push(this.shiftPending());
    }
    return filled;
  }
  serveReads() {
    const { requests } = this.stream.reader;
    while (requests.length > 0 && this.queueTotalSize > 0) this.serve(requests.shift());
  }
  serve(request) {
    const { buffer, byteOffset, byteLength } = this.queue.shift();
    this.queueTotalSize -= byteLength;
    this.drained();
    request.chunk(new Uint8Array(buffer, byteOffset, byteLength));
  }
  drained() {
    if (this.queueTotalSize === 0 && this.closeRequested) {
      this.clear();
      readableClose(this.stream);
    } else this.pullIfNeeded();
  }
  pullInto(view, min, request) {
    const { Class, elementSize, buffer: given, byteOffset, byteLength } = viewOf(view);
    let buffer;
    try {
      buffer = host.transfer(given);
    } catch (e) {
      request.error(e);
      return;
    }
    const descriptor = { buffer, bufferByteLength: apply(bufferSize, buffer, []), byteOffset, byteLength, bytesFilled: 0, minimumFill: min * elementSize, elementSize, Class, reader: "byob" };
    const { requests } = this.stream.reader;
    if (this.pending.length > 0) {
      this.pending.push(descriptor);
      requests.push(request);
      return;
    }
    if (this.stream.state === "closed") {
      request.close(new Class(buffer, byteOffset, 0));
      return;
    }
    if (this.queueTotalSize > 0) {
      if (this.fill(descriptor)) {
        const filled = this.viewOfFilled(descriptor);
        this.drained();
        request.chunk(filled);
        return;
      }
      if (this.closeRequested) {
        const e = new TypeError("the stream ends in the middle of an element");
        this.error(e);
        request.error(e);
        return;
      }
    }
    this.pending.push(descriptor);
    requests.push(request);
    this.pullIfNeeded();
  }
  respond(n) {
    const first = this.pending[0];
    if (this.stream.state === "closed") {
      if (n !== 0) throw new TypeError("the stream is closed: respond with 0 bytes");
    } else {
      if (n === 0) throw new TypeError("respond with at least 1 byte while the stream is open");
      if (first.bytesFilled + n > first.byteLength) throw new RangeError("more bytes than the view has");
    }
    first.buffer = host.transfer(first.buffer);
    this.responded(n);
  }
  respondWithNewView(view) {
    const first = this.pending[0];
    const { buffer, byteOffset, byteLength } = viewOf(view);
    if (this.stream.state === "closed") {
      if (byteLength !== 0) throw new TypeError("the stream is closed: respond with an empty view");
    } else if (byteLength === 0) throw new TypeError("respond with a view that is not empty while the stream is open");
    if (first.byteOffset + first.bytesFilled !== byteOffset) throw new RangeError("the view begins elsewhere");
    if (first.bufferByteLength !== apply(bufferSize, buffer, [])) throw new RangeError("the view's buffer has another length");
    if (first.bytesFilled + byteLength > first.byteLength) throw new RangeError("the view is too long");
    first.buffer = host.transfer(buffer);
    this.responded(byteLength);
  }
  responded(n) {
    const first = this.pending[0];
    this.invalidateRequest();
    if (this.stream.state === "closed") this.respondedClosed(first);
    else this.respondedReadable(n, first);
    this.pullIfNeeded();
  }
  respondedClosed(first) {
    if (first.reader === "none") this.shiftPending();
    const filled = [];
    while (filled.length < readIntoRequests(this.stream)) filled.push(this.shiftPending());
    this.commitAll(filled);
  }
  respondedReadable(n, descriptor) {
    descriptor.bytesFilled += n;
    if (descriptor.reader === "none") {
      this.enqueueDetached(descriptor);
      this.commitAll(this.fillFromQueue());
      return;
    }
    if (descriptor.bytesFilled < descriptor.minimumFill) return;
    this.shiftPending();
    const rest = descriptor.bytesFilled % descriptor.elementSize;
    if (rest > 0) {
      this.enqueueCloned(descriptor.buffer, descriptor.byteOffset + descriptor.bytesFilled - rest, rest);
      descriptor.bytesFilled -= rest;
    }
    const filled = this.fillFromQueue();
    this.commit(descriptor);
    this.commitAll(filled);
  }
  cancelSteps(reason) {
    this.clearPending();
    resetQueue(this);
    const result = this.cancel(reason);
    this.clear();
    return result;
  }
  pullSteps(request) {
    if (this.queueTotalSize > 0) {
      this.serve(request);
      return;
    }
    const size = this.autoAllocateChunkSize;
    if (size !== undefined) {
      let buffer;
      try {
        buffer = new ArrayBuffer(size);
      } catch (e) {
        request.error(e);
        return;
      }
      this.pending.push({ buffer, bufferByteLength: size, byteOffset: 0, byteLength: size, bytesFilled: 0, minimumFill: 1, elementSize: 1, Class: Uint8Array, reader: "default" });
    }
    this.stream.reader.requests.push(request);
    this.pullIfNeeded();
  }
  releaseSteps() {
    if (this.pending.length === 0) return;
    this.pending[0].reader = "none";
    this.pending = [this.pending[0]];
  }
}
// What both kinds of controllers do alike.
for (const name of ["start", "pullIfNeeded", "desiredSize"]) Object.defineProperty(ByteControl.prototype, name, Object.getOwnPropertyDescriptor(DefaultControl.prototype, name));

const createReadableBytes = (start, pull, cancel, highWaterMark = 0) => {
  const s = newReadable();
  new ByteControl(s, pull, cancel, highWaterMark, undefined).start(start);
  return s;
};

const checkedView = (view, what) => {
  if (!isView(view)) throw new TypeError(`${what} needs an ArrayBufferView`);
  return viewOf(view);
};
class ReadableByteStreamController {
  #c;
  constructor(given, c) {
    illegal(given);
    this.#c = c;
    c.object = this;
  }
  get byobRequest() {
    const request = this.#c.currentRequest();
    return request === null ? null : (request.object ??= new ReadableStreamBYOBRequest(key, request));
  }
  get desiredSize() {
    return this.#c.desiredSize;
  }
  close() {
    if (this.#c.closeRequested || this.#c.stream.state !== "readable") throw new TypeError("the stream is closed or errored");
    this.#c.close();
  }
  enqueue(chunk) {
    const c = this.#c;
    needArguments(arguments, 1, "enqueue");
    const view = checkedView(chunk, "enqueue");
    if (view.byteLength === 0) throw new TypeError("a chunk must not be empty");
    if (c.closeRequested || c.stream.state !== "readable") throw new TypeError("the stream is closed or errored");
    c.enqueue(view);
  }
  error(e = undefined) {
    this.#c.error(e);
  }
}
define(ReadableByteStreamController);

class ReadableStreamBYOBRequest {
  #q;
  constructor(given, request) {
    illegal(given);
    this.#q = request;
  }
  get view() {
    return this.#q.view;
  }
  respond(bytesWritten) {
    const q = this.#q;
    needArguments(arguments, 1, "respond");
    const n = enforceRange(bytesWritten, "bytesWritten");
    if (q.controller === undefined) throw new TypeError("the request was answered already");
    if (host.isDetached(viewOf(q.view).buffer)) throw new TypeError("the view's buffer is detached");
    q.controller.respond(n);
  }
  respondWithNewView(view) {
    const q = this.#q;
    needArguments(arguments, 1, "respondWithNewView");
    const { buffer } = checkedView(view, "respondWithNewView");
    if (q.controller === undefined) throw new TypeError("the request was answered already");
    if (host.isDetached(buffer)) throw new TypeError("the view's buffer is detached");
    q.controller.respondWithNewView(view);
  }
}
define(ReadableStreamBYOBRequest);

const readMin = (options, view) => {
  const { min } = dictionary(options, "options");
  const n = min === undefined ? 1 : enforceRange(min, "min");
  if (view.byteLength === 0) throw new TypeError("the view must not be empty");
  if (apply(bufferSize, view.buffer, []) === 0) throw new TypeError("the view's buffer must not be empty");
  if (host.isDetached(view.buffer)) throw new TypeError("the view's buffer is detached");
  if (n === 0) throw new TypeError("min must be positive");
  if (n > view.length) throw new RangeError("min is more than the view has");
  return n;
};
class ReadableStreamBYOBReader {
  #r;
  constructor(stream) {
    needArguments(arguments, 1, "ReadableStreamBYOBReader");
    const s = readableOf(stream);
    if (isLocked(s)) throw new TypeError("the stream is locked to a reader already");
    if (!(s.controller instanceof ByteControl)) throw new TypeError("only a byte stream has BYOB readers");
    this.#r = newReader(s, true);
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
  read(view, options = undefined) {
    const request = new PromiseRequest();
    let min;
    try {
      const r = this.#r;
      needArguments(arguments, 1, "read");
      min = readMin(options, checkedView(view, "read"));
      if (r.stream === undefined) throw new TypeError("the reader was released");
    } catch (e) {
      return rejectedWith(e);
    }
    readerReadInto(this.#r, view, min, request);
    return request.promise;
  }
  releaseLock() {
    if (this.#r.stream !== undefined) readerRelease(this.#r);
  }
}
define(ReadableStreamBYOBReader);
