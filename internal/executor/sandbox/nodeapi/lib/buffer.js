// Buffer, a Uint8Array with Node's methods. The encodings are the host's.
(function (host, require) {
  "use strict";
  const { withCode, argType, argValue, outOfRange, checkNumber } = require("internal:errors");
  const put = (o, name, value) => Object.defineProperty(o, name, { value, writable: true, configurable: true, enumerable: false });

  const kMaxLength = 2 ** 32;
  const kStringMaxLength = 2 ** 29 - 24;
  const inspectCustom = Symbol.for("nodejs.util.inspect.custom");

  class FastBuffer extends Uint8Array {}

  function Buffer(value, encodingOrOffset, length) {
    if (typeof value === "number") {
      if (typeof encodingOrOffset === "string") throw argType("string", "of type string", value);
      return Buffer.alloc(value);
    }
    return Buffer.from(value, encodingOrOffset, length);
  }
  Object.defineProperty(Buffer, Symbol.species, { get: () => FastBuffer, configurable: true });
  Object.setPrototypeOf(Buffer, Uint8Array);
  Buffer.prototype = FastBuffer.prototype;
  put(FastBuffer.prototype, "constructor", Buffer);
  Buffer.poolSize = 8192;

  // Node's names of encodings, in any case.
  const known = { utf8: "utf8", "utf-8": "utf8", hex: "hex", base64: "base64", base64url: "base64url", ascii: "ascii", latin1: "latin1", binary: "latin1", ucs2: "utf16le", "ucs-2": "utf16le", utf16le: "utf16le", "utf-16le": "utf16le" };
  const encodingOf = (name) => known[name] ?? known[String(name).toLowerCase()];
  const unknownEncoding = (name) => withCode(TypeError, "ERR_UNKNOWN_ENCODING", `Unknown encoding: ${name}`);
  const needEncoding = (name) => {
    const e = name === undefined || name === null || name === "" ? "utf8" : encodingOf(name);
    if (!e) throw unknownEncoding(name);
    return e;
  };

  const isBytes = (v) => ArrayBuffer.isView(v) && v instanceof Uint8Array;
  const checkSize = (n) => {
    checkNumber(n, "size");
    if (!(n >= 0 && n <= kMaxLength)) throw outOfRange("size", `>= 0 && <= ${kMaxLength}`, n);
  };

  const fromString = (text, encoding) => new FastBuffer(host.decode(text, needEncoding(typeof encoding === "string" ? encoding : undefined)));
  const copyOf = (list) => {
    const out = new FastBuffer(list.length > 0 ? list.length : 0);
    for (let k = 0; k < out.length; k++) out[k] = list[k];
    return out;
  };
  const fromArrayLike = (o) => {
    if (o.length !== undefined && typeof o.length !== "function") return typeof o.length === "number" ? copyOf(o) : new FastBuffer(0);
    if (o.type === "Buffer" && Array.isArray(o.data)) return copyOf(o.data);
    return undefined;
  };
  const fromArrayBuffer = (buffer, byteOffset, length) => {
    const offset = byteOffset === undefined ? 0 : Number.isNaN(+byteOffset) ? 0 : Math.trunc(+byteOffset);
    const most = buffer.byteLength - offset;
    if (most < 0 || offset < 0) throw withCode(RangeError, "ERR_BUFFER_OUT_OF_BOUNDS", '"offset" is outside of buffer bounds');
    if (length === undefined) return new FastBuffer(buffer, offset, most);
    const n = Number.isNaN(+length) || +length <= 0 ? 0 : Math.trunc(+length);
    if (n > most) throw withCode(RangeError, "ERR_BUFFER_OUT_OF_BOUNDS", '"length" is outside of buffer bounds');
    return new FastBuffer(buffer, offset, n);
  };

  const statics = {
    from(value, encodingOrOffset, length) {
      if (typeof value === "string") return fromString(value, encodingOrOffset);
      if (typeof value === "object" && value !== null) {
        if (isBytes(value)) {
          const out = new FastBuffer(value.length);
          out.set(value);
          return out;
        }
        if (value instanceof ArrayBuffer) return fromArrayBuffer(value, encodingOrOffset, length);
        const primitive = value.valueOf?.();
        if (primitive !== value && primitive !== null && primitive !== undefined && (typeof primitive === "string" || typeof primitive === "object")) return Buffer.from(primitive, encodingOrOffset, length);
        const made = fromArrayLike(value);
        if (made) return made;
        if (typeof value[Symbol.toPrimitive] === "function") {
          const text = value[Symbol.toPrimitive]("string");
          if (typeof text === "string") return fromString(text, encodingOrOffset);
        }
      }
      throw argType("first argument", "of type string or an instance of Buffer, ArrayBuffer, or Array or an Array-like Object", value);
    },
    alloc: function (size, fill, encoding) {
      checkSize(size);
      const out = new FastBuffer(Math.trunc(size));
      if (fill !== undefined && fill !== 0 && size > 0) fillOf(out, fill, 0, out.length, encoding);
      return out;
    },
    allocUnsafe: function (size) {
      checkSize(size);
      return new FastBuffer(Math.trunc(size));
    },
    allocUnsafeSlow: function (size) {
      checkSize(size);
      return new FastBuffer(Math.trunc(size));
    },
    byteLength(value, encoding) {
      if (typeof value !== "string") {
        if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return value.byteLength;
        throw argType("string", "of type string or an instance of Buffer or ArrayBuffer", value);
      }
      return host.byteLength(value, encodingOf(encoding) ?? "utf8");
    },
    compare(a, b) {
      if (!isBytes(a)) throw argType("buf1", "an instance of Buffer or Uint8Array", a);
      if (!isBytes(b)) throw argType("buf2", "an instance of Buffer or Uint8Array", b);
      return host.compare(a, b);
    },
    concat(list, totalLength) {
      if (!Array.isArray(list)) throw argType("list", "an instance of Array", list);
      if (list.length === 0) return new FastBuffer(0);
      let total = 0;
      if (totalLength === undefined) for (const b of list) total += b?.length > 0 ? b.length : 0;
      else {
        checkNumber(totalLength, "length");
        if (!Number.isInteger(totalLength)) throw outOfRange("length", "an integer", totalLength);
        if (totalLength < 0) throw outOfRange("length", ">= 0 && <= 9007199254740991", totalLength);
        total = totalLength;
      }
      const out = Buffer.allocUnsafe(total);
      let at = 0;
      for (const [k, b] of list.entries()) {
        if (!isBytes(b)) throw argType(`list[${k}]`, "an instance of Buffer or Uint8Array", b);
        if (at < total) out.set(at + b.length > total ? b.subarray(0, total - at) : b, at);
        at += b.length;
      }
      return out;
    },
    copyBytesFrom(view, offset = 0, length) {
      if (!ArrayBuffer.isView(view) || view instanceof DataView) throw argType("view", "an instance of TypedArray", view);
      const part = view.subarray(offset, length === undefined ? undefined : offset + length);
      return Buffer.from(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
    },
    isBuffer: (v) => v instanceof Buffer,
    isEncoding: (name) => typeof name === "string" && name.length !== 0 && encodingOf(name) !== undefined,
    of(...items) {
      return copyOf(items);
    },
  };
  for (const name of Object.keys(statics)) put(Buffer, name, statics[name]);

  // A range of a buffer: numbers from the end count from 0, and what is no number is the default.
  const clamp = (v, length, fallback) => {
    if (v === undefined) return fallback;
    const n = Math.trunc(+v);
    return !(n > 0) ? 0 : n > length ? length : n;
  };
  const checkOffset = (v, name, most) => {
    checkNumber(v, name);
    if (!Number.isInteger(v)) throw outOfRange(name, "an integer", v);
    if (v < 0 || v > most) throw outOfRange(name, `>= 0 && <= ${most}`, v);
  };

  function fillOf(buf, value, offset, end, encoding) {
    if (typeof value === "string") {
      if (typeof offset === "string") {
        encoding = offset;
        offset = 0;
        end = buf.length;
      } else if (typeof end === "string") {
        encoding = end;
        end = buf.length;
      }
      if (encoding !== undefined && typeof encoding !== "string") throw argType("encoding", "of type string", encoding);
      const e = needEncoding(encoding);
      if (value.length === 0) value = 0;
      else {
        const bytes = new Uint8Array(host.decode(value, e));
        if (bytes.length === 0) throw argValue("value", value);
        value = bytes;
      }
    } else if (typeof value === "boolean") value = +value;
    if (offset === undefined) {
      offset = 0;
      end = buf.length;
    } else {
      checkOffset(offset, "offset", kMaxLength);
      if (end === undefined) end = buf.length;
      else checkOffset(end, "end", buf.length);
      if (offset >= end) return buf;
    }
    if (ArrayBuffer.isView(value)) {
      if (value.length === 0) throw argValue("value", value);
      for (let k = offset; k < end && k < offset + value.length; k++) buf[k] = value[k - offset];
      for (let have = value.length; offset + have < end; have *= 2) buf.copyWithin(offset + have, offset, Math.min(offset + have, end - have));
      return buf;
    }
    Uint8Array.prototype.fill.call(buf, value & 255, offset, end);
    return buf;
  }

  const indexIn = (buf, value, byteOffset, encoding, forward) => {
    if (typeof byteOffset === "string") {
      encoding = byteOffset;
      byteOffset = undefined;
    }
    let at = byteOffset === undefined ? NaN : +byteOffset;
    if (Number.isNaN(at)) at = forward ? 0 : buf.length;
    at = Math.max(-0x80000000, Math.min(0x7fffffff, Math.trunc(at)));
    if (at < 0) at += buf.length;
    if (at < 0) {
      if (!forward) return -1;
      at = 0;
    }
    if (typeof value === "number") {
      if (forward) return Uint8Array.prototype.indexOf.call(buf, value & 255, at);
      return at >= buf.length ? Uint8Array.prototype.lastIndexOf.call(buf, value & 255) : Uint8Array.prototype.lastIndexOf.call(buf, value & 255, at);
    }
    let unit = 1;
    if (typeof value === "string") {
      const e = needEncoding(encoding);
      if (e === "utf16le") unit = 2;
      value = new Uint8Array(host.decode(value, e));
    } else if (!isBytes(value)) throw argType("value", "one of type number or string or an instance of Buffer or Uint8Array", value);
    else if (encoding !== undefined && encodingOf(encoding) === "utf16le") unit = 2;
    return host.indexOf(buf, value, at, forward, unit);
  };

  const methods = {
    toString(encoding, start, end) {
      if (arguments.length === 0) return host.encode(this, "utf8", 0, this.length);
      const length = this.length;
      start = clamp(start, length, 0);
      end = clamp(end, length, length);
      if (end <= start) return "";
      return host.encode(this, encoding === undefined ? "utf8" : needEncoding(encoding), start, end);
    },
    toLocaleString(...args) {
      return this.toString(...args);
    },
    toJSON() {
      return { type: "Buffer", data: this.length > 0 ? Array.prototype.slice.call(this) : [] };
    },
    equals(other) {
      if (!isBytes(other)) throw argType("otherBuffer", "an instance of Buffer or Uint8Array", other);
      return this.length === other.length && host.compare(this, other) === 0;
    },
    compare(target, targetStart, targetEnd, sourceStart, sourceEnd) {
      if (!isBytes(target)) throw argType("target", "an instance of Buffer or Uint8Array", target);
      if (arguments.length === 1) return host.compare(this, target);
      if (targetStart === undefined) targetStart = 0;
      else checkOffset(targetStart, "targetStart", kMaxLength);
      if (targetEnd === undefined) targetEnd = target.length;
      else checkOffset(targetEnd, "targetEnd", target.length);
      if (sourceStart === undefined) sourceStart = 0;
      else checkOffset(sourceStart, "sourceStart", kMaxLength);
      if (sourceEnd === undefined) sourceEnd = this.length;
      else checkOffset(sourceEnd, "sourceEnd", this.length);
      if (sourceStart >= sourceEnd) return targetStart >= targetEnd ? 0 : -1;
      if (targetStart >= targetEnd) return 1;
      return host.compare(this.subarray(sourceStart, sourceEnd), target.subarray(targetStart, targetEnd));
    },
    copy(target, targetStart, sourceStart, sourceEnd) {
      if (!ArrayBuffer.isView(target)) throw argType("target", "an instance of Buffer or Uint8Array", target);
      const start = targetStart === undefined ? 0 : Math.trunc(+targetStart) || 0;
      if (start < 0) throw outOfRange("targetStart", ">= 0", targetStart);
      const from = sourceStart === undefined ? 0 : Math.trunc(+sourceStart) || 0;
      if (from < 0 || from > this.length) throw outOfRange("sourceStart", `>= 0 && <= ${this.length}`, sourceStart);
      let to = sourceEnd === undefined ? this.length : Math.trunc(+sourceEnd) || 0;
      if (to < 0) throw outOfRange("sourceEnd", ">= 0", sourceEnd);
      to = Math.min(to, this.length, from + Math.max(0, target.byteLength - start));
      if (to <= from) return 0;
      const into = isBytes(target) ? target : new Uint8Array(target.buffer, target.byteOffset, target.byteLength);
      Uint8Array.prototype.set.call(into, Uint8Array.prototype.subarray.call(this, from, to), start);
      return to - from;
    },
    slice(start, end) {
      return this.subarray(start, end);
    },
    subarray(start, end) {
      const at = (v, fallback) => {
        let n = v === undefined ? fallback : Math.trunc(+v) || 0;
        if (n < 0) n += this.length;
        return n < 0 ? 0 : n > this.length ? this.length : n;
      };
      const from = at(start, 0), to = at(end, this.length);
      return new FastBuffer(this.buffer, this.byteOffset + from, to > from ? to - from : 0);
    },
    fill(value, offset, end, encoding) {
      return fillOf(this, value, offset, end, encoding);
    },
    indexOf(value, byteOffset, encoding) {
      return indexIn(this, value, byteOffset, encoding, true);
    },
    lastIndexOf(value, byteOffset, encoding) {
      return indexIn(this, value, byteOffset, encoding, false);
    },
    includes(value, byteOffset, encoding) {
      return this.indexOf(value, byteOffset, encoding) !== -1;
    },
    write(text, offset, length, encoding) {
      if (typeof text !== "string") throw withCode(TypeError, "ERR_INVALID_ARG_TYPE", "argument must be a string");
      if (offset === undefined) return host.write(this, text, "utf8", 0, this.length);
      if (length === undefined && typeof offset === "string") {
        encoding = offset;
        offset = 0;
        length = this.length;
      } else {
        checkOffset(offset, "offset", this.length);
        const room = this.length - offset;
        if (length === undefined) length = room;
        else if (typeof length === "string") {
          encoding = length;
          length = room;
        } else {
          checkOffset(length, "length", this.length);
          if (length > room) length = room;
        }
      }
      return host.write(this, text, needEncoding(encoding), offset, length);
    },
    [inspectCustom](depth, options) {
      let text = host.encode(this, "hex", 0, Math.min(50, this.length)).replace(/(..)/g, "$1 ").trim();
      if (this.length > 50) text += ` ... ${this.length - 50} more byte${this.length > 51 ? "s" : ""}`;
      return `<${this.constructor?.name ?? "Buffer"}${text ? " " + text : ""}>`;
    },
    swap16() {
      return swap(this, 2, 16);
    },
    swap32() {
      return swap(this, 4, 32);
    },
    swap64() {
      return swap(this, 8, 64);
    },
  };
  methods.inspect = methods[inspectCustom];
  const swap = (buf, size, bits) => {
    if (buf.length % size !== 0) throw withCode(RangeError, "ERR_INVALID_BUFFER_SIZE", `Buffer size must be a multiple of ${bits}-bits`);
    for (let k = 0; k < buf.length; k += size) Uint8Array.prototype.reverse.call(Uint8Array.prototype.subarray.call(new Uint8Array(buf.buffer, buf.byteOffset, buf.length), k, k + size));
    return buf;
  };
  for (const e of ["utf8", "hex", "base64", "base64url", "ascii", "latin1", "utf16le"]) {
    const short = e === "utf16le" ? "ucs2" : e;
    methods[short + "Slice"] = function (start = 0, end = this.length) {
      return host.encode(this, e, clamp(start, this.length, 0), clamp(end, this.length, this.length));
    };
    methods[short + "Write"] = function (text, offset = 0, length = this.length - offset) {
      return host.write(this, text, e, offset, length);
    };
  }

  // Numbers. A view of the buffer's memory reads and writes them.
  const viewOf = (buf) => new DataView(buf.buffer, buf.byteOffset, buf.byteLength);
  const checkPlace = (buf, offset, size) => {
    checkNumber(offset, "offset");
    const most = buf.length - size;
    if (offset >= 0 && offset <= most && Number.isInteger(offset)) return;
    if (!Number.isInteger(offset)) throw outOfRange("offset", "an integer", offset);
    if (most < 0) throw withCode(RangeError, "ERR_BUFFER_OUT_OF_BOUNDS", "Attempt to access memory outside buffer bounds");
    throw outOfRange("offset", `>= 0 and <= ${most}`, offset);
  };
  const rangeText = (min, max, bytes, n) => {
    if (bytes <= 4 || typeof min === "bigint") {
      const s = typeof min === "bigint" ? "n" : "";
      if (bytes > 4) return min === 0n ? `>= 0n and < 2n ** ${bytes * 8}n` : `>= -(2n ** ${bytes * 8 - 1}n) and < 2n ** ${bytes * 8 - 1}n`;
      if (bytes === 4 || bytes === 3) return min === 0 ? `>= 0 and <= ${bytes === 3 ? max : "4294967295"}` : `>= ${min} and <= ${max}`;
      return `>= ${min}${s} and <= ${max}${s}`;
    }
    return min === 0 ? `>= 0 and < 2 ** ${bytes * 8}` : `>= -(2 ** ${bytes * 8 - 1}) and < 2 ** ${bytes * 8 - 1}`;
  };
  const checkValue = (v, min, max, bytes) => {
    if (v > max || v < min) throw outOfRange("value", rangeText(min, max, bytes), v);
  };
  const number = (name, size, get, set, min, max) => {
    const aliases = (verb) => [verb + name, ...(name.includes("UInt") ? [verb + name.replace("UInt", "Uint")] : [])];
    for (const endian of size === 1 ? [""] : ["LE", "BE"]) {
      const little = endian === "LE";
      const read = function (offset = 0) {
        checkPlace(this, offset, size);
        return viewOf(this)[get](offset, little);
      };
      const write = function (value, offset = 0) {
        const v = typeof min === "bigint" ? value : +value;
        if (min !== undefined) {
          if (typeof min === "bigint" && typeof v !== "bigint") throw argType("value", "of type bigint", v);
          checkValue(v, min, max, size);
        }
        checkPlace(this, offset, size);
        viewOf(this)[set](offset, v, little);
        return offset + size;
      };
      for (const alias of aliases("read")) methods[alias + endian] = read;
      for (const alias of aliases("write")) methods[alias + endian] = write;
    }
  };
  number("UInt8", 1, "getUint8", "setUint8", 0, 255);
  number("Int8", 1, "getInt8", "setInt8", -128, 127);
  number("UInt16", 2, "getUint16", "setUint16", 0, 65535);
  number("Int16", 2, "getInt16", "setInt16", -32768, 32767);
  number("UInt32", 4, "getUint32", "setUint32", 0, 4294967295);
  number("Int32", 4, "getInt32", "setInt32", -2147483648, 2147483647);
  number("Float", 4, "getFloat32", "setFloat32");
  number("Double", 8, "getFloat64", "setFloat64");
  number("BigUInt64", 8, "getBigUint64", "setBigUint64", 0n, 2n ** 64n - 1n);
  number("BigInt64", 8, "getBigInt64", "setBigInt64", -(2n ** 63n), 2n ** 63n - 1n);

  const checkByteLength = (n) => {
    if (n === undefined) throw argType("byteLength", "of type number", n);
    checkNumber(n, "byteLength");
    if (!Number.isInteger(n)) throw outOfRange("byteLength", "an integer", n);
    if (n < 1 || n > 6) throw outOfRange("byteLength", ">= 1 and <= 6", n);
  };
  for (const little of [true, false]) {
    const at = (k, n) => (little ? n - 1 - k : k); // the place of the k-th byte from the highest
    const readUInt = function (offset, byteLength) {
      checkNumber(offset, "offset");
      checkByteLength(byteLength);
      checkPlace(this, offset, byteLength);
      let v = 0;
      for (let k = 0; k < byteLength; k++) v = v * 256 + this[offset + at(k, byteLength)];
      return v;
    };
    const put48 = (buf, value, offset, n) => {
      let v = value < 0 ? value + 2 ** (8 * n) : value;
      for (let k = n - 1; k >= 0; k--) {
        buf[offset + at(k, n)] = v % 256;
        v = Math.floor(v / 256);
      }
      return offset + n;
    };
    const write = (min, max) => function (value, offset, byteLength) {
      checkByteLength(byteLength);
      const v = +value;
      checkValue(v, min(byteLength), max(byteLength), byteLength);
      if (offset === undefined) throw argType("offset", "of type number", offset);
      checkPlace(this, offset, byteLength);
      return put48(this, Number.isNaN(v) ? 0 : Math.trunc(v), offset, byteLength);
    };
    const e = little ? "LE" : "BE";
    methods["readUInt" + e] = methods["readUint" + e] = readUInt;
    methods["readInt" + e] = function (offset, byteLength) {
      const v = readUInt.call(this, offset, byteLength);
      return v >= 2 ** (8 * byteLength - 1) ? v - 2 ** (8 * byteLength) : v;
    };
    methods["writeUInt" + e] = methods["writeUint" + e] = write(() => 0, (n) => 2 ** (8 * n) - 1);
    methods["writeInt" + e] = write((n) => -(2 ** (8 * n - 1)), (n) => 2 ** (8 * n - 1) - 1);
  }
  for (const name of Reflect.ownKeys(methods)) put(Buffer.prototype, name, methods[name]);
  Object.defineProperty(Buffer.prototype, "parent", { get() { return this instanceof Buffer ? this.buffer : undefined; }, enumerable: true, configurable: true });
  Object.defineProperty(Buffer.prototype, "offset", { get() { return this instanceof Buffer ? this.byteOffset : undefined; }, enumerable: true, configurable: true });

  function SlowBuffer(length) {
    return Buffer.allocUnsafeSlow(length);
  }
  SlowBuffer.prototype = Buffer.prototype;

  const bytesOf = (v) => {
    if (ArrayBuffer.isView(v)) return new Uint8Array(v.buffer, v.byteOffset, v.byteLength);
    if (v instanceof ArrayBuffer) return new Uint8Array(v);
    throw argType("input", "an instance of ArrayBuffer, Buffer, or TypedArray", v);
  };
  const exports = {
    Buffer, SlowBuffer, kMaxLength, kStringMaxLength, INSPECT_MAX_BYTES: 50,
    constants: { MAX_LENGTH: kMaxLength, MAX_STRING_LENGTH: kStringMaxLength },
    atob: globalThis.atob, btoa: globalThis.btoa,
    isUtf8: (v) => host.isUTF8(bytesOf(v)),
    isAscii: (v) => bytesOf(v).every((b) => b < 128),
    transcode(source, from, to) {
      const a = needEncoding(from), b = needEncoding(to);
      const text = host.encode(source, a, 0, source.length);
      return Buffer.from(b === "ascii" || b === "latin1" ? [...text].map((c) => (c.codePointAt(0) > (b === "ascii" ? 127 : 255) ? "?" : c)).join("") : text, b);
    },
  };
  for (const name of ["Blob", "File"]) Object.defineProperty(exports, name, { get: () => globalThis[name], enumerable: true, configurable: true });
  return exports;
});
