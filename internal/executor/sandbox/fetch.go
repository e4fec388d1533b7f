package sandbox

import (
	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// addFetch defines fetch: the parent makes the request.
func (i *isolate) addFetch() {
	i.global("fetch", func(c goja.FunctionCall) goja.Value {
		return i.settled(func() goja.Value {
			r := i.current()
			req := stateOf[requestState](c.Argument(0))
			if req == nil || !goja.IsUndefined(c.Argument(1)) {
				o, err := i.vm.New(i.request.ctor, c.Argument(0), c.Argument(1))
				if err != nil {
					panic(err)
				}
				req = stateOf[requestState](o)
			}
			if i.isUsed(&req.body) {
				panic(i.vm.NewTypeError("the request's body has already been read"))
			}
			if i.isAborted(req.signal) {
				panic(i.reasonOf(req.signal))
			}
			req.body.used = !req.body.null
			if req.body.isStreaming() {
				return i.then(i.drainBody(&req.body), func(v goja.Value) goja.Value {
					raw, _ := i.bytesOf(v)
					return r.fetch(req, raw)
				})
			}
			return r.fetch(req, req.body.bytes)
		})
	})
}

// fetch sends a request and is the promise of its response.
func (r *run) fetch(req *requestState, body []byte) goja.Value {
	i := r.iso
	out := &cloud.Request{Method: req.method, URL: req.url, Headers: req.headers.list, Body: body}
	far := &farBody{signal: req.signal}
	p := r.call(cloud.OpFetch, cloud.HostArgs{Request: out, Value: req.redirect}, func(m *wire.ReplyMsg) goja.Value {
		res := m.Reply.Response
		if res == nil {
			i.throw("FetchError", "no response")
		}
		s := &responseState{status: res.Status, url: m.Reply.Value, redirected: m.Reply.Value != "" && m.Reply.Value != req.url,
			headers: &headersState{list: res.Headers}, body: bodyState{bytes: res.Body, null: nullBodyStatus(res.Status)}}
		if m.Reply.Partial {
			s.body.far = far
		}
		return i.instance(i.response, s)
	})
	far.n = r.nextCall
	i.onAbort(req.signal, func() {
		far.cancel(i)
		if c, ok := r.calls[far.n]; ok {
			delete(r.calls, far.n)
			_ = c.reject(i.reasonOf(req.signal))
		}
	})
	return p
}

// farBody is the body of a fetched response whose bytes the parent still has.
type farBody struct {
	n      uint64 // the fetch
	signal goja.Value
}

// read is a promise of the next piece, or of all of the rest.
func (f *farBody) read(i *isolate, all bool, convert func(raw []byte, more bool) goja.Value) goja.Value {
	if i.isAborted(f.signal) {
		panic(i.reasonOf(f.signal))
	}
	r := i.current()
	p := r.call(cloud.OpFetchRead, cloud.HostArgs{Number: float64(f.n), Flag: all}, func(m *wire.ReplyMsg) goja.Value {
		return convert(m.Reply.Bytes, m.Reply.Partial)
	})
	n := r.nextCall
	i.onAbort(f.signal, func() {
		if c, ok := r.calls[n]; ok {
			delete(r.calls, n)
			_ = c.reject(i.reasonOf(f.signal))
		}
	})
	return p
}

// cancel tells the parent that the request is not wanted any more.
func (f *farBody) cancel(i *isolate) {
	r := i.current()
	_ = r.s.w.Send(wire.Cancel, r.id, wire.EncodeCancel(f.n))
}

func isNothing(v goja.Value) bool { return v == nil || goja.IsUndefined(v) || goja.IsNull(v) }

// isAborted, reasonOf and onAbort read a signal by what the prelude gave, whatever a script made of its properties.
func (i *isolate) isAborted(signal goja.Value) bool {
	return !isNothing(signal) && i.mustCall(i.loadEvents().aborted, signal).ToBoolean()
}

func (i *isolate) reasonOf(signal goja.Value) goja.Value {
	return i.mustCall(i.loadEvents().reason, signal)
}

func (i *isolate) onAbort(signal goja.Value, f func()) {
	if !isNothing(signal) {
		i.mustCall(i.loadEvents().on, signal, i.vm.ToValue(func(goja.FunctionCall) goja.Value {
			f()
			return goja.Undefined()
		}))
	}
}
