// Paths as on POSIX. There are no files: these are texts.
(function (host, require) {
  "use strict";
  const { checkString, checkObject } = require("internal:errors");

  // Takes . and .. out of the parts of a path.
  const reduced = (path, absolute) => {
    const out = [];
    for (const part of path.split("/")) {
      if (part === "" || part === ".") continue;
      if (part !== "..") out.push(part);
      else if (out.length && out[out.length - 1] !== "..") out.pop();
      else if (!absolute) out.push("..");
    }
    return out.join("/");
  };
  const trimmed = (path) => path.replace(/\/+$/, "");

  const posix = {
    sep: "/",
    delimiter: ":",
    resolve(...parts) {
      let path = "";
      for (let k = parts.length - 1; k >= -1 && path[0] !== "/"; k--) {
        const part = k >= 0 ? parts[k] : "/";
        if (k >= 0) checkString(part, `paths[${k}]`);
        if (part !== "") path = path === "" ? part : part + "/" + path;
      }
      return "/" + reduced(path, true);
    },
    normalize(path) {
      checkString(path, "path");
      if (path === "") return ".";
      const absolute = path[0] === "/";
      const body = reduced(path, absolute);
      if (body === "") return absolute ? "/" : path.endsWith("/") ? "./" : ".";
      return (absolute ? "/" : "") + body + (path.endsWith("/") ? "/" : "");
    },
    isAbsolute(path) {
      checkString(path, "path");
      return path[0] === "/";
    },
    join(...parts) {
      for (const p of parts) checkString(p, "path");
      const joined = parts.filter((p) => p !== "").join("/");
      return joined === "" ? "." : posix.normalize(joined);
    },
    relative(from, to) {
      checkString(from, "from");
      checkString(to, "to");
      const a = posix.resolve(from).split("/").filter(Boolean), b = posix.resolve(to).split("/").filter(Boolean);
      let same = 0;
      while (same < a.length && same < b.length && a[same] === b[same]) same++;
      return [...a.slice(same).map(() => ".."), ...b.slice(same)].join("/");
    },
    toNamespacedPath: (path) => path,
    dirname(path) {
      checkString(path, "path");
      if (path === "") return ".";
      const body = trimmed(path);
      if (body === "") return "/";
      const at = body.lastIndexOf("/");
      if (at < 0) return ".";
      if (at === 0) return "/";
      return at === 1 && body[0] === "/" ? "//" : body.slice(0, at);
    },
    basename(path, suffix) {
      if (suffix !== undefined) checkString(suffix, "suffix");
      checkString(path, "path");
      const body = trimmed(path), name = body.slice(body.lastIndexOf("/") + 1);
      if (suffix && suffix !== name && name.endsWith(suffix)) return name.slice(0, -suffix.length);
      return name;
    },
    extname(path) {
      checkString(path, "path");
      const name = posix.basename(path), at = name.lastIndexOf(".");
      return at <= 0 || name === ".." ? "" : name.slice(at);
    },
    format(o) {
      checkObject(o, "pathObject");
      const dir = o.dir || o.root;
      const base = o.base || `${o.name ?? ""}${o.ext ? (o.ext[0] === "." ? "" : ".") + o.ext : ""}`;
      if (!dir) return base;
      return dir === o.root ? dir + base : dir + "/" + base;
    },
    parse(path) {
      checkString(path, "path");
      const root = path[0] === "/" ? "/" : "";
      const base = posix.basename(path), ext = posix.extname(path);
      const body = trimmed(path), at = body.lastIndexOf("/");
      const dir = at > 0 ? body.slice(0, at) : at === 0 || (root && body === "") ? "/" : "";
      return { root, dir, base, ext, name: ext ? base.slice(0, -ext.length) : base };
    },
    matchesGlob() {
      throw new TypeError("path.matchesGlob is not there: there are no files");
    },
  };
  posix.posix = posix;
  posix.win32 = null;
  return posix;
});
