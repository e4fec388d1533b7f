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
  const errors = {
    KvError: errorClass("KvError", "kv"),
    KvConflictError: errorClass("KvConflictError", "kv-conflict"),
    LimitError: errorClass("LimitError", "limit"),
    FetchError: errorClass("FetchError", "fetch"),
    DeadLetterError: errorClass("DeadLetterError", "dead-letter"),
    TypeError,
    RangeError,
  };

  class DOMException extends Error {
    #name;
    constructor(message = "", name = "Error") {
      super(message);
      this.#name = String(name);
    }
    get name() {
      return this.#name;
    }
    get code() {
      return { InvalidCharacterError: 5, NotSupportedError: 9, InvalidStateError: 11, SyntaxError: 12, InvalidAccessError: 15, AbortError: 20, TimeoutError: 23, DataCloneError: 25 }[this.#name] ?? 0;
    }
  }

  const cloneOf = (value, seen) => {
    if (typeof value === "function" || typeof value === "symbol")
      throw new DOMException(`${String(value)} could not be cloned.`, "DataCloneError");
    if (value === null || typeof value !== "object") return value;
    if (seen.has(value)) return seen.get(value);
    const keep = (copy) => (seen.set(value, copy), copy);
    if (value instanceof Date) return keep(new Date(value.getTime()));
    if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
    if (value instanceof ArrayBuffer) {
      if (host.isDetached(value)) throw new DOMException("An ArrayBuffer is detached and could not be cloned.", "DataCloneError");
      return keep(value.slice(0));
    }
    if (ArrayBuffer.isView(value)) {
      const buffer = cloneOf(value.buffer, seen); // views of one buffer stay so
      return keep(value instanceof DataView ? new DataView(buffer, value.byteOffset, value.byteLength) : new value.constructor(buffer, value.byteOffset, value.length));
    }
    if (value instanceof Map) {
      const copy = keep(new Map());
      for (const [k, v] of value) copy.set(cloneOf(k, seen), cloneOf(v, seen));
      return copy;
    }
    if (value instanceof Set) {
      const copy = keep(new Set());
      for (const v of value) copy.add(cloneOf(v, seen));
      return copy;
    }
    if (value instanceof Error) {
      const copy = keep(Object.create(Object.getPrototypeOf(value)));
      for (const k of ["message", "stack", "cause"])
        if (k in value) Object.defineProperty(copy, k, { value: value[k], writable: true, configurable: true });
      return copy;
    }
    if (value instanceof Promise || value instanceof WeakMap || value instanceof WeakSet)
      throw new DOMException("The object could not be cloned.", "DataCloneError");
    const copy = keep(Array.isArray(value) ? new Array(value.length) : {});
    for (const k of Object.keys(value)) copy[k] = cloneOf(value[k], seen);
    return copy;
  };

  class TextEncoder {
    get encoding() {
      return "utf-8";
    }
    encode(s = "") {
      return new Uint8Array(host.utf8Encode(String(s)));
    }
    encodeInto(source, destination) {
      return host.encodeInto(String(source), destination);
    }
  }
  class TextDecoder {
    #fatal;
    #ignoreBOM;
    #rest = null; // bytes of a character whose end has not come
    #begun = false;
    #other = null; // of another encoding than UTF-8: its name, and the function that decodes
    constructor(label = "utf-8", options = {}) {
      const encoding = label === "utf-8" ? undefined : host.decoder(String(label));
      if (encoding?.decode) this.#other = encoding;
      this.#fatal = Boolean(options?.fatal);
      this.#ignoreBOM = Boolean(options?.ignoreBOM);
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
        const begun = this.#begun;
        this.#begun = false; // should it throw
        let text = this.#other.decode(input, this.#fatal, stream);
        if (!begun && !this.#ignoreBOM && this.#other.name.startsWith("utf-16") && text[0] === "\ufeff") {
          text = text.slice(1);
          this.#begun = stream;
        }
        this.#begun ||= stream && (begun || text !== "");
        return text;
      }
      if (!stream && this.#rest === null && !this.#begun) return input === undefined ? "" : host.utf8Decode(input, this.#fatal, this.#ignoreBOM);
      const before = this.#rest, begun = this.#begun;
      this.#rest = null; // should it throw
      this.#begun = false;
      const { text, rest, bom } = host.utf8DecodePart(before, input, this.#fatal, this.#ignoreBOM || begun, stream);
      this.#rest = rest;
      this.#begun = stream && (begun || bom || text !== "");
      return text;
    }
  }

  // As methods, as platform functions have no prototype.
  for (const [name, value] of Object.entries({
    structuredClone(value, options) {
      const transfer = [...(options?.transfer ?? [])];
      for (const [k, buffer] of transfer.entries()) {
        if (!(buffer instanceof ArrayBuffer) || host.isDetached(buffer) || transfer.indexOf(buffer) < k)
          throw new DOMException("Only ArrayBuffers can be transferred, each once.", "DataCloneError");
      }
      const copy = cloneOf(value, new Map());
      for (const buffer of transfer) host.detach(buffer);
      return copy;
    },
    navigator: Object.freeze({ userAgent: "PiCloud" }),
    queueMicrotask(f) {
      if (typeof f !== "function") throw new TypeError("queueMicrotask needs a function");
      Promise.resolve().then(f);
    },
    self: globalThis,
  }))
    define(name, value);

  // The engine has no asynchronous iteration; lowered code and streams meet at this symbol.
  if (!Symbol.asyncIterator) Object.defineProperty(Symbol, "asyncIterator", { value: Symbol.for("Symbol.asyncIterator") });

  Object.preventExtensions(Object.prototype);

  return { classes: { DOMException, TextEncoder, TextDecoder }, errors, newDOMException: (message, name) => new DOMException(message, name) };
});
