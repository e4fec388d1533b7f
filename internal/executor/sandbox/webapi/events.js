// Events, AbortSignal, messages and performance: loaded before the app's module when its code names any of them, else when
// a signal is first asked for. The classes follow the DOM, HTML and High Resolution Time standards.
(function (host) {
  "use strict";
  const { DOMException, structuredClone } = host;
  const { apply } = Reflect;
  const key = {}; // with which the platform itself makes instances; no script has it
  const isObject = (v) => (typeof v === "object" && v !== null) || typeof v === "function";
  const needArguments = (args, n, what) => {
    if (args.length < n) throw new TypeError(`${what} needs ${n} argument${n === 1 ? "" : "s"}, ${args.length} given`);
  };
  const dictionary = (v, what) => {
    if (v === undefined || v === null) return {};
    if (!isObject(v)) throw new TypeError(`${what} must be an object`);
    return v;
  };
  // As Web IDL has it: methods and getters are enumerable, constants are on class and prototype, and the class says its name.
  const define = (C, constants = {}) => {
    for (const name of Reflect.ownKeys(C.prototype)) {
      if (name !== "constructor" && typeof name !== "symbol") Object.defineProperty(C.prototype, name, { enumerable: true });
    }
    for (const name of Object.getOwnPropertyNames(C)) {
      if (typeof C[name] === "function") Object.defineProperty(C, name, { enumerable: true });
    }
    for (const [name, value] of Object.entries(constants)) {
      for (const o of [C, C.prototype]) Object.defineProperty(o, name, { value, enumerable: true });
    }
    Object.defineProperty(C.prototype, Symbol.toStringTag, { value: C.name, configurable: true });
  };

  let stateOf; // what an event keeps for its dispatch; it throws for what is no Event
  const isTrusted = Object.getOwnPropertyDescriptor({ get isTrusted() { return stateOf(this).trusted; } }, "isTrusted").get;
  class Event {
    #s;
    constructor(type, init = undefined) {
      needArguments(arguments, 1, "Event");
      const dict = dictionary(init, "an event's init");
      this.#s = {
        type: `${type}`, bubbles: Boolean(dict.bubbles), cancelable: Boolean(dict.cancelable), composed: Boolean(dict.composed), at: host.elapsed(),
        target: null, current: null, phase: 0, dispatching: false, prevented: false, passive: false, stopped: false, stoppedNow: false, trusted: false,
      };
      Object.defineProperty(this, "isTrusted", { get: isTrusted, enumerable: true });
    }
    get type() {
      return this.#s.type;
    }
    get target() {
      return this.#s.target;
    }
    get srcElement() {
      return this.#s.target;
    }
    get currentTarget() {
      return this.#s.current;
    }
    composedPath() {
      return this.#s.current ? [this.#s.current] : [];
    }
    get eventPhase() {
      return this.#s.phase;
    }
    stopPropagation() {
      this.#s.stopped = true;
    }
    get cancelBubble() {
      return this.#s.stopped;
    }
    set cancelBubble(v) {
      if (v) this.#s.stopped = true;
    }
    stopImmediatePropagation() {
      this.#s.stopped = this.#s.stoppedNow = true;
    }
    get bubbles() {
      return this.#s.bubbles;
    }
    get cancelable() {
      return this.#s.cancelable;
    }
    get returnValue() {
      return !this.#s.prevented;
    }
    set returnValue(v) {
      if (!v) this.preventDefault();
    }
    preventDefault() {
      if (this.#s.cancelable && !this.#s.passive) this.#s.prevented = true;
    }
    get defaultPrevented() {
      return this.#s.prevented;
    }
    get composed() {
      return this.#s.composed;
    }
    get timeStamp() {
      return this.#s.at;
    }
    initEvent(type, bubbles = false, cancelable = false) {
      needArguments(arguments, 1, "initEvent");
      if (this.#s.dispatching) return;
      Object.assign(this.#s, { type: `${type}`, bubbles: Boolean(bubbles), cancelable: Boolean(cancelable), prevented: false, stopped: false, stoppedNow: false });
    }
    static {
      stateOf = (e) => {
        if (!(isObject(e) && #s in e)) throw new TypeError("it is not an Event");
        return e.#s;
      };
    }
  }
  define(Event, { NONE: 0, CAPTURING_PHASE: 1, AT_TARGET: 2, BUBBLING_PHASE: 3 });

  // A kind of event that carries what its init names; convert makes a member of what was given.
  const eventClass = (name, members) => {
    const all = new WeakMap();
    const own = (e) => {
      const members = isObject(e) ? all.get(e) : undefined;
      if (members === undefined) throw new TypeError(`it is not a ${name}`);
      return members;
    };
    const C = {
      [name]: class extends Event {
        constructor(type, init = undefined) {
          super(type, init);
          const dict = dictionary(init, "an event's init");
          const values = {};
          for (const [member, { otherwise, convert, required }] of Object.entries(members)) {
            const given = dict[member];
            if (given === undefined && required) throw new TypeError(`a ${name} needs a ${member}`);
            values[member] = given === undefined ? otherwise : convert ? convert(given) : given;
          }
          all.set(this, values);
        }
      },
    }[name];
    for (const member of Object.keys(members)) {
      const { get } = Object.getOwnPropertyDescriptor({ get [member]() { return own(this)[member]; } }, member);
      Object.defineProperty(C.prototype, member, { get, enumerable: true, configurable: true });
    }
    define(C);
    return { C, own };
  };
  const string = (otherwise) => ({ otherwise, convert: (v) => `${v}` });
  const number = { otherwise: 0, convert: (v) => v >>> 0 };
  const any = (otherwise) => ({ otherwise });
  const { C: CustomEvent, own: customOf } = eventClass("CustomEvent", { detail: any(null) });
  const { initCustomEvent } = {
    initCustomEvent(type, bubbles = false, cancelable = false, detail = null) {
      needArguments(arguments, 1, "initCustomEvent");
      const own = customOf(this);
      if (stateOf(this).dispatching) return;
      this.initEvent(type, bubbles, cancelable);
      own.detail = detail;
    },
  };
  Object.defineProperty(CustomEvent.prototype, "initCustomEvent", { value: initCustomEvent, writable: true, enumerable: true, configurable: true });
  const { C: ErrorEvent } = eventClass("ErrorEvent", { message: string(""), filename: string(""), lineno: number, colno: number, error: any(undefined) });
  const { C: MessageEvent } = eventClass("MessageEvent", { data: any(null), origin: string(""), lastEventId: string(""), source: any(null), ports: { otherwise: Object.freeze([]), convert: (v) => Object.freeze([...v]) } });
  const { C: PromiseRejectionEvent } = eventClass("PromiseRejectionEvent", { promise: { required: true }, reason: any(undefined) });

  // dispatch calls the listeners of a target (DOM standard, 2.9); what one throws is reported, and the others are called.
  const dispatch = (target, listeners, event, trusted = false) => {
    const state = stateOf(event);
    if (state.dispatching) throw new DOMException("The event is being dispatched already.", "InvalidStateError");
    Object.assign(state, { target, current: target, phase: 2, dispatching: true, trusted });
    for (const capture of [true, false]) {
      if (state.stopped) break;
      for (const l of listeners.get(state.type) ?? []) {
        if (state.stoppedNow) break;
        if (l.removed || l.capture !== capture) continue;
        if (l.once) remove(listeners, state.type, l);
        state.passive = l.passive;
        try {
          callListener(l.listener, target, event);
        } catch (e) {
          reportError(e);
        }
        state.passive = false;
      }
    }
    Object.assign(state, { current: null, phase: 0, dispatching: false, stopped: false, stoppedNow: false });
    return !state.prevented;
  };
  const callListener = (listener, target, event) => {
    if (typeof listener === "function") {
      apply(listener, target, [event]);
      return;
    }
    const { handleEvent } = listener;
    if (typeof handleEvent !== "function") throw new TypeError("a listener's handleEvent must be a function");
    apply(handleEvent, listener, [event]);
  };
  const remove = (listeners, type, l) => {
    l.removed = true;
    listeners.set(type, (listeners.get(type) ?? []).filter((x) => x !== l));
  };
  const add = (listeners, type, l) => listeners.set(type, [...(listeners.get(type) ?? []), l]);
  const captures = (options) => Boolean(isObject(options) ? options.capture : options);
  const checkListener = (listener) => {
    if (listener !== null && !isObject(listener)) throw new TypeError("a listener is a function or an object");
  };
  const addListener = (listeners, args) => {
    needArguments(args, 2, "addEventListener");
    const [type, listener, options] = [`${args[0]}`, args[1] ?? null, args[2]];
    checkListener(listener);
    const dict = isObject(options) ? options : {};
    const l = { listener, capture: captures(options), once: Boolean(dict.once), passive: Boolean(dict.passive), removed: false };
    const { signal } = dict;
    if (signal !== undefined && signals.aborted(signal)) return;
    if (listener === null || (listeners.get(type) ?? []).some((x) => x.listener === listener && x.capture === l.capture)) return;
    add(listeners, type, l);
    if (signal !== undefined) signals.on(signal, () => remove(listeners, type, l));
  };
  const removeListener = (listeners, args) => {
    needArguments(args, 2, "removeEventListener");
    const [type, listener, options] = [`${args[0]}`, args[1] ?? null, args[2]];
    checkListener(listener);
    const capture = captures(options);
    const l = (listeners.get(type) ?? []).find((x) => x.listener === listener && x.capture === capture);
    if (l) remove(listeners, type, l);
  };

  let listenersOf;
  // Of the global object: "error" for what nobody caught in a listener or gave to reportError, "unhandledrejection" at the
  // end of a run. Both are logged unless their default is prevented.
  const global = { listeners: new Map() };
  const onTarget = (self, f, args) => {
    // Called without a target, as a global function, they are the global object's.
    if (self !== undefined && self !== null && self !== globalThis) return f(listenersOf(self), args);
    if (f === addListener) host.kept();
    return f(global.listeners, args);
  };
  class EventTarget {
    #listeners = new Map();
    addEventListener(type, listener, options) {
      onTarget(this, addListener, arguments);
    }
    removeEventListener(type, listener, options) {
      onTarget(this, removeListener, arguments);
    }
    dispatchEvent(event) {
      const own = this ?? globalThis;
      const listeners = own === globalThis ? global.listeners : listenersOf(own);
      needArguments(arguments, 1, "dispatchEvent");
      return dispatch(own, listeners, event);
    }
    static {
      listenersOf = (t) => {
        if (!(isObject(t) && #listeners in t)) throw new TypeError("it is not an EventTarget");
        return t.#listeners;
      };
    }
  }
  for (const [name, length] of [["addEventListener", 2], ["removeEventListener", 2]]) Object.defineProperty(EventTarget.prototype[name], "length", { value: length, configurable: true });
  define(EventTarget);
  const fire = (target, event) => dispatch(target, listenersOf(target), event, true);

  // An event handler attribute (HTML standard, 8.1.8.1): a listener that is in the list from the time it is first set.
  const handlerAttribute = (C, type, brand, set = () => {}) => {
    const name = "on" + type;
    const handlers = new WeakMap();
    const accessor = {
      get [name]() {
        brand(this);
        return handlers.get(this)?.f ?? null;
      },
      set [name](f) {
        brand(this);
        const next = isObject(f) ? f : null;
        let h = handlers.get(this);
        if (h === undefined && next !== null) {
          h = { f: null };
          handlers.set(this, h);
          const listener = (event) => {
            if (typeof h.f === "function" && apply(h.f, event.currentTarget, [event]) === false) event.preventDefault();
          };
          add(listenersOf(this), type, { listener, capture: false, once: false, passive: false, removed: false });
        }
        if (h !== undefined) h.f = next;
        set(this);
      },
    };
    Object.defineProperty(C.prototype, name, { ...Object.getOwnPropertyDescriptor(accessor, name), enumerable: true, configurable: true });
  };

  const { reportError } = { // as a method, as platform functions have no prototype
    reportError(error) {
      needArguments(arguments, 1, "reportError");
      const event = new ErrorEvent("error", { error, message: String(error?.message ?? error), cancelable: true });
      const handler = globalThis.onerror; // its arguments and its meaning of true are its own (HTML standard, 8.1.8.1)
      let handled = false;
      const atGlobal = () => dispatch(globalThis, global.listeners, event);
      if (typeof handler === "function") {
        globalThis.onerror = null;
        try {
          handled = handler.call(globalThis, event.message, "", 0, 0, error) === true;
          atGlobal();
        } finally {
          globalThis.onerror = handler;
        }
      } else atGlobal();
      if (!handled && !event.defaultPrevented) host.reported(error);
    },
  };

  // Messages arrive one after the other, each in a turn of its own.
  let portOf;
  class MessagePort extends EventTarget {
    #p = { other: null, waiting: [], open: false, closed: false };
    constructor(given) {
      if (given !== key) throw new TypeError("Illegal constructor");
      super();
    }
    postMessage(message, options = undefined) {
      needArguments(arguments, 1, "postMessage");
      const data = structuredClone(message, Array.isArray(options) ? { transfer: options } : options);
      const to = this.#p.other;
      if (to === null || portOf(to).closed) return;
      if (portOf(to).open) deliver(to, data);
      else portOf(to).waiting.push(data);
    }
    start() {
      if (this.#p.open) return;
      this.#p.open = true;
      for (const data of this.#p.waiting.splice(0)) deliver(this, data);
    }
    close() {
      this.#p.closed = true;
    }
    static {
      portOf = (port) => port.#p;
    }
  }
  const deliver = (port, data) => host.timeout(() => portOf(port).closed || fire(port, new MessageEvent("message", { data })), 0);
  define(MessagePort);
  handlerAttribute(MessagePort, "message", portOf, (port) => port.start());
  handlerAttribute(MessagePort, "messageerror", portOf);
  class MessageChannel {
    #ports = [new MessagePort(key), new MessagePort(key)];
    constructor() {
      const [a, b] = this.#ports;
      portOf(a).other = b;
      portOf(b).other = a;
    }
    get port1() {
      return this.#ports[0];
    }
    get port2() {
      return this.#ports[1];
    }
  }
  define(MessageChannel);

  const origin = Date.now();
  class Performance extends EventTarget {
    #own;
    constructor(given) {
      if (given !== key) throw new TypeError("Illegal constructor");
      super();
    }
    get timeOrigin() {
      this.#own;
      return origin;
    }
    now() {
      this.#own;
      return host.elapsed();
    }
    toJSON() {
      this.#own;
      return { timeOrigin: origin };
    }
  }
  define(Performance);

  // Signals (DOM standard, 3.2). A dependent signal, which any makes, follows its sources and no other dependent one.
  let signalOf;
  const newSignal = () => new AbortSignal(key);
  const aborted = () => new DOMException("The operation was aborted.", "AbortError");
  const abort = (signal, reason = aborted()) => {
    const s = signalOf(signal);
    if (s.aborted) return;
    const mark = (state) => Object.assign(state, { aborted: true, reason });
    mark(s);
    // All are aborted before anybody hears of one; the source's listeners come first.
    const dependents = s.dependents.splice(0).filter((d) => !signalOf(d).aborted);
    for (const d of dependents) mark(signalOf(d));
    for (const aborting of [signal, ...dependents]) {
      for (const f of signalOf(aborting).algorithms.splice(0)) f();
      fire(aborting, new Event("abort"));
    }
  };
  class AbortSignal extends EventTarget {
    #s = { aborted: false, reason: undefined, algorithms: [], dependents: [], sources: undefined };
    constructor(given) {
      if (given !== key) throw new TypeError("Illegal constructor");
      super();
    }
    static abort(reason = undefined) {
      const signal = newSignal();
      abort(signal, reason);
      return signal;
    }
    static timeout(milliseconds) {
      needArguments(arguments, 1, "AbortSignal.timeout");
      const n = Math.trunc(+milliseconds);
      if (!(n >= 0 && n <= Number.MAX_SAFE_INTEGER)) throw new TypeError("AbortSignal.timeout needs milliseconds from 0");
      const signal = newSignal();
      host.timeout(() => abort(signal, new DOMException("The operation timed out.", "TimeoutError")), n);
      return signal;
    }
    static any(list) {
      needArguments(arguments, 1, "AbortSignal.any");
      if (!isObject(list) || typeof list[Symbol.iterator] !== "function") throw new TypeError("AbortSignal.any needs a list of signals");
      const given = [...list];
      for (const source of given) signalOf(source);
      const signal = newSignal();
      const s = signalOf(signal);
      const already = given.find((source) => signalOf(source).aborted);
      if (already !== undefined) {
        abort(signal, signalOf(already).reason);
        return signal;
      }
      s.sources = new Set(given.flatMap((source) => (signalOf(source).sources ? [...signalOf(source).sources] : [source])));
      for (const source of s.sources) signalOf(source).dependents.push(signal);
      return signal;
    }
    get aborted() {
      return this.#s.aborted;
    }
    get reason() {
      return this.#s.reason;
    }
    throwIfAborted() {
      if (this.#s.aborted) throw this.#s.reason;
    }
    static {
      signalOf = (v) => {
        if (!(isObject(v) && #s in v)) throw new TypeError("signal must be an AbortSignal");
        return v.#s;
      };
    }
  }
  define(AbortSignal);
  handlerAttribute(AbortSignal, "abort", signalOf);
  class AbortController {
    #signal = newSignal();
    get signal() {
      return this.#signal;
    }
    abort(reason = undefined) {
      abort(this.#signal, reason);
    }
  }
  define(AbortController);
  const signals = {
    aborted: (signal) => signalOf(signal).aborted,
    reason: (signal) => signalOf(signal).reason,
    on: (signal, f) => void signalOf(signal).algorithms.push(f),
    off: (signal, f) => {
      const s = signalOf(signal);
      s.algorithms = s.algorithms.filter((x) => x !== f);
    },
    follow: (signal) => AbortSignal.any([signal]),
  };

  const { addEventListener, removeEventListener, dispatchEvent } = EventTarget.prototype;
  for (const [name, value] of Object.entries({
    reportError, addEventListener, removeEventListener, dispatchEvent, performance: Object.freeze(new Performance(key)), onerror: null, onunhandledrejection: null, onrejectionhandled: null,
  }))
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });

  return {
    classes: {
      Event, EventTarget, CustomEvent, ErrorEvent, MessageEvent, PromiseRejectionEvent, MessageChannel, MessagePort, Performance, AbortSignal,
      AbortController,
    },
    abort,
    newSignal,
    report: reportError,
    ...signals,
    /** unhandled tells the script of a rejection; true: it is not to be logged. */
    unhandled: (promise, reason) => {
      const event = new PromiseRejectionEvent("unhandledrejection", { promise, reason, cancelable: true });
      const handler = globalThis.onunhandledrejection;
      if (typeof handler === "function" && apply(handler, globalThis, [event]) === false) event.preventDefault();
      return !dispatch(globalThis, global.listeners, event);
    },
  };
});
