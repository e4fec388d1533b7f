// Streams, Blob, File and FormData. The files of this folder are parts of one function, in the order of their names, of
// what only Go can give (`host`). They are loaded before the app's module when its code names any of them or a body, else
// when a body is first asked for.
//
// The streams are the Streams standard's own algorithms, under its names, so that one can be read beside the other. A
// public object has its state in a private field; the algorithms know the states alone. What scripts can replace, such as
// Promise.prototype.then, is taken here, before any code of theirs runs.
const { apply } = Reflect;
const PromiseOf = Promise;
const promiseThen = Promise.prototype.then;
const promiseResolve = Promise.resolve;
const { isView } = ArrayBuffer;
const sliceBuffer = ArrayBuffer.prototype.slice;

const noop = () => {};
const isObject = (v) => (typeof v === "object" && v !== null) || typeof v === "function";
const then = (p, ok, bad) => apply(promiseThen, p, [ok, bad]);
const resolvedWith = (v) => apply(promiseResolve, PromiseOf, [v]);
const rejectedWith = (e) => new PromiseOf((_, reject) => reject(e));
const markHandled = (p) => void then(p, undefined, noop);
const inMicrotask = (f) => void then(resolvedWith(undefined), f);

// A promise with its resolvers, as the standard's slots hold them.
class Deferred {
  constructor() {
    this.pending = true;
    this.promise = new PromiseOf((resolve, reject) => {
      this.settle = resolve;
      this.fail = reject;
    });
  }
  resolve(v) {
    this.pending = false;
    this.settle(v);
  }
  reject(e) {
    this.pending = false;
    this.fail(e);
  }
  static resolved(v) {
    const d = new Deferred();
    d.resolve(v);
    return d;
  }
  static rejected(e) {
    const d = new Deferred();
    d.reject(e);
    markHandled(d.promise);
    return d;
  }
}

// A callback of a script that gives a promise: what it throws is a rejection.
const promiseCall = (f, self, args) => {
  try {
    return resolvedWith(apply(f, self, args));
  } catch (e) {
    return rejectedWith(e);
  }
};

// Web IDL: arguments and members of dictionaries.
const needArguments = (args, n, what) => {
  if (args.length < n) throw new TypeError(`${what} needs ${n} argument${n === 1 ? "" : "s"}, ${args.length} given`);
};
const dictionary = (v, what) => {
  if (v === undefined || v === null) return {};
  if (!isObject(v)) throw new TypeError(`${what} must be an object`);
  return v;
};
const method = (dict, name) => {
  const f = dict[name];
  if (f !== undefined && typeof f !== "function") throw new TypeError(`${name} must be a function`);
  return f;
};
const enforceRange = (v, what) => {
  const n = +v;
  if (!Number.isFinite(n)) throw new TypeError(`${what} must be a finite number`);
  const whole = Math.trunc(n);
  if (whole < 0 || whole > Number.MAX_SAFE_INTEGER) throw new TypeError(`${what} is out of range`);
  return whole;
};
// As attributes of Web IDL: methods and getters are enumerable; the class says its name.
const define = (C, name) => {
  for (const key of Reflect.ownKeys(C.prototype)) {
    if (key === "constructor" || typeof key === "symbol") continue;
    Object.defineProperty(C.prototype, key, { enumerable: true });
  }
  Object.defineProperty(C.prototype, Symbol.toStringTag, { value: name ?? C.name, configurable: true, enumerable: false, writable: false });
};

