package nodeapi

import (
	"math/big"
	"time"

	"github.com/dop251/goja"
	"golang.org/x/net/idna"

	"picloud/internal/executor/sandbox/realm"
)

// started is the time from which process.hrtime counts.
var started = time.Now()

// addValues gives the modules what JavaScript cannot find out about a value.
func (n *Node) addValues(host *goja.Object) {
	n.Define(host, "promiseState", n.promiseState)
	n.Define(host, "isProxy", func(c goja.FunctionCall) goja.Value {
		_, ok := proxyOf(c.Argument(0))
		return n.VM.ToValue(ok)
	})
	n.Define(host, "nanoseconds", func(goja.FunctionCall) goja.Value {
		return n.VM.ToValue(big.NewInt(int64(time.Since(started))))
	})
	n.Define(host, "isModule", func(c goja.FunctionCall) goja.Value {
		_, ok := Module(c.Argument(0).String())
		return n.VM.ToValue(ok)
	})
	n.Define(host, "toUnicode", func(c goja.FunctionCall) goja.Value {
		name, err := idna.ToUnicode(c.Argument(0).String())
		if err != nil {
			name = ""
		}
		return n.VM.ToValue(name)
	})
	n.Define(host, "className", func(c goja.FunctionCall) goja.Value {
		if o, ok := c.Argument(0).(*goja.Object); ok {
			return n.VM.ToValue(o.ClassName())
		}
		return goja.Undefined()
	})
}

func proxyOf(v goja.Value) (goja.Proxy, bool) {
	o, ok := v.(*goja.Object)
	if !ok {
		return goja.Proxy{}, false
	}
	p, ok := o.Export().(goja.Proxy)
	return p, ok
}

// promiseState is [state, result] of a promise, or undefined of anything else.
func (n *Node) promiseState(c goja.FunctionCall) goja.Value {
	p, ok := realm.AsPromise(c.Argument(0))
	if !ok {
		return goja.Undefined()
	}

	state := map[goja.PromiseState]string{
		goja.PromiseStatePending:   "pending",
		goja.PromiseStateFulfilled: "fulfilled",
		goja.PromiseStateRejected:  "rejected",
	}[p.State()]
	result := p.Result()
	if result == nil {
		result = goja.Undefined()
	}
	return n.VM.NewArray(state, result)
}
