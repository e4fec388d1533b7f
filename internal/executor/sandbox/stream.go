package sandbox

import (
	"errors"
	"fmt"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/wire"
)

// bodyOut is the body of a response that is written while its caller reads: a piece for each Pull of the parent.
type bodyOut struct {
	reader goja.Value // of the script's stream; nil: far
	far    *farBody   // a fetched body that is passed on
	size   int
	asked  bool // a piece is being made
	over   bool
	err    error
}

// isIdle reports that it is the caller who is waited for.
func (b *bodyOut) isIdle() bool { return b != nil && !b.over && !b.asked }

// openOut takes the stream of a Response that is made of one; nil: there is none, or responseOf says what is wrong with it.
func (i *isolate) openOut(v goja.Value) *bodyOut {
	st := stateOf[responseState](v)
	if st == nil || !st.body.isStreaming() || i.isUsed(&st.body) || st.status == 0 {
		return nil
	}
	out := &bodyOut{far: st.body.far}
	if out.far == nil {
		out.reader = i.mustCall(i.loadWeb().reader, st.body.stream)
	}
	st.body = bodyState{}
	return out
}

// writeBody runs the event loop until the body is written, or nobody reads it any more.
func (r *run) writeBody() error {
	for !r.out.over {
		if err := r.step(); err != nil {
			if errors.Is(err, errNeverSettles) {
				return errors.New("the response's stream never ends: nothing is left that could give its next piece")
			}
			return err
		}
	}
	return r.out.err
}

// writePiece makes the next piece and sends it.
func (r *run) writePiece() error {
	i, out := r.iso, r.out
	if out.over || out.asked {
		return nil
	}
	out.asked = true
	var piece goja.Value
	exc := i.vm.Try(func() {
		if out.far != nil {
			piece = out.far.read(i, false, func(raw []byte, more bool) goja.Value {
				r.sendPiece(raw, !more)
				return goja.Undefined()
			})
		} else {
			piece = i.then(i.mustCall(i.loadWeb().piece, out.reader), func(v goja.Value) goja.Value {
				raw, ok := i.bytesOf(v)
				r.sendPiece(raw, !ok)
				return goja.Undefined()
			})
		}
		then, _ := goja.AssertFunction(i.promiseThen)
		i.mustCallOn(then, piece, goja.Undefined(), i.vm.ToValue(func(c goja.FunctionCall) goja.Value {
			out.over, out.err = true, engine.Thrown(i.vm, c.Argument(0))
			return goja.Undefined()
		}))
	})
	if exc != nil {
		return exc
	}
	return nil
}

func (r *run) sendPiece(raw []byte, last bool) {
	out := r.out
	out.asked = false
	if out.over {
		return
	}
	if out.size += len(raw); out.size > r.msg.MaxBody {
		out.over = true
		out.err = engine.Thrown(r.iso.vm, r.iso.newError("LimitError", fmt.Sprintf("the response's stream gave more than the %d bytes that are allowed", r.msg.MaxBody)))
		return
	}
	m := wire.ChunkMsg{Body: raw, End: last}
	_ = r.s.w.Send(wire.Chunk, r.id, m.Encode)
	out.over = last
}

// giveUpBody cancels the stream of a body that nobody reads any more. The run goes on: what else it does counts.
func (r *run) giveUpBody() {
	out := r.out
	if out.over {
		return
	}
	out.over = true
	if out.far != nil {
		out.far.cancel(r.iso)
		return
	}
	if p, ok := asPromise(r.iso.mustCall(r.iso.loadWeb().giveUp, out.reader)); ok {
		r.waits = append(r.waits, p)
	}
}
