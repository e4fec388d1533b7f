// Symbols as keys of WeakMap and values of WeakSet (ECMA-262, 24.3, CanBeHeldWeakly), which the engine refuses. They are
// held as long as the collection is.
(function (host) {
  "use strict";
  const { apply } = Reflect;
  const { keyFor } = Symbol;
  const isWeak = (v) => typeof v === "symbol" && keyFor(v) === undefined;
  const of = new WeakMap(); // a collection's symbols
  const { get: find, set: keep } = WeakMap.prototype;

  const extend = (proto, names) => {
    const native = Object.fromEntries(names.map((name) => [name, proto[name]]));
    const symbols = (collection) => {
      apply(native.has, collection, [collection]); // throws on what is no such collection
      let found = apply(find, of, [collection]);
      if (found === undefined) apply(keep, of, [collection, (found = new Map())]);
      return found;
    };
    const methods = {
      get(key) {
        return isWeak(key) ? symbols(this).get(key) : apply(native.get, this, [key]);
      },
      has(key) {
        return isWeak(key) ? symbols(this).has(key) : apply(native.has, this, [key]);
      },
      delete(key) {
        return isWeak(key) ? symbols(this).delete(key) : apply(native.delete, this, [key]);
      },
      set(key, value) {
        if (!isWeak(key)) return apply(native.set, this, [key, value]);
        symbols(this).set(key, value);
        return this;
      },
      add(key) {
        if (!isWeak(key)) return apply(native.add, this, [key]);
        symbols(this).set(key, true);
        return this;
      },
    };
    for (const name of names) Object.defineProperty(proto, name, { value: methods[name], writable: true, configurable: true, enumerable: false });
  };
  extend(WeakMap.prototype, ["get", "has", "delete", "set"]);
  extend(WeakSet.prototype, ["has", "delete", "add"]);

  return { classes: {} };
});
