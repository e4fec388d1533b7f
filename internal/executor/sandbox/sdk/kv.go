package sdk

import (
	"errors"
	"math"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/realm"
	"picloud/internal/executor/wire"
)

// kvModule reads and writes the app's collections of keys and values.
type kvModule struct {
	h          *Host
	collection realm.Class // which has no constructor
}

// collectionState is what an object carries that kv.collection returned.
type collectionState struct{ name string }

func newKVModule(h *Host) *kvModule {
	m := &kvModule{h: h}
	m.collection.Proto = m.newCollectionProto()
	return m
}

func (m *kvModule) name() string { return "kv" }

func (m *kvModule) exports() goja.Value {
	o := m.h.VM.NewObject()
	m.h.Define(o, "collection", func(c goja.FunctionCall) goja.Value {
		name, ok := c.Argument(0).(goja.String)
		if !ok {
			panic(m.h.VM.NewTypeError("kv.collection needs a name"))
		}
		return m.h.Instance(m.collection, &collectionState{name: name.String()})
	})
	return o
}

// newCollectionProto makes the prototype of collections. Every method returns a promise, also for errors in
// its arguments.
func (m *kvModule) newCollectionProto() *goja.Object {
	proto := m.h.VM.NewObject()
	for _, method := range []struct {
		name string
		call func(collection string, c goja.FunctionCall) goja.Value
	}{
		{"get", m.get},
		{"getWithMetadata", m.getWithMetadata},
		{"has", m.has},
		{"set", m.set},
		{"delete", m.delete},
		{"increment", m.increment},
		{"update", m.update},
		{"list", m.list},
	} {
		m.h.Define(proto, method.name, func(c goja.FunctionCall) goja.Value {
			return m.h.Settled(func() goja.Value {
				collection := realm.MustState[collectionState](m.h.Realm, c.This, "collection")
				return method.call(collection.name, c)
			})
		})
	}

	return proto
}

// get is get(key, {unchecked}): the value, or null. The run's commit checks that it is still the same,
// unless it is read unchecked.
func (m *kvModule) get(collection string, c goja.FunctionCall) goja.Value {
	call := cloud.KVGet{Collection: collection, Key: m.key(c)}
	if o, ok := c.Argument(1).(*goja.Object); ok {
		if u := o.Get("unchecked"); u != nil {
			call.Unchecked = u.ToBoolean()
		}
	}
	return m.h.current().call(call, m.value)
}

// getWithMetadata is getWithMetadata(key): the value with its version and its expiry, or null.
func (m *kvModule) getWithMetadata(collection string, c goja.FunctionCall) goja.Value {
	call := cloud.KVGet{Collection: collection, Key: m.key(c)}
	return m.h.current().call(call, func(reply *wire.ReplyMsg) goja.Value {
		if !reply.Reply.Found {
			return goja.Null()
		}

		o := m.h.VM.NewObject()
		_ = o.Set("value", m.h.decode(reply.Reply.Value))
		_ = o.Set("version", reply.Reply.Version)
		_ = o.Set("expiresAt", m.expiry(reply.Reply.Expires))
		return o
	})
}

func (m *kvModule) has(collection string, c goja.FunctionCall) goja.Value {
	call := cloud.KVHas{Collection: collection, Key: m.key(c)}
	return m.h.current().call(call, m.found)
}

// set is set(key, value, {ttl, ifVersion}). The value is written when the run commits.
func (m *kvModule) set(collection string, c goja.FunctionCall) goja.Value {
	call := cloud.KVSet{
		Collection: collection,
		Key:        m.key(c),
		Value:      m.h.encode(c.Argument(1)),
		IfVersion:  cloud.AnyVersion,
	}
	if o, ok := c.Argument(2).(*goja.Object); ok {
		m.setOptions(o, &call)
	}

	return m.h.current().call(call, nothing)
}

func (m *kvModule) delete(collection string, c goja.FunctionCall) goja.Value {
	call := cloud.KVDelete{Collection: collection, Key: m.key(c)}
	return m.h.current().call(call, m.found)
}

// increment is increment(key, by): the new number.
func (m *kvModule) increment(collection string, c goja.FunctionCall) goja.Value {
	by := 1.0
	if a := c.Argument(1); !goja.IsUndefined(a) {
		by = m.h.number(a, "increment needs a finite number")
	}

	call := cloud.KVIncrement{Collection: collection, Key: m.key(c), By: by}
	return m.h.current().call(call, func(reply *wire.ReplyMsg) goja.Value {
		return m.h.VM.ToValue(reply.Reply.Number)
	})
}

