// Events, AbortSignal, messages and performance: loaded before the app's module when its code names any of them, else when
// a signal is first asked for. The classes follow the DOM, HTML and High Resolution Time standards.
(function (host) {
  "use strict";
  const { DOMException, structuredClone } = host;
  const stops = Symbol("stop"); // what an event keeps for its dispatch; scripts have no way to name it
  class Event {
    #type;
    #init;
    #at = host.elapsed();
    [stops] = { now: false, target: null, current: null, phase: 0, prevented: false, passive: false };
    constructor(type, init) {
      if (arguments.length === 0) throw new TypeError("an Event needs a type");
      this.#type = String(type);
      this.#init = { bubbles: Boolean(init?.bubbles), cancelable: Boolean(init?.cancelable), composed: Boolean(init?.composed) };
      Object.defineProperty(this, stops, { enumerable: false });
    }
    get type() {
      return this.#type;
    }
    get bubbles() {
      return this.#init.bubbles;
    }
    get cancelable() {
      return this.#init.cancelable;
    }
    get composed() {
      return this.#init.composed;
    }
    get target() {
      return this[stops].target;
    }
    get srcElement() {
      return this[stops].target;
    }
    get currentTarget() {
      return this[stops].current;
    }
    get eventPhase() {
      return this[stops].phase;
    }
    get defaultPrevented() {
      return this[stops].prevented;
    }
    get returnValue() {
      return !this[stops].prevented;
    }
    get timeStamp() {
      return this.#at;
    }
    get isTrusted() {
      return false;
    }
    composedPath() {
      return this[stops].current ? [this[stops].current] : [];
    }
    stopPropagation() {}
    stopImmediatePropagation() {
      this[stops].now = true;
    }
    preventDefault() {
      if (this.cancelable && !this[stops].passive) this[stops].prevented = true;
    }
  }
  Object.assign(Event, { NONE: 0, CAPTURING_PHASE: 1, AT_TARGET: 2, BUBBLING_PHASE: 3 });
  // A kind of event that carries what its init names.
  const eventClass = (name, members) => {
    const C = {
      [name]: class extends Event {
        #own = {};
        constructor(type, init) {
          super(type, init);
          for (const [k, v] of Object.entries(members)) this.#own[k] = init?.[k] ?? v;
        }
        static of(e) {
          return e.#own;
        }
      },
    }[name];
    const { of } = C;
    delete C.of;
    for (const k of Object.keys(members)) Object.defineProperty(C.prototype, k, { get() { return of(this)[k]; }, enumerable: true, configurable: true });
    return C;
  };
  const CustomEvent = eventClass("CustomEvent", { detail: null });
  const ErrorEvent = eventClass("ErrorEvent", { message: "", filename: "", lineno: 0, colno: 0, error: undefined });
  const MessageEvent = eventClass("MessageEvent", { data: null, origin: "", lastEventId: "", source: null, ports: Object.freeze([]) });
  const PromiseRejectionEvent = eventClass("PromiseRejectionEvent", { promise: undefined, reason: undefined });

  // dispatch calls the listeners of a target (DOM standard, 2.9); what one throws is reported, and the others are called.
  const dispatch = (target, listeners, event) => {
    const state = event[stops];
    if (state.phase) throw new DOMException("The event is being dispatched already.", "InvalidStateError");
    Object.assign(state, { target, current: target, phase: 2, now: false });
    const call = (f, self, handler) => {
      try {
        const v = f.call(self, event);
        if (handler && v === false) event.preventDefault();
      } catch (e) {
        reportError(e);
      }
    };
    const own = target["on" + event.type];
    if (typeof own === "function") call(own, target, true);
    for (const l of listeners.get(event.type) ?? []) {
      if (state.now) break;
      if (l.removed) continue;
      if (l.once) remove(listeners, event.type, l);
      state.passive = l.passive;
      if (typeof l.listener === "function") call(l.listener, target);
      else call((e) => l.listener.handleEvent(e), l.listener);
      state.passive = false;
    }
    Object.assign(state, { current: null, phase: 0 });
    return !event.defaultPrevented;
  };
  const remove = (listeners, type, l) => {
    l.removed = true;
    listeners.set(type, (listeners.get(type) ?? []).filter((x) => x !== l));
  };
  const captures = (options) => Boolean(typeof options === "object" && options !== null ? options.capture : options);
  class EventTarget {
    #listeners = new Map();
    addEventListener(type, listener, options) {
      if (listener == null) return;
      if (typeof listener !== "function" && typeof listener !== "object") throw new TypeError("a listener is a function or an object");
      type = String(type);
      const list = this.#listeners.get(type) ?? [];
      const capture = captures(options);
      if (options?.signal?.aborted || list.some((l) => l.listener === listener && l.capture === capture)) return;
      const l = { listener, capture, once: Boolean(options?.once), passive: Boolean(options?.passive), removed: false };
      this.#listeners.set(type, [...list, l]);
      if (options?.signal != null) signals.on(options.signal, () => remove(this.#listeners, type, l));
    }
    removeEventListener(type, listener, options) {
      const l = (this.#listeners.get(String(type)) ?? []).find((x) => x.listener === listener && x.capture === captures(options));
      if (l) remove(this.#listeners, String(type), l);
    }
    dispatchEvent(event) {
      if (!(event instanceof Event)) throw new TypeError("dispatchEvent needs an Event");
      return dispatch(this, this.#listeners, event);
    }
    static over(self) {
      const t = new EventTarget();
      return {
        addEventListener(...a) {
          host.kept();
          t.addEventListener(...a);
        },
        removeEventListener: (...a) => t.removeEventListener(...a),
        dispatchEvent: (e) => dispatch(self, t.#listeners, e),
      };
    }
  }
  // Of the global object: "error" for what nobody caught in a listener or gave to reportError, "unhandledrejection" at the
  // end of a run. Both are logged unless their default is prevented.
  const atGlobal = EventTarget.over(globalThis);
  delete EventTarget.over;
  const { reportError } = { // as a method, as platform functions have no prototype
    reportError(error) {
      const event = new ErrorEvent("error", { error, message: String(error?.message ?? error), cancelable: true });
      const handler = globalThis.onerror; // its arguments and its meaning of true are its own (HTML standard, 8.1.8.1)
      let handled = false;
      if (typeof handler === "function") {
        globalThis.onerror = null;
        try {
          handled = handler.call(globalThis, event.message, "", 0, 0, error) === true;
          atGlobal.dispatchEvent(event);
        } finally {
          globalThis.onerror = handler;
        }
      } else atGlobal.dispatchEvent(event);
      if (!handled && !event.defaultPrevented) host.reported(error);
    },
  };

  // Messages arrive one after the other, each in a turn of its own.
  class MessagePort extends EventTarget {
    #other = null;
    #waiting = [];
    #open = false;
    #closed = false;
    #onmessage = null;
    onmessageerror = null;
    constructor(key) {
      super();
      if (key !== stops) throw new TypeError("Illegal constructor");
    }
    get onmessage() {
      return this.#onmessage;
    }
    set onmessage(f) {
      this.#onmessage = f;
      this.start();
    }
    postMessage(message, options) {
      const data = structuredClone(message, Array.isArray(options) ? { transfer: options } : options);
      const to = this.#other;
      if (!to || to.#closed) return;
      if (to.#open) to.#deliver(data);
      else to.#waiting.push(data);
    }
    #deliver(data) {
      host.timeout(() => this.#closed || this.dispatchEvent(new MessageEvent("message", { data })), 0);
    }
    start() {
      if (this.#open) return;
      this.#open = true;
      for (const data of this.#waiting.splice(0)) this.#deliver(data);
    }
    close() {
      this.#closed = true;
    }
    static pair() {
      const [a, b] = [new MessagePort(stops), new MessagePort(stops)];
      a.#other = b;
      b.#other = a;
      return [a, b];
    }
  }
  const { pair } = MessagePort;
  delete MessagePort.pair;
  class MessageChannel {
    #ports = pair();
    get port1() {
      return this.#ports[0];
    }
    get port2() {
      return this.#ports[1];
    }
  }
  class Performance extends EventTarget {
    constructor(key) {
      super();
      if (key !== stops) throw new TypeError("Illegal constructor");
    }
    get timeOrigin() {
      return origin;
    }
    now() {
      return host.elapsed();
    }
    toJSON() {
      return { timeOrigin: origin };
    }
  }
  const origin = Date.now();

  let abort;
  let signals;
  class AbortSignal extends EventTarget {
    #aborted = false;
    #reason = undefined;
    #algorithms = []; // what the platform does on abort, before listeners hear of it (DOM standard, 3.2)
    onabort = null;
    get aborted() {
      return this.#aborted;
    }
    get reason() {
      return this.#reason;
    }
    throwIfAborted() {
      if (this.#aborted) throw this.#reason;
    }
    static abort(reason) {
      const s = new AbortSignal();
      abort(s, reason);
      return s;
    }
    static timeout(ms) {
      const s = new AbortSignal();
      host.timeout(() => abort(s, new DOMException("The operation timed out.", "TimeoutError")), ms);
      return s;
    }
    static any(signals) {
      const s = new AbortSignal();
      for (const other of signals) {
        if (other.aborted) {
          abort(s, other.reason);
          break;
        }
        other.#algorithms.push(() => abort(s, other.reason));
      }
      return s;
    }
    static {
      abort = (s, reason = new DOMException("The operation was aborted.", "AbortError")) => {
        if (s.#aborted) return;
        s.#aborted = true;
        s.#reason = reason;
        for (const f of s.#algorithms.splice(0)) f();
        s.dispatchEvent(new Event("abort"));
      };
      const own = (f) => (s, ...rest) => {
        try {
          s.#aborted;
        } catch {
          throw new TypeError("signal must be an AbortSignal");
        }
        return f(s, ...rest);
      };
      signals = { aborted: own((s) => s.#aborted), reason: own((s) => s.#reason), on: own((s, f) => void s.#algorithms.push(f)) };
    }
  }
  class AbortController {
    #signal = new AbortSignal();
    get signal() {
      return this.#signal;
    }
    abort(reason) {
      abort(this.#signal, reason);
    }
  }

  for (const [name, value] of Object.entries({
    reportError, ...atGlobal, performance: Object.freeze(new Performance(stops)), onerror: null, onunhandledrejection: null, onrejectionhandled: null,
  }))
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });

  return {
    classes: {
      Event, EventTarget, CustomEvent, ErrorEvent, MessageEvent, PromiseRejectionEvent, MessageChannel, MessagePort, Performance, AbortSignal,
      AbortController,
    },
    abort,
    newSignal: () => new AbortSignal(),
    ...signals,
    /** unhandled tells the script of a rejection; true: it is not to be logged. */
    unhandled: (promise, reason) => !atGlobal.dispatchEvent(new PromiseRejectionEvent("unhandledrejection", { promise, reason, cancelable: true })),
  };
});
