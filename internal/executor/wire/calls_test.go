package wire

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"picloud/internal/cloud"
)

// calls has each host call with every field set, and with as little as it can have.
var calls = []cloud.HostCall{
	cloud.KVGet{Collection: "c", Key: "k", Unchecked: true},
	cloud.KVGet{},
	cloud.KVHas{Collection: "c", Key: "k"},
	cloud.KVHas{},
	cloud.KVSet{Collection: "c", Key: "k", Value: "v", TTLMillis: -1, IfVersion: 1 << 60},
	cloud.KVSet{},
	cloud.KVDelete{Collection: "c", Key: "k"},
	cloud.KVDelete{},
	cloud.KVIncrement{Collection: "c", Key: "k", By: -0.5},
	cloud.KVIncrement{By: math.Inf(-1)},
	cloud.KVUpdateBegin{Collection: "c", Key: "k"},
	cloud.KVUpdateBegin{},
	cloud.KVUpdateEnd{Collection: "c", Key: "k", Value: "v", Delete: true},
	cloud.KVUpdateEnd{},
	cloud.KVList{Collection: "c", Prefix: "p", Cursor: "x", Limit: 1000},
	cloud.KVList{Limit: -1},

	cloud.Fetch{Request: request, Redirect: "manual"},
	cloud.Fetch{},
	cloud.FetchRead{Fetch: math.MaxUint64, All: true},
	cloud.FetchRead{},

	cloud.DeadLetterList{Script: "s", Cursor: "x", Limit: 1000},
	cloud.DeadLetterList{},
	cloud.DeadLetterGet{ID: "1"},
	cloud.DeadLetterGet{},
	cloud.DeadLetterReplay{ID: "1", HasPayload: true, Payload: "{}"},
	cloud.DeadLetterReplay{},
	cloud.DeadLetterResolve{ID: "1", Reason: "r"},
	cloud.DeadLetterResolve{},
}

// Each host call reads back as it was sent, and the table has no line that is not tested here.
func TestCallsReadBack(t *testing.T) {
	t.Parallel()
	tested := map[cloud.HostOp]bool{}

	messages := map[string]message{}

	for k, call := range calls {
		m := CallMsg{N: math.MaxUint64 - uint64(k), Call: call}
		messages[fmt.Sprintf("%d %T", k, call)] = message{m, m.Encode, decoder(DecodeCall)}
		tested[call.Op()] = true
	}

	for op := range codecs {
		if codecs[op].decode != nil && !tested[cloud.HostOp(op)] {
			t.Errorf("call %d is not tested", op)
		}
	}
	readBack(t, messages)
}

// A number that is no call's is refused, also one that would be a call's if only its last byte counted.
func TestUnknownCall(t *testing.T) {
	t.Parallel()

	for _, op := range []uint64{
		0,
		uint64(len(codecs)),
		99,
		256 + uint64(cloud.OpKVGet),
		math.MaxUint64,
	} {
		body := encoded(func(e *Encoder) {
			e.Uint(1)
			e.Uint(op)
			encodeKVGet(e, cloud.KVGet{})
		})
		if m, err := DecodeCall(body); !errors.Is(err, ErrProtocol) {
			t.Errorf("call %d reads as %+v, %v", op, m, err)
		}
	}
}

// Calls that a commit applies are known as such: their changes are held back until then.
func TestWrites(t *testing.T) {
	t.Parallel()
	writes := map[cloud.HostOp]bool{
		cloud.OpKVGet:             false,
		cloud.OpKVSet:             true,
		cloud.OpKVDelete:          true,
		cloud.OpKVHas:             false,
		cloud.OpKVIncrement:       true,
		cloud.OpKVUpdateBegin:     true,
		cloud.OpKVUpdateEnd:       true,
		cloud.OpKVList:            false,
		cloud.OpFetch:             false,
		cloud.OpFetchRead:         false,
		cloud.OpDeadLetterList:    false,
		cloud.OpDeadLetterGet:     false,
		cloud.OpDeadLetterReplay:  true,
		cloud.OpDeadLetterResolve: true,
	}

	for op := cloud.HostOp(0); op <= cloud.OpDeadLetterResolve+1; op++ {
		if got := Writes(op); got != writes[op] {
			t.Errorf("operation %d writes: %v", op, got)
		}
	}
}
