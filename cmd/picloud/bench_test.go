package main

import (
	"testing"

	"github.com/valyala/fasthttp"
)

// BenchmarkHello is a request's whole way, for profiles: -cpuprofile shows this side of the sandbox.
func BenchmarkHello(b *testing.B) {
	benchmarkScript(b, `export default { fetch: () => Response.json({ hello: "world" }) }`)
}

// BenchmarkWrite is a request that writes one key.
func BenchmarkWrite(b *testing.B) {
	benchmarkScript(b, `import { kv } from "picloud"; export default { fetch: () => kv.collection("c").set(crypto.randomUUID(), 1) }`)
}

func benchmarkScript(b *testing.B, source string) {
	w := newFixture(b)
	w.deploy("hello", source)
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		client := &fasthttp.HostClient{Addr: w.base[len("http://"):], MaxConns: 1}
		req := fasthttp.AcquireRequest()
		res := fasthttp.AcquireResponse()
		req.SetRequestURI(w.base + "/f/default/hello")

		for pb.Next() {
			if err := client.Do(req, res); err != nil || res.StatusCode() >= 300 {
				b.Errorf("%v %d", err, res.StatusCode())
				return
			}
		}
		client.CloseIdleConnections()
	})
}
