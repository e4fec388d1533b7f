// structuredClone: loaded before the app's module when its code names it, else when it is first called.
(function (host) {
  "use strict";
  const { DOMException, exceptionOf } = host;
  const { apply } = Reflect;
  const ErrorOf = Error;
  const uncloneable = (what) => new DOMException(`${what} could not be cloned.`, "DataCloneError");
  const isException = (v) => {
    try {
      return exceptionOf(v) !== undefined;
    } catch {
      return false;
    }
  };

  // structuredClone (HTML standard, 2.7.3 to 2.7.7), the two halves in one pass: nobody sees the copy before it is whole.
  // seen has the copies made so far, at first those of what is transferred.
  const errorClasses = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };
  const views = { Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array };
  const getterOf = (o, name) => Object.getOwnPropertyDescriptor(o, name).get;
  const typedPrototype = Object.getPrototypeOf(Uint8Array.prototype);
  const viewTag = getterOf(typedPrototype, Symbol.toStringTag);
  const viewParts = ["buffer", "byteOffset", "byteLength"].map((name) => [getterOf(typedPrototype, name), getterOf(DataView.prototype, name)]);
  const { getTime } = Date.prototype;
  const sliceBuffer = ArrayBuffer.prototype.slice;
  const [eachOfMap, eachOfSet] = [Map.prototype.forEach, Set.prototype.forEach];
  const cloneView = (value, keep, seen) => {
    const tag = apply(viewTag, value, []);
    const [buffer, offset, size] = viewParts.map(([ofTyped, ofDataView]) => apply(tag === undefined ? ofDataView : ofTyped, value, []));
    const copy = cloneOf(buffer, seen); // views of one buffer stay so
    const Class = tag === undefined ? DataView : views[tag];
    return keep(new Class(copy, offset, tag === undefined ? size : size / Class.BYTES_PER_ELEMENT));
  };
  const cloneError = (value, keep, seen) => {
    const { name } = value;
    const Class = Object.hasOwn(errorClasses, `${name}`) ? errorClasses[`${name}`] : ErrorOf;
    const message = Object.getOwnPropertyDescriptor(value, "message");
    const copy = keep(message !== undefined && "value" in message ? new Class(`${message.value}`) : new Class());
    const { stack } = value;
    Object.defineProperty(copy, "stack", { value: stack, writable: true, configurable: true });
    if (Object.hasOwn(value, "cause")) Object.defineProperty(copy, "cause", { value: cloneOf(value.cause, seen), writable: true, configurable: true });
    return copy;
  };
  const cloneException = (value, keep) => {
    const { message, name } = exceptionOf(value);
    const copy = keep(new DOMException(message, name));
    Object.defineProperty(copy, "stack", { value: value.stack, writable: true, configurable: true });
    return copy;
  };
  const cloneMembers = (value, copy, seen) => {
    for (const k of Object.keys(value))
      if (Object.hasOwn(value, k)) Object.defineProperty(copy, k, { value: cloneOf(value[k], seen), writable: true, enumerable: true, configurable: true });
    return copy;
  };
  const cloneOf = (value, seen) => {
    if (typeof value === "symbol") throw uncloneable(String(value));
    if (value === null || (typeof value !== "object" && typeof value !== "function")) return value;
    if (seen.has(value)) return seen.get(value);
    const keep = (copy) => (seen.set(value, copy), copy);
    if (isException(value)) return cloneException(value, keep);
    switch (host.kindOf(value)) {
      case "object":
        return cloneMembers(value, keep({}), seen);
      case "array":
        return cloneMembers(value, keep(new Array(value.length)), seen);
      case "wrapper":
        return keep(Object(host.unwrapped(value)));
      case "date":
        return keep(new Date(apply(getTime, value, [])));
      case "regexp":
        return keep(new RegExp(value.source, value.flags));
      case "buffer":
        if (host.isDetached(value)) throw uncloneable("An ArrayBuffer is detached and");
        return keep(apply(sliceBuffer, value, [0]));
      case "view":
        return cloneView(value, keep, seen);
      case "error":
        return cloneError(value, keep, seen);
      case "map": {
        const copy = keep(new Map());
        const entries = [];
        apply(eachOfMap, value, [(v, k) => void (entries[entries.length] = [k, v])]);
        for (const [k, v] of entries) copy.set(cloneOf(k, seen), cloneOf(v, seen));
        return copy;
      }
      case "set": {
        const copy = keep(new Set());
        const members = [];
        apply(eachOfSet, value, [(v) => void (members[members.length] = v)]);
        for (const v of members) copy.add(cloneOf(v, seen));
        return copy;
      }
      case "blob":
        return keep(host.cloneBlob(value));
    }
    throw uncloneable(typeof value === "function" ? "A function" : "The object");
  };

  return {
    classes: {},
    structuredClone(value, options = undefined) {
      if (arguments.length === 0) throw new TypeError("structuredClone needs a value");
      if (options !== undefined && options !== null && typeof options !== "object" && typeof options !== "function") throw new TypeError("options must be an object");
      const given = options?.transfer;
      if (given !== undefined && typeof given?.[Symbol.iterator] !== "function") throw new TypeError("transfer must be a list");
      const transfer = given === undefined ? [] : [...given];
      const seen = new Map();
      for (const buffer of transfer) {
        if ((typeof buffer !== "object" && typeof buffer !== "function") || buffer === null) throw new TypeError("transfer must be a list of objects");
        if (host.kindOf(buffer) !== "buffer" || host.isDetached(buffer) || seen.has(buffer))
          throw new DOMException("Only ArrayBuffers can be transferred, each once.", "DataCloneError");
        seen.set(buffer, host.share(buffer));
      }
      const copy = cloneOf(value, seen);
      for (const buffer of transfer) {
        if (host.isDetached(buffer)) throw new DOMException("An ArrayBuffer was detached meanwhile.", "DataCloneError");
        host.detach(buffer);
      }
      return copy;
    },
  };
});
