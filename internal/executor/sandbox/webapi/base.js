// Runs once in every new runtime, before the app's module. `host` carries what only Go can give; the value of this
// script is kept by Go. Nothing here may trust anything that app code can reach later.
(function (host) {
  "use strict";
  const define = (name, value) =>
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });

  function errorClass(name, code) {
    const C = {
      [name]: class extends Error {
        constructor(message) {
          super(message);
          this.code = code;
        }
      },
    }[name];
    Object.defineProperty(C.prototype, "name", { value: name, writable: true, configurable: true });
    return C;
  }
  // A network error is a TypeError (Fetch standard, 5.6), also by its name, by which libraries tell it.
  function networkErrorClass() {
    class FetchError extends TypeError {
      constructor(message) {
        super(message);
        this.code = "fetch";
      }
    }
    delete FetchError.prototype.constructor;
    return FetchError;
  }
  const errors = {
    KvError: errorClass("KvError", "kv"),
    KvConflictError: errorClass("KvConflictError", "kv-conflict"),
    LimitError: errorClass("LimitError", "limit"),
    FetchError: networkErrorClass(),
    DeadLetterError: errorClass("DeadLetterError", "dead-letter"),
    TypeError,
    RangeError,
  };

  // DOMException (Web IDL, 2.8.1): an Error whose name and message are attributes of the prototype.
  const { construct } = Reflect;
  // The names of the constants, whose values count from 1, and the codes of those errors that still have one.
  const constants = [
    "INDEX_SIZE_ERR", "DOMSTRING_SIZE_ERR", "HIERARCHY_REQUEST_ERR", "WRONG_DOCUMENT_ERR", "INVALID_CHARACTER_ERR",
    "NO_DATA_ALLOWED_ERR", "NO_MODIFICATION_ALLOWED_ERR", "NOT_FOUND_ERR", "NOT_SUPPORTED_ERR", "INUSE_ATTRIBUTE_ERR",
    "INVALID_STATE_ERR", "SYNTAX_ERR", "INVALID_MODIFICATION_ERR", "NAMESPACE_ERR", "INVALID_ACCESS_ERR",
    "VALIDATION_ERR", "TYPE_MISMATCH_ERR", "SECURITY_ERR", "NETWORK_ERR", "ABORT_ERR", "URL_MISMATCH_ERR",
    "QUOTA_EXCEEDED_ERR", "TIMEOUT_ERR", "INVALID_NODE_TYPE_ERR", "DATA_CLONE_ERR",
  ];
  const codes = {
    IndexSizeError: 1, HierarchyRequestError: 3, WrongDocumentError: 4, InvalidCharacterError: 5,
    NoModificationAllowedError: 7, NotFoundError: 8, NotSupportedError: 9, InUseAttributeError: 10,
    InvalidStateError: 11, SyntaxError: 12, InvalidModificationError: 13, NamespaceError: 14, InvalidAccessError: 15,
    TypeMismatchError: 17, SecurityError: 18, NetworkError: 19, AbortError: 20, URLMismatchError: 21,
    QuotaExceededError: 22, TimeoutError: 23, InvalidNodeTypeError: 24, DataCloneError: 25,
  };
  const exceptions = new WeakMap();
  const exceptionOf = (e) => {
    const own = typeof e === "object" && e !== null ? exceptions.get(e) : undefined;
    if (own === undefined) throw new TypeError("it is not a DOMException");
    return own;
  };
  class DOMException {
    constructor(message = "", options = "Error") {
      const isBag = typeof options === "object" && options !== null;
      const name = isBag ? options.name : options;
      const own = { message: `${message}`, name: name === undefined ? "Error" : `${name}` };
      const e = construct(ErrorOf, [], new.target);
      if (isBag && "cause" in options) Object.defineProperty(e, "cause", { value: options.cause, writable: true, configurable: true });
      exceptions.set(e, own);
      return e;
    }
    get name() {
      return exceptionOf(this).name;
    }
    get message() {
      return exceptionOf(this).message;
    }
    get code() {
      const { name } = exceptionOf(this);
      return Object.hasOwn(codes, name) ? codes[name] : 0;
    }
  }
  const ErrorOf = Error;
  Object.setPrototypeOf(DOMException.prototype, Error.prototype);
  for (const name of ["name", "message", "code"]) Object.defineProperty(DOMException.prototype, name, { enumerable: true });
  Object.defineProperty(DOMException.prototype, Symbol.toStringTag, { value: "DOMException", configurable: true });
  const constantValues = {};
  for (const [k, constant] of constants.entries()) constantValues[constant] = { value: k + 1, enumerable: true };
  Object.defineProperties(DOMException, constantValues);
  Object.defineProperties(DOMException.prototype, constantValues);
  const uncloneable = (what) => new DOMException(`${what} could not be cloned.`, "DataCloneError");

  // structuredClone (HTML standard, 2.7.3 to 2.7.7), the two halves in one pass: nobody sees the copy before it is whole.
  // seen has the copies made so far, at first those of what is transferred.
  const errorClasses = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };
  const views = { Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array };
  const getterOf = (o, name) => Object.getOwnPropertyDescriptor(o, name).get;
  const typedPrototype = Object.getPrototypeOf(Uint8Array.prototype);
  const viewTag = getterOf(typedPrototype, Symbol.toStringTag);
  const viewParts = ["buffer", "byteOffset", "byteLength"].map((name) => [getterOf(typedPrototype, name), getterOf(DataView.prototype, name)]);
  const { apply } = Reflect;
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
    const { message, name } = exceptions.get(value);
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
    if (exceptions.has(value)) return cloneException(value, keep);
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

  class TextEncoder {
    get encoding() {
      return "utf-8";
    }
    encode(s = "") {
      return new Uint8Array(host.utf8Encode(String(s)));
    }
    encodeInto(source, destination) {
      let read = 0;
      let written = 0;
      for (const c of String(source)) {
        const bytes = this.encode(c);
        if (written + bytes.length > destination.length) break;
        destination.set(bytes, written);
        read += c.length;
        written += bytes.length;
      }
      return { read, written };
    }
  }
  class TextDecoder {
    #fatal;
    #ignoreBOM;
    #rest = null; // bytes of a character whose end has not come
    #begun = false;
    #other = null; // of another encoding than UTF-8: its name, and the function that decodes
    constructor(label = "utf-8", options = {}) {
      if (!/^\s*(utf-?8|unicode-1-1-utf-8)\s*$/i.test(label)) this.#other = host.decoder(String(label));
      this.#fatal = Boolean(options.fatal);
      this.#ignoreBOM = Boolean(options.ignoreBOM);
    }
    get encoding() {
      return this.#other ? this.#other.name : "utf-8";
    }
    get fatal() {
      return this.#fatal;
    }
    get ignoreBOM() {
      return this.#ignoreBOM;
    }
    decode(input, options) {
      const stream = Boolean(options?.stream);
      if (this.#other) {
        let text = this.#other.decode(input, this.#fatal, stream);
        if (!this.#begun && !this.#ignoreBOM && text[0] === "\ufeff") text = text.slice(1);
        this.#begun = stream && (this.#begun || text !== "");
        return text;
      }
      if (!stream && this.#rest === null && !this.#begun) return input === undefined ? "" : host.utf8Decode(input, this.#fatal, this.#ignoreBOM);
      const { text, rest } = host.utf8DecodePart(this.#rest, input, this.#fatal, this.#ignoreBOM || this.#begun, stream);
      this.#rest = rest;
      this.#begun = stream && (this.#begun || text !== "");
      return text;
    }
  }

  const [PromiseOf, { resolve }, { then }] = [Promise, Promise, Promise.prototype];

  // As methods, as platform functions have no prototype.
  for (const [name, value] of Object.entries({
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
    navigator: Object.freeze({ userAgent: "PiCloud" }),
    queueMicrotask(f) {
      if (typeof f !== "function") throw new TypeError("queueMicrotask needs a function");
      apply(then, apply(resolve, PromiseOf, []), [
        () => {
          try {
            f();
          } catch (e) {
            host.report(e); // what a callback throws is an uncaught exception, not a rejection (HTML standard, 8.1.7.3)
          }
        },
      ]);
    },
    self: globalThis,
  }))
    define(name, value);

  // The engine has no asynchronous iteration; lowered code and streams meet at this symbol.
  if (!Symbol.asyncIterator) Object.defineProperty(Symbol, "asyncIterator", { value: Symbol.for("Symbol.asyncIterator") });

  Object.preventExtensions(Object.prototype);

  // The own enumerable properties of an object, as Web IDL reads a record (3.2.24).
  const { ownKeys, getOwnPropertyDescriptor } = Reflect;
  const members = (o, take) => {
    for (const k of ownKeys(o)) if (getOwnPropertyDescriptor(o, k)?.enumerable) take(k, () => o[k]);
  };

  for (const C of [TextEncoder, TextDecoder]) Object.defineProperty(C.prototype, Symbol.toStringTag, { value: C.name, configurable: true });

  return { members, classes: { DOMException, TextEncoder, TextDecoder }, errors, newDOMException: (message, name) => new DOMException(message, name) };
});
