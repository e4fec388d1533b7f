// What the engine lacks or has wrong of ECMA-262, for code that uses it.
(function (host) {
  "use strict";
  const put = (o, name, value) => Object.defineProperty(o, name, { value, writable: true, configurable: true, enumerable: false });
  // Methods, as built-in functions have no prototype.
  const replace = (o, list) => {
    for (const name of Object.getOwnPropertyNames(list)) put(o, name, list[name]);
  };

  // %TypedArray%.from takes a string too.
  const TypedArray = Object.getPrototypeOf(Uint8Array);
  const from = TypedArray.from;
  replace(TypedArray, {
    from(source, map, self) {
      return from.call(this, typeof source === "string" ? [...source] : source, map, self);
    },
  });

  // Methods of ECMAScript 2024 and 2025.
  const methods = (o, list) => {
    for (const name of Object.getOwnPropertyNames(list)) if (!(name in o)) put(o, name, list[name]);
  };
  const group = (items, f, add) => {
    let k = 0;
    for (const x of items) add(f(x, k++), x);
  };
  methods(Object, {
    groupBy(items, f) {
      const out = Object.create(null);
      group(items, f, (key, x) => (out[typeof key === "symbol" ? key : String(key)] ??= []).push(x));
      return out;
    },
  });
  methods(Map, {
    groupBy(items, f) {
      const out = new Map();
      group(items, f, (key, x) => (out.has(key) ? out.get(key).push(x) : out.set(key, [x])));
      return out;
    },
  });
  methods(Promise, {
    withResolvers() {
      let resolve, reject;
      const promise = new this((a, b) => ((resolve = a), (reject = b)));
      return { promise, resolve, reject };
    },
    try(f, ...args) {
      return new this((resolve) => resolve(f(...args)));
    },
  });
  methods(Array, {
    async fromAsync(source, map, self) {
      const out = [];
      const add = async (x) => out.push(map ? await map.call(self, await x, out.length) : await x);
      if (source[Symbol.asyncIterator]) {
        const it = source[Symbol.asyncIterator]();
        for (let r = await it.next(); !r.done; r = await it.next()) await add(r.value);
      } else for (const x of source[Symbol.iterator] ? source : Array.from(source)) await add(x);
      return out;
    },
  });
  // An Error's stack is there when it is made; of other objects this makes one.
  replace(Error, {
    captureStackTrace(o) {
      if (!(o instanceof Error)) put(o, "stack", new Error().stack);
    },
  });

  // A reference that is never cleared, and a registry that never calls: what the standard allows an engine to do.
  class WeakRef {
    #target;
    constructor(target) {
      const isKey = Object(target) === target || (typeof target === "symbol" && Symbol.keyFor(target) === undefined);
      if (!isKey) throw new TypeError("WeakRef needs an object, or a symbol that is not registered");
      this.#target = target;
    }
    deref() {
      return this.#target;
    }
  }
  class FinalizationRegistry {
    constructor(cleanup) {
      if (typeof cleanup !== "function") throw new TypeError("FinalizationRegistry needs a function");
    }
    register() {}
    unregister() {
      return false;
    }
  }
  return { classes: { WeakRef, FinalizationRegistry } };
});
