// JSON.parse with the source text of primitive values, JSON.rawJSON and JSON.isRawJSON, which the engine lacks. What
// this returns is what JSON.stringify and JSON.parse with a reviver do from now on.
(function (host) {
  "use strict";
  const { apply, defineProperty, deleteProperty } = Reflect;
  const { isArray } = Array;
  const { parse, stringify, sources } = host;

  // The mark of a raw text: a private field of an object that has no prototype and is frozen.
  class Given {
    constructor(o) {
      return o;
    }
  }
  class Raw extends Given {
    #text;
    constructor(text) {
      super(Object.create(null));
      this.#text = text;
    }
    static of(v) {
      return typeof v === "object" && v !== null && #text in v ? v.#text : undefined;
    }
  }
  const textOf = Raw.of;

  const added = {
    rawJSON(text) {
      const s = `${text}`;
      if (s === "" || /^[\t\n\r ]|[\t\n\r ]$/.test(s)) throw new SyntaxError("JSON.rawJSON needs the text of one value, without space around it");
      const value = parse(s);
      if (typeof value === "object" && value !== null) throw new SyntaxError("JSON.rawJSON takes no object and no array");
      const raw = new Raw(s);
      raw.rawJSON = s;
      return Object.freeze(raw);
    },
    isRawJSON(o) {
      return textOf(o) !== undefined;
    },
  };
  for (const name of Object.keys(added)) defineProperty(JSON, name, { value: added[name], writable: true, configurable: true });

  // A string that stands for a raw text while the engine writes the rest; nothing else has it, as it is made anew.
  const place = () => "raw" + Math.random().toString(36).slice(2) + Math.random().toString(36).slice(2) + "n";
  const names = (list) => {
    const found = new Set();
    for (const name of list) if (typeof name === "string" || typeof name === "number" || name instanceof String || name instanceof Number) found.add(String(name));
    return found;
  };
  const write = (value, replacer, space) => {
    const mark = place();
    const texts = [];
    const put = (v) => {
      const text = textOf(v);
      return text === undefined ? v : mark + (texts.push(text) - 1) + "e";
    };
    const allowed = isArray(replacer) ? names(replacer) : undefined;
    const pick = (v) => {
      if (allowed === undefined || typeof v !== "object" || v === null || isArray(v)) return v;
      if (v instanceof String || v instanceof Number || v instanceof Boolean) return v;
      const out = Object.create(null);
      for (const name of allowed) out[name] = v[name];
      return out;
    };
    const replace =
      typeof replacer === "function"
        ? function (key, v) {
            return put(apply(replacer, this, [key, v]));
          }
        : (key, v) => pick(put(v));

    const text = stringify(value, replace, space);
    return texts.length === 0 ? text : text.replace(new RegExp(`"${mark}(\\d+)e"`, "g"), (_, k) => texts[k]);
  };

  // What was read, before a reviver changes it: each value with the text that it was made of.
  const snapshot = (value, source) => {
    if (typeof value !== "object" || value === null) return { value, source };
    const parts = new Map();
    if (isArray(value)) source.forEach((text, k) => parts.set(String(k), snapshot(value[k], text)));
    else for (let k = 0; k < source.length; k += 2) parts.set(source[k], snapshot(value[source[k]], source[k + 1]));
    return { value, parts };
  };
  const revive = (holder, key, read, reviver) => {
    const value = holder[key];
    const isSame = read !== undefined && Object.is(read.value, value);
    const context = {};
    if (typeof value === "object" && value !== null) {
      const keys = isArray(value) ? Array.from({ length: value.length }, (_, k) => String(k)) : Object.keys(value);
      for (const name of keys) {
        const v = revive(value, name, isSame ? read.parts.get(name) : undefined, reviver);
        if (v === undefined) deleteProperty(value, name);
        else defineProperty(value, name, { value: v, writable: true, enumerable: true, configurable: true });
      }
    } else if (isSame) context.source = read.source;
    return apply(reviver, holder, [key, value, context]);
  };
  const read = (text, reviver) => {
    const value = parse(text);
    return revive({ "": value }, "", snapshot(value, sources(text)), reviver);
  };

  return { classes: {}, stringify: write, parse: read };
});
