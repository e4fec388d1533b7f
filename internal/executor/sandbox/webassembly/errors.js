// The error classes of WebAssembly, which are made like the language's own (WebAssembly JavaScript Interface, 5.9).
(function (host) {
  "use strict";
  const classOf = (name) => {
    const C = {
      [name]: function (message, options) {
        const error = message === undefined ? new Error("", options) : new Error(message, options);
        if (message === undefined) delete error.message;
        Object.setPrototypeOf(error, new.target ? new.target.prototype : C.prototype);
        return error;
      },
    }[name];
    Object.setPrototypeOf(C, Error);
    C.prototype = Object.create(Error.prototype);
    for (const [key, value] of [["constructor", C], ["name", name], ["message", ""]])
      Object.defineProperty(C.prototype, key, { value, writable: true, configurable: true });
    Object.defineProperty(C, "prototype", { writable: false });
    Object.defineProperty(C, "length", { value: 1, configurable: true });
    return C;
  };
  return { classes: {}, errors: ["CompileError", "LinkError", "RuntimeError"].map(classOf) };
})
