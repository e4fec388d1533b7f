// Iterator and its helpers (ECMA-262, 27.1), which the engine lacks.
(function (host) {
  "use strict";
  const { apply, defineProperty, getPrototypeOf } = Reflect;
  const IteratorPrototype = getPrototypeOf(getPrototypeOf([][Symbol.iterator]()));
  const isObject = (v) => (typeof v === "object" && v !== null) || typeof v === "function";

  function Iterator() {
    if (new.target === undefined || new.target === Iterator) throw new TypeError("Iterator is made by extending it");
  }
  defineProperty(Iterator, "prototype", { value: IteratorPrototype, writable: false });

  // An iterator with its method next, which is read once.
  const direct = (iterator) => ({ iterator, next: iterator.next });
  // What next gives: undefined at the end, else an object with the value.
  const step = (record) => {
    const result = apply(record.next, record.iterator, []);
    if (!isObject(result)) throw new TypeError("an iterator's next must return an object");
    return result.done ? undefined : { value: result.value, done: false };
  };
  const close = (iterator) => {
    const f = iterator.return;
    if (f === undefined || f === null) return;
    if (!isObject(apply(f, iterator, []))) throw new TypeError("an iterator's return must return an object");
  };
  // Closes an iterator because of an error, which is the one to throw.
  const fail = (iterator, error) => {
    try {
      close(iterator);
    } catch {
      // the first error counts
    }
    throw error;
  };
  const guarded = (iterator, f) => {
    try {
      return f();
    } catch (error) {
      return fail(iterator, error);
    }
  };
  const receiver = (it) => {
    if (!isObject(it)) throw new TypeError("an Iterator's method was called on something else");
    return it;
  };
  const callable = (it, f) => {
    if (typeof f !== "function") fail(receiver(it), new TypeError(`${typeof f === "symbol" || isObject(f) ? typeof f : String(f)} is not a function`));
    return receiver(it);
  };
  const count = (it, limit) =>
    guarded(receiver(it), () => {
      const n = Number(limit);
      if (Number.isNaN(n) || Math.trunc(n) < 0) throw new RangeError(`${n} must be a positive number`);
      return Math.trunc(n);
    });
  const flattenable = (o, takesStrings) => {
    if (!isObject(o) && !(takesStrings && typeof o === "string")) throw new TypeError("an iterable or an iterator is needed");
    const method = o[Symbol.iterator];
    const iterator = method === undefined || method === null ? o : apply(method, o, []);
    if (!isObject(iterator)) throw new TypeError("an iterator must be an object");
    return direct(iterator);
  };

  // A lazy iterator: advance is its next, finish closes what is below it.
  class IteratorHelper {
    #advance;
    #finish;
    #done = false;
    #running = false;
    constructor(advance, finish) {
      this.#advance = advance;
      this.#finish = finish;
    }
    #run(f) {
      if (this.#running) throw new TypeError("the iterator is running already");
      this.#running = true;
      try {
        return f();
      } catch (error) {
        this.#done = true;
        throw error;
      } finally {
        this.#running = false;
      }
    }
    next() {
      return this.#run(() => {
        const result = this.#done ? undefined : this.#advance();
        if (result === undefined) this.#done = true;
        return result ?? { value: undefined, done: true };
      });
    }
    return() {
      return this.#run(() => {
        const finish = this.#done ? undefined : this.#finish;
        this.#done = true;
        finish?.();
        return { value: undefined, done: true };
      });
    }
  }
  const HelperPrototype = IteratorHelper.prototype;
  const hide = (proto, tag) => {
    Reflect.setPrototypeOf(proto, IteratorPrototype);
    delete proto.constructor;
    if (tag) defineProperty(proto, Symbol.toStringTag, { value: tag, configurable: true });
  };
  hide(HelperPrototype, "Iterator Helper");

  // An iterator of a script's own around which Iterator.from puts the helpers.
  class Wrapped {
    #record;
    constructor(record) {
      this.#record = record;
    }
    next() {
      return apply(this.#record.next, this.#record.iterator, []);
    }
    return() {
      const { iterator } = this.#record;
      const f = iterator.return;
      return f === undefined || f === null ? { value: undefined, done: true } : apply(f, iterator, []);
    }
  }
  hide(Wrapped.prototype);

  const lazily = (record, advance) => new IteratorHelper(advance, () => close(record.iterator));
  const eagerly = (it, f, visit) => {
    const record = direct(callable(it, f));
    for (let k = 0, item; (item = step(record)) !== undefined; k++) {
      const out = guarded(record.iterator, () => visit(item.value, k));
      if (out !== undefined) {
        close(record.iterator);
        return out;
      }
    }
  };

  const methods = {
    map(mapper) {
      const record = direct(callable(this, mapper));
      let k = 0;
      return lazily(record, () => {
        const item = step(record);
        if (item !== undefined) item.value = guarded(record.iterator, () => mapper(item.value, k++));
        return item;
      });
    },
    filter(predicate) {
      const record = direct(callable(this, predicate));
      let k = 0;
      return lazily(record, () => {
        for (let item; (item = step(record)) !== undefined; ) if (guarded(record.iterator, () => predicate(item.value, k++))) return item;
      });
    },
    take(limit) {
      let left = count(this, limit);
      const record = direct(this);
      return lazily(record, () => {
        if (left === 0) return close(record.iterator);
        left--;
        return step(record);
      });
    },
    drop(limit) {
      let left = count(this, limit);
      const record = direct(this);
      return lazily(record, () => {
        for (; left > 0; left--) if (step(record) === undefined) return;
        return step(record);
      });
    },
    flatMap(mapper) {
      const record = direct(callable(this, mapper));
      let inner;
      let k = 0;
      const advance = () => {
        for (;;) {
          if (inner === undefined) {
            const item = step(record);
            if (item === undefined) return;
            inner = guarded(record.iterator, () => flattenable(mapper(item.value, k++), false));
          }
          const item = guarded(record.iterator, () => step(inner));
          if (item !== undefined) return item;
          inner = undefined;
        }
      };
      return new IteratorHelper(advance, () => {
        if (inner !== undefined) guarded(record.iterator, () => close(inner.iterator));
        close(record.iterator);
      });
    },
    reduce(reducer, ...initial) {
      const record = direct(callable(this, reducer));
      let k = 0;
      let value = initial[0];
      if (initial.length === 0) {
        const first = step(record);
        if (first === undefined) throw new TypeError("reduce of an empty iterator with no initial value");
        value = first.value;
        k = 1;
      }
      for (let item; (item = step(record)) !== undefined; k++) value = guarded(record.iterator, () => reducer(value, item.value, k));
      return value;
    },
    toArray() {
      const record = direct(receiver(this));
      const out = [];
      for (let item; (item = step(record)) !== undefined; ) out.push(item.value);
      return out;
    },
    forEach(f) {
      eagerly(this, f, (value, k) => void f(value, k));
    },
    some(predicate) {
      return eagerly(this, predicate, (value, k) => (predicate(value, k) ? true : undefined)) ?? false;
    },
    every(predicate) {
      return eagerly(this, predicate, (value, k) => (predicate(value, k) ? undefined : false)) ?? true;
    },
    find(predicate) {
      return eagerly(this, predicate, (value, k) => (predicate(value, k) ? { value } : undefined))?.value;
    },
  };
  defineProperty(methods.reduce, "length", { value: 1, configurable: true });
  const statics = {
    from(o) {
      const record = flattenable(o, true);
      return record.iterator instanceof Iterator ? record.iterator : new Wrapped(record);
    },
  };
  for (const [to, list] of [[IteratorPrototype, methods], [Iterator, statics]])
    for (const name of Object.keys(list)) if (!(name in to)) defineProperty(to, name, { value: list[name], writable: true, configurable: true });

  // Accessors, so that an assignment to an iterator makes a property of its own (27.1.4.1, 27.1.4.14).
  const accessor = (key, value) => {
    const of = {
      get value() {
        return value;
      },
      set value(v) {
        if (!isObject(this) || this === IteratorPrototype) throw new TypeError("the property of Iterator.prototype cannot be changed");
        if (Object.hasOwn(this, key)) this[key] = v;
        else if (!defineProperty(this, key, { value: v, writable: true, enumerable: true, configurable: true })) throw new TypeError("the property cannot be added");
      },
    };
    const { get, set } = Object.getOwnPropertyDescriptor(of, "value");
    defineProperty(IteratorPrototype, key, { get, set, configurable: true, enumerable: false });
  };
  accessor("constructor", Iterator);
  accessor(Symbol.toStringTag, "Iterator");

  return { classes: { Iterator }, hidden: [HelperPrototype, Wrapped.prototype] };
});
