// The timers of the global scope, as Node has them in a module.
(function (host, require) {
  "use strict";
  class Immediate {
    #id;
    constructor(id) {
      this.#id = id;
    }
    ref() {
      return this;
    }
    unref() {
      return this;
    }
    hasRef() {
      return true;
    }
    static clear(o) {
      if (typeof o === "object" && o !== null && #id in o) clearTimeout(o.#id);
    }
  }
  const { setTimeout, clearTimeout, setInterval, clearInterval } = globalThis;
  const { checkFunction } = require("internal:errors");
  const timers = {
    setTimeout, clearTimeout, setInterval, clearInterval,
    setImmediate(f, ...args) {
      checkFunction(f, "callback");
      return new Immediate(setTimeout(f, 0, ...args));
    },
    clearImmediate(immediate) {
      Immediate.clear(immediate);
    },
  };
  Object.defineProperty(timers, "promises", { get: () => require("timers/promises"), enumerable: true });
  return timers;
});
