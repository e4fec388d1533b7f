package sdk

import (
	"fmt"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/webapi"
	"picloud/internal/executor/wire"
)

// Run is what the SDK keeps for one run. The run loop makes it with NewRun; it belongs to the goroutine of
// the run.
type Run struct {
	Web webapi.Run
	Msg *wire.RunMsg // that started the run
	// Waits are the promises that the script gave to waitUntil, and those that the run loop waits for
	// beside them.
	Waits []*goja.Promise

	host     *Host
	calls    map[uint64]pendingCall // by number
	lastCall uint64
	updating int  // how many functions that were given to kv.update are running
	wrote    bool // a call was sent that writes
}

// pendingCall is a host call whose answer has not come.
type pendingCall struct {
	isFetch         bool // it waits for another server
	convert         func(*wire.ReplyMsg) goja.Value
	site            []goja.StackFrame // of the call
	resolve, reject func(any) error
}

// NewRun is the run of a message, before any runtime is there for it.
func NewRun(id uint64, msg *wire.RunMsg, parent *wire.Writer) Run {
	r := Run{Msg: msg, calls: map[uint64]pendingCall{}}
	r.Web.ID = id
	r.Web.Parent = parent
	if msg != nil {
		r.Web.Request = msg.Request
		r.Web.MaxBody = msg.MaxBody
		r.Web.MaxLogLines = msg.MaxLogLines
		r.Web.MaxLogBytes = msg.MaxLogBytes
	}

	return r
}

// maxSite is how many frames of a host call's place are kept for its error.
const maxSite = 8

// call sends a host call and returns the promise of its answer, which convert makes a value of.
func (r *Run) call(call cloud.HostCall, convert func(*wire.ReplyMsg) goja.Value) goja.Value {
	r.host.inRun(r.Web.ID, "this call")

	vm := r.host.VM
	if r.lastCall >= wire.MaxCalls {
		r.host.Throw("LimitError", fmt.Sprintf("a run can make %d host calls", wire.MaxCalls))
	}

	promise, resolve, reject := vm.NewPromise()
	_, isFetch := call.(cloud.FetchCall)
	r.lastCall++
	r.calls[r.lastCall] = pendingCall{
		isFetch: isFetch,
		convert: convert,
		site:    vm.CaptureCallStack(maxSite, nil),
		resolve: resolve,
		reject:  reject,
	}
	r.wrote = r.wrote || wire.Writes(call.Op())

	m := wire.CallMsg{N: r.lastCall, Call: call}
	_ = r.Web.Parent.Send(wire.Call, r.Web.ID, m.Encode)

	return vm.ToValue(promise)
}

// nothing is what a call resolves to whose answer says no more than that it came.
func nothing(*wire.ReplyMsg) goja.Value { return goja.Undefined() }

// Reply settles the call that an answer is for; one that was given up needs none. Its error is a malformed
// answer, or what the engine refuses.
func (r *Run) Reply(body []byte) error {
	reply, err := wire.DecodeReply(body)
	if err != nil {
		return err
	}

	call, ok := r.calls[reply.N]
	if !ok {
		return nil
	}

	delete(r.calls, reply.N)

	if reply.Error != nil {
		return call.reject(r.host.ErrorAt(reply.Error.Name, reply.Error.Message, call.site))
	}

	var v goja.Value
	if exc := r.host.VM.Try(func() { v = call.convert(reply) }); exc != nil {
		return call.reject(exc.Value())
	}

	return call.resolve(v)
}

// giveUp rejects a call whose answer is not wanted any more.
func (r *Run) giveUp(n uint64, reason goja.Value) {
	if c, ok := r.calls[n]; ok {
		delete(r.calls, n)
		_ = c.reject(reason)
	}
}

// Calling is how many calls have no answer yet.
func (r *Run) Calling() int { return len(r.calls) }

// Fetching is how many of those calls wait for another server.
func (r *Run) Fetching() int {
	n := 0
	for _, c := range r.calls {
		if c.isFetch {
			n++
		}
	}
	return n
}

// Wrote reports whether a call was sent that writes: its effect depends on the run's commit.
func (r *Run) Wrote() bool { return r.wrote }
