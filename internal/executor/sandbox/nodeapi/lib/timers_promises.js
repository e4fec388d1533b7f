(function (host, require) {
  "use strict";
  const { withCode } = require("internal:errors");
  const timers = require("timers");
  const abort = (signal) => {
    const e = withCode(Error, "ABORT_ERR", "The operation was aborted");
    e.name = "AbortError";
    e.cause = signal.reason;
    return e;
  };
  const waiting = (start, stop) => (value, options) =>
    new Promise((resolve, reject) => {
      const signal = options?.signal;
      if (signal?.aborted) return reject(abort(signal));
      const stopped = () => {
        stop(id);
        reject(abort(signal));
      };
      const id = start(() => {
        signal?.removeEventListener("abort", stopped);
        resolve(value);
      });
      signal?.addEventListener("abort", stopped, { once: true });
    });
  const setTimeout = (delay, value, options) => waiting((f) => timers.setTimeout(f, delay), timers.clearTimeout)(value, options);
  const setImmediate = (value, options) => waiting(timers.setImmediate, timers.clearImmediate)(value, options);
  const setInterval = (delay, value, options) => ({
    async next() {
      return { value: await setTimeout(delay, value, options), done: false };
    },
    async return() {
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  });
  return { setTimeout, setImmediate, setInterval, scheduler: { wait: (delay, options) => setTimeout(delay, undefined, options), yield: () => setImmediate() } };
});
