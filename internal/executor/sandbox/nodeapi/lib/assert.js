// Assertions.
(function (host, require) {
  "use strict";
  const { withCode, argType } = require("internal:errors");
  const { isEqual } = require("internal:equal");
  const { inspect } = require("internal:inspect");
  const types = require("internal:types");

  class AssertionError extends Error {
    constructor(options) {
      if (options === null || typeof options !== "object") throw argType("options", "of type object", options);
      const { message, actual, expected, operator } = options;
      super(message === undefined ? described(actual, expected, operator) : String(message));
      this.generatedMessage = message === undefined;
      this.code = "ERR_ASSERTION";
      this.actual = actual;
      this.expected = expected;
      this.operator = operator;
    }
    toString() {
      return `${this.name} [${this.code}]: ${this.message}`;
    }
  }
  Object.defineProperty(AssertionError.prototype, "name", { value: "AssertionError", writable: true, configurable: true });

  const texts = {
    strictEqual: "Expected values to be strictly equal:", deepStrictEqual: "Expected values to be strictly deep-equal:",
    notStrictEqual: 'Expected "actual" to be strictly unequal to:', notDeepStrictEqual: 'Expected "actual" not to be strictly deep-equal to:',
    deepEqual: "Expected values to be loosely deep-equal:", notDeepEqual: 'Expected "actual" not to be loosely deep-equal to:',
  };
  const described = (actual, expected, operator) => {
    const a = inspect(actual), b = inspect(expected);
    switch (operator) {
      case "strictEqual":
      case "deepStrictEqual":
      case "deepEqual":
        return `${texts[operator]}\n\n${a}\n\n${operator === "deepEqual" ? "should loosely deep-equal\n\n" : "should equal\n\n"}${b}`.replace(/\n\nshould equal\n\n/, operator === "strictEqual" ? " !== " : "\n\nshould equal\n\n").replace(/^(Expected values to be strictly equal:\n\n)(.*)$/s, "$1$2\n");
      case "notStrictEqual":
      case "notDeepStrictEqual":
      case "notDeepEqual":
        return `${texts[operator]} ${b}`;
      case "==":
      case "!=":
        return `${a} ${operator} ${b}`;
    }
    return `${a} ${operator} ${b}`;
  };
  const fail = (message, options) => {
    if (message instanceof Error) throw message;
    throw new AssertionError({ message, ...options });
  };

  const generated = (message, options) => {
    throw Object.assign(new AssertionError({ message, ...options }), { generatedMessage: true });
  };

  const matches = (error, expected, message, operator) => {
    if (typeof expected === "function") {
      if (expected.prototype !== undefined && error instanceof expected) return;
      if (Error.isPrototypeOf(expected) || expected === Error) fail(message ?? `The error is expected to be an instance of "${expected.name}". Received ${error instanceof Error ? `"${error.name}"` : `"${inspect(error)}"`}`, { actual: error, expected, operator });
      if (expected.call({}, error) !== true) fail(message ?? `The ${expected.name ? `"${expected.name}" ` : ""}validation function is expected to return "true".`, { actual: error, expected, operator });
      return;
    }
    if (types.isRegExp(expected)) {
      if (expected.exec(String(error)) === null) fail(message ?? `The input did not match the regular expression ${inspect(expected)}. Input:\n\n${inspect(String(error))}\n`, { actual: error, expected, operator });
      return;
    }
    const keys = Object.keys(expected);
    if (expected instanceof Error) keys.push("name", "message");
    for (const k of keys) {
      const fits = typeof error[k] === "string" && types.isRegExp(expected[k]) ? expected[k].exec(error[k]) !== null : k in Object(error) && isEqual(error[k], expected[k], true);
      if (!fits) fail(message ?? `Expected values to be strictly deep-equal:\n\n${inspect(error[k])} !== ${inspect(expected[k])} (${k})`, { actual: error, expected, operator });
    }
  };
  const nothing = Symbol("nothing thrown");
  const thrown = (f) => {
    if (typeof f !== "function") throw argType("fn", "of type function", f);
    try {
      f();
    } catch (e) {
      return e;
    }
    return nothing;
  };
  const rejected = async (f) => {
    if (typeof f !== "function" && typeof f?.then !== "function") throw argType("promiseFn", "of type function or an instance of Promise", f);
    const p = typeof f === "function" ? f() : f;
    if (typeof p?.then !== "function") throw withCode(TypeError, "ERR_INVALID_RETURN_VALUE", 'Expected instance of Promise to be returned from the "promiseFn" function');
    try {
      await p;
    } catch (e) {
      return e;
    }
    return nothing;
  };
  const expectThrown = (e, expected, message, operator) => {
    if (typeof expected === "string") {
      message = expected;
      expected = undefined;
    }
    if (e === nothing) {
      const kind = operator === "rejects" ? "rejection" : "exception";
      fail(`Missing expected ${kind}${expected?.name ? ` (${expected.name})` : ""}${message ? `: ${message}` : "."}`, { expected, operator });
    }
    if (expected !== undefined) matches(e, expected, message, operator);
  };
  const expectNotThrown = (e, expected, message, operator) => {
    if (e === nothing) return;
    if (typeof expected === "string") message = expected;
    fail(`Got unwanted ${operator === "doesNotReject" ? "rejection" : "exception"}${message ? `: ${message}` : "."}\nActual message: "${e?.message}"`, { actual: e, expected, operator });
  };

  const truthy = (args, operator) => {
    if (args.length === 0) fail("No value argument passed to `assert.ok()`", { operator: "==", expected: true });
    if (args[0]) return;
    if (args[1] !== undefined) fail(args[1], { actual: args[0], expected: true, operator });
    generated("The expression evaluated to a falsy value", { actual: args[0], expected: true, operator });
  };
  function assert(...args) {
    truthy(args, "==");
  }
  const compared = (operator, equal) => (actual, expected, message) => {
    if (!equal(actual, expected)) fail(message, { actual, expected, operator });
  };
  const loose = (a, b) => a == b || (Number.isNaN(a) && Number.isNaN(b)); // eslint-disable-line eqeqeq
  const methods = {
    AssertionError,
    ok: (...args) => truthy(args, "=="),
    fail: (message) => (message === undefined ? generated("Failed", { operator: "fail" }) : fail(message, { operator: "fail" })),
    equal: compared("==", loose),
    notEqual: compared("!=", (a, b) => !loose(a, b)),
    strictEqual: compared("strictEqual", Object.is),
    notStrictEqual: compared("notStrictEqual", (a, b) => !Object.is(a, b)),
    deepEqual: compared("deepEqual", (a, b) => isEqual(a, b, false)),
    notDeepEqual: compared("notDeepEqual", (a, b) => !isEqual(a, b, false)),
    deepStrictEqual: compared("deepStrictEqual", (a, b) => isEqual(a, b, true)),
    notDeepStrictEqual: compared("notDeepStrictEqual", (a, b) => !isEqual(a, b, true)),
    throws: (f, expected, message) => expectThrown(thrown(f), expected, message, "throws"),
    doesNotThrow: (f, expected, message) => expectNotThrown(thrown(f), expected, message, "doesNotThrow"),
    rejects: async (f, expected, message) => expectThrown(await rejected(f), expected, message, "rejects"),
    doesNotReject: async (f, expected, message) => expectNotThrown(await rejected(f), expected, message, "doesNotReject"),
    ifError(e) {
      if (e === null || e === undefined) return;
      fail(`ifError got unwanted exception: ${e?.message ?? inspect(e)}`, { actual: e, expected: null, operator: "ifError" });
    },
    match(text, pattern, message) {
      if (typeof text !== "string" || pattern.exec(text) === null) fail(message ?? `The input did not match the regular expression ${inspect(pattern)}. Input:\n\n${inspect(text)}\n`, { actual: text, expected: pattern, operator: "match" });
    },
    doesNotMatch(text, pattern, message) {
      if (typeof text !== "string" || pattern.exec(text) !== null) fail(message ?? `The input was expected to not match the regular expression ${inspect(pattern)}. Input:\n\n${inspect(text)}\n`, { actual: text, expected: pattern, operator: "doesNotMatch" });
    },
  };
  Object.assign(assert, methods);
  function strict(...args) {
    truthy(args, "==");
  }
  Object.assign(strict, methods, { equal: methods.strictEqual, notEqual: methods.notStrictEqual, deepEqual: methods.deepStrictEqual, notDeepEqual: methods.notDeepStrictEqual });
  assert.strict = strict;
  strict.strict = strict;
  return assert;
});
