// Deep equality as util.isDeepStrictEqual and assert.deepEqual have it.
(function (host, require) {
  "use strict";
  const types = require("internal:types");
  const ownEnumerable = (o, list) => list.filter((k) => Object.prototype.propertyIsEnumerable.call(o, k));

  function same(a, b, strict, seen) {
    if (a === b) return a !== 0 || !strict || Object.is(a, b);
    if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) {
      if (strict) return typeof a === "number" && Number.isNaN(a) && Number.isNaN(b);
      if ((a === null || typeof a !== "object") && (b === null || typeof b !== "object")) return a == b || (Number.isNaN(a) && Number.isNaN(b)); // eslint-disable-line eqeqeq
      return false;
    }
    if (strict && Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
    if (Object.prototype.toString.call(a) !== Object.prototype.toString.call(b)) return false;
    if (Array.isArray(a) !== Array.isArray(b)) return false;
    if (Array.isArray(a) && a.length !== b.length) return false;

    for (const is of ["isDate", "isRegExp", "isNativeError", "isSet", "isMap", "isArrayBuffer", "isBoxedPrimitive", "isPromise", "isWeakMap", "isWeakSet"]) if (types[is](a) !== types[is](b)) return false;
    if (types.isDate(a)) {
      if (!Object.is(a.getTime(), b.getTime())) return false;
    } else if (types.isRegExp(a)) {
      if (a.source !== b.source || a.flags !== b.flags || a.lastIndex !== b.lastIndex) return false;
    } else if (types.isNativeError(a) || a instanceof Error) {
      if (a.message !== b.message || a.name !== b.name) return false;
      if (("cause" in a) !== ("cause" in b) || !same(a.cause, b.cause, strict, seen)) return false;
      if (!same(a.errors, b.errors, strict, seen)) return false;
    } else if (ArrayBuffer.isView(a) || types.isArrayBuffer(a)) {
      if (ArrayBuffer.isView(a) !== ArrayBuffer.isView(b) || a.byteLength !== b.byteLength) return false;
      if (!strict && (types.isFloat32Array(a) || types.isFloat64Array(a))) {
        for (let k = 0; k < a.length; k++) if (a[k] !== b[k] && !(Number.isNaN(a[k]) && Number.isNaN(b[k]))) return false;
      } else {
        const bytes = (v) => (ArrayBuffer.isView(v) ? new Uint8Array(v.buffer, v.byteOffset, v.byteLength) : new Uint8Array(v));
        if (host.compare(bytes(a), bytes(b)) !== 0) return false;
      }
    } else if (types.isBoxedPrimitive(a)) {
      if (!Object.is(a.valueOf(), b.valueOf())) return false;
    } else if (types.isPromise(a) || types.isWeakMap(a) || types.isWeakSet(a)) return false;

    const before = seen.get(a);
    if (before?.has(b)) return true;
    if (before) before.add(b);
    else seen.set(a, new Set([b]));
    const equal = members(a, b, strict, seen);
    seen.get(a).delete(b);
    return equal;
  }

  function members(a, b, strict, seen) {
    const indexed = ArrayBuffer.isView(a) && !types.isDataView(a);
    const named = (o) => (indexed ? Object.keys(o).filter((k) => !/^(0|[1-9]\d*)$/.test(k)) : Object.keys(o));
    const keysA = named(a), keysB = named(b);
    if (keysA.length !== keysB.length) return false;
    if (strict) {
      const symbolsA = ownEnumerable(a, Object.getOwnPropertySymbols(a)), symbolsB = ownEnumerable(b, Object.getOwnPropertySymbols(b));
      if (symbolsA.length !== symbolsB.length) return false;
      keysA.push(...symbolsA);
    }
    for (const k of keysA) if (!Object.prototype.propertyIsEnumerable.call(b, k)) return false;
    for (const k of keysA) if (!same(a[k], b[k], strict, seen)) return false;
    if (types.isSet(a)) return a.size === b.size && matched([...a].map((x) => [x]), [...b].map((x) => [x]), strict, seen);
    if (types.isMap(a)) return a.size === b.size && matched([...a], [...b], strict, seen);
    return true;
  }

  // Each of some entries has an equal one among others, none twice.
  function matched(list, others, strict, seen) {
    const left = [...others];
    for (const entry of list) {
      const at = left.findIndex((o) => entry.every((x, k) => same(x, o[k], strict, seen)));
      if (at < 0) return false;
      left.splice(at, 1);
    }
    return true;
  }
  return { isEqual: (a, b, strict) => same(a, b, strict, new Map()) };
});
