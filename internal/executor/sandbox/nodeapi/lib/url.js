// URLs as before the URL standard, beside those of the global scope.
(function (host, require) {
  "use strict";
  const { withCode, argType, checkString } = require("internal:errors");
  const querystring = require("querystring");
  const { URL, URLSearchParams } = globalThis;

  const slashed = new Set(["http:", "https:", "ftp:", "gopher:", "file:", "ws:", "wss:"]);
  const hostless = new Set(["javascript:"]);

  function Url() {
    for (const k of ["protocol", "slashes", "auth", "host", "port", "hostname", "hash", "search", "query", "pathname", "path", "href"]) this[k] = null;
  }
  const escaped = { "\t": "%09", "\n": "%0A", "\r": "%0D", " ": "%20", '"': "%22", "'": "%27", "<": "%3C", ">": "%3E", "\\": "%5C", "^": "%5E", "`": "%60", "{": "%7B", "|": "%7C", "}": "%7D" };
  const ascii = (name) => {
    try {
      return new URL(`http://${name}`).hostname;
    } catch {
      return "";
    }
  };
  const invalid = (text) => {
    const e = withCode(TypeError, "ERR_INVALID_URL", "Invalid URL");
    e.input = text;
    return e;
  };

  Url.prototype.parse = function (text, parseQuery, slashesDenoteHost) {
    checkString(text, "url");
    let rest = text.replace(/^[\s\ufeff]+|[\s\ufeff]+$/g, "");
    const mark = rest.search(/[?#]/);
    const head = mark < 0 ? rest : rest.slice(0, mark);
    rest = head.replace(/\\/g, "/") + (mark < 0 ? "" : rest.slice(mark));

    const proto = /^([a-z0-9.+-]+:)/i.exec(rest);
    let lower = "";
    if (proto) {
      lower = proto[0].toLowerCase();
      this.protocol = lower;
      rest = rest.slice(proto[0].length);
    }
    let slashes = false;
    if (slashesDenoteHost || proto || /^\/\/[^@/]+@[^@/]+/.test(rest)) {
      slashes = rest.startsWith("//");
      if (slashes && !hostless.has(lower)) {
        rest = rest.slice(2);
        this.slashes = true;
      }
    }
    if (!hostless.has(lower) && (slashes || (proto && !slashed.has(lower)))) {
      let end = rest.search(/[/?#\t\n\r "'<>\\^`{|};]/), at = -1;
      const whole = rest.search(/[/?#]/);
      const zone = whole < 0 ? rest : rest.slice(0, whole);
      at = zone.lastIndexOf("@");
      if (at >= 0) {
        this.auth = decodeURIComponent(zone.slice(0, at));
        rest = rest.slice(at + 1);
        end = rest.search(/[/?#\t\n\r "'<>\\^`{|};]/);
      }
      this.host = end < 0 ? rest : rest.slice(0, end);
      rest = end < 0 ? "" : rest.slice(end);
      const port = /:([0-9]*)$/.exec(this.host);
      let name = this.host;
      if (port) {
        if (port[1] !== "") this.port = port[1];
        name = name.slice(0, name.length - port[0].length);
      }
      const bracketed = name[0] === "[" && name[name.length - 1] === "]";
      if (!bracketed) {
        const bad = /[^a-z0-9.\-_+\u0080-\uffff]/i.exec(name);
        if (bad) {
          if (/[\s<>^|%:]/.test(bad[0]) && bad[0] !== "%") throw invalid(text);
          rest = "/" + name.slice(bad.index) + rest;
          name = name.slice(0, bad.index);
        }
      }
      name = name.length > 255 ? "" : name.toLowerCase();
      if (!bracketed && name !== "" && /[^\x00-\x7f]/.test(name)) {
        name = ascii(name);
        if (name === "") throw invalid(text);
      }
      this.hostname = bracketed ? name.slice(1, -1) : name;
      this.host = name + (this.port ? ":" + this.port : "");
      if (bracketed && rest[0] !== "/") rest = rest === "" || /^[?#]/.test(rest) ? rest : "/" + rest;
      if (!bracketed && rest !== "" && !/^[/?#]/.test(rest)) rest = "/" + rest;
    }
    if (lower !== "javascript:") rest = rest.replace(/[\t\n\r "'<>\\^`{|}]/g, (c) => escaped[c]);

    const hash = rest.indexOf("#");
    if (hash >= 0) {
      this.hash = rest.slice(hash);
      rest = rest.slice(0, hash);
    }
    const query = rest.indexOf("?");
    if (query >= 0) {
      this.search = rest.slice(query);
      this.query = parseQuery ? querystring.parse(rest.slice(query + 1)) : rest.slice(query + 1);
      rest = rest.slice(0, query);
    } else if (parseQuery) {
      this.search = null;
      this.query = Object.create(null);
    }
    if (rest !== "") this.pathname = rest;
    if (slashed.has(lower) && this.hostname && !this.pathname) this.pathname = "/";
    if (this.pathname || this.search) this.path = (this.pathname ?? "") + (this.search ?? "");
    this.href = this.format();
    return this;
  };

  Url.prototype.format = function () {
    let auth = this.auth ? encodeURIComponent(this.auth).replace(/%3A/i, ":") + "@" : "";
    let protocol = this.protocol ?? "", pathname = this.pathname ?? "", hash = this.hash ?? "", host = "";
    if (this.host) host = auth + this.host;
    else if (this.hostname) host = auth + (this.hostname.includes(":") && this.hostname[0] !== "[" ? `[${this.hostname}]` : this.hostname) + (this.port ? ":" + this.port : "");
    const query = this.query !== null && typeof this.query === "object" ? querystring.stringify(this.query) : "";
    let search = this.search || (query && "?" + query) || "";
    if (protocol && !protocol.endsWith(":")) protocol += ":";
    pathname = pathname.replace(/[?#]/g, (c) => (c === "?" ? "%3F" : "%23"));
    if (this.slashes || slashed.has(protocol)) {
      if (this.slashes || host) {
        if (pathname && pathname[0] !== "/") pathname = "/" + pathname;
        host = "//" + host;
      } else if (protocol === "file:") host = "//";
    }
    search = search.replace(/#/g, "%23");
    if (hash && hash[0] !== "#") hash = "#" + hash;
    if (search && search[0] !== "?") search = "?" + search;
    return protocol + host + pathname + search + hash;
  };

  const parse = (url, parseQuery, slashesDenoteHost) => (url instanceof Url ? url : new Url().parse(url, parseQuery, slashesDenoteHost));

  function format(v, options) {
    if (typeof v === "string") v = parse(v);
    else if (typeof v !== "object" || v === null) throw argType("urlObject", "one of type object or string", v);
    if (v instanceof URL) {
      const o = { fragment: true, unicode: false, search: true, auth: true, ...options };
      const u = new URL(v.href);
      if (!o.auth) u.username = u.password = "";
      if (!o.search) u.search = "";
      if (!o.fragment) u.hash = "";
      return u.href;
    }
    return Url.prototype.format.call(v);
  }

  // The path of a relative reference, with . and .. taken out.
  const merged = (base, path, hasHost) => {
    const all = path[0] === "/" ? path.split("/") : [...(base ? base.split("/").slice(0, -1) : hasHost ? [""] : []), ...path.split("/")];
    const absolute = all[0] === "" && all.length > 0 && (path[0] === "/" || base?.[0] === "/" || hasHost);
    const out = [];
    const last = all[all.length - 1];
    let above = 0;
    for (const part of all) {
      if (part === ".") continue;
      if (part === "..") {
        if (out.length > (absolute ? 1 : 0)) out.pop();
        else if (!absolute) above++;
      } else out.push(part);
    }
    const up = absolute ? [] : Array.from({ length: above }, () => "..");
    const joined = [...up, ...out];
    if ((last === "." || last === "..") && joined[joined.length - 1] !== "") joined.push("");
    if (absolute && joined[0] !== "") joined.unshift("");
    return joined.join("/") || (absolute ? "/" : "");
  };
  Url.prototype.resolveObject = function (relative) {
    const to = typeof relative === "string" ? new Url().parse(relative, false, true) : relative;
    const out = Object.assign(new Url(), this);
    out.hash = to.hash;
    if (to.href === "") {
      out.href = out.format();
      return out;
    }
    if (to.slashes && !to.protocol) {
      const { protocol } = out;
      Object.assign(out, to, { protocol });
      if (slashed.has(out.protocol) && out.hostname && !out.pathname) out.path = out.pathname = "/";
      out.href = out.format();
      return out;
    }
    if (to.protocol && to.protocol !== out.protocol) {
      Object.assign(out, to);
      out.href = out.format();
      return out;
    }
    if (to.host || to.host === "" && to.slashes) Object.assign(out, { host: to.host, hostname: to.hostname, port: to.port, auth: to.auth ?? out.auth });
    if (to.pathname) {
      out.pathname = to.host ? merged(null, to.pathname, true) : merged(out.pathname, to.pathname, Boolean(out.host));
      out.search = to.search;
      out.query = to.query;
    } else if (to.host) {
      out.pathname = "/";
      out.search = to.search;
      out.query = to.query;
    } else if (to.search !== null && to.search !== undefined) {
      out.search = to.search;
      out.query = to.query;
    }
    out.path = (out.pathname ?? "") + (out.search ?? "") || null;
    out.slashes = out.slashes || to.slashes;
    out.href = out.format();
    return out;
  };
  Url.prototype.resolve = function (relative) {
    return this.resolveObject(new Url().parse(relative, false, true)).format();
  };

  const fileURLToPath = (v) => {
    const url = typeof v === "string" ? new URL(v) : v;
    if (!(url instanceof URL)) throw argType("path", "of type string or an instance of URL", v);
    if (url.protocol !== "file:") throw withCode(TypeError, "ERR_INVALID_URL_SCHEME", "The URL must be of scheme file");
    if (url.hostname !== "") throw withCode(TypeError, "ERR_INVALID_FILE_URL_HOST", 'File URL host must be "localhost" or empty on linux');
    if (/%2f/i.test(url.pathname)) throw withCode(TypeError, "ERR_INVALID_FILE_URL_PATH", "File URL path must not include encoded / characters");
    return decodeURIComponent(url.pathname);
  };
  const pathToFileURL = (path) => {
    checkString(path, "path");
    const full = require("path").resolve(path) + (path.endsWith("/") && path.length > 1 ? "/" : "");
    return new URL("file://" + full.replace(/[%\\\n\r\t?#]/g, (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")));
  };
  return {
    Url, parse, format, URL, URLSearchParams, fileURLToPath, pathToFileURL,
    resolve: (from, to) => parse(from, false, true).resolve(to),
    resolveObject: (from, to) => (from ? parse(from, false, true).resolveObject(to) : to),
    domainToASCII: (name) => ascii(name),
    domainToUnicode: (name) => host.toUnicode(ascii(name)),
    urlToHttpOptions(url) {
      const { hostname, pathname, search, hash, protocol, href, port, username, password } = url;
      const o = { __proto__: null, ...url, protocol, hostname: hostname?.[0] === "[" ? hostname.slice(1, -1) : hostname, hash, search, pathname, path: `${pathname || ""}${search || ""}`, href };
      if (port !== "") o.port = Number(port);
      if (username || password) o.auth = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
      return o;
    },
  };
});
