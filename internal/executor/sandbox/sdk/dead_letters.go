package sdk

import (
	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/wire"
)

// deadLettersModule lists, replays and resolves the app's dead letters.
type deadLettersModule struct{ h *Host }

func newDeadLettersModule(h *Host) *deadLettersModule { return &deadLettersModule{h} }

func (m *deadLettersModule) name() string { return "deadLetters" }

func (m *deadLettersModule) exports() goja.Value {
	o := m.h.VM.NewObject()
	add := func(name string, f func(c goja.FunctionCall) goja.Value) {
		m.h.Define(o, name, func(c goja.FunctionCall) goja.Value {
			return m.h.Settled(func() goja.Value { return f(c) })
		})
	}
	add("list", m.list)
	add("get", m.get)
	add("replay", m.replay)
	add("resolve", m.resolve)
	return o
}

// list is list({script, cursor, limit}): a page of dead letters, of one script or of all.
func (m *deadLettersModule) list(c goja.FunctionCall) goja.Value {
	call := cloud.DeadLetterList{Limit: defaultItems}
	if opts, ok := c.Argument(0).(*goja.Object); ok {
		if v := option(opts, "script"); v != nil {
			call.Script = m.text(v, "script")
		}
		if v := option(opts, "cursor"); v != nil {
			call.Cursor = m.text(v, "cursor")
		}
		call.Limit = m.h.limit(opts)
	}

	return m.h.current().call(call, func(reply *wire.ReplyMsg) goja.Value {
		return m.h.page(reply.Reply.JSON, m.typed)
	})
}

// get is get(id): a dead letter, or null.
func (m *deadLettersModule) get(c goja.FunctionCall) goja.Value {
	call := cloud.DeadLetterGet{ID: m.text(c.Argument(0), "an id")}
	return m.h.current().call(call, func(reply *wire.ReplyMsg) goja.Value {
		if !reply.Reply.Found {
			return goja.Null()
		}
		letter := m.h.decode(reply.Reply.JSON).(*goja.Object)
		m.typed(letter)
		return letter
	})
}

// replay is replay(id, {payload}): it enqueues the event again, with another payload if one is given, and
// resolves to the new row's id.
func (m *deadLettersModule) replay(c goja.FunctionCall) goja.Value {
	call := cloud.DeadLetterReplay{ID: m.text(c.Argument(0), "an id")}
	if opts, ok := c.Argument(1).(*goja.Object); ok {
		if v := opts.Get("payload"); v != nil && !goja.IsUndefined(v) {
			call.HasPayload = true
			call.Payload = m.h.encode(v)
		}
	}

	return m.h.current().call(call, func(reply *wire.ReplyMsg) goja.Value {
		return m.h.VM.ToValue(reply.Reply.Value)
	})
}

// resolve is resolve(id, reason): it marks a dead letter as dealt with.
func (m *deadLettersModule) resolve(c goja.FunctionCall) goja.Value {
	call := cloud.DeadLetterResolve{ID: m.text(c.Argument(0), "an id")}
	if v := c.Argument(1); !goja.IsUndefined(v) {
		call.Reason = m.text(v, "a reason")
	}
	return m.h.current().call(call, nothing)
}

// text is a string that a script gave for what; anything else throws a TypeError.
func (m *deadLettersModule) text(v goja.Value, what string) string {
	s, ok := v.(goja.String)
	if !ok {
		panic(m.h.VM.NewTypeError(what + " must be a string"))
	}
	return string(engine.UTF8(s.String()))
}

// typed gives a dead letter's time its type.
func (m *deadLettersModule) typed(letter *goja.Object) {
	if d, err := m.h.date(letter.Get("createdAt")); err == nil {
		_ = letter.Set("createdAt", d)
	}
}
