// Tees (Streams standard, 4.9.1): both branches get every chunk. Those of a byte stream are byte streams too.
const cloneBytes = (view) => {
  const { buffer, byteOffset, byteLength } = viewOf(view);
  return viewOf(new Uint8Array(apply(sliceBuffer, buffer, [byteOffset, byteOffset + byteLength])));
};
const { structuredClone: cloneOf } = globalThis;
// With clones, the second branch of a stream that is no byte stream gets copies of the chunks.
const tee = (s, clones = false) => (s.controller instanceof ByteControl ? teeBytes(s) : teeDefault(s, clones));

// What both kinds share: who has cancelled, and with what reasons the source is cancelled when both have.
class Branches {
  constructor(s) {
    this.source = s;
    this.cancelled = [false, false];
    this.reasons = [undefined, undefined];
    this.cancelling = new Deferred();
    this.streams = [undefined, undefined];
  }
  cancel(k, reason) {
    this.cancelled[k] = true;
    this.reasons[k] = reason;
    if (this.cancelled[1 - k]) this.cancelling.resolve(readableCancel(this.source, [this.reasons[0], this.reasons[1]]));
    return this.cancelling.promise;
  }
  each(f) {
    for (let k = 0; k < 2; k++) if (!this.cancelled[k]) f(this.streams[k].controller);
  }
  end() {
    if (!this.cancelled[0] || !this.cancelled[1]) this.cancelling.resolve(undefined);
  }
  fail(e) {
    this.streams[0].controller.error(e);
    this.streams[1].controller.error(e);
    this.end();
  }
}

const teeDefault = (s, clones) => {
  const reader = newReader(s, false);
  const branches = new Branches(s);
  let reading = false;
  let readAgain = false;
  const request = {
    chunk(chunk) {
      inMicrotask(() => {
        readAgain = false;
        let second = chunk;
        if (clones && !branches.cancelled[1])
          try {
            second = cloneOf(chunk);
          } catch (e) {
            branches.fail(e);
            branches.cancelling.resolve(readableCancel(s, e));
            return;
          }
        if (!branches.cancelled[0]) branches.streams[0].controller.enqueue(chunk);
        if (!branches.cancelled[1]) branches.streams[1].controller.enqueue(second);
        reading = false;
        if (readAgain) pull();
      });
    },
    close() {
      reading = false;
      branches.each((c) => c.close());
      branches.end();
    },
    error() {
      reading = false;
    },
  };
  const pull = () => {
    if (reading) {
      readAgain = true;
      return resolvedWith(undefined);
    }
    reading = true;
    readerRead(reader, request);
    return resolvedWith(undefined);
  };
  for (let k = 0; k < 2; k++) branches.streams[k] = createReadable(noop, pull, (reason) => branches.cancel(k, reason));
  then(reader.closed.promise, undefined, (e) => branches.fail(e));
  return branches.streams;
};

const teeBytes = (s) => {
  let reader = newReader(s, false);
  const branches = new Branches(s);
  const again = [false, false];
  let reading = false;
  const followErrors = (of) => then(of.closed.promise, undefined, (e) => of === reader && branches.fail(e));
  const become = (byob) => {
    if (reader.byob === byob) return;
    readerRelease(reader);
    reader = newReader(s, byob);
    followErrors(reader);
  };
  const goOn = () => {
    reading = false;
    if (again[0]) pull(0);
    else if (again[1]) pull(1);
  };
  const failClone = (e) => {
    branches.streams[0].controller.error(e);
    branches.streams[1].controller.error(e);
    branches.cancelling.resolve(readableCancel(s, e));
  };
  const error = () => void (reading = false);

  const read = () => {
    become(false);
    readerRead(reader, {
      chunk(chunk) {
        inMicrotask(() => {
          again[0] = again[1] = false;
          let second = viewOf(chunk);
          if (!branches.cancelled[0] && !branches.cancelled[1])
            try {
              second = cloneBytes(chunk);
            } catch (e) {
              failClone(e);
              return;
            }
          if (!branches.cancelled[0]) branches.streams[0].controller.enqueue(viewOf(chunk));
          if (!branches.cancelled[1]) branches.streams[1].controller.enqueue(second);
          goOn();
        });
      },
      close() {
        reading = false;
        branches.each((c) => c.close());
        for (const { controller } of branches.streams) if (controller.pending.length > 0) controller.respond(0);
        branches.end();
      },
      error,
    });
  };
  const readInto = (view, k) => {
    become(true);
    const byob = branches.streams[k].controller;
    const other = branches.streams[1 - k].controller;
    readerReadInto(reader, view, 1, {
      chunk(chunk) {
        inMicrotask(() => {
          again[0] = again[1] = false;
          if (!branches.cancelled[1 - k]) {
            let clone;
            try {
              clone = cloneBytes(chunk);
            } catch (e) {
              failClone(e);
              return;
            }
            if (!branches.cancelled[k]) byob.respondWithNewView(chunk);
            other.enqueue(clone);
          } else if (!branches.cancelled[k]) byob.respondWithNewView(chunk);
          goOn();
        });
      },
      close(chunk) {
        reading = false;
        const [byobCancelled, otherCancelled] = [branches.cancelled[k], branches.cancelled[1 - k]];
        if (!byobCancelled) byob.close();
        if (!otherCancelled) other.close();
        if (chunk !== undefined) {
          if (!byobCancelled) byob.respondWithNewView(chunk);
          if (!otherCancelled && other.pending.length > 0) other.respond(0);
        }
        if (!byobCancelled || !otherCancelled) branches.cancelling.resolve(undefined);
      },
      error,
    });
  };
  const pull = (k) => {
    if (reading) {
      again[k] = true;
      return resolvedWith(undefined);
    }
    reading = true;
    const request = branches.streams[k].controller.currentRequest();
    if (request === null) read();
    else readInto(request.view, k);
    return resolvedWith(undefined);
  };
  for (let k = 0; k < 2; k++) branches.streams[k] = createReadableBytes(noop, () => pull(k), (reason) => branches.cancel(k, reason));
  followErrors(reader);
  return branches.streams;
};
