// What the engine lacks or has wrong of ECMA-262, for code that uses it.
(function (host) {
  "use strict";
  const put = (o, name, value) => Object.defineProperty(o, name, { value, writable: true, configurable: true, enumerable: false });
  // Methods, as built-in functions have no prototype.
  const replace = (o, list) => {
    for (const name of Object.getOwnPropertyNames(list)) put(o, name, list[name]);
  };

  // A RegExp that takes Unicode property escapes and the flag v, over the engine's own.
  const Original = globalThis.RegExp;
  const { construct } = Reflect;
  function RegExp(pattern, flags) {
    const isRegExp = pattern instanceof Original;
    if (new.target === undefined && isRegExp && flags === undefined) return pattern;
    let f = flags === undefined ? (isRegExp ? pattern.flags : "") : String(flags);
    let source = isRegExp ? pattern.source : pattern === undefined ? "" : String(pattern);
    const sets = f.includes("v");
    if (sets) {
      if (f.includes("u")) throw new SyntaxError(`Invalid flags supplied to RegExp constructor '${f}'`);
      f = f.replace("v", "u");
    }
    if (f.includes("u")) source = host.expand(source, sets);
    return construct(Original, [source, f], new.target ?? RegExp);
  }
  Object.defineProperty(RegExp, "length", { value: 2 });
  Object.defineProperty(RegExp, "prototype", { value: Original.prototype, writable: false });
  Object.defineProperty(RegExp, Symbol.species, { get() { return this; }, configurable: true });
  put(Original.prototype, "constructor", RegExp);

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
  methods(RegExp, {
    escape(s) {
      if (typeof s !== "string") throw new TypeError("RegExp.escape needs a string");
      return s
        .replace(/[\^$\\.*+?()[\]{}|/]/g, "\\$&")
        .replace(/[,\-=<>#&!%:;@~'`"\s]/g, (c) => (c.charCodeAt(0) < 256 ? "\\x" + c.charCodeAt(0).toString(16).padStart(2, "0") : "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0")))
        .replace(/^[0-9A-Za-z]/, (c) => "\\x" + c.charCodeAt(0).toString(16));
    },
  });
  const IteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));
  function Iterator() {
    if (new.target === undefined || new.target === Iterator) throw new TypeError("Iterator is made by extending it");
  }
  Object.defineProperty(Iterator, "prototype", { value: IteratorPrototype, writable: false });
  const count = (n) => {
    const k = Math.trunc(Number(n));
    if (!(k >= 0)) throw new RangeError(`${String(n)} must be a positive number`);
    return k;
  };
  const callable = (f) => {
    if (typeof f !== "function") throw new TypeError(`${String(f)} is not a function`);
    return f;
  };
  const over = (it) => ({ [Symbol.iterator]: () => ({ next: () => it.next(), return: (v) => it.return?.(v) ?? { done: true, value: v } }) });
  const lazily = (f) => {
    const steps = f(); // a generator's own object, whose iterator closes the one below it
    return Object.setPrototypeOf({ next: () => steps.next(), return: (v) => steps.return(v) }, Helper);
  };
  const Helper = Object.create(IteratorPrototype, { [Symbol.toStringTag]: { value: "Iterator Helper", configurable: true } });
  methods(IteratorPrototype, {
    map(f) {
      callable(f);
      const it = this;
      return lazily(function* () { let k = 0; for (const x of over(it)) yield f(x, k++); });
    },
    filter(f) {
      callable(f);
      const it = this;
      return lazily(function* () { let k = 0; for (const x of over(it)) if (f(x, k++)) yield x; });
    },
    take(n) {
      let left = count(n);
      const it = this;
      return lazily(function* () {
        if (left === 0) return void it.return?.();
        for (const x of over(it)) {
          yield x;
          if (--left === 0) return;
        }
      });
    },
    drop(n) {
      let left = count(n);
      const it = this;
      return lazily(function* () { for (const x of over(it)) if (left > 0) left--; else yield x; });
    },
    flatMap(f) {
      callable(f);
      const it = this;
      return lazily(function* () { let k = 0; for (const x of over(it)) yield* Iterator.from(f(x, k++)); });
    },
    reduce(f, ...init) {
      callable(f);
      let k = 0;
      let has = init.length > 0;
      let acc = init[0];
      for (const x of over(this)) {
        acc = has ? f(acc, x, k) : x;
        has = true;
        k++;
      }
      if (!has) throw new TypeError("reduce of an empty iterator with no initial value");
      return acc;
    },
    toArray() {
      return [...over(this)];
    },
    forEach(f) {
      callable(f);
      let k = 0;
      for (const x of over(this)) f(x, k++);
    },
    some(f) {
      callable(f);
      let k = 0;
      for (const x of over(this)) if (f(x, k++)) return true;
      return false;
    },
    every(f) {
      callable(f);
      let k = 0;
      for (const x of over(this)) if (!f(x, k++)) return false;
      return true;
    },
    find(f) {
      callable(f);
      let k = 0;
      for (const x of over(this)) if (f(x, k++)) return x;
    },
  });
  methods(Iterator, {
    from(o) {
      const make = o?.[Symbol.iterator];
      const it = make ? make.call(o) : o;
      if (it === null || typeof it !== "object" || typeof it.next !== "function") throw new TypeError("Iterator.from needs an iterable or an iterator");
      return it instanceof Iterator ? it : lazily(function* () { yield* over(it); });
    },
  });
  for (const name of ["dispose", "asyncDispose"]) if (!Symbol[name]) Object.defineProperty(Symbol, name, { value: Symbol.for("Symbol." + name) });

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
      if (Object(target) !== target) throw new TypeError("WeakRef needs an object");
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
  return { classes: { RegExp, Iterator, WeakRef, FinalizationRegistry }, hidden: [Helper] };
});
