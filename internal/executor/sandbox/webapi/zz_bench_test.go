package webapi

import (
	"testing"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/realm"
)

func benchCall(b *testing.B, script string) {
	g := New(realm.New(1000), Needs{})
	g.Realm.Survey()
	r := &Run{ID: 1, Request: &cloud.Request{URL: "http://a/f", Method: "POST"}}
	g.Enter(r)
	v, err := g.VM.RunString(script)
	if err != nil {
		b.Fatal(err)
	}
	f, _ := goja.AssertFunction(v)
	in := &cloud.Request{URL: "http://a/f", Method: "POST", Body: []byte("hello"), Headers: []cloud.Header{{Name: "a", Value: "b"}}}
	b.ReportAllocs()
	for b.Loop() {
		out, err := f(goja.Undefined(), g.IncomingRequest(in))
		if err != nil {
			b.Fatal(err)
		}
		if p, ok := realm.AsPromise(out); ok {
			out = p.Result()
		}
		if g.ResponseOf(out).Status != 200 {
			b.Fatal("status")
		}
	}
}

func BenchmarkHello(b *testing.B) {
	benchCall(b, `() => new Response("hello", {headers: {"content-type": "text/plain"}})`)
}
func BenchmarkJSON(b *testing.B) { benchCall(b, `() => Response.json({a: 1})`) }
func BenchmarkEcho(b *testing.B) {
	benchCall(b, `async (r) => new Response(await r.text(), {headers: {x: r.headers.get("a")}})`)
}
func BenchmarkURL(b *testing.B) {
	benchCall(b, `(r) => new Response(new URL(r.url).pathname)`)
}
func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		New(realm.New(1000), Needs{Streams: true, Events: true})
	}
}
func BenchmarkNewBare(b *testing.B) {
	for b.Loop() {
		New(realm.New(1000), Needs{})
	}
}
