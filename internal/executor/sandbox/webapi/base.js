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
  const { apply, construct } = Reflect;
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
  for (let k = 0; k < constants.length; k++) constantValues[constants[k]] = { value: k + 1, enumerable: true };
  Object.defineProperties(DOMException, constantValues);
  Object.defineProperties(DOMException.prototype, constantValues);

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

  const [PromiseOf, { resolve }, { then }] = [Promise, Promise, Promise.prototype];

  // As methods, as platform functions have no prototype.
  for (const [name, value] of Object.entries({
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

  return { members, exceptionOf, classes: { DOMException, TextEncoder, TextDecoder }, errors, newDOMException: (message, name) => new DOMException(message, name) };
});
