// What the engine lacks or has wrong of ECMA-262, for code that uses it.
(function (host) {
  "use strict";
  const put = (o, name, value) => Object.defineProperty(o, name, { value, writable: true, configurable: true, enumerable: false });

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
  put(TypedArray, "from", function (source, map, self) {
    return from.call(this, typeof source === "string" ? [...source] : source, map, self);
  });
  Object.defineProperty(TypedArray.from, "name", { value: "from" });

  const lone = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
  put(String.prototype, "isWellFormed", function isWellFormed() {
    return String(this).search(lone) < 0;
  });
  put(String.prototype, "toWellFormed", function toWellFormed() {
    return String(this).replace(lone, "\ufffd");
  });

  // An Error's stack is there when it is made; of other objects this makes one.
  put(Error, "captureStackTrace", function captureStackTrace(o) {
    if (!(o instanceof Error)) put(o, "stack", new Error().stack);
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
  return { classes: { RegExp, WeakRef, FinalizationRegistry } };
});
