// Blob and File (File API), and FormData (XMLHttpRequest standard, 5). Lone surrogates of texts become U+FFFD.
const wellFormed = (v) => host.utf8Decode(host.utf8Encode(`${v}`), false, true);
const nativeEnds = (s) => s.replace(/\r\n?/g, "\n");

const partsOf = (parts, endings) => {
  const chunks = [];
  for (const part of parts) {
    if (isBlob(part)) chunks.push(blobBytes(part));
    else if (isView(part) || host.isBuffer(part)) chunks.push(copyOf(bytesOf(part)));
    else chunks.push(`${part}`);
  }
  // The texts are coded when all parts are read: their conversions run code of the script.
  return join(chunks.map((chunk) => (typeof chunk === "string" ? encoded(endings === "native" ? nativeEnds(chunk) : chunk) : chunk)));
};
const isSequence = (v) => isObject(v) && typeof v[Symbol.iterator] === "function";
const blobType = (v) => {
  const type = `${v}`;
  return /^[\x20-\x7e]*$/.test(type) ? type.toLowerCase() : "";
};
const readBag = (options, isFile) => {
  const bag = dictionary(options, "options");
  const endings = bag.endings;
  const read = { endings: endings === undefined ? "transparent" : `${endings}`, lastModified: undefined, type: "" };
  if (read.endings !== "transparent" && read.endings !== "native") throw new TypeError(`endings is "transparent" or "native"`);
  const modified = isFile ? bag.lastModified : undefined;
  read.lastModified = modified === undefined ? Date.now() : Math.trunc(+modified) || 0;
  const type = bag.type;
  if (type !== undefined) read.type = blobType(type);
  return read;
};
// A position as Web IDL clamps it, counted from the end if it is negative.
const position = (v, size, otherwise) => {
  if (v === undefined) return otherwise;
  const n = +v;
  const whole = Number.isNaN(n) ? 0 : Math.min(Math.max(n < 0 ? Math.ceil(n) : Math.floor(n), -Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
  return whole < 0 ? Math.max(size + whole, 0) : Math.min(whole, size);
};

let blobBytes;
let isBlob;
const promised = (f) => {
  try {
    return resolvedWith(f());
  } catch (e) {
    return rejectedWith(e);
  }
};
class Blob {
  #bytes;
  #type;
  constructor(parts = undefined, options = undefined) {
    if (parts === key) {
      this.#bytes = options.bytes;
      this.#type = options.type;
      return;
    }
    if (parts !== undefined && !isSequence(parts)) throw new TypeError("a Blob is made of a list of parts");
    const list = parts === undefined ? [] : [...parts].map((part) => (isBlob(part) || isView(part) || host.isBuffer(part) ? part : wellFormed(part)));
    const bag = readBag(options, this instanceof File);
    this.#bytes = partsOf(list, bag.endings);
    this.#type = bag.type;
    if (this instanceof File) modifiedTimes.set(this, bag.lastModified);
  }
  get size() {
    return this.#bytes.byteLength;
  }
  get type() {
    return this.#type;
  }
  slice(start = undefined, end = undefined, type = undefined) {
    const bytes = this.#bytes;
    const from = position(start, bytes.byteLength, 0);
    const to = position(end, bytes.byteLength, bytes.byteLength);
    return new Blob(key, { bytes: bytes.subarray(from, Math.max(from, to)), type: type === undefined ? "" : blobType(type) });
  }
  stream() {
    return objectOf(fromBytes(copyOf(this.#bytes)));
  }
  text() {
    return promised(() => host.utf8Decode(this.#bytes, false, false));
  }
  arrayBuffer() {
    return promised(() => copyOf(this.#bytes).buffer);
  }
  bytes() {
    return promised(() => copyOf(this.#bytes));
  }
  static {
    blobBytes = (b) => b.#bytes;
    isBlob = (v) => isObject(v) && #bytes in v;
  }
}
define(Blob);
const modifiedTimes = new WeakMap();
let isFile;
class File extends Blob {
  #name;
  constructor(parts, name, options = undefined) {
    needArguments(arguments, 2, "File");
    if (parts !== key && !isSequence(parts)) throw new TypeError("a File is made of a list of parts");
    super(parts, options);
    this.#name = parts === key ? name : wellFormed(name);
    if (parts === key) modifiedTimes.set(this, options.lastModified);
  }
  get name() {
    return this.#name;
  }
  get lastModified() {
    this.#name;
    return modifiedTimes.get(this);
  }
  get webkitRelativePath() {
    this.#name;
    return "";
  }
  static {
    isFile = (v) => isObject(v) && #name in v;
  }
}
define(File);

let entriesOf;
let isForm;
class FormData {
  #list = [];
  constructor(form = undefined) {
    if (form !== undefined) throw new TypeError("there are no forms here: use new FormData() and append");
  }
  static #entry(args, what) {
    needArguments(args, 2, what);
    const [name, value] = [wellFormed(args[0]), args[1]];
    const filename = args.length > 2 && args[2] !== undefined ? wellFormed(args[2]) : undefined;
    if (!isBlob(value)) {
      if (args.length > 2) throw new TypeError(`${what}: a value with a file name must be a Blob`);
      return { name, value: wellFormed(value) };
    }
    if (isFile(value) && filename === undefined) return { name, value };
    const lastModified = isFile(value) ? value.lastModified : Date.now();
    return { name, value: new File(key, filename ?? "blob", { bytes: blobBytes(value), type: value.type, lastModified }) };
  }
  append(name, value, filename = undefined) {
    const list = this.#list;
    list[list.length] = FormData.#entry(arguments, "append");
  }
  set(name, value, filename = undefined) {
    const list = this.#list;
    const entry = FormData.#entry(arguments, "set");
    const at = list.findIndex((e) => e.name === entry.name);
    if (at < 0) {
      list[list.length] = entry;
      return;
    }
    list[at] = entry;
    for (let k = list.length - 1; k > at; k--) if (list[k].name === entry.name) list.splice(k, 1);
  }
  #named(args, what) {
    const list = this.#list;
    needArguments(args, 1, what);
    const name = wellFormed(args[0]);
    return list.filter((e) => e.name === name);
  }
  delete(name) {
    const list = this.#list;
    for (const e of this.#named(arguments, "delete")) list.splice(list.indexOf(e), 1);
  }
  get(name) {
    const found = this.#named(arguments, "get");
    return found.length > 0 ? found[0].value : null;
  }
  getAll(name) {
    return this.#named(arguments, "getAll").map((e) => e.value);
  }
  has(name) {
    return this.#named(arguments, "has").length > 0;
  }
  forEach(f, self = undefined) {
    const list = this.#list;
    needArguments(arguments, 1, "forEach");
    if (typeof f !== "function") throw new TypeError("forEach needs a function");
    for (let k = 0; k < list.length; k++) apply(f, self, [list[k].value, list[k].name, this]);
  }
  entries() {
    return pairIterator(this.#list, (e) => [e.name, e.value]);
  }
  keys() {
    return pairIterator(this.#list, (e) => e.name);
  }
  values() {
    return pairIterator(this.#list, (e) => e.value);
  }
  static {
    entriesOf = (form) => form.#list;
    isForm = (v) => isObject(v) && #list in v;
  }
}
define(FormData);
Object.defineProperty(FormData.prototype, Symbol.iterator, { value: FormData.prototype.entries, writable: true, configurable: true, enumerable: false });

// Iterators over the entries as they are at each step (Web IDL, 3.7.10).
const pairIterations = new WeakMap();
const pairIteratorPrototype = {
  next() {
    const it = isObject(this) ? pairIterations.get(this) : undefined;
    if (it === undefined) throw new TypeError("it is not an iterator of a FormData");
    if (it.at >= it.list.length) return { value: undefined, done: true };
    return { value: it.pick(it.list[it.at++]), done: false };
  },
};
Object.setPrototypeOf(pairIteratorPrototype, Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())));
Object.defineProperty(pairIteratorPrototype, Symbol.toStringTag, { value: "FormData Iterator", configurable: true });
const pairIterator = (list, pick) => {
  const iterator = Object.create(pairIteratorPrototype);
  pairIterations.set(iterator, { list, pick, at: 0 });
  return iterator;
};

// multipart/form-data as the HTML standard encodes it (4.10.21.8).
const escapeName = (s) => s.replace(/\r\n?|\n/g, "%0D%0A").replace(/"/g, "%22");
const escapeFile = (s) => s.replace(/\n/g, "%0A").replace(/\r/g, "%0D").replace(/"/g, "%22");
const encodeForm = (form) => {
  const boundary = "----picloud" + host.random();
  const chunks = [];
  for (const { name, value } of entriesOf(form)) {
    let head = `--${boundary}\r\nContent-Disposition: form-data; name="${escapeName(name)}"`;
    if (isBlob(value)) {
      head += `; filename="${escapeFile(value.name)}"\r\nContent-Type: ${value.type || "application/octet-stream"}\r\n\r\n`;
      chunks.push(encoded(head), blobBytes(value), encoded("\r\n"));
    } else chunks.push(encoded(`${head}\r\n\r\n${value.replace(/\r\n?|\n/g, "\r\n")}\r\n`));
  }
  chunks.push(encoded(`--${boundary}--\r\n`));
  return { bytes: join(chunks), type: "multipart/form-data; boundary=" + boundary };
};
