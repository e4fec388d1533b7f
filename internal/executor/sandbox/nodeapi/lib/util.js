// What Node's util has, as far as it makes sense without a process.
(function (host, require) {
  "use strict";
  const { withCode, argType, checkFunction, checkString } = require("internal:errors");
  const types = require("internal:types");
  const { isEqual } = require("internal:equal");
  const shown = require("internal:inspect");
  const customPromisify = Symbol.for("nodejs.util.promisify.custom");

  const copyProperties = (from, to) => {
    Object.setPrototypeOf(to, Object.getPrototypeOf(from));
    return Object.defineProperties(to, Object.getOwnPropertyDescriptors(from));
  };

  function promisify(original) {
    checkFunction(original, "original");
    if (original[customPromisify]) {
      const f = original[customPromisify];
      checkFunction(f, "util.promisify.custom");
      return Object.defineProperty(f, customPromisify, { value: f, enumerable: false, writable: false, configurable: true });
    }
    function f(...args) {
      return new Promise((resolve, reject) => {
        original.call(this, ...args, (error, ...values) => (error ? reject(error) : resolve(values[0])));
      });
    }
    Object.setPrototypeOf(f, Object.getPrototypeOf(original));
    Object.defineProperty(f, customPromisify, { value: f, enumerable: false, writable: false, configurable: true });
    for (const key of Reflect.ownKeys(original)) {
      const d = Object.getOwnPropertyDescriptor(original, key);
      if (key !== "prototype" && key !== customPromisify && (Object.getOwnPropertyDescriptor(f, key)?.configurable ?? true)) Object.defineProperty(f, key, d);
    }
    return f;
  }
  promisify.custom = customPromisify;
  const timers = require("timers");
  for (const name of ["setTimeout", "setImmediate"]) {
    if (!Object.prototype.hasOwnProperty.call(timers[name], customPromisify)) {
      const original = timers[name];
      promisify[name] = original;
    }
  }
  const promisified = (f) => {
    if (f === timers.setTimeout) return require("timers/promises").setTimeout;
    if (f === timers.setImmediate || f === globalThis.setImmediate) return require("timers/promises").setImmediate;
    return promisify(f);
  };
  delete promisify.setTimeout;
  delete promisify.setImmediate;
  promisified.custom = customPromisify;
  Object.defineProperty(promisified, "name", { value: "promisify" });

  function callbackify(original) {
    checkFunction(original, "original");
    const f = function (...args) {
      const done = args.pop();
      checkFunction(done, "last argument");
      Reflect.apply(original, this, args).then(
        (v) => queueMicrotask(() => done.call(this, null, v)),
        (e) => queueMicrotask(() => done.call(this, e || Object.assign(withCode(Error, "ERR_FALSY_VALUE_REJECTION", "Promise was rejected with falsy value"), { reason: e }))),
      );
    };
    Object.defineProperty(f, "name", { value: `${original.name}Callbackified`, configurable: true });
    Object.defineProperty(f, "length", { value: original.length + 1, configurable: true });
    return f;
  }

  function inherits(ctor, parent) {
    if (ctor === undefined || ctor === null) throw argType("ctor", "of type function", ctor);
    if (parent === undefined || parent === null) throw argType("superCtor", "of type function", parent);
    if (parent.prototype === undefined) throw argType("superCtor.prototype", "of type object", parent.prototype);
    Object.defineProperty(ctor, "super_", { value: parent, writable: true, configurable: true });
    Object.setPrototypeOf(ctor.prototype, parent.prototype);
  }

  const told = new Set();
  function deprecate(f, message, code) {
    let warned = false;
    function deprecated(...args) {
      if (!warned && !(code && told.has(code))) {
        if (code) told.add(code);
        console.warn(`${code ? `[${code}] ` : ""}DeprecationWarning: ${message}`);
      }
      warned = true;
      return new.target ? Reflect.construct(f, args, new.target === deprecated ? f : new.target) : Reflect.apply(f, this, args);
    }
    Object.setPrototypeOf(deprecated, f);
    if (f.prototype) deprecated.prototype = f.prototype;
    return deprecated;
  }

  function debuglog(set) {
    const enabled = String(host.env?.NODE_DEBUG ?? "").split(/[\s,]+/).some((n) => n.toLowerCase() === String(set).toLowerCase());
    const log = (...args) => {
      if (enabled) console.error("%s", `${String(set).toUpperCase()}: ${shown.format(...args)}`);
    };
    return Object.defineProperty(log, "enabled", { get: () => enabled });
  }

  const codes = { reset: [0, 0], bold: [1, 22], dim: [2, 22], italic: [3, 23], underline: [4, 24], inverse: [7, 27], hidden: [8, 28], strikethrough: [9, 29], black: [30, 39], red: [31, 39], green: [32, 39], yellow: [33, 39], blue: [34, 39], magenta: [35, 39], cyan: [36, 39], white: [37, 39], gray: [90, 39], grey: [90, 39], bgBlack: [40, 49], bgRed: [41, 49], bgGreen: [42, 49], bgYellow: [43, 49], bgBlue: [44, 49], bgMagenta: [45, 49], bgCyan: [46, 49], bgWhite: [47, 49] };
  const styleText = (format, text, options) => {
    checkString(text, "text");
    let out = text;
    const plain = options?.validateStream !== false; // where it would be shown there are no colours
    for (const f of [format].flat().reverse()) {
      if (!codes[f]) throw withCode(TypeError, "ERR_INVALID_ARG_VALUE", `The argument 'format' must be one of: ${Object.keys(codes).map((c) => `'${c}'`).join(", ")}. Received '${f}'`);
      if (!plain) out = `\u001b[${codes[f][0]}m${out}\u001b[${codes[f][1]}m`;
    }
    return out;
  };

  const object = (v) => v !== null && typeof v === "object";
  return {
    ...shown,
    promisify: promisified, callbackify, inherits, deprecate, debuglog, debug: debuglog, types, styleText,
    isDeepStrictEqual: (a, b) => isEqual(a, b, true),
    TextEncoder: globalThis.TextEncoder, TextDecoder: globalThis.TextDecoder,
    toUSVString: (s) => new TextDecoder().decode(new TextEncoder().encode(`${s}`)),
    stripVTControlCharacters(text) {
      checkString(text, "str");
      return shown.stripVTControlCharacters(text);
    },
    aborted: (signal) => new Promise((resolve) => (signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve(), { once: true }))),
    log: (...args) => console.log("%s", shown.format(...args)),
    _extend: (to, from) => (object(from) ? Object.assign(to, from) : to),
    isArray: Array.isArray,
    isBoolean: (v) => typeof v === "boolean",
    isBuffer: (v) => require("buffer").Buffer.isBuffer(v),
    isDate: types.isDate,
    isError: (v) => types.isNativeError(v) || v instanceof Error,
    isFunction: (v) => typeof v === "function",
    isNull: (v) => v === null,
    isNullOrUndefined: (v) => v === null || v === undefined,
    isNumber: (v) => typeof v === "number",
    isObject: object,
    isPrimitive: (v) => !object(v) && typeof v !== "function",
    isRegExp: types.isRegExp,
    isString: (v) => typeof v === "string",
    isSymbol: (v) => typeof v === "symbol",
    isUndefined: (v) => v === undefined,
    getSystemErrorName: (n) => `Unknown system error ${n}`,
  };
});
