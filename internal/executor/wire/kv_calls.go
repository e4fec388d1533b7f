package wire

import "picloud/internal/cloud"

func encodeKVGet(e *Encoder, call cloud.KVGet) {
	e.String(call.Collection)
	e.String(call.Key)
	e.Bool(call.Unchecked)
}

func decodeKVGet(body []byte) (cloud.KVGet, error) {
	d := NewDecoder(body)
	call := cloud.KVGet{
		Collection: d.String(),
		Key:        d.String(),
		Unchecked:  d.Bool(),
	}
	return call, d.Err()
}

func encodeKVHas(e *Encoder, call cloud.KVHas) {
	e.String(call.Collection)
	e.String(call.Key)
}

func decodeKVHas(body []byte) (cloud.KVHas, error) {
	d := NewDecoder(body)
	call := cloud.KVHas{Collection: d.String(), Key: d.String()}
	return call, d.Err()
}

func encodeKVSet(e *Encoder, call cloud.KVSet) {
	e.String(call.Collection)
	e.String(call.Key)
	e.String(call.Value)
	e.Int(call.TTLMillis)
	e.Int(call.IfVersion)
}

func decodeKVSet(body []byte) (cloud.KVSet, error) {
	d := NewDecoder(body)
	call := cloud.KVSet{
		Collection: d.String(),
		Key:        d.String(),
		Value:      d.String(),
		TTLMillis:  d.Int(),
		IfVersion:  d.Int(),
	}
	return call, d.Err()
}

func encodeKVDelete(e *Encoder, call cloud.KVDelete) {
	e.String(call.Collection)
	e.String(call.Key)
}

func decodeKVDelete(body []byte) (cloud.KVDelete, error) {
	d := NewDecoder(body)
	call := cloud.KVDelete{Collection: d.String(), Key: d.String()}
	return call, d.Err()
}

func encodeKVIncrement(e *Encoder, call cloud.KVIncrement) {
	e.String(call.Collection)
	e.String(call.Key)
	e.Float(call.By)
}

func decodeKVIncrement(body []byte) (cloud.KVIncrement, error) {
	d := NewDecoder(body)
	call := cloud.KVIncrement{
		Collection: d.String(),
		Key:        d.String(),
		By:         d.Float(),
	}
	return call, d.Err()
}

func encodeKVUpdateBegin(e *Encoder, call cloud.KVUpdateBegin) {
	e.String(call.Collection)
	e.String(call.Key)
}

func decodeKVUpdateBegin(body []byte) (cloud.KVUpdateBegin, error) {
	d := NewDecoder(body)
	call := cloud.KVUpdateBegin{Collection: d.String(), Key: d.String()}
	return call, d.Err()
}

func encodeKVUpdateEnd(e *Encoder, call cloud.KVUpdateEnd) {
	e.String(call.Collection)
	e.String(call.Key)
	e.String(call.Value)
	e.Bool(call.Delete)
}

func decodeKVUpdateEnd(body []byte) (cloud.KVUpdateEnd, error) {
	d := NewDecoder(body)
	call := cloud.KVUpdateEnd{
		Collection: d.String(),
		Key:        d.String(),
		Value:      d.String(),
		Delete:     d.Bool(),
	}
	return call, d.Err()
}

func encodeKVList(e *Encoder, call cloud.KVList) {
	e.String(call.Collection)
	e.String(call.Prefix)
	e.String(call.Cursor)
	e.Int(int64(call.Limit))
}

func decodeKVList(body []byte) (cloud.KVList, error) {
	d := NewDecoder(body)
	call := cloud.KVList{
		Collection: d.String(),
		Prefix:     d.String(),
		Cursor:     d.String(),
		Limit:      int(d.Int()),
	}
	return call, d.Err()
}
