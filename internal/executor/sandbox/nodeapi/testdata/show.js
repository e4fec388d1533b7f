const [buffer, crypto, events, util, path, url, querystring, assert, async_hooks, stream, string_decoder, timers, os] =
  ["buffer", "crypto", "events", "util", "path", "url", "querystring", "assert", "async_hooks", "stream", "string_decoder", "timers", "os"].map((n) => require("node:" + n));
const { Buffer } = buffer;
const caught = (f) => { try { return f(); } catch (e) { return e; } };
const shown = (v) => {
  if (v === undefined) return "undefined";
  if (typeof v === "function") return `function ${v.name}`;
  if (typeof v === "bigint") return `${v}n`;
  if (typeof v === "symbol") return String(v);
  if (typeof v === "number") return Object.is(v, -0) ? "-0" : String(v);
  if (v instanceof Error) return `${v.name} ${v.code ?? ""}: ${v.message}`;
  if (v === null || typeof v !== "object") return JSON.stringify(v);
  if (Buffer.isBuffer(v)) return `<Buffer ${v.toString("hex")}>`;
  if (ArrayBuffer.isView(v)) return `${v.constructor.name}[${[...v]}]`;
  if (Array.isArray(v)) return `[${v.map(shown).join(", ")}]`;
  return `{${Object.keys(v).map((k) => `${k}: ${shown(v[k])}`).join(", ")}}`;
};
const show = async (f) => { try { return shown(await f()); } catch (e) { return `throws ${shown(e)}`; } };
