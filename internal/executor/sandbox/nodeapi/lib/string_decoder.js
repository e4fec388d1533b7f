// Text that comes in pieces of bytes.
(function (host, require) {
  "use strict";
  const { withCode, argType } = require("internal:errors");
  const { Buffer } = require("buffer");
  const names = { utf8: "utf8", "utf-8": "utf8", hex: "hex", base64: "base64", base64url: "base64url", ascii: "ascii", latin1: "latin1", binary: "latin1", ucs2: "utf16le", "ucs-2": "utf16le", utf16le: "utf16le", "utf-16le": "utf16le" };

  // How many bytes at the end of a piece belong to a character whose end has not come.
  const kept = {
    utf8(b) {
      for (let n = 1; n <= 3 && n <= b.length; n++) {
        const c = b[b.length - n];
        if ((c & 0xc0) === 0x80) continue;
        const size = c >= 0xf0 && c < 0xf5 ? 4 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xc2 && c < 0xe0 ? 2 : 1;
        if (size <= n) return 0;
        const second = b[b.length - n + 1];
        if (n > 1 && ((c === 0xe0 && second < 0xa0) || (c === 0xed && second > 0x9f) || (c === 0xf0 && second < 0x90) || (c === 0xf4 && second > 0x8f))) return 0;
        return n;
      }
      return 0;
    },
    utf16le(b) {
      const odd = b.length % 2;
      const high = b[b.length - odd - 1];
      return b.length - odd >= 2 && high >= 0xd8 && high <= 0xdb ? 2 + odd : odd;
    },
    base64: (b) => b.length % 3,
    base64url: (b) => b.length % 3,
  };

  function StringDecoder(encoding) {
    const e = encoding === undefined || encoding === null ? "utf8" : names[String(encoding).toLowerCase()];
    if (!e) throw withCode(TypeError, "ERR_UNKNOWN_ENCODING", `Unknown encoding: ${encoding}`);
    this.encoding = e;
    Object.defineProperty(this, "rest", { value: Buffer.alloc(0), writable: true });
  }
  StringDecoder.prototype.write = function (piece) {
    if (typeof piece === "string") return piece;
    if (!ArrayBuffer.isView(piece)) throw argType("buf", "an instance of Buffer, TypedArray, or DataView", piece);
    const all = Buffer.concat([this.rest, new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength)]);
    const n = kept[this.encoding]?.(all) ?? 0;
    this.rest = all.subarray(all.length - n);
    return all.toString(this.encoding, 0, all.length - n);
  };
  StringDecoder.prototype.end = function (piece) {
    let text = piece === undefined ? "" : this.write(piece);
    if (this.rest.length) text += this.rest.toString(this.encoding);
    this.rest = Buffer.alloc(0);
    return text;
  };
  Object.defineProperty(StringDecoder.prototype, "lastNeed", { get() { return this.rest.length; }, configurable: true });
  return { StringDecoder };
});
