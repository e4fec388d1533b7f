package sdk

import (
	"encoding/hex"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/realm"
)

// maxWaits bounds the promises that one run gives to waitUntil.
const maxWaits = 10_000

// contextState is what the third argument of a handler carries; it belongs to one run.
type contextState struct {
	run       *Run
	params    *goja.Object // nil until asked for
	principal goja.Value   // nil until asked for
}

// Context makes the third argument of a run's handler.
func (h *Host) Context(r *Run) goja.Value {
	return h.Instance(realm.Class{Proto: h.contextProto}, &contextState{run: r})
}

// newContextProto makes the prototype of contexts, which one runtime uses for all of its runs.
func (h *Host) newContextProto() *goja.Object {
	proto := h.VM.NewObject()
	this := func(v goja.Value) *contextState { return realm.MustState[contextState](h.Realm, v, "context") }
	get := func(name string, of func(c *contextState) goja.Value) {
		h.Getter(proto, name, func(v goja.Value) goja.Value { return of(this(v)) })
	}

	get("params", h.params)
	get("executionId", func(c *contextState) goja.Value { return h.VM.ToValue(uuid(c.run.Msg.Execution)) })
	get("rootExecutionId", func(c *contextState) goja.Value { return h.VM.ToValue(uuid(c.run.Msg.Root)) })
	get("depth", func(c *contextState) goja.Value { return h.VM.ToValue(c.run.Msg.Depth) })
	get("attempt", func(c *contextState) goja.Value { return h.VM.ToValue(c.run.Msg.Attempt) })
	get("idempotencyKey", func(c *contextState) goja.Value { return h.VM.ToValue(c.run.Msg.IdempotencyKey) })
	get("principal", h.principal)
	h.Define(proto, "waitUntil", h.waitUntil)

	// Of Cloudflare: there is no server behind a script to pass a request on to.
	h.Define(proto, "passThroughOnException", func(goja.FunctionCall) goja.Value { return goja.Undefined() })

	return proto
}

// params are the parts of the path that the route names.
func (h *Host) params(c *contextState) goja.Value {
	if c.params != nil {
		return c.params
	}

	c.params = h.VM.NewObject()
	if request := c.run.Msg.Request; request != nil {
		for _, p := range request.Params {
			_ = c.params.DefineDataProperty(p.Name, h.VM.ToValue(p.Value),
				goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE)
		}
	}

	return c.params
}

// principal is the authenticated caller, or null.
func (h *Host) principal(c *contextState) goja.Value {
	if c.principal != nil {
		return c.principal
	}

	c.principal = goja.Null()
	if p := c.run.Msg.Principal; !p.IsZero() {
		o := h.VM.NewObject()
		_ = o.Set("username", p.Username)
		_ = o.Set("kind", string(p.Kind))
		c.principal = o
	}

	return c.principal
}

// waitUntil keeps the run from ending before a promise has settled.
func (h *Host) waitUntil(c goja.FunctionCall) goja.Value {
	run := h.current()
	if state := realm.State[contextState](c.This); state != nil { // it may be called on its own
		h.inRun(state.run.Web.ID, "this context")
	}

	p, err := h.Resolve(c.Argument(0))
	if err != nil {
		panic(err)
	}
	if len(run.Waits) >= maxWaits {
		h.Throw("LimitError", "a run can wait for 10000 promises")
	}

	promise, _ := p.Export().(*goja.Promise)
	h.Handled(promise)
	run.Waits = append(run.Waits, promise)

	return goja.Undefined()
}

// uuid is the canonical form of an id, also of the zero one.
func uuid(id cloud.ID) string {
	h := hex.EncodeToString(id[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
