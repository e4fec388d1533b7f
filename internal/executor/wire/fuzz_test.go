package wire

import (
	"bytes"
	"testing"

	"picloud/internal/cloud"
)

func encoded(f func(*Encoder)) []byte {
	e := &Encoder{}
	f(e)
	return e.b
}

// Whatever one side sends, the other reads it or refuses it: it neither dies nor takes more memory than was sent.
func FuzzMessages(f *testing.F) {
	req := &cloud.Request{Method: "POST", URL: "http://x/", Headers: []cloud.Header{{Name: "a", Value: "b"}}, Body: []byte("x")}
	res := &cloud.Response{Status: 200, Headers: req.Headers, Body: []byte("y")}
	for kind, b := range [][]byte{
		encoded((&RunMsg{Handler: "fetch", Request: req}).Encode), encoded((&DoneMsg{Status: cloud.Succeeded, Response: res}).Encode),
		encoded((&CallMsg{N: 1, Op: cloud.OpFetch, Args: cloud.HostArgs{Request: req}}).Encode), encoded((&ReplyMsg{N: 1, Reply: cloud.HostReply{Response: res}}).Encode),
		encoded((&ChunkMsg{Body: []byte("x")}).Encode), encoded(EncodeCancel(3)), encoded(func(e *Encoder) { EncodeLog(e, &cloud.LogLine{Message: "m"}) }),
		encoded(func(e *Encoder) { EncodeEnv(e, &cloud.Env{Values: map[string]string{"A": "b"}}) }),
	} {
		f.Add(uint8(kind), b)
	}
	f.Add(uint8(7), bytes.Repeat([]byte{0xff}, 40))
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		again := func(err error, encode func(*Encoder)) {
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
				again(err, m.Encode)
			}
		case 1:
			if m, err := DecodeDone(b); err == nil {
				again(err, m.Encode)
			}
		case 2:
			if m, err := DecodeCall(b); err == nil {
				again(err, m.Encode)
			}
		case 3:
			if m, err := DecodeReply(b); err == nil {
				again(err, m.Encode)
			}
		case 4:
			if m, err := DecodeChunk(b); err == nil {
				again(err, m.Encode)
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
