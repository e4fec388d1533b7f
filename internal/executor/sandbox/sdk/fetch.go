package sdk

import (
	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/webapi"
	"picloud/internal/executor/wire"
)

// fetchModule is the global fetch: the parent makes the request.
type fetchModule struct{ h *Host }

func newFetchModule(h *Host) *fetchModule { return &fetchModule{h} }

func (m *fetchModule) name() string { return "fetch" }

func (m *fetchModule) exports() goja.Value {
	h := m.h
	return h.Named(m.name(), func(c goja.FunctionCall) goja.Value {
		return h.Settled(func() goja.Value {
			run := h.current()
			request := h.web.RequestToSend(c.Argument(0), c.Argument(1))
			if local := h.web.Local(request); local != nil {
				return local
			}

			body, pending := h.web.TakeBody(request)
			if pending == nil {
				return run.fetch(request, body)
			}

			return h.Then(pending, func(v goja.Value) goja.Value {
				raw, _ := h.BytesOf(v)
				return run.fetch(request, raw)
			})
		})
	})
}

// fetch sends a request and is the promise of its response.
func (r *Run) fetch(request *webapi.Request, body []byte) goja.Value {
	h := r.host
	out := request.Message()
	out.Body = body
	signal := request.Signal()
	remote := &remoteBody{h: h, run: r.Web.ID, signal: signal}

	call := cloud.Fetch{Request: out, Redirect: request.Redirect()}
	promise := r.call(call, func(m *wire.ReplyMsg) goja.Value {
		if m.Reply.Response == nil {
			h.Throw("FetchError", "no response")
		}

		fetched := webapi.Fetched{
			Response:   m.Reply.Response,
			URL:        m.Reply.Value,
			Redirected: m.Reply.Value != "" && m.Reply.Value != out.URL,
		}
		if m.Reply.Partial {
			fetched.Remote = remote
		}

		return h.web.NewResponse(fetched)
	})

	remote.fetch = r.lastCall
	h.web.OnAbort(signal, func() {
		if h.run == r { // a signal that was kept may fire in a later run
			remote.Cancel()
		}
		r.giveUp(remote.fetch, h.web.AbortReason(signal))
	})

	return promise
}

// remoteBody is the body of a fetched response whose bytes the parent still has.
type remoteBody struct {
	h      *Host
	run    uint64 // that made the request; others have requests of the same number
	fetch  uint64 // the call
	signal goja.Value
}

// Read is a promise of the next piece, or of all of the rest.
func (b *remoteBody) Read(all bool, convert func(raw []byte, more bool) goja.Value) goja.Value {
	h := b.h
	if h.web.IsAborted(b.signal) {
		panic(h.web.AbortReason(b.signal))
	}

	run := h.inRun(b.run, "this body")
	promise := run.call(cloud.FetchRead{Fetch: b.fetch, All: all}, func(m *wire.ReplyMsg) goja.Value {
		return convert(m.Reply.Bytes, m.Reply.Partial)
	})

	read := run.lastCall
	h.web.OnAbort(b.signal, func() { run.giveUp(read, h.web.AbortReason(b.signal)) })

	return promise
}

// Cancel tells the parent that the request is not wanted any more.
func (b *remoteBody) Cancel() {
	run := b.h.inRun(b.run, "this body")
	_ = run.Web.Parent.Send(wire.Cancel, run.Web.ID, wire.EncodeCancel(b.fetch))
}
