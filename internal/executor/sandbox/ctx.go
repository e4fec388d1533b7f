package sandbox

import (
	"encoding/hex"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
)

func uuidString(b [16]byte) string {
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// ctxState is the third argument of a handler; it belongs to one run.
type ctxState struct {
	r         *run
	params    *goja.Object
	principal goja.Value
}

func (i *isolate) newCtxProto() *goja.Object {
	proto := i.vm.NewObject()
	this := func(v goja.Value) *ctxState { return mustState[ctxState](i, v, "context") }
	i.getter(proto, "params", func(v goja.Value) goja.Value {
		c := this(v)
		if c.params == nil {
			c.params = i.vm.NewObject()
			if req := c.r.msg.Request; req != nil {
				for _, p := range req.Params {
					_ = c.params.DefineDataProperty(p.Name, i.vm.ToValue(p.Value), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE)
				}
			}
		}
		return c.params
	})
	id := func(x cloud.ID) goja.Value { return i.vm.ToValue(uuidString(x)) }
	i.getter(proto, "executionId", func(v goja.Value) goja.Value { return id(this(v).r.msg.Execution) })
	i.getter(proto, "rootExecutionId", func(v goja.Value) goja.Value { return id(this(v).r.msg.Root) })
	i.getter(proto, "depth", func(v goja.Value) goja.Value { return i.vm.ToValue(this(v).r.msg.Depth) })
	i.getter(proto, "attempt", func(v goja.Value) goja.Value { return i.vm.ToValue(this(v).r.msg.Attempt) })
	i.getter(proto, "idempotencyKey", func(v goja.Value) goja.Value { return i.vm.ToValue(this(v).r.msg.IdempotencyKey) })
	i.getter(proto, "principal", func(v goja.Value) goja.Value {
		c := this(v)
		if c.principal == nil {
			c.principal = goja.Null()
			if p := c.r.msg.Principal; !p.IsZero() {
				o := i.vm.NewObject()
				_ = o.Set("username", p.Username)
				_ = o.Set("kind", string(p.Kind))
				c.principal = o
			}
		}
		return c.principal
	})
	i.define(proto, "waitUntil", func(c goja.FunctionCall) goja.Value {
		r := i.current()
		p, err := i.resolve(nil, c.Argument(0))
		if err != nil {
			panic(err)
		}
		if len(r.waits) >= maxTimers {
			i.throw("LimitError", "a run can wait for 10000 promises")
		}
		promise, _ := p.Export().(*goja.Promise)
		delete(i.rejected, promise)
		r.waits = append(r.waits, promise)
		return goja.Undefined()
	})
	return proto
}