// list is list({prefix, cursor, limit}): a page of keys and values.
func (m *kvModule) list(collection string, c goja.FunctionCall) goja.Value {
	call := cloud.KVList{Collection: collection, Limit: defaultItems}
	if o, ok := c.Argument(0).(*goja.Object); ok {
		if prefix := option(o, "prefix"); prefix != nil {
			call.Prefix = prefix.String()
		}
		if cursor := option(o, "cursor"); cursor != nil {
			call.Cursor = cursor.String()
		}
		call.Limit = m.h.limit(o)
	}

	return m.h.current().call(call, func(reply *wire.ReplyMsg) goja.Value {
		return m.h.page(reply.Reply.JSON, func(item *goja.Object) {
			if ms := item.Get("expiresAt"); ms != nil && !goja.IsNull(ms) {
				_ = item.Set("expiresAt", m.expiry(ms.ToInteger()))
			}
		})
	})
}

var errNestedUpdate = errors.New("update cannot be called inside the function given to update")

// update asks for the value, which also makes the run wait for its turn at the key, calls the script's
// function with it, and sends the result.
func (m *kvModule) update(collection string, c goja.FunctionCall) goja.Value {
	key := m.key(c)
	fn, ok := goja.AssertFunction(c.Argument(1))
	if !ok {
		panic(m.h.VM.NewTypeError("update needs a function"))
	}

	run := m.h.current()
	if run.updating > 0 {
		panic(m.h.VM.NewTypeError(errNestedUpdate.Error()))
	}

	begin := run.call(cloud.KVUpdateBegin{Collection: collection, Key: key}, m.value)
	return m.h.Then(begin, func(old goja.Value) goja.Value {
		run.updating++
		out, err := fn(goja.Undefined(), old)
		run.updating--
		if err != nil {
			panic(err)
		}

		result, err := m.h.Resolve(out)
		if err != nil {
			panic(err)
		}

		return m.h.Then(result, func(v goja.Value) goja.Value { return m.endUpdate(run, collection, key, v) })
	})
}

// endUpdate sends what the function returned: undefined leaves the value as it is, null deletes it.
func (m *kvModule) endUpdate(run *Run, collection, key string, v goja.Value) goja.Value {
	call := cloud.KVUpdateEnd{Collection: collection, Key: key}
	switch {
	case goja.IsUndefined(v):
		return run.call(cloud.KVGet{Collection: collection, Key: key}, m.value)
	case goja.IsNull(v):
		call.Delete = true
	default:
		call.Value = m.h.encode(v)
	}

	return run.call(call, func(*wire.ReplyMsg) goja.Value { return v })
}

// setOptions reads the options of set: ttl in seconds, and the version that must still be there.
func (m *kvModule) setOptions(o *goja.Object, call *cloud.KVSet) {
	if ttl := option(o, "ttl"); ttl != nil {
		seconds := m.h.number(ttl, "ttl must be a number of seconds")
		const tenYears = 10 * 366 * 24 * 3600
		if seconds < 1 || seconds > tenYears {
			m.h.Throw("RangeError", "ttl must be from 1 second to 10 years")
		}
		call.TTLMillis = int64(seconds * 1000)
	}

	if v := option(o, "ifVersion"); v != nil {
		version := m.h.number(v, "ifVersion must be a version number")
		if version < 0 || version != math.Trunc(version) {
			panic(m.h.VM.NewTypeError("ifVersion must be 0 or a version that getWithMetadata gave"))
		}
		call.IfVersion = int64(version)
	}
}

// key is the first argument of a method.
func (m *kvModule) key(c goja.FunctionCall) string {
	key, ok := c.Argument(0).(goja.String)
	if !ok {
		panic(m.h.VM.NewTypeError("a key must be a string"))
	}
	return key.String()
}

// value is the value that an answer has, or null.
func (m *kvModule) value(reply *wire.ReplyMsg) goja.Value {
	if !reply.Reply.Found {
		return goja.Null()
	}
	return m.h.decode(reply.Reply.Value)
}

// found is whether an answer says that there is, or was, such a key.
func (m *kvModule) found(reply *wire.ReplyMsg) goja.Value { return m.h.VM.ToValue(reply.Reply.Found) }

// expiry is a Date, or null for the zero time. ms is in Unix milliseconds.
func (m *kvModule) expiry(ms int64) goja.Value {
	if ms == 0 {
		return goja.Null()
	}
	d, err := m.h.date(m.h.VM.ToValue(ms))
	if err != nil {
		return goja.Null()
	}
	return d
}
