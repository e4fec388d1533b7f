// What a file of web-platform-tests finds beside testharness.js, the same in PiCloud's runtime and in Node. `host` has
// read(path), which gives a file of the suite as a string of bytes, and report(text), which takes the results.
(function (host, file) {
  "use strict";
  globalThis.self ??= globalThis;
  globalThis.GLOBAL = { isWindow: () => false, isWorker: () => false, isShadowRealm: () => false };
  const folder = file.slice(0, file.lastIndexOf("/") + 1);
  const location = { href: "http://web-platform.test/" + file, origin: "http://web-platform.test", search: "", pathname: "/" + file, protocol: "http:", host: "web-platform.test", hostname: "web-platform.test", port: "" };
  Object.defineProperty(globalThis, "location", { value: location, configurable: true, writable: true });

  // A file of the suite that a test fetches comes from the disk; there is no server.
  const fetched = globalThis.fetch;
  Object.defineProperty(globalThis, "fetch", {
    value: function fetch(input, init) {
      if (typeof input === "string" && !/^[a-z-]+:/i.test(input) && /\.(json|txt|js|html)$/.test(input)) {
        const bytes = host.read(input.startsWith("/") ? input.slice(1) : folder + input);
        if (bytes !== null) return Promise.resolve(new Response(Uint8Array.from(bytes, (c) => c.charCodeAt(0))));
      }
      return fetched(input, init);
    },
    configurable: true,
    writable: true,
  });

  // A relative URL is the file's, as in a browser: a server has none by itself.
  const absolute = (input) => {
    if (typeof input !== "string" || URL.canParse(input)) return input;
    return URL.canParse(input, location.href) ? new URL(input, location.href).href : input;
  };
  const NativeRequest = globalThis.Request;
  Object.defineProperty(globalThis, "Request", {
    value: new Proxy(NativeRequest, {
      construct(target, args, newTarget) {
        if (args.length > 0) args = [absolute(args[0]), ...args.slice(1)];
        return Reflect.construct(target, args, newTarget === globalThis.Request ? NativeRequest : newTarget);
      },
    }),
    configurable: true,
    writable: true,
  });

  return {
    // Between testharness.js and the file: an engine may run microtasks there, after which the harness would expect no tests.
    begin() {
      setup({ explicit_done: true });
      add_completion_callback((tests, status) => {
        host.report(JSON.stringify({ status: status.status, message: String(status.message ?? ""), tests: tests.map((t) => ({ name: t.name, status: t.status, message: String(t.message ?? "") })) }));
      });
    },
    end() {
      done();
    },
  };
});
