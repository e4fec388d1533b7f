// What the engine has wrong of BigInt64Array and BigUint64Array: it fills with and searches for other numbers than those
// that it is given, where they are negative or have more than 64 bits.
(function (host) {
  "use strict";
  const { apply } = Reflect;
  const TypedArray = Object.getPrototypeOf(Uint8Array);
  const { get: tag } = Object.getOwnPropertyDescriptor(TypedArray.prototype, Symbol.toStringTag);
  const { asIntN, asUintN } = BigInt;
  const { fill } = TypedArray.prototype;

  // The same bytes as unsigned numbers, which the engine has right.
  const unsigned = (array) => new BigUint64Array(array.buffer, array.byteOffset, array.length);
  const methods = {
    fill(value, start, end) {
      if (apply(tag, this, []) !== "BigInt64Array") return apply(fill, this, [value, start, end]);
      apply(fill, unsigned(this), [asUintN(64, value), start, end]);
      return this;
    },
  };

  const search = { includes: false, indexOf: -1, lastIndexOf: -1 };
  for (const name of Object.keys(search)) {
    const native = TypedArray.prototype[name];
    methods[name] = {
      [name](value, ...from) {
        const kind = typeof value === "bigint" ? apply(tag, this, []) : undefined;
        if (kind !== "BigInt64Array" && kind !== "BigUint64Array") return apply(native, this, [value, ...from]);
        if ((kind === "BigInt64Array" ? asIntN : asUintN)(64, value) !== value) return search[name];
        return apply(native, unsigned(this), [asUintN(64, value), ...from]);
      },
    }[name];
    Object.defineProperty(methods[name], "length", { value: 1, configurable: true });
  }
  Object.defineProperty(methods.fill, "length", { value: 1, configurable: true });
  for (const name of Object.keys(methods))
    Object.defineProperty(TypedArray.prototype, name, { value: methods[name], writable: true, configurable: true, enumerable: false });

  return { classes: {} };
});
