// util.inspect and util.format: how Node shows values.
(function (host, require) {
  "use strict";
  const types = require("internal:types");
  const custom = Symbol.for("nodejs.util.inspect.custom");
  const defaults = { showHidden: false, depth: 2, colors: false, customInspect: true, showProxy: false, maxArrayLength: 100, maxStringLength: 10000, breakLength: 80, compact: 3, sorted: false, getters: false, numericSeparator: false };

  const styles = { special: "cyan", number: "yellow", bigint: "yellow", boolean: "yellow", undefined: "grey", null: "bold", string: "green", symbol: "green", date: "magenta", regexp: "red", module: "underline" };
  const colors = { bold: [1, 22], underline: [4, 24], cyan: [36, 39], yellow: [33, 39], grey: [90, 39], green: [32, 39], magenta: [35, 39], red: [31, 39] };
  const stylized = (text, style) => {
    const c = colors[styles[style]];
    return c ? `\u001b[${c[0]}m${text}\u001b[${c[1]}m` : text;
  };

  const escapes = { "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", "\\": "\\\\", "'": "\\'" };
  const quoted = (text) => {
    let quote = "'";
    if (text.includes("'")) quote = !text.includes('"') ? '"' : !text.includes("`") && !text.includes("${") ? "`" : "'";
    let out = "";
    for (const c of text) {
      const code = c.codePointAt(0);
      if (c === "'" && quote !== "'") out += c;
      else if (escapes[c]) out += escapes[c];
      else if (code < 32 || (code >= 127 && code <= 159)) out += "\\x" + code.toString(16).toUpperCase().padStart(2, "0");
      else if (code >= 0xd800 && code <= 0xdfff) out += "\\u" + code.toString(16).toUpperCase();
      else out += c;
    }
    return quote + out + quote;
  };
  const separated = (text) => text.replace(/^(-?)(\d+)(.*)$/, (_, sign, int, rest) => sign + int.replace(/\B(?=(\d{3})+$)/g, "_") + rest);
  const numberText = (ctx, n) => {
    const text = Object.is(n, -0) ? "-0" : String(n);
    return ctx.stylize(ctx.numericSeparator && Number.isFinite(n) ? separated(text) : text, "number");
  };

  const primitive = (ctx, v, typed) => {
    switch (typeof v) {
      case "string": {
        let text = v, tail = "";
        if (text.length > ctx.maxStringLength) {
          const more = text.length - ctx.maxStringLength;
          text = text.slice(0, ctx.maxStringLength);
          tail = `... ${more} more character${more > 1 ? "s" : ""}`;
        }
        if (ctx.compact !== true && text.length > 16 && text.length > ctx.breakLength - ctx.indentationLvl - 4)
          return text.split(/(?<=\n)/).map((line) => ctx.stylize(quoted(line), "string")).join(` +\n${" ".repeat(ctx.indentationLvl + 2)}`) + tail;
        return ctx.stylize(quoted(text), "string") + tail;
      }
      case "number":
        return numberText(ctx, v);
      case "bigint":
        return ctx.stylize(`${v}n`, "bigint");
      case "boolean":
        return ctx.stylize(String(v), "boolean");
      case "undefined":
        return ctx.stylize("undefined", "undefined");
      case "symbol":
        return ctx.stylize(Symbol.prototype.toString.call(v), "symbol");
    }
    return ctx.stylize("null", "null");
  };

  const constructorName = (o) => {
    for (let p = o; p !== null; p = Object.getPrototypeOf(p)) {
      const d = Object.getOwnPropertyDescriptor(p, "constructor");
      if (d && typeof d.value === "function" && d.value.name !== "") {
        try {
          if (o instanceof d.value || p === o) return d.value.name;
        } catch {
          return d.value.name;
        }
      }
    }
    return null;
  };
  const prefixOf = (name, tag, fallback, size = "") => {
    const shown = name === null ? `[${fallback}${size}: null prototype] ` : `${name}${size} `;
    return tag !== "" && name !== tag ? `${shown}[${tag}] ` : shown;
  };
  const identifier = /^[a-zA-Z_][a-zA-Z_0-9]*$/;
  const keyText = (ctx, key) =>
    typeof key === "symbol" ? ctx.stylize(Symbol.prototype.toString.call(key), "symbol") : key === "__proto__" ? "['__proto__']" : identifier.test(key) ? ctx.stylize(key, "name") : ctx.stylize(quoted(key), "string");

  function inspect(value, options) {
    const ctx = { ...defaults, seen: [], indentationLvl: 0, currentDepth: 0, budget: 0 };
    if (arguments.length > 2) {
      if (arguments[2] !== undefined) ctx.depth = arguments[2];
      if (arguments.length > 3 && arguments[3] !== undefined) ctx.colors = arguments[3];
    }
    if (typeof options === "boolean") ctx.showHidden = options;
    else if (options) {
      for (const k of Object.keys(options)) if (k in defaults || k === "stylize") ctx[k] = options[k];
      ctx.userOptions = options;
    }
    ctx.stylize = ctx.colors ? stylized : (text) => text;
    if (ctx.maxArrayLength === null) ctx.maxArrayLength = Infinity;
    if (ctx.maxStringLength === null) ctx.maxStringLength = Infinity;
    return valueText(ctx, value, 0);
  }

  const valueText = (ctx, v, level, typed) => {
    if (typeof v !== "object" && typeof v !== "function") return primitive(ctx, v, typed);
    if (v === null) return ctx.stylize("null", "null");
    if (types.isProxy(v)) {
      if (ctx.showProxy) return "Proxy [ ... ]";
    } else if (ctx.customInspect) {
      const f = v[custom];
      if (typeof f === "function" && f !== inspect && !(v.constructor?.prototype === v && v !== Object(v))) {
        const isDefault = Object.getOwnPropertyDescriptor(v, "constructor")?.value?.prototype === v;
        if (!isDefault) {
          const depth = ctx.depth === null ? null : ctx.depth - level;
          const { seen, indentationLvl, currentDepth, budget, userOptions, ...options } = ctx;
          const shown = f.call(v, depth, { ...options, ...userOptions, stylize: ctx.stylize }, inspect);
          if (shown !== v) return typeof shown === "object" || typeof shown === "function" ? valueText(ctx, shown, level) : typeof shown === "string" ? shown.replaceAll("\n", `\n${" ".repeat(ctx.indentationLvl)}`) : primitive(ctx, shown);
        }
      }
    }
    if (ctx.seen.includes(v)) {
      ctx.circular ??= new Map();
      if (!ctx.circular.has(v)) ctx.circular.set(v, ctx.circular.size + 1);
      return ctx.stylize(`[Circular *${ctx.circular.get(v)}]`, "special");
    }
    return rawText(ctx, v, level, typed);
  };

  const keysOf = (ctx, v) => {
    const symbols = Object.getOwnPropertySymbols(v);
    if (ctx.showHidden) return [...Object.getOwnPropertyNames(v), ...symbols];
    return [...Object.keys(v), ...symbols.filter((s) => Object.prototype.propertyIsEnumerable.call(v, s))];
  };

  function rawText(ctx, v, level, typed) {
    const name = constructorName(v);
    let tag = v[Symbol.toStringTag];
    if (typeof tag !== "string" || tag === "" || (ctx.showHidden ? Object.prototype.hasOwnProperty : Object.prototype.propertyIsEnumerable).call(v, Symbol.toStringTag)) tag = typeof tag === "string" && tag !== name ? tag : "";
    let keys, base = "", list = () => [], braces, isList = false, plainKeys = true;

    const indexed = (o) => keysOf(ctx, o).filter((k) => typeof k === "symbol" || !/^(0|[1-9]\d*)$/.test(k) || +k >= 2 ** 32 - 1);
    const entriesOf = (items, show) => () => {
      const out = [];
      let k = 0;
      ctx.indentationLvl += 2;
      for (const item of items) {
        if (k++ >= ctx.maxArrayLength) break;
        out.push(show(item));
      }
      ctx.indentationLvl -= 2;
      const more = v.size - ctx.maxArrayLength;
      if (more > 0) out.push(`... ${more} more item${more > 1 ? "s" : ""}`);
      return out;
    };

    if (Array.isArray(v)) {
      keys = indexed(v);
      braces = [`${name !== "Array" || tag !== "" ? prefixOf(name, tag, "Array", `(${v.length})`) : ""}[`, "]"];
      if (v.length === 0 && keys.length === 0) return `${braces[0]}]`;
      isList = true;
      list = () => arrayItems(ctx, v, level);
    } else if (types.isSet(v)) {
      keys = keysOf(ctx, v);
      braces = [`${prefixOf(name, tag, "Set", `(${setSize.call(v)})`)}{`, "}"];
      list = entriesOf(setValues.call(v), (x) => valueText(ctx, x, level + 1));
      if (setSize.call(v) === 0 && keys.length === 0) return `${braces[0]}}`;
    } else if (types.isMap(v)) {
      keys = keysOf(ctx, v);
      braces = [`${prefixOf(name, tag, "Map", `(${mapSize.call(v)})`)}{`, "}"];
      list = entriesOf(mapEntries.call(v), ([k, x]) => `${valueText(ctx, k, level + 1)} => ${valueText(ctx, x, level + 1)}`);
      if (mapSize.call(v) === 0 && keys.length === 0) return `${braces[0]}}`;
    } else if (types.isTypedArray(v)) {
      keys = indexed(v);
      const kind = v[Symbol.toStringTag];
      braces = [`${prefixOf(name, tag === kind ? "" : tag, kind, `(${v.length})`)}[`, "]"];
      if (v.length === 0 && keys.length === 0) return `${braces[0]}]`;
      isList = true;
      list = () => {
        const out = [];
        const shown = Math.min(v.length, ctx.maxArrayLength);
        for (let k = 0; k < shown; k++) out.push(typeof v[k] === "bigint" ? ctx.stylize(`${v[k]}n`, "bigint") : numberText(ctx, v[k]));
        const more = v.length - shown;
        if (more > 0) out.push(`... ${more} more item${more > 1 ? "s" : ""}`);
        return out;
      };
    } else if (types.isMapIterator(v) || types.isSetIterator(v)) {
      keys = keysOf(ctx, v);
      braces = [`[${v[Symbol.toStringTag]}] {`, "}"];
      list = () => ["..."];
    } else {
      keys = keysOf(ctx, v);
      braces = ["{", "}"];
      if (typeof v === "function") {
        base = functionBase(v, name, tag);
        if (keys.length === 0) return ctx.stylize(base, "special");
      } else if (types.isArgumentsObject(v)) {
        braces[0] = "[Arguments] {";
        if (keys.length === 0) return "[Arguments] {}";
      } else if (name === "Object" && !types.isNativeError(v) && !types.isBoxedPrimitive(v) && !types.isDate(v) && !types.isRegExp(v)) {
        if (tag !== "") braces[0] = `${prefixOf(name, tag, "Object")}{`;
        if (keys.length === 0) return `${braces[0]}}`;
      } else if (types.isRegExp(v)) {
        base = RegExp.prototype.toString.call(v);
        if (name !== "RegExp") base = prefixOf(name, tag, "RegExp") + base;
        if (keys.length === 0 || (ctx.depth !== null && level > ctx.depth)) return ctx.stylize(base, "regexp");
      } else if (types.isDate(v)) {
        base = Number.isNaN(Date.prototype.getTime.call(v)) ? "Invalid Date" : Date.prototype.toISOString.call(v);
        if (name !== "Date") base = prefixOf(name, tag, "Date") + base;
        if (keys.length === 0) return ctx.stylize(base, "date");
      } else if (types.isNativeError(v)) {
        base = errorBase(ctx, v, keys);
        if (keys.length === 0 && !("cause" in v && !keys.includes("cause") && Object.prototype.hasOwnProperty.call(v, "cause")) && !(Array.isArray(v.errors) && !keys.includes("errors"))) return base;
        for (const k of ["cause", "errors"]) if (Object.prototype.hasOwnProperty.call(v, k) && !keys.includes(k) && (k === "cause" || Array.isArray(v.errors))) keys.push(k);
      } else if (types.isArrayBuffer(v)) {
        braces[0] = `${prefixOf(name, tag === "ArrayBuffer" ? "" : tag, "ArrayBuffer")}{`;
        plainKeys = false;
        list = () => {
          const bytes = new Uint8Array(v), shown = Math.min(bytes.length, ctx.maxArrayLength, 50);
          let text = Array.from(bytes.subarray(0, Math.min(shown, 100)), (b) => b.toString(16).padStart(2, "0")).join(" ");
          if (bytes.length > shown) text += ` ... ${bytes.length - shown} more byte${bytes.length - shown > 1 ? "s" : ""}`;
          return [`[${ctx.stylize("Uint8Contents", "special")}]: <${text}>`, `byteLength: ${numberText(ctx, bytes.length)}`];
        };
      } else if (types.isDataView(v)) {
        braces[0] = `${prefixOf(name, tag === "DataView" ? "" : tag, "DataView")}{`;
        plainKeys = false;
        list = () => {
          ctx.indentationLvl += 2;
          const out = ["byteLength", "byteOffset", "buffer"].map((k) => `${k}: ${valueText(ctx, v[k], level + 1)}`);
          ctx.indentationLvl -= 2;
          return out;
        };
      } else if (types.isPromise(v)) {
        braces[0] = `${prefixOf(name, tag === "Promise" ? "" : tag, "Promise")}{`;
        plainKeys = false;
        list = () => {
          const [state, result] = host.promiseState(v);
          if (state === "pending") return [ctx.stylize("<pending>", "special")];
          ctx.indentationLvl += 2;
          const text = valueText(ctx, result, level + 1);
          ctx.indentationLvl -= 2;
          return [state === "rejected" ? `${ctx.stylize("<rejected>", "special")} ${text}` : text];
        };
      } else if (types.isWeakSet(v) || types.isWeakMap(v)) {
        const kind = types.isWeakSet(v) ? "WeakSet" : "WeakMap";
        braces[0] = `${prefixOf(name, tag === kind ? "" : tag, kind)}{`;
        list = () => [ctx.stylize("<items unknown>", "special")];
        plainKeys = false;
      } else if (types.isBoxedPrimitive(v)) {
        const kind = types.isNumberObject(v) ? "Number" : types.isStringObject(v) ? "String" : types.isBooleanObject(v) ? "Boolean" : types.isBigIntObject(v) ? "BigInt" : "Symbol";
        if (kind === "String") keys = keys.filter((k) => typeof k === "symbol" || !/^\d+$/.test(k));
        base = `[${kind}${name !== kind ? (name === null ? " (null prototype)" : ` (${name})`) : ""}: ${primitive({ ...ctx, stylize: (t) => t }, globalThis[kind].prototype.valueOf.call(v))}]`;
        if (tag !== "" && tag !== name) base += ` [${tag}]`;
        if (keys.length === 0) return ctx.stylize(base, kind.toLowerCase());
      } else {
        if (keys.length === 0) return `${prefixOf(name, tag, "Object")}{}`;
        braces[0] = `${prefixOf(name, tag, "Object")}{`;
      }
    }
    if (ctx.depth !== null && level > ctx.depth) {
      const shown = prefixOf(name, tag, Array.isArray(v) ? "Array" : "Object").slice(0, -1);
      return ctx.stylize(`[${name === null ? shown.replace(/^\[|\]$/g, "") : shown}]`, "special");
    }

    ctx.seen.push(v);
    ctx.currentDepth = level;
    if (++ctx.budget > 20000) return ctx.stylize("[...]", "special");
    const output = list();
    for (const key of keys) output.push(propertyText(ctx, v, level, key, isList && typeof key !== "symbol" ? 1 : 0, isList));
    ctx.seen.pop();
    if (ctx.circular?.has(v)) {
      const reference = ctx.stylize(`<ref *${ctx.circular.get(v)}>`, "special");
      if (ctx.compact !== true) base = base === "" ? reference : `${reference} ${base}`;
      else braces[0] = `${reference} ${braces[0]}`;
    }
    if (ctx.sorted && !isList) output.sort(ctx.sorted === true ? undefined : ctx.sorted);
    return oneText(ctx, output, base, braces, isList, level, v);
  }
  const setSize = Object.getOwnPropertyDescriptor(Set.prototype, "size").get, setValues = Set.prototype.values;
  const mapSize = Object.getOwnPropertyDescriptor(Map.prototype, "size").get, mapEntries = Map.prototype.entries;

  const arrayItems = (ctx, v, level) => {
    const out = [];
    let k = 0;
    for (; k < v.length && out.length < ctx.maxArrayLength; k++) {
      if (Object.prototype.hasOwnProperty.call(v, k)) {
        out.push(propertyText(ctx, v, level, String(k), 1, true));
        continue;
      }
      let end = k;
      while (end + 1 < v.length && !Object.prototype.hasOwnProperty.call(v, end + 1)) end++;
      out.push(ctx.stylize(`<${end - k + 1} empty item${end > k ? "s" : ""}>`, "undefined"));
      k = end;
    }
    if (k < v.length) out.push(`... ${v.length - k} more item${v.length - k > 1 ? "s" : ""}`);
    return out;
  };

  const functionBase = (f, name, tag) => {
    const source = Function.prototype.toString.call(f);
    if (/^class\b/.test(source)) {
      const parent = Object.getPrototypeOf(f);
      let text = `[class ${Object.prototype.hasOwnProperty.call(f, "name") && f.name !== "" ? f.name : "(anonymous)"}`;
      if (parent?.name) text += ` extends ${parent.name}`;
      else if (parent === null) text += " extends null";
      return text + "]";
    }
    const kind = (types.isAsyncFunction(f) ? "Async" : "") + (types.isGeneratorFunction(f) ? "GeneratorFunction" : "Function");
    let text = `[${kind}`;
    if (name === null) text += " (null prototype)";
    text += f.name === "" ? " (anonymous)]" : `: ${f.name}]`;
    return name !== kind && name !== null && name !== "Function" ? `${text} ${name}` : text;
  };

  const errorBase = (ctx, e, keys) => {
    let stack = typeof e.stack === "string" && e.stack !== "" ? e.stack : Error.prototype.toString.call(e);
    for (const k of ["name", "message", "stack"]) {
      const at = keys.indexOf(k);
      if (at >= 0 && (k === "stack" || stack.includes(e[k]))) keys.splice(at, 1);
    }
    if (!/\n\s+at /.test(stack)) stack = `[${stack}]`;
    return ctx.indentationLvl ? stack.replaceAll("\n", `\n${" ".repeat(ctx.indentationLvl)}`) : stack;
  };

  const propertyText = (ctx, v, level, key, kind, isList) => {
    const d = Object.getOwnPropertyDescriptor(v, key) ?? { value: v[key], enumerable: true };
    let text;
    if (d.value !== undefined || !("get" in d)) {
      const wide = ctx.compact !== true || kind !== 0 ? 2 : 3;
      ctx.indentationLvl += wide;
      text = valueText(ctx, d.value, level + 1);
      ctx.indentationLvl -= wide;
    } else if (d.get !== undefined) text = ctx.stylize(d.set !== undefined ? "[Getter/Setter]" : "[Getter]", "special");
    else text = d.set !== undefined ? ctx.stylize("[Setter]", "special") : ctx.stylize("undefined", "undefined");
    if (kind === 1 && /^\d+$/.test(key)) return text;
    const shown = typeof key === "symbol" ? `[${keyText(ctx, key)}]` : d.enumerable === false ? `[${key}]` : keyText(ctx, key);
    return `${shown}: ${text}`;
  };

  const plainLength = (ctx, text) => (ctx.colors ? stripVT(text).length : text.length);
  const oneText = (ctx, output, base, braces, isList, level, v) => {
    if (ctx.compact !== true) {
      if (typeof ctx.compact === "number" && ctx.compact >= 1) {
        const entries = output.length;
        if (isList && entries > 6) output = columns(ctx, output, v);
        if (ctx.currentDepth - level < ctx.compact && entries === output.length) {
          const start = output.length + ctx.indentationLvl + braces[0].length + base.length + 10;
          let total = output.length + start;
          const few = total + output.length <= ctx.breakLength;
          for (const o of output) total += plainLength(ctx, o);
          if (few && total <= ctx.breakLength && (base === "" || !base.includes("\n"))) {
            const joined = output.join(", ");
            if (!joined.includes("\n")) return `${base ? `${base} ` : ""}${braces[0]} ${joined} ${braces[1]}`;
          }
        }
      }
      const indentation = `\n${" ".repeat(ctx.indentationLvl)}`;
      return `${base ? `${base} ` : ""}${braces[0]}${indentation}  ${output.join(`,${indentation}  `)}${indentation}${braces[1]}`;
    }
    const total = output.reduce((n, o) => n + plainLength(ctx, o), output.length);
    if (total + output.length <= ctx.breakLength && !output.join("").includes("\n")) return `${braces[0]}${base ? ` ${base}` : ""} ${output.join(", ")} ${braces[1]}`;
    const indentation = `\n${" ".repeat(ctx.indentationLvl)}`;
    return `${base ? `${base} ` : ""}${braces[0]} ${output.join(`,${indentation}  `)} ${braces[1]}`;
  };

  // Long lists of short items stand in columns.
  const columns = (ctx, output, v) => {
    let total = 0, longest = 0;
    const count = ctx.maxArrayLength < v.length ? output.length - 1 : output.length;
    const lengths = [];
    for (let k = 0; k < count; k++) {
      lengths.push(plainLength(ctx, output[k]));
      total += lengths[k] + 2;
      longest = Math.max(longest, lengths[k]);
    }
    const actual = longest + 2;
    if (!(actual * 3 + ctx.indentationLvl < ctx.breakLength && (total / actual > 5 || longest <= 6))) return output;
    const biased = Math.max(actual - 3 - Math.sqrt(actual - total / output.length), 1);
    const many = Math.min(Math.round(Math.sqrt(2.5 * biased * count) / biased), Math.floor((ctx.breakLength - ctx.indentationLvl) / actual), ctx.compact * 4, 15);
    if (many <= 1) return output;
    const widths = [];
    for (let k = 0; k < many; k++) {
      let width = 0;
      for (let j = k; j < count; j += many) width = Math.max(width, lengths[j]);
      widths.push(width + 2);
    }
    let pad = String.prototype.padStart;
    if (v !== undefined) for (let k = 0; k < count; k++) if (typeof v[k] !== "number" && typeof v[k] !== "bigint") { pad = String.prototype.padEnd; break; }
    const out = [];
    for (let k = 0; k < count; k += many) {
      const most = Math.min(k + many, count);
      let line = "", j = k;
      for (; j < most - 1; j++) line += pad.call(`${output[j]}, `, widths[j - k] + output[j].length - lengths[j], " ");
      if (pad === String.prototype.padStart) line += pad.call(output[j], widths[j - k] + output[j].length - lengths[j] - 2, " ");
      else line += output[j];
      out.push(line);
    }
    if (count < output.length) out.push(output[count]);
    return out;
  };

  const ansi = /[\u001b\u009b][[\]()#;?]*(?:(?:(?:(?:;[-a-zA-Z\d/#&.:=?%@~_]+)*|[a-zA-Z\d]+(?:;[-a-zA-Z\d/#&.:=?%@~_]*)*)?\u0007)|(?:(?:\d{1,4}(?:;\d{0,4})*)?[\dA-PR-TZcf-ntqry=><~]))/g;
  const stripVT = (text) => String(text).replace(ansi, "");

  const formatWith = (options, ...args) => {
    const shown = (v, more) => inspect(v, { ...options, compact: 3, colors: false, depth: 0, ...more });
    let text = "", k = 0, joined = false;
    if (typeof args[0] === "string") {
      if (args.length === 1) return args[0];
      k = 1;
      joined = true;
      text = args[0].replace(/%[sdifjoOc%]/g, (m) => {
        if (m === "%%") return "%";
        if (k >= args.length) return m;
        const v = args[k++];
        switch (m) {
          case "%s":
            if (typeof v === "number") return numberText({ ...defaults, stylize: (t) => t }, v);
            if (typeof v === "bigint") return `${v}n`;
            if (typeof v !== "object" || v === null || !hasNoOwnText(v)) return String(v);
            return shown(v);
          case "%d":
            return typeof v === "bigint" ? `${v}n` : typeof v === "symbol" ? "NaN" : numberText({ ...defaults, stylize: (t) => t }, Number(v));
          case "%i":
            return typeof v === "bigint" ? `${v}n` : typeof v === "symbol" ? "NaN" : numberText({ ...defaults, stylize: (t) => t }, parseInt(v));
          case "%f":
            return typeof v === "symbol" ? "NaN" : numberText({ ...defaults, stylize: (t) => t }, parseFloat(v));
          case "%j":
            try {
              return String(JSON.stringify(v));
            } catch (e) {
              if (/circular|cyclic/i.test(e.message)) return "[Circular]";
              throw e;
            }
          case "%O":
            return inspect(v, options);
          case "%o":
            return inspect(v, { ...options, showHidden: true, showProxy: true, depth: 4 });
        }
        return "";
      });
      if (args[0].includes("%%") && args.length === 1) text = args[0];
    }
    for (; k < args.length; k++) {
      text += (joined || text !== "" || k > 0 ? " " : "") + (typeof args[k] === "string" ? args[k] : inspect(args[k], options));
      joined = true;
    }
    return text;
  };
  // Objects whose toString is the built-in one are inspected.
  const hasNoOwnText = (v) => {
    if (types.isProxy(v)) return true;
    if (typeof v.toString !== "function") return true;
    if (Object.prototype.hasOwnProperty.call(v, "toString")) return false;
    if (types.isNativeError(v) || types.isDate(v)) return false;
    let p = v;
    do p = Object.getPrototypeOf(p);
    while (p !== null && !Object.prototype.hasOwnProperty.call(p, "toString"));
    const C = p === null ? undefined : Object.getOwnPropertyDescriptor(p, "constructor")?.value;
    return C === undefined || builtins.has(C.name) && globalThis[C.name] === C;
  };
  const builtins = new Set(["Object", "Array", "Map", "Set", "RegExp", "Function", "Promise", "Symbol", "Boolean", "Number", "String", "BigInt", "Error"]);

  Object.assign(inspect, { custom, defaultOptions: defaults, styles, colors });
  return { inspect, format: (...args) => formatWith(undefined, ...args), formatWithOptions: formatWith, stripVTControlCharacters: stripVT };
});