// What a view shows, whatever a script made of its properties.
const typedPrototype = Object.getPrototypeOf(Uint8Array.prototype);
const getterOf = (o, name) => Object.getOwnPropertyDescriptor(o, name).get;
const typed = { tag: getterOf(typedPrototype, Symbol.toStringTag), buffer: getterOf(typedPrototype, "buffer"), offset: getterOf(typedPrototype, "byteOffset"), size: getterOf(typedPrototype, "byteLength"), length: getterOf(typedPrototype, "length") };
const dataView = { buffer: getterOf(DataView.prototype, "buffer"), offset: getterOf(DataView.prototype, "byteOffset"), size: getterOf(DataView.prototype, "byteLength") };
const bufferSize = getterOf(ArrayBuffer.prototype, "byteLength");
const setBytes = typedPrototype.set;
const viewClasses = { Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array };
const viewOf = (v) => {
  const tag = apply(typed.tag, v, []);
  const of = tag === undefined ? dataView : typed;
  const view = { Class: tag === undefined ? DataView : viewClasses[tag], elementSize: tag === undefined ? 1 : viewClasses[tag].BYTES_PER_ELEMENT, buffer: apply(of.buffer, v, []), byteOffset: 0, byteLength: 0, length: 0 };
  if (host.isDetached(view.buffer)) return view;
  view.byteOffset = apply(of.offset, v, []);
  view.byteLength = apply(of.size, v, []);
  view.length = tag === undefined ? view.byteLength : apply(typed.length, v, []);
  return view;
};
const isUint8Array = (v) => isView(v) && apply(typed.tag, v, []) === "Uint8Array";
// Bytes of what may be a BufferSource (Web IDL), not copied; undefined for anything else.
const bytesOf = (v) => {
  if (isView(v)) {
    const view = viewOf(v);
    return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  }
  return host.isBuffer(v) ? new Uint8Array(v) : undefined;
};
const copyBytes = (to, at, from) => apply(setBytes, to, [from, at]);
const encoded = (s) => new Uint8Array(host.utf8Encode(s));
const join = (chunks) => {
  if (chunks.length === 1) return chunks[0];
  let size = 0;
  for (let k = 0; k < chunks.length; k++) size += chunks[k].byteLength;
  const all = new Uint8Array(size);
  let at = 0;
  for (let k = 0; k < chunks.length; k++) {
    copyBytes(all, at, chunks[k]);
    at += chunks[k].byteLength;
  }
  return all;
};
const copyOf = (bytes) => {
  const copy = new Uint8Array(bytes.byteLength);
  copyBytes(copy, 0, bytes);
  return copy;
};

// A list that is taken from at its beginning.
class Queue {
  constructor() {
    this.items = [];
    this.first = 0;
  }
  get length() {
    return this.items.length - this.first;
  }
  push(v) {
    this.items[this.items.length] = v;
  }
  peek() {
    return this.items[this.first];
  }
  shift() {
    const v = this.items[this.first];
    this.items[this.first++] = undefined;
    if (this.first === this.items.length) {
      this.items.length = 0;
      this.first = 0;
    } else if (this.first > 1024 && this.first * 2 > this.items.length) {
      this.items = this.items.slice(this.first);
      this.first = 0;
    }
    return v;
  }
}

// Queues with sizes (Streams standard, 8.1).
const resetQueue = (c) => {
  c.queue = new Queue();
  c.queueTotalSize = 0;
};
const enqueueValueWithSize = (c, value, size) => {
  if (!(size >= 0) || size === Infinity) throw new RangeError("the size of a chunk must be a finite number that is not negative");
  c.queue.push({ value, size });
  c.queueTotalSize += size;
};
const dequeueValue = (c) => {
  const { value, size } = c.queue.shift();
  c.queueTotalSize = Math.max(c.queueTotalSize - size, 0);
  return value;
};

// Queuing strategies (7).
const readStrategy = (strategy) => {
  const dict = dictionary(strategy, "a strategy");
  const highWaterMark = dict.highWaterMark;
  const mark = highWaterMark === undefined ? undefined : +highWaterMark;
  return { highWaterMark: mark, size: method(dict, "size") };
};
const extractHighWaterMark = ({ highWaterMark }, otherwise) => {
  if (highWaterMark === undefined) return otherwise;
  if (!(highWaterMark >= 0)) throw new RangeError("highWaterMark must not be negative or NaN");
  return highWaterMark;
};
const one = () => 1;
const extractSize = ({ size }) => (size === undefined ? one : (chunk) => +apply(size, undefined, [chunk]));
const readMark = (init, args, name) => {
  needArguments(args, 1, name);
  const { highWaterMark } = dictionary(init, "the argument");
  if (highWaterMark === undefined) throw new TypeError(`${name} needs a highWaterMark`);
  return +highWaterMark;
};
const countSize = { size: () => 1 }.size;
const byteLengthSize = { size: (chunk) => chunk.byteLength }.size;
class CountQueuingStrategy {
  #mark;
  constructor(init) {
    this.#mark = readMark(init, arguments, "CountQueuingStrategy");
  }
  get highWaterMark() {
    return this.#mark;
  }
  get size() {
    this.#mark;
    return countSize;
  }
}
define(CountQueuingStrategy);
class ByteLengthQueuingStrategy {
  #mark;
  constructor(init) {
    this.#mark = readMark(init, arguments, "ByteLengthQueuingStrategy");
  }
  get highWaterMark() {
    return this.#mark;
  }
  get size() {
    this.#mark;
    return byteLengthSize;
  }
}
define(ByteLengthQueuingStrategy);

const key = {}; // with which the platform itself makes instances; no script has it
const illegal = (given) => {
  if (given !== key) throw new TypeError("Illegal constructor");
};
