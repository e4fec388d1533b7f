package sandbox

import (
	"errors"
	"math"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// newSDK is what `import ... from "picloud"` gives.
func (i *isolate) newSDK() *goja.Object {
	sdk := i.vm.NewObject()
	kv := i.vm.NewObject()
	proto := i.newCollectionProto()
	i.define(kv, "collection", func(c goja.FunctionCall) goja.Value {
		name, ok := c.Argument(0).(goja.String)
		if !ok {
			panic(i.vm.NewTypeError("kv.collection needs a name"))
		}
		return i.instance(class{proto: proto}, &collectionState{name: name.String()})
	})
	log := i.vm.NewObject()
	for _, level := range []string{"debug", "info", "warn", "error"} {
		i.define(log, level, i.logger(level))
	}
	_ = sdk.Set("kv", kv)
	_ = sdk.Set("log", log)
	_ = sdk.Set("deadLetters", i.newDeadLetters())
	_ = sdk.Set("env", i.env)
	for _, name := range []string{"KvError", "KvConflictError", "LimitError", "FetchError", "DeadLetterError"} {
		_ = sdk.Set(name, i.errorClasses.Get(name))
	}
	return sdk
}

type collectionState struct{ name string }

// collection is a receiver of a KV method; every method returns a promise, also for errors in its arguments.
func (i *isolate) newCollectionProto() *goja.Object {
	proto := i.vm.NewObject()
	add := func(name string, f func(col string, c goja.FunctionCall) goja.Value) {
		i.define(proto, name, func(c goja.FunctionCall) goja.Value {
			return i.settled(func() goja.Value {
				return f(mustState[collectionState](i, c.This, "collection").name, c)
			})
		})
	}
	key := func(c goja.FunctionCall) string {
		k, ok := c.Argument(0).(goja.String)
		if !ok {
			panic(i.vm.NewTypeError("a key must be a string"))
		}
		return k.String()
	}
	value := func(m *wire.ReplyMsg) goja.Value { return i.kvValue(m.Reply.Found, m.Reply.Value) }
	add("get", func(col string, c goja.FunctionCall) goja.Value {
		args := cloud.HostArgs{Collection: col, Key: key(c)}
		if o, ok := c.Argument(1).(*goja.Object); ok {
			if u := o.Get("unchecked"); u != nil {
				args.Flag = u.ToBoolean()
			}
		}
		return i.current().call(cloud.OpKVGet, args, value)
	})
	add("getWithMetadata", func(col string, c goja.FunctionCall) goja.Value {
		return i.current().call(cloud.OpKVGet, cloud.HostArgs{Collection: col, Key: key(c)}, func(m *wire.ReplyMsg) goja.Value {
			if !m.Reply.Found {
				return goja.Null()
			}
			o := i.vm.NewObject()
			_ = o.Set("value", i.kvValue(true, m.Reply.Value))
			_ = o.Set("version", m.Reply.Version)
			_ = o.Set("expiresAt", i.expiry(m.Reply.Expires))
			return o
		})
	})
	add("has", func(col string, c goja.FunctionCall) goja.Value {
		return i.current().call(cloud.OpKVHas, cloud.HostArgs{Collection: col, Key: key(c)},
			func(m *wire.ReplyMsg) goja.Value { return i.vm.ToValue(m.Reply.Found) })
	})
	add("set", func(col string, c goja.FunctionCall) goja.Value {
		args := cloud.HostArgs{Collection: col, Key: key(c), Value: i.kvJSON(c.Argument(1)), IfVersion: -1}
		if o, ok := c.Argument(2).(*goja.Object); ok {
			i.setOptions(o, &args)
		}
		return i.current().call(cloud.OpKVSet, args, func(*wire.ReplyMsg) goja.Value { return goja.Undefined() })
	})
	add("delete", func(col string, c goja.FunctionCall) goja.Value {
		return i.current().call(cloud.OpKVDelete, cloud.HostArgs{Collection: col, Key: key(c)},
			func(m *wire.ReplyMsg) goja.Value { return i.vm.ToValue(m.Reply.Found) })
	})
	add("increment", func(col string, c goja.FunctionCall) goja.Value {
		by := 1.0
		if a := c.Argument(1); !goja.IsUndefined(a) {
			by = number(i, a, "increment needs a finite number")
		}
		return i.current().call(cloud.OpKVIncrement, cloud.HostArgs{Collection: col, Key: key(c), Number: by},
			func(m *wire.ReplyMsg) goja.Value { return i.vm.ToValue(m.Reply.Number) })
	})
	add("update", func(col string, c goja.FunctionCall) goja.Value { return i.kvUpdate(col, key(c), c.Argument(1)) })
	add("list", func(col string, c goja.FunctionCall) goja.Value { return i.kvList(col, c.Argument(0)) })
	return proto
}

func number(i *isolate, v goja.Value, message string) float64 {
	f, ok := v.Export().(float64)
	if n, isInt := v.Export().(int64); isInt {
		f, ok = float64(n), true
	}
	if !ok || math.IsNaN(f) || math.IsInf(f, 0) {
		panic(i.vm.NewTypeError(message))
	}
	return f
}

func (i *isolate) setOptions(o *goja.Object, args *cloud.HostArgs) {
	if ttl := option(o, "ttl"); ttl != nil {
		s := number(i, ttl, "ttl must be a number of seconds")
		const tenYears = 10 * 366 * 24 * 3600
		if s < 1 || s > tenYears {
			i.throw("RangeError", "ttl must be from 1 second to 10 years")
		}
		args.TTLMillis = int64(s * 1000)
	}
	if v := option(o, "ifVersion"); v != nil {
		n := number(i, v, "ifVersion must be a version number")
		if n < 0 || n != math.Trunc(n) {
			panic(i.vm.NewTypeError("ifVersion must be 0 or a version that getWithMetadata gave"))
		}
		args.IfVersion = int64(n)
	}
}

// kvJSON is the text that is stored.
func (i *isolate) kvJSON(v goja.Value) string {
	text, err := i.json.Encode(v)
	if err != nil {
		panic(err)
	}
	if text == nil {
		panic(i.vm.NewTypeError("the value has no JSON form"))
	}
	return string(text)
}

func (i *isolate) kvValue(found bool, text string) goja.Value {
	if !found {
		return goja.Null()
	}
	v, err := i.json.Decode(text)
	if err != nil {
		panic(err)
	}
	return v
}

func (i *isolate) expiry(ms int64) goja.Value {
	if ms == 0 {
		return goja.Null()
	}
	d, err := i.vm.New(i.vm.GlobalObject().Get("Date"), i.vm.ToValue(ms))
	if err != nil {
		return goja.Null()
	}
	return d
}

func (i *isolate) kvList(col string, opts goja.Value) goja.Value {
	args := cloud.HostArgs{Collection: col, Number: 100}
	if o, ok := opts.(*goja.Object); ok {
		if p := option(o, "prefix"); p != nil {
			args.Key = p.String()
		}
		if c := option(o, "cursor"); c != nil {
			args.Cursor = c.String()
		}
		args.Number = i.limit(o)
	}
	return i.current().call(cloud.OpKVList, args, func(m *wire.ReplyMsg) goja.Value {
		page := i.mustJSON(m.Reply.JSON)
		items := page.Get("items").(*goja.Object)
		for k := range int(items.Get("length").ToInteger()) {
			it := items.Get(itoa(k)).(*goja.Object)
			if ms := it.Get("expiresAt"); ms != nil && !goja.IsNull(ms) {
				_ = it.Set("expiresAt", i.expiry(ms.ToInteger()))
			}
		}
		return page
	})
}

var errNestedUpdate = errors.New("update cannot be called inside the function given to update")

// kvUpdate asks for the value (and its turn at the key), runs the function on it, and sends the result.
func (i *isolate) kvUpdate(col, key string, f goja.Value) goja.Value {
	fn, ok := goja.AssertFunction(f)
	if !ok {
		panic(i.vm.NewTypeError("update needs a function"))
	}
	r := i.current()
	if r.updating > 0 {
		panic(i.vm.NewTypeError(errNestedUpdate.Error()))
	}
	begin := r.call(cloud.OpKVUpdateBegin, cloud.HostArgs{Collection: col, Key: key},
		func(m *wire.ReplyMsg) goja.Value { return i.kvValue(m.Reply.Found, m.Reply.Value) })
	return i.then(begin, func(v goja.Value) goja.Value {
		r.updating++
		out, err := fn(goja.Undefined(), v)
		r.updating--
		if err != nil {
			panic(err)
		}
		p, err := i.resolve(nil, out)
		if err != nil {
			panic(err)
		}
		return i.then(p, func(v goja.Value) goja.Value { return i.kvUpdateEnd(r, col, key, v) })
	})
}

func (i *isolate) kvUpdateEnd(r *run, col, key string, v goja.Value) goja.Value {
	args := cloud.HostArgs{Collection: col, Key: key}
	switch {
	case goja.IsUndefined(v):
		return r.call(cloud.OpKVGet, args, func(m *wire.ReplyMsg) goja.Value { return i.kvValue(m.Reply.Found, m.Reply.Value) })
	case goja.IsNull(v):
		args.Flag = true // delete
	default:
		args.Value = i.kvJSON(v)
	}
	return r.call(cloud.OpKVUpdateEnd, args, func(*wire.ReplyMsg) goja.Value { return v })
}

// then chains native code to a promise with the intrinsic Promise.prototype.then.
func (i *isolate) then(p goja.Value, f func(goja.Value) goja.Value) goja.Value {
	then, _ := goja.AssertFunction(i.promiseThen)
	v, err := then(p, i.vm.ToValue(func(c goja.FunctionCall) goja.Value { return f(c.Argument(0)) }))
	if err != nil {
		panic(err)
	}
	return v
}
