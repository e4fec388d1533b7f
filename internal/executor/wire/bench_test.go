package wire

import (
	"testing"

	"picloud/internal/cloud"
)

// BenchmarkCall is what a host call and its reply cost on the wire, without the socket.
func BenchmarkCall(b *testing.B) {
	b.ReportAllocs()
	call := CallMsg{N: 9, Call: cloud.KVGet{Collection: "orders", Key: "order/1234"}}
	reply := ReplyMsg{N: 9, Reply: cloud.HostReply{Found: true, Value: `{"a":1}`, Version: 7}}

	e := &Encoder{}

	for b.Loop() {
		e.b = e.b[:0]
		call.Encode(e)
		m, err := DecodeCall(e.b)
		if err != nil {
			b.Fatal(err)
		}

		e.b = e.b[:0]
		reply.Encode(e)
		r, err := DecodeReply(e.b)
		if err != nil || r.N != m.N {
			b.Fatal(err)
		}
	}
}
