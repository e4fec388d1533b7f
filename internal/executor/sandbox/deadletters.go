package sandbox

import (
	"math"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/wire"
)

// newDeadLetters is the SDK's deadLetters.
func (i *isolate) newDeadLetters() *goja.Object {
	o := i.vm.NewObject()
	add := func(name string, f func(c goja.FunctionCall) goja.Value) {
		i.define(o, name, func(c goja.FunctionCall) goja.Value { return i.settled(func() goja.Value { return f(c) }) })
	}
	text := func(v goja.Value, what string) string {
		s, ok := v.(goja.String)
		if !ok {
			panic(i.vm.NewTypeError(what + " must be a string"))
		}
		return string(engine.UTF8(s.String()))
	}
	add("list", func(c goja.FunctionCall) goja.Value {
		args := cloud.HostArgs{Number: 100}
		if opts, ok := c.Argument(0).(*goja.Object); ok {
			if v := option(opts, "script"); v != nil {
				args.Collection = text(v, "script")
			}
			if v := option(opts, "cursor"); v != nil {
				args.Cursor = text(v, "cursor")
			}
			args.Number = i.limit(opts)
		}
		return i.current().call(cloud.OpLetterList, args, func(m *wire.ReplyMsg) goja.Value {
			page := i.mustJSON(m.Reply.JSON)
			items := page.Get("items").(*goja.Object)
			for k := range int(items.Get("length").ToInteger()) {
				i.letter(items.Get(itoa(k)).(*goja.Object))
			}
			return page
		})
	})
	add("get", func(c goja.FunctionCall) goja.Value {
		args := cloud.HostArgs{Key: text(c.Argument(0), "an id")}
		return i.current().call(cloud.OpLetterGet, args, func(m *wire.ReplyMsg) goja.Value {
			if !m.Reply.Found {
				return goja.Null()
			}
			return i.letter(i.mustJSON(m.Reply.JSON))
		})
	})
	add("replay", func(c goja.FunctionCall) goja.Value {
		args := cloud.HostArgs{Key: text(c.Argument(0), "an id")}
		if opts, ok := c.Argument(1).(*goja.Object); ok {
			if v := opts.Get("payload"); v != nil && !goja.IsUndefined(v) {
				args.Value, args.Flag = i.kvJSON(v), true
			}
		}
		return i.current().call(cloud.OpLetterReplay, args, func(m *wire.ReplyMsg) goja.Value { return i.vm.ToValue(m.Reply.Value) })
	})
	add("resolve", func(c goja.FunctionCall) goja.Value {
		args := cloud.HostArgs{Key: text(c.Argument(0), "an id")}
		if v := c.Argument(1); !goja.IsUndefined(v) {
			args.Value = text(v, "a reason")
		}
		return i.current().call(cloud.OpLetterResolve, args, func(*wire.ReplyMsg) goja.Value { return goja.Undefined() })
	})
	return o
}

// letter gives a dead letter's time its type.
func (i *isolate) letter(o *goja.Object) *goja.Object {
	d, err := i.vm.New(i.vm.GlobalObject().Get("Date"), o.Get("createdAt"))
	if err == nil {
		_ = o.Set("createdAt", d)
	}
	return o
}

func (i *isolate) mustJSON(text string) *goja.Object {
	v, err := i.json.Decode(text)
	if err != nil {
		panic(err)
	}
	return v.(*goja.Object)
}

// option is a member of an options object; nil: not given.
func option(o *goja.Object, name string) goja.Value {
	v := o.Get(name)
	if v == nil || goja.IsUndefined(v) || goja.IsNull(v) {
		return nil
	}
	return v
}

// limit is how many items a list may give.
func (i *isolate) limit(opts *goja.Object) float64 {
	v := option(opts, "limit")
	if v == nil {
		return 100
	}
	n := number(i, v, "limit must be a number")
	if n < 1 || n > 1000 || n != math.Trunc(n) {
		i.throw("RangeError", "limit must be from 1 to 1000")
	}
	return n
}
