package sandbox

import (
	"errors"
	"fmt"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/sandbox/webapi"
	"picloud/internal/executor/wire"
)

// bodyOut is the body of a response that is written while its caller reads: a piece for each Pull of the
// parent.
type bodyOut struct {
	stream webapi.BodyStream
	size   int   // bytes that were sent
	asked  bool  // a piece is being made
	over   bool  // nothing more is sent
	err    error // why it is over before its end
}

// isIdle reports that the run waits for the caller to read on.
func (b *bodyOut) isIdle() bool { return b != nil && !b.over && !b.asked }

// openOut takes the stream of a Response that is made of one.
func (r *run) openOut(v goja.Value) {
	if stream, ok := r.iso.web.TakeStream(v); ok {
		r.out = &bodyOut{stream: stream}
	}
}

// writeBody runs the event loop until the body is written, or the caller is gone.
func (r *run) writeBody() error {
	for !r.out.over {
		if err := r.step(); err != nil {
			if errors.Is(err, errNeverSettles) {
				return errors.New("the response's stream never ends: " +
					"nothing is left that could give its next piece")
			}
			return err
		}
	}

	return r.out.err
}

// writePiece makes the next piece and sends it.
func (r *run) writePiece() error {
	iso, out := r.iso, r.out
	if out.over || out.asked {
		return nil
	}

	out.asked = true
	exc := iso.realm.VM.Try(func() {
		piece := iso.web.NextPiece(out.stream, r.sendPiece)
		iso.realm.Catch(piece, func(reason goja.Value) {
			out.over = true
			out.err = engine.Thrown(iso.realm.VM, reason)
		})
	})
	if exc != nil {
		return exc
	}

	return nil
}

// sendPiece sends a piece to the parent. A body that is larger than the limit ends with a LimitError.
func (r *run) sendPiece(raw []byte, last bool) {
	out := r.out
	out.asked = false
	if out.over {
		return
	}
	if out.size += len(raw); out.size > r.Msg.MaxBody {
		out.over = true
		out.err = engine.Thrown(r.iso.realm.VM, r.iso.realm.NewError("LimitError",
			fmt.Sprintf("the response's stream gave more than the %d bytes that are allowed", r.Msg.MaxBody)))
		return
	}

	m := wire.ChunkMsg{Body: raw, End: last}
	_ = r.s.w.Send(wire.Chunk, r.id, m.Encode)
	out.over = last
}

// giveUpBody cancels the stream of a body whose caller is gone. The run goes on, since what else it does
// counts.
func (r *run) giveUpBody() {
	if r.out.over {
		return
	}

	r.out.over = true
	if p := r.iso.web.CancelStream(r.out.stream); p != nil {
		r.Waits = append(r.Waits, p)
	}
}
