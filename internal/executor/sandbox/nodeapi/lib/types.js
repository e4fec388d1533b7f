// What a value is, by its insides where JavaScript tells them, else by what the host says.
(function (host) {
  "use strict";
  const tagOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag).get;
  // Whether a native method takes v as its this.
  const takes = (method, ...args) => (v) => {
    if (v === null || typeof v !== "object" || host.isProxy(v)) return false;
    try {
      method.call(v, ...args);
      return true;
    } catch {
      return false;
    }
  };
  const getter = (C, name) => Object.getOwnPropertyDescriptor(C.prototype, name).get;
  const boxed = (type) => (v) => typeof v === "object" && v !== null && !host.isProxy(v) && host.className(v) === type;
  const typed = (name) => (v) => ArrayBuffer.isView(v) && tagOf.call(v) === name;
  const iterator = (proto) => (v) => v !== null && typeof v === "object" && Object.prototype.toString.call(v) === proto;

  const types = {
    isDate: takes(Date.prototype.getTime),
    isRegExp: boxed("RegExp"),
    isMap: takes(Map.prototype.has, 1),
    isSet: takes(Set.prototype.has, 1),
    isWeakMap: takes(WeakMap.prototype.has, {}),
    isWeakSet: takes(WeakSet.prototype.has, {}),
    isPromise: (v) => host.promiseState(v) !== undefined,
    isProxy: (v) => host.isProxy(v),
    isNativeError: boxed("Error"),
    isArrayBuffer: takes(getter(ArrayBuffer, "byteLength")),
    isAnyArrayBuffer: takes(getter(ArrayBuffer, "byteLength")),
    isSharedArrayBuffer: () => false,
    isDataView: (v) => ArrayBuffer.isView(v) && tagOf.call(v) === undefined,
    isArrayBufferView: ArrayBuffer.isView,
    isTypedArray: (v) => ArrayBuffer.isView(v) && tagOf.call(v) !== undefined,
    isArgumentsObject: (v) => v !== null && typeof v === "object" && !(Symbol.toStringTag in v) && Object.prototype.toString.call(v) === "[object Arguments]",
    isGeneratorObject: iterator("[object Generator]"),
    isGeneratorFunction: (v) => typeof v === "function" && /^\[object (Async)?GeneratorFunction\]$/.test(Object.prototype.toString.call(v)),
    isAsyncFunction: (v) => typeof v === "function" && /^\[object Async(Generator)?Function\]$/.test(Object.prototype.toString.call(v)),
    isMapIterator: iterator("[object Map Iterator]"),
    isSetIterator: iterator("[object Set Iterator]"),
    isNumberObject: boxed("Number"),
    isStringObject: boxed("String"),
    isBooleanObject: boxed("Boolean"),
    isSymbolObject: (v) => typeof v === "object" && v !== null && takes(Symbol.prototype.valueOf)(v),
    isBigIntObject: (v) => typeof v === "object" && v !== null && takes(BigInt.prototype.valueOf)(v),
    isModuleNamespaceObject: () => false,
    isExternal: () => false,
    isCryptoKey: (v) => typeof globalThis.CryptoKey === "function" && v instanceof globalThis.CryptoKey,
    isKeyObject: () => false,
  };
  types.isBoxedPrimitive = (v) => types.isNumberObject(v) || types.isStringObject(v) || types.isBooleanObject(v) || types.isBigIntObject(v) || types.isSymbolObject(v);
  for (const name of ["Uint8Array", "Uint8ClampedArray", "Uint16Array", "Uint32Array", "Int8Array", "Int16Array", "Int32Array", "Float32Array", "Float64Array", "BigInt64Array", "BigUint64Array"]) types["is" + name] = typed(name);
  return types;
});
