package sandbox

import (
	"fmt"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// invoke calls the handler and waits for its promise. ok is false when the runtime must not be used again.
func (r *run) invoke(handler goja.Callable) (done *wire.DoneMsg, ok bool) {
	iso := r.iso
	arg, err := r.argument()
	if err != nil {
		return r.failure(iso.realm.ScriptError(err)), false
	}

	result, err := handler(iso.self, arg, iso.host.Env(), iso.host.Context(&r.Run))
	if err == nil {
		result, err = r.settle(result)
	}

	if err == nil && r.Msg.Request == nil {
		err = r.settleAll()
	}

	if err != nil {
		return r.failure(iso.realm.ScriptError(err)), false
	}

	if r.Msg.Request == nil {
		return &wire.DoneMsg{Status: cloud.Succeeded}, true
	}

	return r.respond(result)
}

// argument is the first argument of the handler: the request, or the event.
func (r *run) argument() (goja.Value, error) {
	if r.Msg.Request != nil {
		return r.iso.web.IncomingRequest(r.Msg.Request), nil
	}
	return r.iso.realm.JSON.Decode(r.Msg.Event)
}

// respond makes a response of what the handler returned. A stream is either read to its end or, if the
// caller can take it so, opened as r.out.
func (r *run) respond(v goja.Value) (*wire.DoneMsg, bool) {
	vm := r.iso.realm.VM
	if r.Msg.Stream {
		if exc := vm.Try(func() { r.openOut(v) }); exc != nil {
			return r.failure(r.iso.realm.Describe(exc.Value(), exc.Stack())), false
		}
	} else if err := r.drainResponse(v); err != nil {
		return r.failure(r.iso.realm.ScriptError(err)), false
	}

	var res *cloud.Response
	if exc := vm.Try(func() { res = r.iso.web.ResponseOf(v) }); exc != nil {
		return r.failure(r.iso.realm.Describe(exc.Value(), exc.Stack())), false
	}
	if r.interrupted.Load() {
		return r.failure(&cloud.ScriptError{}), false
	}
	if n := cloud.HeaderBytes(res.Headers); n > cloud.MaxResponseHeader {
		return r.overLimit("the response's headers have", n, cloud.MaxResponseHeader), false
	}
	if n := len(res.Body); n > r.Msg.MaxBody {
		return r.overLimit("the response body has", n, r.Msg.MaxBody), false
	}

	return &wire.DoneMsg{Status: cloud.Succeeded, Response: res, Streaming: r.out != nil}, true
}

// overLimit is the outcome of a response that is too large, in bytes.
func (r *run) overLimit(what string, size, limit int) *wire.DoneMsg {
	message := fmt.Sprintf("%s %d bytes; at most %d are allowed", what, size, limit)
	return r.failure(&cloud.ScriptError{Name: "LimitError", Message: message})
}

// drainResponse waits for the bytes of a Response that was made of a stream.
func (r *run) drainResponse(v goja.Value) error {
	var pending goja.Value
	if exc := r.iso.realm.VM.Try(func() { pending = r.iso.web.PendingBody(v) }); exc != nil {
		return exc
	}
	if pending == nil {
		return nil
	}

	raw, err := r.settle(pending)
	if err != nil {
		return err
	}

	r.iso.web.SetBody(v, raw)
	return nil
}

// afterResponse does what is left when the response is out: its streamed body, and what was given to
// waitUntil.
func (r *run) afterResponse() (*wire.DoneMsg, bool) {
	var err error
	if r.out != nil {
		err = r.writeBody()
	}
	if err == nil {
		err = r.settleAll()
	}
	if err != nil {
		return r.failure(r.iso.realm.ScriptError(err)), false
	}

	return &wire.DoneMsg{Status: cloud.Succeeded}, true
}
