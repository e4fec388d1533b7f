// Streams that code: of text (Encoding standard, 7.4 and 7.5) and compressed (Compression standard). Go decides what comes out
// of a chunk.
const given = (give, bytes) => void (bytes.byteLength > 0 && give(bytes));
const bufferSource = (chunk) => {
  const bytes = bytesOf(chunk);
  if (bytes === undefined) throw new TypeError("a chunk must be an ArrayBuffer or a view of one");
  return bytes;
};
const compression = (make, args, name) => {
  needArguments(args, 1, name);
  const format = `${args[0]}`;
  if (format !== "gzip" && format !== "deflate" && format !== "deflate-raw") throw new TypeError(`the format ${format} is not supported: gzip, deflate and deflate-raw are`);
  const step = make(format);
  return createPair(
    (give, chunk) => given(give, step(bufferSource(chunk), false)),
    (give) => given(give, step(new Uint8Array(0), true)),
  );
};
class CompressionStream {
  #t;
  constructor(format) {
    this.#t = compression(host.compressor, arguments, "CompressionStream");
  }
  get readable() {
    return objectOf(this.#t.readable);
  }
  get writable() {
    return writableObject(this.#t.writable);
  }
}
define(CompressionStream);
class DecompressionStream {
  #t;
  constructor(format) {
    this.#t = compression(host.decompressor, arguments, "DecompressionStream");
  }
  get readable() {
    return objectOf(this.#t.readable);
  }
  get writable() {
    return writableObject(this.#t.writable);
  }
}
define(DecompressionStream);

// The half of a pair of surrogates at the end of a text, whose other half may come with the next.
const isHigh = (text) => {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last <= 0xdbff;
};
class TextEncoderStream {
  #t;
  constructor() {
    let half = "";
    this.#t = createPair(
      (give, chunk) => {
        let text = half + `${chunk}`;
        half = "";
        if (isHigh(text)) {
          half = text.slice(-1);
          text = text.slice(0, -1);
        }
        given(give, encoded(text));
      },
      (give) => half !== "" && give(new Uint8Array([0xef, 0xbf, 0xbd])),
    );
  }
  get encoding() {
    this.#t;
    return "utf-8";
  }
  get readable() {
    return objectOf(this.#t.readable);
  }
  get writable() {
    return writableObject(this.#t.writable);
  }
}
define(TextEncoderStream);
const Decoder = TextDecoder;
const { decode } = TextDecoder.prototype;
const [decoderName, decoderFatal, decoderBOM] = ["encoding", "fatal", "ignoreBOM"].map((name) => getterOf(TextDecoder.prototype, name));
class TextDecoderStream {
  #t;
  #decoder;
  constructor(label, options) {
    const decoder = new Decoder(label, options);
    this.#decoder = decoder;
    const text = (give, s) => void (s !== "" && give(s));
    this.#t = createPair(
      (give, chunk) => text(give, apply(decode, decoder, [bufferSource(chunk), { stream: true }])),
      (give) => text(give, apply(decode, decoder, [])),
    );
  }
  get encoding() {
    return apply(decoderName, this.#decoder, []);
  }
  get fatal() {
    return apply(decoderFatal, this.#decoder, []);
  }
  get ignoreBOM() {
    return apply(decoderBOM, this.#decoder, []);
  }
  get readable() {
    return objectOf(this.#t.readable);
  }
  get writable() {
    return writableObject(this.#t.writable);
  }
}
define(TextDecoderStream);
