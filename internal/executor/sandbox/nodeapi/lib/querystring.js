// Query strings, as before URLSearchParams.
(function () {
  "use strict";
  const unreserved = /[!'()*~\-._A-Za-z0-9]/;
  const escape = (v) => {
    const text = typeof v === "string" ? v : typeof v === "object" ? String(v) : v + "";
    let out = "";
    for (const c of text) {
      if (unreserved.test(c)) out += c;
      else {
        if (/^[\ud800-\udfff]$/.test(c)) throw Object.assign(new URIError("URI malformed"), { code: "ERR_INVALID_URI" });
        out += encodeURIComponent(c);
      }
    }
    return out;
  };
  const unescapeBuffer = (text) => {
    const out = [];
    for (let k = 0; k < text.length; k++) {
      const pair = text[k] === "%" ? /^[0-9a-fA-F]{2}$/.exec(text.slice(k + 1, k + 3)) : null;
      if (pair) {
        out.push(parseInt(pair[0], 16));
        k += 2;
      } else for (const b of new TextEncoder().encode(text[k])) out.push(b);
    }
    return new Uint8Array(out);
  };
  const unescape = (text) => {
    try {
      return decodeURIComponent(text);
    } catch {
      return new TextDecoder().decode(unescapeBuffer(text));
    }
  };
  const primitive = (v) => (typeof v === "string" ? v : (typeof v === "number" && isFinite(v)) || typeof v === "bigint" || typeof v === "boolean" ? String(v) : "");
  const querystring = {
    escape,
    unescape,
    unescapeBuffer,
    stringify(o, sep, eq, options) {
      sep ||= "&";
      eq ||= "=";
      const code = typeof options?.encodeURIComponent === "function" ? options.encodeURIComponent : querystring.escape;
      const encoded = (v) => {
        const text = primitive(v);
        return text === "" ? "" : code(text);
      };
      if (o === null || typeof o !== "object") return "";
      const out = [];
      for (const key of Object.keys(o)) {
        const name = code(primitive(key)) + eq;
        if (Array.isArray(o[key])) for (const v of o[key]) out.push(name + encoded(v));
        else out.push(name + encoded(o[key]));
      }
      return out.join(sep);
    },
    parse(text, sep, eq, options) {
      const out = Object.create(null);
      if (typeof text !== "string" || text === "") return out;
      sep = sep ? String(sep) : "&";
      eq = eq ? String(eq) : "=";
      const decode = typeof options?.decodeURIComponent === "function" ? options.decodeURIComponent : querystring.unescape;
      const most = typeof options?.maxKeys === "number" ? options.maxKeys : 1000;
      const read = (v) => {
        const spaced = v.replace(/\+/g, " ");
        try {
          return decode(spaced);
        } catch {
          return unescape(spaced);
        }
      };
      let count = 0;
      for (const part of text.split(sep)) {
        if (part === "") continue;
        if (most > 0 && count++ >= most) break;
        const at = part.indexOf(eq);
        const key = read(at < 0 ? part : part.slice(0, at)), value = at < 0 ? "" : read(part.slice(at + eq.length));
        if (!(key in out)) out[key] = value;
        else if (Array.isArray(out[key])) out[key].push(value);
        else out[key] = [out[key], value];
      }
      return out;
    },
  };
  querystring.encode = querystring.stringify;
  querystring.decode = querystring.parse;
  return querystring;
});
