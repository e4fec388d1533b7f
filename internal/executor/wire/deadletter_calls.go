package wire

import "picloud/internal/cloud"

func encodeDeadLetterList(e *Encoder, call cloud.DeadLetterList) {
	e.String(call.Script)
	e.String(call.Cursor)
	e.Int(int64(call.Limit))
}

func decodeDeadLetterList(body []byte) (cloud.DeadLetterList, error) {
	d := NewDecoder(body)
	call := cloud.DeadLetterList{
		Script: d.String(),
		Cursor: d.String(),
		Limit:  int(d.Int()),
	}
	return call, d.Err()
}

func encodeDeadLetterGet(e *Encoder, call cloud.DeadLetterGet) {
	e.String(call.ID)
}

func decodeDeadLetterGet(body []byte) (cloud.DeadLetterGet, error) {
	d := NewDecoder(body)
	call := cloud.DeadLetterGet{ID: d.String()}
	return call, d.Err()
}

func encodeDeadLetterReplay(e *Encoder, call cloud.DeadLetterReplay) {
	e.String(call.ID)
	e.Bool(call.HasPayload)
	e.String(call.Payload)
}

func decodeDeadLetterReplay(body []byte) (cloud.DeadLetterReplay, error) {
	d := NewDecoder(body)
	call := cloud.DeadLetterReplay{
		ID:         d.String(),
		HasPayload: d.Bool(),
		Payload:    d.String(),
	}
	return call, d.Err()
}

func encodeDeadLetterResolve(e *Encoder, call cloud.DeadLetterResolve) {
	e.String(call.ID)
	e.String(call.Reason)
}

func decodeDeadLetterResolve(body []byte) (cloud.DeadLetterResolve, error) {
	d := NewDecoder(body)
	call := cloud.DeadLetterResolve{ID: d.String(), Reason: d.String()}
	return call, d.Err()
}
