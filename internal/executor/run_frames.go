package executor

import (
	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// frame takes one of the child's frames about this run. It is called by the child's reader, for which all
// runs of the child wait: it blocks only while the mailbox is full. What no well-behaved child sends is
// ErrProtocol, which ends the child.
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
		return r.takeCall(m)

	case wire.Cancel:
		n, err := wire.DecodeCancel(body)
		if err != nil {
			return err
		}
		r.cancelFetch(n)
		return nil

	case wire.Missing:
		return r.missing()

	case wire.Pause, wire.Resume:
		if len(body) > 0 {
			return wire.ErrProtocol
		}
		r.deliver(message{turn: kind})
		return nil

	case wire.Chunk:
		m, err := wire.DecodeChunk(body)
		if err != nil {
			return err
		}
		return r.takeChunk(m)

	default:
		m, err := wire.DecodeDone(body)
		if err != nil {
			return err
		}
		return r.takeOutcome(m, kind == wire.After)
	}
}

// log keeps a line within the limits of a run's log.
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

func (r *Run) takeCall(m wire.CallMsg) error {
	r.mu.Lock()
	r.calls++
	isTooMany := r.calls > wire.MaxCalls // a well-behaved child counts too, and throws
	r.mu.Unlock()
	if isTooMany {
		return wire.ErrProtocol
	}

	r.deliver(message{call: m})
	return nil
}

func (r *Run) takeChunk(m *wire.ChunkMsg) error {
	r.mu.Lock()
	stream := r.stream
	r.mu.Unlock()
	if stream == nil {
		return wire.ErrProtocol
	}
	return stream.take(m)
}

// takeOutcome takes a Done frame, or an After frame, which comes after a Done.
func (r *Run) takeOutcome(m *wire.DoneMsg, isAfter bool) error {
	if r.responded != isAfter {
		return wire.ErrProtocol
	}

	r.responded = true
	if !r.isAllowed(m, isAfter) {
		return wire.ErrProtocol
	}

	if m.Streaming {
		stream := newBodyStream(r)
		m.Response.Stream = stream
		r.mu.Lock()
		isSecond := r.stream != nil
		r.stream = stream
		r.mu.Unlock()
		if isSecond {
			return wire.ErrProtocol
		}
	}

	m.Pending = m.Pending && !isAfter
	r.deliver(message{done: m})
	return nil
}

// isAllowed reports whether an outcome is one that a child may send for this run.
func (r *Run) isAllowed(m *wire.DoneMsg, isAfter bool) bool {
	hasResponse := m.Response != nil

	wantsResponse := r.spec.Request != nil
	switch {
	case isAfter && hasResponse:
		return false
	case !isAfter && m.Status == cloud.Succeeded && hasResponse != wantsResponse:
		return false
	case hasResponse && cloud.HeaderBytes(m.Response.Headers) > cloud.MaxResponseHeader:
		return false
	case m.Streaming:
		return r.spec.Stream && m.Pending && hasResponse
	default:
		return true
	}
}

// deliver puts a message into the run's mailbox. If that is full the child's other runs wait too, for as long
// as this run may last: it has more calls in flight than any honest script.
func (r *Run) deliver(m message) {
	select {
	case r.mailbox <- m:
		return
	default:
	}

	select {
	case r.mailbox <- m:
	case <-r.context().Done():
		// Calls are not made any more, but the outcome must arrive.
		if m.done != nil {
			go func() { r.finish(m.done) }()
		}
	}
}
