// Pipes (Streams standard, 4.9.1, ReadableStreamPipeTo).
class Pipe {
  constructor(source, destination, { preventAbort, preventCancel, preventClose, signal }) {
    this.source = source;
    this.destination = destination;
    this.preventAbort = preventAbort;
    this.preventCancel = preventCancel;
    this.preventClose = preventClose;
    this.signal = signal;
    this.reader = newReader(source, false);
    this.writer = newWriter(destination);
    source.disturbed = true;
    this.shuttingDown = false;
    this.write = resolvedWith(undefined); // the last one
    this.done = new Deferred();
  }
  run() {
    if (this.signal !== undefined) {
      this.onAbort = () => this.aborted();
      if (host.isAborted(this.signal)) {
        this.onAbort();
        return this.done.promise;
      }
      host.onAbort(this.signal, this.onAbort);
    }
    this.followErrors();
    this.followEnds();
    markHandled(this.loop());
    return this.done.promise;
  }
  aborted() {
    const { source, destination } = this;
    const reason = host.abortReason(this.signal);
    const actions = [];
    if (!this.preventAbort) actions.push(() => (destination.state === "writable" ? writableAbort(destination, reason) : resolvedWith(undefined)));
    if (!this.preventCancel) actions.push(() => (source.state === "readable" ? readableCancel(source, reason) : resolvedWith(undefined)));
    this.shutdown(() => all(actions), { error: reason });
  }
  followErrors() {
    const { source, destination, reader, writer } = this;
    const failed = (s, closed, action) => (s.state === "errored" ? action(s.storedError) : void then(closed.promise, undefined, action));
    failed(source, reader.closed, (e) => this.shutdown(this.preventAbort ? undefined : () => writableAbort(destination, e), { error: e }));
    failed(destination, writer.closed, (e) => this.shutdown(this.preventCancel ? undefined : () => readableCancel(source, e), { error: e }));
  }
  followEnds() {
    const { source, destination, reader, writer } = this;
    const ended = () => this.shutdown(this.preventClose ? undefined : () => writerCloseWithErrorPropagation(writer));
    if (source.state === "closed") ended();
    else then(reader.closed.promise, ended, noop);
    if (!closeQueuedOrInFlight(destination) && destination.state !== "closed") return;
    const error = new TypeError("the destination is closed");
    this.shutdown(this.preventCancel ? undefined : () => readableCancel(source, error), { error });
  }
  loop() {
    return new PromiseOf((resolve, reject) => {
      const next = (done) => {
        if (done) resolve();
        else then(this.step(), next, reject);
      };
      next(false);
    });
  }
  step() {
    if (this.shuttingDown) return resolvedWith(true);
    return then(
      this.writer.ready.promise,
      () =>
        new PromiseOf((resolve, reject) => {
          readerRead(this.reader, {
            chunk: (chunk) => {
              // Not at once: a source that enqueues does not find its chunk written when enqueue returns.
              const write = then(resolvedWith(undefined), () => writerWrite(this.writer, chunk));
              this.write = then(write, undefined, noop);
              resolve(false);
            },
            close: () => resolve(true),
            error: reject,
          });
        }),
    );
  }
  written() {
    const last = this.write;
    return then(last, () => (last !== this.write ? this.written() : undefined));
  }
  // Ends the pipe once what was read is written: with an action first, and with an error, if they are given.
  shutdown(action, failure) {
    if (this.shuttingDown) return;
    this.shuttingDown = true;
    const end = () => {
      if (action === undefined) this.finish(failure);
      else
        then(
          action(),
          () => this.finish(failure),
          (error) => this.finish({ error }),
        );
    };
    if (this.destination.state === "writable" && !closeQueuedOrInFlight(this.destination)) then(this.written(), end);
    else end();
  }
  finish(failure) {
    writerRelease(this.writer);
    readerRelease(this.reader);
    if (this.onAbort !== undefined) host.offAbort(this.signal, this.onAbort);
    if (failure !== undefined) this.done.reject(failure.error);
    else this.done.resolve(undefined);
  }
}
const pipe = (source, destination, options) => new Pipe(source, destination, options).run();

// The promise of all actions; they are begun one after the other at once.
const all = (actions) => {
  let left = actions.length;
  if (left === 0) return resolvedWith(undefined);
  const done = new Deferred();
  const fulfilled = () => --left || done.resolve(undefined);
  for (const p of actions.map((action) => action())) then(p, fulfilled, (e) => done.reject(e));
  return done.promise;
};
