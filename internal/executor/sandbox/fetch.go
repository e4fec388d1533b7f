package sandbox

import (
	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// addFetch defines fetch: the parent makes the request.
func (i *isolate) addFetch() {
	i.global("fetch", func(c goja.FunctionCall) goja.Value {
		r := i.current()
		req := stateOf[requestState](c.Argument(0))
		if req == nil || !goja.IsUndefined(c.Argument(1)) {
			o, err := i.vm.New(i.request.ctor, c.Argument(0), c.Argument(1))
			if err != nil {
				panic(err)
			}
			req = stateOf[requestState](o)
		}
		if req.body.isStreaming() {
			panic(i.vm.NewTypeError("fetch sends whole bodies: read the stream first, with await new Response(stream).bytes()"))
		}
		out := &cloud.Request{Method: req.method, URL: req.url, Headers: req.headers.list, Body: req.body.bytes}
		return r.call(cloud.OpFetch, cloud.HostArgs{Request: out}, func(m *wire.ReplyMsg) goja.Value {
			res := m.Reply.Response
			if res == nil {
				i.throw("FetchError", "no response")
			}
			return i.instance(i.response, &responseState{status: res.Status, url: m.Reply.Value,
				redirected: m.Reply.Value != "" && m.Reply.Value != req.url,
				headers:    &headersState{list: res.Headers}, body: bodyState{bytes: res.Body, null: nullBodyStatus(res.Status)}})
		})
	})
}
