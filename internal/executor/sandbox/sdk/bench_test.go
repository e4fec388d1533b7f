package sdk

import (
	"net"
	"testing"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/realm"
	"picloud/internal/executor/sandbox/webapi"
	"picloud/internal/executor/wire"
)

// sink is a parent that takes every frame at once and keeps the last.
type sink struct {
	net.Conn
	last []byte
}

func (s *sink) Write(b []byte) (int, error) {
	s.last = append(s.last[:0], b...)
	return len(b), nil
}

// BenchmarkGet is what a read of a key costs in the child, from the script's call to its value, without the
// socket.
func BenchmarkGet(b *testing.B) {
	const headerLen = 13
	var answers sink
	answer := wire.ReplyMsg{N: 1, Reply: cloud.HostReply{Found: true, Value: "1", Version: 7}}
	if err := wire.NewWriter(&answers, 0, 1<<20).Send(wire.Reply, 1, answer.Encode); err != nil {
		b.Fatal(err)
	}
	body := answers.last[headerLen:]

	host := New(webapi.New(realm.New(1000), webapi.Needs{Events: true}), nil)
	msg := &wire.RunMsg{Request: &cloud.Request{URL: "http://a/"}}
	run := NewRun(1, msg, wire.NewWriter(&sink{}, 0, 1<<20))
	host.Enter(&run)
	_ = host.VM.Set("picloud", host.Require("picloud"))
	if _, err := host.VM.RunString(`const orders = picloud.kv.collection("orders")`); err != nil {
		b.Fatal(err)
	}
	get := goja.MustCompile("get.js", `orders.get("order/1234")`, true)

	b.ReportAllocs()

	for b.Loop() {
		run.lastCall = 0
		v, err := host.VM.RunProgram(get)
		if err != nil {
			b.Fatal(err)
		}
		if err := run.Reply(body); err != nil {
			b.Fatal(err)
		}
		if p, ok := realm.AsPromise(v); !ok || p.State() != goja.PromiseStateFulfilled {
			b.Fatalf("the read gives %v", v)
		}
	}
}
