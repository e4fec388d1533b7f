// EventEmitter, and what waits for one.
(function (host, require) {
  "use strict";
  const { withCode, argType, outOfRange, checkFunction, checkNumber } = require("internal:errors");
  const captureRejections = Symbol.for("nodejs.rejection");
  const errorMonitor = Symbol("events.errorMonitor");

  function EventEmitter(options) {
    EventEmitter.init.call(this, options);
  }
  EventEmitter.prototype._events = undefined;
  EventEmitter.prototype._eventsCount = 0;
  EventEmitter.prototype._maxListeners = undefined;
  let defaultMaxListeners = 10;
  Object.defineProperty(EventEmitter, "defaultMaxListeners", {
    enumerable: true,
    get: () => defaultMaxListeners,
    set(n) {
      checkMax(n, "defaultMaxListeners");
      defaultMaxListeners = n;
    },
  });
  const checkMax = (n, name) => {
    checkNumber(n, name);
    if (!(n >= 0)) throw outOfRange(name, ">= 0", n);
  };

  EventEmitter.init = function (options) {
    if (this._events === undefined || this._events === Object.getPrototypeOf(this)._events) {
      this._events = Object.create(null);
      this._eventsCount = 0;
    }
    this._maxListeners = this._maxListeners || undefined;
    if (options?.captureRejections) this[kCapture] = true;
  };
  const kCapture = Symbol("kCapture");

  const add = (emitter, type, listener, first) => {
    checkFunction(listener, "listener");
    let events = emitter._events;
    if (events === undefined) {
      events = emitter._events = Object.create(null);
      emitter._eventsCount = 0;
    } else if (events.newListener !== undefined) {
      emitter.emit("newListener", type, listener.listener ?? listener);
      events = emitter._events;
    }
    const had = events[type];
    if (had === undefined) {
      events[type] = listener;
      emitter._eventsCount++;
    } else if (typeof had === "function") events[type] = first ? [listener, had] : [had, listener];
    else if (first) events[type] = [listener, ...had];
    else events[type] = [...had, listener];
    const most = emitter.getMaxListeners(), list = events[type];
    if (most > 0 && typeof list !== "function" && list.length > most && !warned.has(emitter)) {
      warned.add(emitter);
      console.warn(`MaxListenersExceededWarning: Possible EventEmitter memory leak detected. ${list.length} ${String(type)} listeners added to ${emitter.constructor?.name ?? "an emitter"}. MaxListeners is ${most}. Use emitter.setMaxListeners() to increase limit`);
    }
    return emitter;
  };
  const warned = new WeakSet();

  const onceOf = (emitter, type, listener) => {
    checkFunction(listener, "listener");
    const state = { fired: false };
    const wrapper = function (...args) {
      if (state.fired) return undefined;
      emitter.removeListener(type, wrapper);
      state.fired = true;
      return listener.apply(emitter, args);
    };
    wrapper.listener = listener;
    return wrapper;
  };

  const listOf = (emitter, type, unwrap) => {
    const list = emitter._events?.[type];
    if (list === undefined) return [];
    const all = typeof list === "function" ? [list] : [...list];
    return unwrap ? all.map((f) => f.listener ?? f) : all;
  };

  const methods = {
    setMaxListeners(n) {
      checkMax(n, "setMaxListeners");
      this._maxListeners = n;
      return this;
    },
    getMaxListeners() {
      return this._maxListeners === undefined ? defaultMaxListeners : this._maxListeners;
    },
    emit(type, ...args) {
      const events = this._events;
      if (type === "error") {
        if (events?.[errorMonitor] !== undefined) this.emit(errorMonitor, ...args);
        if (events?.error === undefined) {
          const e = args[0];
          if (e instanceof Error) throw e;
          const shown = require("util").inspect(e);
          const wrapped = withCode(Error, "ERR_UNHANDLED_ERROR", `Unhandled error. (${typeof e === "string" ? `'${e}'` : shown})`);
          wrapped.context = e;
          throw wrapped;
        }
      }
      const handler = events?.[type];
      if (handler === undefined) return false;
      for (const f of typeof handler === "function" ? [handler] : handler) {
        const result = f.apply(this, args);
        if (this[kCapture] && typeof result?.then === "function") {
          result.then(undefined, (e) => queueMicrotask(() => (typeof this[captureRejections] === "function" ? this[captureRejections](e, type, ...args) : this.emit("error", e))));
        }
      }
      return true;
    },
    addListener(type, listener) {
      return add(this, type, listener, false);
    },
    prependListener(type, listener) {
      return add(this, type, listener, true);
    },
    once(type, listener) {
      return this.on(type, onceOf(this, type, listener));
    },
    prependOnceListener(type, listener) {
      return this.prependListener(type, onceOf(this, type, listener));
    },
    removeListener(type, listener) {
      checkFunction(listener, "listener");
      const events = this._events, list = events?.[type];
      if (list === undefined) return this;
      const all = typeof list === "function" ? [list] : list;
      let at = -1;
      for (let k = all.length - 1; k >= 0 && at < 0; k--) if (all[k] === listener || all[k].listener === listener) at = k;
      if (at < 0) return this;
      const removed = all[at];
      if (all.length === 1) {
        if (--this._eventsCount === 0) this._events = Object.create(null);
        else delete events[type];
      } else {
        const left = all.filter((_, k) => k !== at);
        events[type] = left.length === 1 ? left[0] : left;
      }
      if (events.removeListener !== undefined) this.emit("removeListener", type, removed.listener ?? listener);
      return this;
    },
    removeAllListeners(type) {
      const events = this._events;
      if (events === undefined) return this;
      if (events.removeListener === undefined) {
        if (arguments.length === 0) {
          this._events = Object.create(null);
          this._eventsCount = 0;
        } else if (events[type] !== undefined) {
          if (--this._eventsCount === 0) this._events = Object.create(null);
          else delete events[type];
        }
        return this;
      }
      if (arguments.length === 0) {
        for (const key of Reflect.ownKeys(events)) if (key !== "removeListener") this.removeAllListeners(key);
        this.removeAllListeners("removeListener");
        this._events = Object.create(null);
        this._eventsCount = 0;
        return this;
      }
      for (const f of listOf(this, type, false).reverse()) this.removeListener(type, f);
      return this;
    },
    listeners(type) {
      return listOf(this, type, true);
    },
    rawListeners(type) {
      return listOf(this, type, false);
    },
    listenerCount(type, listener) {
      const list = listOf(this, type, false);
      return listener ? list.filter((f) => f === listener || f.listener === listener).length : list.length;
    },
    eventNames() {
      return this._eventsCount > 0 ? Reflect.ownKeys(this._events) : [];
    },
  };
  for (const name of Object.keys(methods)) EventEmitter.prototype[name] = methods[name];
  EventEmitter.prototype.on = EventEmitter.prototype.addListener;
  EventEmitter.prototype.off = EventEmitter.prototype.removeListener;

  const aborted = (signal) => {
    const e = withCode(Error, "ABORT_ERR", "The operation was aborted");
    e.name = "AbortError";
    e.cause = signal.reason;
    return e;
  };
  const listen = (target, name, f, options) => {
    if (typeof target.on === "function") {
      if (options?.once) target.once(name, f);
      else target.on(name, f);
      return () => target.removeListener(name, f);
    }
    if (typeof target.addEventListener !== "function") throw argType("emitter", "an instance of EventEmitter", target);
    target.addEventListener(name, f, options);
    return () => target.removeEventListener(name, f);
  };

  async function once(emitter, name, options = {}) {
    const signal = options?.signal;
    if (signal?.aborted) throw aborted(signal);
    return new Promise((resolve, reject) => {
      const undo = [];
      const done = (f, v) => {
        for (const u of undo) u();
        f(v);
      };
      undo.push(listen(emitter, name, (...args) => done(resolve, args), { once: true }));
      if (name !== "error" && typeof emitter.once === "function") undo.push(listen(emitter, "error", (e) => done(reject, e), { once: true }));
      if (signal) undo.push(listen(signal, "abort", () => done(reject, aborted(signal)), { once: true }));
    });
  }

  function on(emitter, name, options = {}) {
    const signal = options?.signal;
    if (signal?.aborted) throw aborted(signal);
    const events = [], waiting = [];
    let error, finished = false;
    const push = (...args) => (waiting.length ? waiting.shift().resolve({ value: args, done: false }) : events.push(args));
    const fail = (e) => {
      finished = true;
      if (waiting.length) waiting.shift().reject(e);
      else error = e;
      close();
    };
    const undo = [listen(emitter, name, push)];
    if (name !== "error" && typeof emitter.on === "function") undo.push(listen(emitter, "error", fail));
    if (signal) undo.push(listen(signal, "abort", () => fail(aborted(signal)), { once: true }));
    const finish = () => {
      close();
      return Promise.resolve({ value: undefined, done: true });
    };
    for (const end of options?.close ?? []) undo.push(listen(emitter, end, finish));
    const close = () => {
      finished = true;
      for (const u of undo) u();
      for (const w of waiting.splice(0)) w.resolve({ value: undefined, done: true });
    };
    return {
      next() {
        if (events.length) return Promise.resolve({ value: events.shift(), done: false });
        if (error) {
          const e = error;
          error = undefined;
          return Promise.reject(e);
        }
        if (finished) return finish();
        return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
      },
      return: finish,
      throw(e) {
        fail(e);
        return Promise.resolve({ value: undefined, done: true });
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  return Object.assign(EventEmitter, {
    EventEmitter, once, on, errorMonitor, captureRejectionSymbol: captureRejections, captureRejections: false, usingDomains: false,
    listenerCount: (emitter, type) => emitter.listenerCount(type),
    getEventListeners: (emitter, type) => (typeof emitter.listeners === "function" ? emitter.listeners(type) : []),
    setMaxListeners(n = defaultMaxListeners, ...emitters) {
      if (emitters.length === 0) EventEmitter.defaultMaxListeners = n;
      for (const e of emitters) e.setMaxListeners?.(n);
    },
    getMaxListeners: (emitter) => emitter.getMaxListeners?.() ?? defaultMaxListeners,
    addAbortListener(signal, listener) {
      if (signal.aborted) queueMicrotask(() => listener());
      else signal.addEventListener("abort", listener, { once: true });
      return { [Symbol.dispose ?? Symbol.for("nodejs.dispose")]: () => signal.removeEventListener("abort", listener) };
    },
  });
});
