// What Go uses of streams, blobs and forms.
const fromBytes = (bytes) => {
  const ended = () => resolvedWith(undefined);
  const s = createReadableBytes(noop, ended, ended);
  if (bytes.byteLength > 0) s.controller.enqueueChunk(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  s.controller.close();
  return s;
};

// A stream whose pieces the platform has: next() is a promise of [bytes, whether there are more].
const fromPull = (next, cancel) => {
  const pull = () =>
    then(promiseCall(next, undefined, []), ([bytes, more]) => {
      if (bytes.byteLength > 0) s.controller.enqueue(viewOf(bytes));
      if (!more) {
        s.controller.close();
        if (s.controller.pending.length > 0) s.controller.respond(0);
      } else if (bytes.byteLength === 0) return pull();
    });
  const cancelled = () => promiseCall(cancel, undefined, []);
  const s = createReadableBytes(noop, pull, cancelled);
  return s;
};

const chunkBytes = (chunk) => {
  if (!isUint8Array(chunk)) throw new TypeError("a body's stream must give Uint8Arrays: encode texts with a TextEncoder or pipe them through a TextEncoderStream");
  return bytesOf(chunk);
};
// A reader's next piece, null at the end.
const piece = (reader) =>
  new PromiseOf((resolve, reject) => {
    readerRead(reader, {
      chunk(chunk) {
        try {
          resolve(chunkBytes(chunk));
        } catch (e) {
          markHandled(readableCancel(reader.stream, e));
          reject(e);
        }
      },
      close: () => resolve(null),
      error: reject,
    });
  });
const drain = (stream, limit) =>
  new PromiseOf((resolve, reject) => {
    const reader = newReader(readableOf(stream), false);
    const chunks = [];
    let size = 0;
    const stop = (e) => {
      markHandled(readableCancel(reader.stream, e));
      reject(e);
    };
    let inChunk = false; // chunks that are there already come at once: no deeper stack for each
    let more = false;
    const request = {
      chunk(chunk) {
        try {
          const bytes = chunkBytes(chunk);
          size += bytes.byteLength;
          if (size > limit) throw host.tooLarge(limit);
          chunks.push(copyOf(bytes));
        } catch (e) {
          stop(e);
          return;
        }
        more = true;
        if (!inChunk) pump();
      },
      close: () => resolve(join(chunks)),
      error: reject,
    };
    const pump = () => {
      inChunk = true;
      do {
        more = false;
        readerRead(reader, request);
      } while (more);
      inChunk = false;
    };
    pump();
  });

return {
  classes: {
    ReadableStream, ReadableStreamDefaultReader, ReadableStreamBYOBReader, ReadableStreamDefaultController, ReadableByteStreamController,
    ReadableStreamBYOBRequest, WritableStream, WritableStreamDefaultWriter, WritableStreamDefaultController, TransformStream,
    TransformStreamDefaultController, CountQueuingStrategy, ByteLengthQueuingStrategy, CompressionStream, DecompressionStream,
    TextEncoderStream, TextDecoderStream, Blob, File, FormData,
  },
  hidden: [iteratorPrototype, pairIteratorPrototype],
  fromBytes: (bytes) => objectOf(fromBytes(bytes)),
  fromPull: (next, cancel) => objectOf(fromPull(next, cancel)),
  /** What a body is made of: "stream", or bytes with their type; undefined for anything that is none of ours. */
  bodyInit(v) {
    if (isReadable(v)) {
      const s = readableOf(v);
      if (isLocked(s) || s.disturbed) throw new TypeError("the stream is locked or has been read");
      return { stream: v };
    }
    if (isBlob(v)) return { bytes: blobBytes(v), type: v.type };
    if (isForm(v)) return encodeForm(v);
    return undefined;
  },
  disturbed: (stream) => readableOf(stream).disturbed,
  untouched: (stream) => !isLocked(readableOf(stream)) && !readableOf(stream).disturbed,
  /** A stream of all that another gives, which is locked and read from then on. */
  proxy(stream) {
    const t = createPair((give, chunk) => give(chunk), noop);
    markHandled(pipe(readableOf(stream), t.writable, { preventAbort: false, preventCancel: false, preventClose: false, signal: undefined }));
    return objectOf(t.readable);
  },
  /** An empty stream of a body that was read. */
  spent() {
    const s = fromBytes(new Uint8Array(0));
    newReader(s, false);
    s.disturbed = true;
    return objectOf(s);
  },
  /** Marks a stream as read whose bytes went elsewhere. */
  spend(stream) {
    const s = readableOf(stream);
    newReader(s, false);
    s.disturbed = true;
    resetQueue(s.controller);
    if (s.state === "readable") readableClose(s);
  },
  tee: (stream) => tee(readableOf(stream), true).map(objectOf),
  reader: (stream) => newReader(readableOf(stream), false),
  piece,
  giveUp: (reader) => then(readableCancel(reader.stream, undefined), noop, noop),
  drain,
  blob: (bytes, type) => new Blob(key, { bytes, type }),
  form(parts) {
    const f = new FormData();
    const list = entriesOf(f);
    for (const [name, value, filename, type] of parts) {
      list.push({ name, value: filename === null ? host.utf8Decode(value, false, true) : new File(key, filename, { bytes: value, type, lastModified: Date.now() }) });
    }
    return f;
  },
  /** A copy of a Blob or a File for structuredClone; undefined for anything else. */
  cloneBlob(v) {
    if (!isBlob(v)) return undefined;
    const options = { bytes: blobBytes(v), type: v.type };
    return isFile(v) ? new File(key, v.name, { ...options, lastModified: v.lastModified }) : new Blob(key, options);
  },
};
