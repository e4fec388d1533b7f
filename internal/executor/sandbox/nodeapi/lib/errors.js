// Errors with the codes that Node's have, which packages compare.
(function () {
  "use strict";
  const withCode = (Base, code, message) => {
    const e = new Base(message);
    e.code = code;
    Object.defineProperty(e, "name", { value: `${Base.name}`, writable: true, configurable: true, enumerable: false });
    return e;
  };

  const shown = (v) => {
    if (v === null || v === undefined) return ` Received ${v}`;
    if (typeof v === "function") return ` Received function ${v.name}`;
    if (typeof v === "object") return v.constructor?.name ? ` Received an instance of ${v.constructor.name}` : ` Received an object`;
    const text = typeof v === "string" ? `'${v.length > 28 ? v.slice(0, 25) + "..." : v}'` : typeof v === "bigint" ? `${v}n` : String(v);
    return ` Received type ${typeof v} (${text})`;
  };

  const grouped = (n) => {
    let text = String(n), out = "";
    const sign = text[0] === "-" ? "-" : "";
    if (sign) text = text.slice(1);
    if (!/^\d+$/.test(text)) return sign + text;
    for (; text.length > 3; text = text.slice(0, -3)) out = "_" + text.slice(-3) + out;
    return sign + text + out;
  };

  const argType = (name, expected, v) =>
    withCode(TypeError, "ERR_INVALID_ARG_TYPE", `The ${name.includes(" ") ? name : `"${name}" ${name.includes(".") ? "property" : "argument"}`} must be ${expected}.${shown(v)}`);

  const argValue = (name, v, reason = "is invalid") =>
    withCode(TypeError, "ERR_INVALID_ARG_VALUE", `The ${name.includes(".") ? "property" : "argument"} '${name}' ${reason}. Received ${typeof v === "string" ? `'${v}'` : String(v)}`);

  const outOfRange = (name, range, v) => {
    let got = typeof v === "bigint" ? grouped(v) + "n" : String(v);
    if (typeof v === "number" && Number.isInteger(v) && Math.abs(v) > 2 ** 32) got = grouped(v);
    return withCode(RangeError, "ERR_OUT_OF_RANGE", `The value of "${name}" is out of range. It must be ${range}. Received ${got}`);
  };

  // Checks that throw.
  const checkString = (v, name) => {
    if (typeof v !== "string") throw argType(name, "of type string", v);
  };
  const checkFunction = (v, name) => {
    if (typeof v !== "function") throw argType(name, "of type function", v);
  };
  const checkNumber = (v, name) => {
    if (typeof v !== "number") throw argType(name, "of type number", v);
  };
  const checkInteger = (v, name, min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER) => {
    checkNumber(v, name);
    if (!Number.isInteger(v)) throw outOfRange(name, "an integer", v);
    if (v < min || v > max) throw outOfRange(name, `>= ${min} && <= ${max}`, v);
  };
  const checkObject = (v, name) => {
    if (v === null || typeof v !== "object") throw argType(name, "of type object", v);
  };

  return { withCode, argType, argValue, outOfRange, checkString, checkFunction, checkNumber, checkInteger, checkObject, grouped };
});
