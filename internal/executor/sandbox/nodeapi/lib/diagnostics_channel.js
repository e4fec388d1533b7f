// Channels to which a package tells what it does. Nothing but other code of the script listens.
(function () {
  "use strict";
  const channels = new Map();
  class Channel {
    #listeners = [];
    constructor(name) {
      this.name = name;
    }
    get hasSubscribers() {
      return this.#listeners.length > 0;
    }
    publish(message) {
      for (const f of [...this.#listeners]) f(message, this.name);
    }
    subscribe(f) {
      this.#listeners.push(f);
    }
    unsubscribe(f) {
      const at = this.#listeners.indexOf(f);
      if (at >= 0) this.#listeners.splice(at, 1);
      return at >= 0;
    }
    bindStore() {}
    unbindStore() {
      return false;
    }
    runStores(context, f, self, ...args) {
      this.publish(context);
      return f.apply(self, args);
    }
  }
  const channel = (name) => channels.get(name) ?? (channels.set(name, new Channel(name)), channels.get(name));
  const tracingChannel = (name) => {
    const part = (kind) => (typeof name === "string" ? channel(`tracing:${name}:${kind}`) : name[kind]);
    const all = { start: part("start"), end: part("end"), asyncStart: part("asyncStart"), asyncEnd: part("asyncEnd"), error: part("error") };
    return {
      ...all,
      get hasSubscribers() {
        return Object.values(all).some((c) => c.hasSubscribers);
      },
      subscribe: (handlers) => Object.keys(handlers).forEach((k) => all[k].subscribe(handlers[k])),
      unsubscribe: (handlers) => Object.keys(handlers).map((k) => all[k].unsubscribe(handlers[k])).every(Boolean),
      traceSync: (f, context, self, ...args) => f.apply(self, args),
      tracePromise: (f, context, self, ...args) => f.apply(self, args),
      traceCallback: (f, position, context, self, ...args) => f.apply(self, args),
    };
  };
  return {
    Channel, channel, tracingChannel,
    hasSubscribers: (name) => channels.get(name)?.hasSubscribers ?? false,
    subscribe: (name, f) => channel(name).subscribe(f),
    unsubscribe: (name, f) => channel(name).unsubscribe(f),
  };
});
