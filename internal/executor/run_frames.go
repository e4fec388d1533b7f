package executor

import (
	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// frame takes what the child says about this run. It runs on the child's reader and never blocks for long: a run whose
// mailbox is full has more calls in flight than any honest script.
func (r *Run) frame(kind wire.Kind, body []byte) error {
	switch kind {
	case wire.Log:
		line, err := wire.DecodeLog(body)
		if err != nil {
			return err
		}
		r.log(line)
		return nil
	case wire.Call:
		m, err := wire.DecodeCall(body)
		if err != nil {
			return err
		}
		return r.deliver(message{call: m})
	case wire.Cancel:
		n, err := wire.DecodeCancel(body)
		if err != nil {
			return err
		}
		r.cancelFetch(n)
		return nil
	case wire.Chunk:
		m, err := wire.DecodeChunk(body)
		if err != nil {
			return err
		}
		r.mu.Lock()
		s := r.stream
		r.mu.Unlock()
		if s == nil {
			return wire.ErrProtocol
		}
		return s.take(m)
	default:
		m, err := wire.DecodeDone(body)
		if err != nil {
			return err
		}
		if r.responded != (kind == wire.After) {
			return wire.ErrProtocol
		}
		r.responded = true
		if kind == wire.After && m.Response != nil || kind == wire.Done && m.Status == cloud.Succeeded &&
			(m.Response == nil) != (r.spec.Request == nil) ||
			m.Response != nil && cloud.HeaderBytes(m.Response.Headers) > cloud.MaxResponseHeader || m.Streaming && (!r.spec.Stream || !m.Pending || m.Response == nil) {
			return wire.ErrProtocol
		}
		if m.Streaming {
			s := newBodyStream(r)
			m.Response.Stream = s
			r.mu.Lock()
			second := r.stream != nil
			r.stream = s
			r.mu.Unlock()
			if second {
				return wire.ErrProtocol
			}
		}
		m.Pending = m.Pending && kind == wire.Done
		return r.deliver(message{done: m})
	}
}

func (r *Run) deliver(m message) error {
	if m.call != nil {
		r.mu.Lock()
		r.calls++
		over := r.calls > wire.MaxCalls // the child counts too: this one does not
		r.mu.Unlock()
		if over {
			return wire.ErrProtocol
		}
	}
	select {
	case r.mailbox <- m:
		return nil
	default:
	}
	// Backpressure: the child's other runs wait too, for as long as this run may last.
	select {
	case r.mailbox <- m:
	case <-r.context().Done():
		if m.done != nil {
			go func() { r.finish(m.done) }()
		}
	}
	return nil
}

func (r *Run) log(line cloud.LogLine) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.logs) >= cloud.MaxLogLines || r.logBytes+len(line.Message) > cloud.MaxLogBytes {
		r.dropped++
		return
	}
	r.logBytes += len(line.Message)
	r.logs = append(r.logs, line)
	if r.spec.OnLog != nil {
		r.spec.OnLog(line)
	}
}
