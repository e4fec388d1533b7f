package wire

import (
	"bytes"
	"testing"

	"picloud/internal/cloud"
)

// Whatever one side sends, the other reads it or refuses it: it neither dies nor takes more memory than was
// sent.
func FuzzMessages(f *testing.F) {
	for kind, fill := range []func(*Encoder){
		(&RunMsg{Handler: "fetch", Request: request}).Encode,
		(&DoneMsg{Status: cloud.Succeeded, Response: response}).Encode,
		(&CallMsg{N: 1, Call: cloud.Fetch{Request: request}}).Encode,
		(&ReplyMsg{N: 1, Reply: cloud.HostReply{Response: response}}).Encode,
		(&ChunkMsg{Body: []byte("x")}).Encode,
		EncodeCancel(3),
		func(e *Encoder) { EncodeLog(e, &cloud.LogLine{Message: "m"}) },
		func(e *Encoder) { EncodeEnv(e, &cloud.Env{Values: map[string]string{"A": "b"}}) },
	} {
		f.Add(uint8(kind), encoded(fill))
	}

	for _, call := range calls {
		f.Add(uint8(2), encoded((&CallMsg{N: 1, Call: call}).Encode))
	}
	f.Add(uint8(7), bytes.Repeat([]byte{0xff}, 40))

	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		encodeAgain := func(err error, encode func(*Encoder)) {
			if err != nil {
				return
			}
			if size := len(encoded(encode)); size > 2*len(b)+64 {
				t.Errorf("%d bytes became %d", len(b), size)
			}
		}
		switch kind % 8 {
		case 0:
			if m, err := DecodeRun(b); err == nil {
				encodeAgain(err, m.Encode)
			}
		case 1:
			if m, err := DecodeDone(b); err == nil {
				encodeAgain(err, m.Encode)
			}
		case 2:
			if m, err := DecodeCall(b); err == nil {
				encodeAgain(err, m.Encode)
			}
		case 3:
			if m, err := DecodeReply(b); err == nil {
				encodeAgain(err, m.Encode)
			}
		case 4:
			if m, err := DecodeChunk(b); err == nil {
				encodeAgain(err, m.Encode)
			}
		case 5:
			_, _ = DecodeCancel(b)
		case 6:
			_, _ = DecodeLog(b)
		case 7:
			if m, err := DecodeEnv(b); err == nil && len(m.Values) > len(b) {
				t.Errorf("%d bytes became %d names", len(b), len(m.Values))
			}
		}
	})
}

// A stream of bytes is frames, or an error; no frame is longer than what is allowed.
func FuzzReader(f *testing.F) {
	f.Add([]byte{9, 0, 0, 0, 66, 1, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1})
	f.Add([]byte{0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9})

	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(bytes.NewReader(b), 1<<10)
		for {
			_, _, body, err := r.Next()
			if err != nil {
				return
			}
			if len(body) > 1<<10 {
				t.Errorf("a frame of %d bytes", len(body))
			}
		}
	})
}
