// Methods of ECMA-262, Annex B, which the engine lacks and old packages use. RegExp's are not here.
(function (host) {
  "use strict";
  const { defineProperty } = Reflect;
  const add = (o, list) => {
    for (const name of Object.keys(list)) if (!Object.hasOwn(o, name)) defineProperty(o, name, { value: list[name], writable: true, configurable: true });
  };

  add(Date.prototype, {
    getYear() {
      return this.getFullYear() - 1900;
    },
    setYear(year) {
      const y = Number(year);
      if (Number.isNaN(y)) return this.setTime(NaN);
      const whole = Math.trunc(y);
      const full = whole >= 0 && whole <= 99 ? whole + 1900 : whole;
      if (Number.isNaN(this.getTime())) this.setTime(new Date(1970, 0, 1).getTime());
      return this.setFullYear(full);
    },
  });
  if (!Object.hasOwn(Date.prototype, "toGMTString")) // the same function as toUTCString
    defineProperty(Date.prototype, "toGMTString", { value: Date.prototype.toUTCString, writable: true, configurable: true });

  const object = (v) => {
    if (v === null || v === undefined) throw new TypeError("Cannot convert undefined or null to object");
    return Object(v);
  };
  const callable = (f) => {
    if (typeof f !== "function") throw new TypeError("a getter or setter must be a function");
    return f;
  };
  const define = (o, key, accessor) => {
    if (!defineProperty(o, key, { ...accessor, enumerable: true, configurable: true })) throw new TypeError("Cannot redefine property: " + String(key));
  };
  const key = (k) => (typeof k === "symbol" ? k : `${k}`);
  const look = (o, k, part) => {
    for (; o !== null; o = Object.getPrototypeOf(o)) {
      const found = Object.getOwnPropertyDescriptor(o, k);
      if (found) return found[part];
    }
  };
  add(Object.prototype, {
    __defineGetter__(name, get) {
      define(object(this), name, { get: callable(get) });
    },
    __defineSetter__(name, set) {
      define(object(this), name, { set: callable(set) });
    },
    __lookupGetter__(name) {
      return look(object(this), key(name), "get");
    },
    __lookupSetter__(name) {
      return look(object(this), key(name), "set");
    },
  });

  const html = (text, tag, attribute, value) => {
    if (text === null || text === undefined) throw new TypeError("String.prototype method called on null or undefined");
    const s = String(text);
    const attributes = attribute ? ` ${attribute}="${String(value).replaceAll('"', "&quot;")}"` : "";
    return `<${tag}${attributes}>${s}</${tag}>`;
  };
  add(String.prototype, {
    anchor(name) {
      return html(this, "a", "name", name);
    },
    big() {
      return html(this, "big");
    },
    blink() {
      return html(this, "blink");
    },
    bold() {
      return html(this, "b");
    },
    fixed() {
      return html(this, "tt");
    },
    fontcolor(color) {
      return html(this, "font", "color", color);
    },
    fontsize(size) {
      return html(this, "font", "size", size);
    },
    italics() {
      return html(this, "i");
    },
    link(url) {
      return html(this, "a", "href", url);
    },
    small() {
      return html(this, "small");
    },
    strike() {
      return html(this, "strike");
    },
    sub() {
      return html(this, "sub");
    },
    sup() {
      return html(this, "sup");
    },
  });

  return { classes: {} };
});
