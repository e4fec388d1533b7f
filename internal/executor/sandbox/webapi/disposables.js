// SuppressedError, DisposableStack and AsyncDisposableStack, and the symbols of the statement using, which the engine
// lacks (ECMA-262, explicit resource management).
(function (host) {
  "use strict";
  const { apply, construct, defineProperty, getPrototypeOf } = Reflect;
  const put = (o, name, value) => defineProperty(o, name, { value, writable: true, configurable: true });
  // Registered symbols, as those that the bundler's helpers fall back to.
  for (const name of ["dispose", "asyncDispose"]) if (!Symbol[name]) defineProperty(Symbol, name, { value: Symbol.for("Symbol." + name) });

  const { SuppressedError } = {
    SuppressedError: function (error, suppressed, message) {
      const made = construct(Error, message === undefined ? [] : [message], new.target ?? SuppressedError);
      put(made, "error", error);
      put(made, "suppressed", suppressed);
      return made;
    },
  };
  Object.setPrototypeOf(SuppressedError, Error);
  defineProperty(SuppressedError, "prototype", { value: Object.create(Error.prototype), writable: false });
  put(SuppressedError.prototype, "constructor", SuppressedError);
  put(SuppressedError.prototype, "name", "SuppressedError");
  put(SuppressedError.prototype, "message", "");

  const isObject = (v) => (typeof v === "object" && v !== null) || typeof v === "function";
  const method = (value, symbol) => {
    const f = value[symbol];
    if (f !== undefined && f !== null && typeof f !== "function") throw new TypeError("a method of disposal is not a function");
    return f ?? undefined;
  };
  const callable = (f) => {
    if (typeof f !== "function") throw new TypeError("a function is needed");
    return f;
  };
  // The errors of disposal, of which each suppresses the one before.
  const collect = () => {
    const state = { failed: false, error: undefined };
    state.add = (error) => {
      state.error = state.failed ? new SuppressedError(error, state.error, "An error was suppressed during disposal.") : error;
      state.failed = true;
    };
    return state;
  };

  class DisposableStack {
    #disposed = false;
    #stack = [];
    get disposed() {
      return this.#disposed;
    }
    #add(f) {
      if (this.#disposed) throw new ReferenceError("the stack is disposed already");
      this.#stack.push(f);
    }
    use(value) {
      if (this.#disposed) throw new ReferenceError("the stack is disposed already");
      if (value === null || value === undefined) return value;
      if (!isObject(value)) throw new TypeError("an object is needed");
      const f = method(value, Symbol.dispose);
      if (f === undefined) throw new TypeError("the value has no method [Symbol.dispose]");
      this.#add(() => apply(f, value, []));
      return value;
    }
    adopt(value, onDispose) {
      if (this.#disposed) throw new ReferenceError("the stack is disposed already");
      callable(onDispose);
      this.#add(() => apply(onDispose, undefined, [value]));
      return value;
    }
    defer(onDispose) {
      if (this.#disposed) throw new ReferenceError("the stack is disposed already");
      callable(onDispose);
      this.#add(() => apply(onDispose, undefined, []));
    }
    move() {
      if (this.#disposed) throw new ReferenceError("the stack is disposed already");
      const moved = new DisposableStack();
      moved.#stack = this.#stack;
      this.#stack = [];
      this.#disposed = true;
      return moved;
    }
    dispose() {
      if (this.#disposed) return;
      this.#disposed = true;
      const errors = collect();
      for (const f of this.#stack.splice(0).reverse()) {
        try {
          f();
        } catch (error) {
          errors.add(error);
        }
      }
      if (errors.failed) throw errors.error;
    }
  }

  class AsyncDisposableStack {
    #disposed = false;
    #stack = [];
    get disposed() {
      return this.#disposed;
    }
    #add(f) {
      if (this.#disposed) throw new ReferenceError("the stack is disposed already");
      this.#stack.push(f);
    }
    use(value) {
      if (this.#disposed) throw new ReferenceError("the stack is disposed already");
      if (value === null || value === undefined) {
        this.#add(() => undefined); // it is awaited all the same
        return value;
      }
      if (!isObject(value)) throw new TypeError("an object is needed");
      const later = method(value, Symbol.asyncDispose);
      const f = later ?? method(value, Symbol.dispose);
      if (f === undefined) throw new TypeError("the value has no method [Symbol.asyncDispose] or [Symbol.dispose]");
      this.#add(() => {
        const result = apply(f, value, []);
        return later && result; // what [Symbol.dispose] returns is not awaited
      });
      return value;
    }
    adopt(value, onDispose) {
      if (this.#disposed) throw new ReferenceError("the stack is disposed already");
      callable(onDispose);
      this.#add(() => apply(onDispose, undefined, [value]));
      return value;
    }
    defer(onDispose) {
      if (this.#disposed) throw new ReferenceError("the stack is disposed already");
      callable(onDispose);
      this.#add(() => apply(onDispose, undefined, []));
    }
    move() {
      if (this.#disposed) throw new ReferenceError("the stack is disposed already");
      const moved = new AsyncDisposableStack();
      moved.#stack = this.#stack;
      this.#stack = [];
      this.#disposed = true;
      return moved;
    }
    async disposeAsync() {
      if (this.#disposed) return;
      this.#disposed = true;
      const errors = collect();
      for (const f of this.#stack.splice(0).reverse()) {
        try {
          await f();
        } catch (error) {
          errors.add(error);
        }
      }
      if (errors.failed) throw errors.error;
    }
  }

  const tagged = (C, symbol, name) => {
    put(C.prototype, symbol, C.prototype[name]);
    defineProperty(C.prototype, Symbol.toStringTag, { value: C.name, configurable: true });
  };
  tagged(DisposableStack, Symbol.dispose, "dispose");
  tagged(AsyncDisposableStack, Symbol.asyncDispose, "disposeAsync");

  // Iterators are disposed of by their return.
  const IteratorPrototype = getPrototypeOf(getPrototypeOf([][Symbol.iterator]()));
  const { dispose } = {
    dispose() {
      const f = this.return;
      if (f !== undefined && f !== null) apply(f, this, []);
    },
  };
  defineProperty(dispose, "name", { value: "[Symbol.dispose]", configurable: true });
  put(IteratorPrototype, Symbol.dispose, dispose);

  return { classes: { SuppressedError, DisposableStack, AsyncDisposableStack } };
});
