// Hashes, random numbers and derived keys. What is not here is in crypto.subtle.
(function (host, require) {
  "use strict";
  const { withCode, argType, outOfRange, checkString, checkFunction, checkNumber, checkInteger } = require("internal:errors");
  const { Buffer } = require("buffer");
  const { Transform } = require("stream");
  const isView = ArrayBuffer.isView;

  const bytesOf = (v, name, encoding) => {
    if (typeof v === "string") return Buffer.from(v, encoding && encoding !== "buffer" ? encoding : "utf8");
    if (isView(v)) return new Uint8Array(v.buffer, v.byteOffset, v.byteLength);
    if (v instanceof ArrayBuffer) return new Uint8Array(v);
    if (v instanceof KeyObject) return v.export();
    throw argType(name, "of type string or an instance of ArrayBuffer, Buffer, TypedArray, DataView, or KeyObject", v);
  };
  const out = (buffer, encoding) => {
    const b = Buffer.from(buffer);
    return encoding && encoding !== "buffer" ? b.toString(encoding) : b;
  };
  const unsupported = () => new Error("Digest method not supported");

  class KeyObject {
    #bytes;
    constructor(type, bytes) {
      if (type !== "secret") throw withCode(TypeError, "ERR_INVALID_ARG_VALUE", `The argument 'type' is invalid here: ${type}`);
      this.#bytes = Buffer.from(bytes);
    }
    get type() {
      return "secret";
    }
    get symmetricKeySize() {
      return this.#bytes.length;
    }
    export(options) {
      if (options?.format === "jwk") return { kty: "oct", k: this.#bytes.toString("base64url") };
      return Buffer.from(this.#bytes);
    }
    equals(other) {
      return other instanceof KeyObject && this.#bytes.equals(other.#bytes);
    }
  }

  const finished = () => withCode(Error, "ERR_CRYPTO_HASH_FINALIZED", "Digest already called");
  class Digest extends Transform {
    #running;
    #done = false;
    #result;
    constructor(running, options) {
      super(options);
      this.#running = running;
    }
    update(data, encoding) {
      if (this.#done) throw finished();
      if (typeof data !== "string" && !isView(data)) throw argType("data", "of type string or an instance of Buffer, TypedArray, or DataView", data);
      this.#running.update(bytesOf(data, "data", encoding));
      return this;
    }
    digest(encoding) {
      if (this.#done && !this.again) throw finished();
      this.#result ??= this.#running.digest();
      const first = !this.#done;
      this.#done = true;
      return first ? out(this.#result, encoding) : out(new ArrayBuffer(0), encoding);
    }
    copied() {
      if (this.#done) throw finished();
      return this.#running.copy();
    }
    _transform(chunk, encoding, done) {
      this.update(chunk, encoding);
      done();
    }
    _flush(done) {
      this.push(this.digest());
      done();
    }
  }
  class Hash extends Digest {
    copy(options) {
      return new Hash(this.copied(), options);
    }
  }
  class Hmac extends Digest {
    get again() {
      return true;
    }
  }
  delete Hash.prototype.constructor;
  Object.defineProperty(Hash.prototype, "constructor", { value: Hash, writable: true, configurable: true });

  const createHash = (name, options) => {
    checkString(name, "algorithm");
    const running = host.hash(name);
    if (!running) throw unsupported();
    return new Hash(running, options);
  };
  const createHmac = (name, key, options) => {
    checkString(name, "hmac");
    const running = host.hash(name, bytesOf(key, "key", options?.encoding));
    if (!running) throw withCode(Error, "ERR_CRYPTO_INVALID_DIGEST", `Invalid digest: ${name}`);
    return new Hmac(running, options);
  };

  // With a callback, the result comes later.
  const later = (done, f) => {
    let value;
    try {
      value = f();
    } catch (e) {
      queueMicrotask(() => done(e));
      return;
    }
    queueMicrotask(() => done(null, value));
  };

  const randomBytes = (size, done) => {
    checkNumber(size, "size");
    if (!(size >= 0 && size <= 2 ** 31 - 1)) throw outOfRange("size", ">= 0 && <= 2147483647", size);
    if (done !== undefined) checkFunction(done, "callback");
    const make = () => host.random(Buffer.alloc(Math.trunc(size)));
    return done === undefined ? make() : later(done, make);
  };
  const randomFillSync = (buf, offset = 0, size) => {
    if (!isView(buf) && !(buf instanceof ArrayBuffer)) throw argType("buf", "an instance of ArrayBuffer, Buffer, TypedArray, or DataView", buf);
    const unit = buf.BYTES_PER_ELEMENT ?? 1;
    const at = offset * unit, n = size === undefined ? buf.byteLength - at : size * unit;
    if (!(at >= 0 && at <= buf.byteLength)) throw outOfRange("offset", `>= 0 && <= ${buf.byteLength}`, at);
    if (!(n >= 0 && at + n <= buf.byteLength)) throw outOfRange("size + offset", `<= ${buf.byteLength}`, at + n);
    host.random(new Uint8Array(buf.buffer ?? buf, (buf.byteOffset ?? 0) + at, n));
    return buf;
  };
  const randomInt = (min, max, done) => {
    if (max === undefined || typeof max === "function") {
      done = max;
      max = min;
      min = 0;
    }
    if (done !== undefined) checkFunction(done, "callback");
    for (const [v, name] of [[min, "min"], [max, "max"]]) if (!Number.isSafeInteger(v)) throw argType(name, "a safe integer", v);
    if (max <= min) throw withCode(RangeError, "ERR_OUT_OF_RANGE", `The value of "max" is out of range. It must be greater than the value of "min" (${min}). Received ${max}`);
    const range = max - min;
    if (range > 2 ** 48 - 1) throw outOfRange("max - min", "<= 281474976710655", range);
    const make = () => {
      const most = 2 ** 48 - (2 ** 48 % range);
      for (;;) {
        const v = randomBytes(6).readUIntBE(0, 6);
        if (v < most) return min + (v % range);
      }
    };
    return done === undefined ? make() : later(done, make);
  };

  const timingSafeEqual = (a, b) => {
    for (const [v, name] of [[a, "buf1"], [b, "buf2"]]) if (!isView(v) && !(v instanceof ArrayBuffer)) throw argType(name, "an instance of ArrayBuffer, Buffer, TypedArray, or DataView", v);
    if (a.byteLength !== b.byteLength) throw withCode(RangeError, "ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH", "Input buffers must have the same byte length");
    return host.equal(a, b);
  };

  const pbkdf2Sync = (password, salt, iterations, keylen, digest) => {
    if (typeof digest !== "string") throw argType("digest", "of type string", digest);
    const p = bytesOf(password, "password"), s = bytesOf(salt, "salt");
    checkInteger(iterations, "iterations", 1, 2147483647);
    checkInteger(keylen, "keylen", 0, 2147483647);
    const key = host.pbkdf2(p, s, iterations, keylen, digest);
    if (!key) throw withCode(TypeError, "ERR_CRYPTO_INVALID_DIGEST", `Invalid digest: ${digest}`);
    return Buffer.from(key);
  };
  const pbkdf2 = (password, salt, iterations, keylen, digest, done) => {
    if (typeof digest === "function") throw argType("digest", "of type string", undefined);
    checkFunction(done, "callback");
    later(done, () => pbkdf2Sync(password, salt, iterations, keylen, digest));
  };

  const scryptSync = (password, salt, keylen, options) => {
    const p = bytesOf(password, "password"), s = bytesOf(salt, "salt");
    checkInteger(keylen, "keylen", 0, 2147483647);
    const o = options ?? {};
    const N = o.N ?? o.cost ?? 16384, r = o.r ?? o.blockSize ?? 8, lanes = o.p ?? o.parallelization ?? 1, most = o.maxmem ?? 32 * 1024 * 1024;
    if (128 * N * r > most) throw withCode(RangeError, "ERR_CRYPTO_INVALID_SCRYPT_PARAMS", "Invalid scrypt params: memory limit exceeded");
    const key = host.scrypt(p, s, keylen, N, r, lanes);
    if (!key) throw withCode(RangeError, "ERR_CRYPTO_INVALID_SCRYPT_PARAMS", "Invalid scrypt params");
    return Buffer.from(key);
  };
  const scrypt = (password, salt, keylen, options, done) => {
    if (typeof options === "function") {
      done = options;
      options = undefined;
    }
    checkFunction(done, "callback");
    later(done, () => scryptSync(password, salt, keylen, options));
  };

  const hkdfSync = (digest, key, salt, info, keylen) => {
    checkString(digest, "digest");
    const made = host.hkdf(digest, bytesOf(key, "ikm"), bytesOf(salt, "salt"), bytesOf(info, "info"), keylen);
    if (!made) throw withCode(TypeError, "ERR_CRYPTO_INVALID_DIGEST", `Invalid digest: ${digest}`);
    return made;
  };

  const web = globalThis.crypto;
  const lists = {
    getHashes: () => ["md5", "sha1", "sha224", "sha256", "sha3-224", "sha3-256", "sha3-384", "sha3-512", "sha384", "sha512", "sha512-224", "sha512-256"],
    getCiphers: () => [],
    getCurves: () => [],
  };
  const crypto = {
    createHash, createHmac, Hash, Hmac, KeyObject, randomBytes, randomFillSync, randomInt, timingSafeEqual, pbkdf2, pbkdf2Sync, scrypt, scryptSync, hkdfSync, ...lists,
    pseudoRandomBytes: randomBytes,
    hash: (name, data, encoding = "hex") => createHash(name).update(data).digest(encoding),
    hkdf(digest, key, salt, info, keylen, done) {
      checkFunction(done, "callback");
      later(done, () => hkdfSync(digest, key, salt, info, keylen));
    },
    randomFill(buf, offset, size, done) {
      const f = [offset, size, done].find((v) => typeof v === "function");
      checkFunction(f, "callback");
      later(f, () => randomFillSync(buf, typeof offset === "number" ? offset : 0, typeof size === "number" ? size : undefined));
    },
    randomUUID: () => web.randomUUID(),
    getRandomValues: (view) => web.getRandomValues(view),
    createSecretKey: (key, encoding) => new KeyObject("secret", bytesOf(key, "key", encoding)),
    webcrypto: web,
    constants: {},
  };
  Object.defineProperty(crypto, "subtle", { get: () => web.subtle, enumerable: true });
  for (const name of [
    "createCipheriv", "createDecipheriv", "createSign", "createVerify", "sign", "verify", "createPrivateKey", "createPublicKey", "generateKeyPair", "generateKeyPairSync",
    "publicEncrypt", "privateDecrypt", "createDiffieHellman", "createECDH", "X509Certificate",
  ]) {
    crypto[name] = () => {
      throw withCode(Error, "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM", `crypto.${name} is not there: use crypto.subtle, which has ciphers, signatures and pairs of keys`);
    };
  }
  return crypto;
});
