// AsyncLocalStorage: a value that follows the code of one cause through promises, await, timers and ticks. The
// stores of all storages stand in one Map, which is copied when one changes.
(function (host, require) {
  "use strict";
  const { argType } = require("internal:errors");
  const swapped = (context, f, args, self) => {
    const before = host.contextNow();
    host.contextSet(context);
    try {
      return f.apply(self, args);
    } finally {
      host.contextSet(before);
    }
  };
  const bound = (f) => {
    if (typeof f !== "function") throw argType("fn", "of type function", f);
    const context = host.contextNow();
    return function (...args) {
      return swapped(context, f, args, this);
    };
  };

  class AsyncLocalStorage {
    #default;
    #name;
    constructor(options) {
      this.#default = options?.defaultValue;
      this.#name = options?.name === undefined ? "" : String(options.name);
    }
    get name() {
      return this.#name;
    }
    #with(store) {
      return new Map([...(host.contextNow() ?? []), [this, store]]);
    }
    #without() {
      const context = new Map(host.contextNow() ?? []);
      context.delete(this);
      return context;
    }
    getStore() {
      const context = host.contextNow();
      return context?.has(this) ? context.get(this) : this.#default;
    }
    run(store, f, ...args) {
      return swapped(this.#with(store), f, args, null);
    }
    exit(f, ...args) {
      return swapped(this.#without(), f, args, null);
    }
    enterWith(store) {
      host.contextSet(this.#with(store));
    }
    disable() {
      host.contextSet(this.#without());
    }
    static bind(f) {
      return bound(f);
    }
    static snapshot() {
      const run = bound((f, ...args) => f(...args));
      return (f, ...args) => run(f, ...args);
    }
  }

  let lastID = 1;
  class AsyncResource {
    #context = host.contextNow();
    #id = ++lastID;
    constructor(type) {
      if (typeof type !== "string") throw argType("type", "of type string", type);
      this.type = type;
    }
    runInAsyncScope(f, self, ...args) {
      return swapped(this.#context, f, args, self);
    }
    bind(f) {
      const resource = this;
      return function (...args) {
        return resource.runInAsyncScope(f, this, ...args);
      };
    }
    static bind(f, type, self) {
      const resource = new AsyncResource(type ?? f.name ?? "bound-anonymous-fn");
      return self === undefined ? resource.bind(f) : resource.bind(f.bind(self));
    }
    emitDestroy() {
      return this;
    }
    asyncId() {
      return this.#id;
    }
    triggerAsyncId() {
      return 1;
    }
  }
  host.contextNow(); // from here on the engine carries it
  return {
    AsyncLocalStorage, AsyncResource,
    executionAsyncId: () => 1, triggerAsyncId: () => 0, executionAsyncResource: () => ({}),
    createHook: () => ({ enable() { return this; }, disable() { return this; } }),
    asyncWrapProviders: Object.freeze({}),
  };
});
