// Scripts in the style of service workers: listeners of "fetch" and "scheduled" that a script adds while it is evaluated
// are its handlers (Service Workers, 4.4 and 4.6). What this returns makes handlers of them.
(function (host) {
  "use strict";
  const { addEventListener: add, Event, DOMException } = globalThis;
  const listeners = { fetch: [], scheduled: [] };

  const { addEventListener } = { // as a method, as platform functions have no prototype
    addEventListener(type, listener, options) {
      const list = Object.hasOwn(listeners, type) && host.evaluating() ? listeners[type] : undefined;
      if (list === undefined) return add(type, listener, options);
      if (listener !== null && (typeof listener === "function" || typeof listener === "object") && !list.includes(listener)) list.push(listener);
    },
  };
  Object.defineProperty(globalThis, "addEventListener", { value: addEventListener, writable: true, configurable: true, enumerable: false });

  class ExtendableEvent extends Event {
    #context;
    static begin(event, context) {
      event.#context = context;
    }
    waitUntil(promise) {
      if (this.#context === undefined) throw new DOMException("The event is not being handled.", "InvalidStateError");
      this.#context.waitUntil(promise);
    }
  }
  const { begin } = ExtendableEvent;
  delete ExtendableEvent.begin;

  class FetchEvent extends ExtendableEvent {
    #request;
    #response;
    #open = false;
    constructor(type, init) {
      super(type, init);
      if (init?.request === undefined) throw new TypeError("a FetchEvent needs a request");
      this.#request = init.request;
    }
    static handle(event, call) {
      event.#open = true;
      for (const l of listeners.fetch) {
        call(l, event);
        if (event.#response !== undefined) break;
      }
      event.#open = false;
      if (event.#response === undefined) throw new TypeError('no listener of "fetch" has called event.respondWith(response) before it returned');
      return event.#response;
    }
    get request() {
      return this.#request;
    }
    get clientId() {
      return "";
    }
    respondWith(response) {
      if (!this.#open || this.#response !== undefined) throw new DOMException("respondWith is called once, before the listener returns.", "InvalidStateError");
      this.#response = Promise.resolve(response);
    }
    passThroughOnException() {} // there is no server behind the script to pass to
  }
  const { handle } = FetchEvent;
  delete FetchEvent.handle;

  class ScheduledEvent extends ExtendableEvent {
    #init;
    constructor(type, init) {
      super(type, init);
      this.#init = init ?? {};
    }
    get cron() {
      return this.#init.cron;
    }
    get scheduledTime() {
      return this.#init.scheduledTime;
    }
    get timezone() {
      return this.#init.timezone;
    }
  }

  const call = (listener, event) => (typeof listener === "function" ? listener.call(globalThis, event) : listener.handleEvent(event));
  const handlers = {
    fetch(request, env, context) {
      const event = new FetchEvent("fetch", { request, cancelable: true });
      begin(event, context);
      return handle(event, call);
    },
    scheduled(scheduled, env, context) {
      const event = new ScheduledEvent("scheduled", scheduled);
      begin(event, context);
      return Promise.all(listeners.scheduled.map((l) => call(l, event)));
    },
  };

  return {
    classes: { ExtendableEvent, FetchEvent, ScheduledEvent },
    handler: (name) => (Object.hasOwn(listeners, name) && listeners[name].length > 0 ? handlers[name] : undefined),
  };
});
