// The parts of process that have a meaning here. There is no versions.node: with it packages would take files and
// sockets for granted.
(function (host, require) {
  "use strict";
  const EventEmitter = require("events");
  const { withCode, checkFunction } = require("internal:errors");
  const start = Date.now();

  // Like Node's, its values are texts: what is assigned becomes one. It is a copy of the app's variables and
  // secrets, which a script may change for itself.
  const env = new Proxy({ ...host.env }, {
    set(target, name, value) {
      if (typeof name === "symbol" || typeof value === "symbol") throw new TypeError("Cannot convert a Symbol value to a string");
      target[name] = String(value);
      return true;
    },
    defineProperty(target, name, d) {
      return Reflect.defineProperty(target, name, { value: String(d.value), writable: true, enumerable: true, configurable: true });
    },
  });

  const missing = (name, instead) => () => {
    throw withCode(TypeError, "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM", `process.${name} is not there: ${instead}`);
  };
  const hrtime = (before) => {
    const ns = host.nanoseconds();
    let s = Number(ns / 1000000000n), n = Number(ns % 1000000000n);
    if (before !== undefined) {
      s -= before[0];
      n -= before[1];
      if (n < 0) {
        s--;
        n += 1e9;
      }
    }
    return [s, n];
  };
  hrtime.bigint = () => host.nanoseconds();

  const process = Object.create(EventEmitter.prototype);
  EventEmitter.call(process);
  Object.assign(process, {
    title: "picloud", version: "v22.0.0", versions: { picloud: "1" }, arch: "x64", platform: "linux", release: { name: "picloud" },
    argv: ["picloud"], argv0: "picloud", execArgv: [], execPath: "/picloud", pid: 1, ppid: 0, exitCode: undefined, browser: false, features: {}, config: {},
    env,
    hrtime,
    nextTick(f, ...args) {
      checkFunction(f, "callback");
      queueMicrotask(args.length ? () => f(...args) : () => f());
    },
    cwd: () => "/",
    uptime: () => (Date.now() - start) / 1000,
    umask: () => 0o22,
    memoryUsage: Object.assign(() => ({ rss: 0, heapTotal: 0, heapUsed: 0, external: 0, arrayBuffers: 0 }), { rss: () => 0 }),
    cpuUsage: () => ({ user: 0, system: 0 }),
    emitWarning(warning, type, code) {
      const name = (typeof type === "string" ? type : type?.type) ?? (warning instanceof Error ? warning.name : "Warning");
      const tag = typeof type === "object" && type !== null ? type.code : code;
      console.warn(`${tag ? `[${tag}] ` : ""}${name}: ${warning instanceof Error ? warning.message : warning}`);
    },
    getBuiltinModule: (name) => (host.isModule(String(name)) ? require(name) : undefined),
    exit: missing("exit", "return from the handler, or throw"),
    abort: missing("abort", "throw an Error"),
    kill: missing("kill", "there are no other processes"),
    chdir: missing("chdir", "there are no files"),
    binding: missing("binding", "it has Node's insides"),
    dlopen: missing("dlopen", "there are no files"),
  });
  for (const [name, log] of [["stdout", console.log], ["stderr", console.error]]) {
    process[name] = {
      isTTY: false, writable: true, fd: name === "stdout" ? 1 : 2,
      write(chunk, encoding, done) {
        const text = typeof chunk === "string" ? chunk : new TextDecoder().decode(chunk);
        log("%s", text.replace(/\n$/, ""));
        const f = typeof encoding === "function" ? encoding : done;
        if (f) queueMicrotask(() => f());
        return true;
      },
      end() {},
      on() {
        return this;
      },
      once() {
        return this;
      },
      emit: () => false,
      removeListener() {
        return this;
      },
    };
  }
  Object.defineProperty(process, Symbol.toStringTag, { value: "process", configurable: true });
  return process;
});
