package webapi

import (
	"testing"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/realm"
)

// A module that is streamed must come as a Response of its type, which is read once.
func TestStreamedModule(t *testing.T) {
	t.Parallel()
	const empty = `const bytes = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);
		const response = (type, init) => new Response(bytes, { ...init, headers: { "content-type": type } }); `

	for script, want := range map[string]string{
		`WebAssembly.compileStreaming(response("application/wasm")).then((m) => m instanceof WebAssembly.Module)`:                                             "true",
		`WebAssembly.compileStreaming(Promise.resolve(response(" APPLICATION/wasm "))).then((m) => m instanceof WebAssembly.Module)`:                          "true",
		`WebAssembly.instantiateStreaming(response("application/wasm"), {}).then((r) => r.instance instanceof WebAssembly.Instance && Object.keys(r).join())`: "module,instance",
		`WebAssembly.compileStreaming(response("application/wasm;x=y"))`:                                                                                      `TypeError: the Response with the module has the content type "application/wasm;x=y", not application/wasm`,
		`WebAssembly.compileStreaming(new Response(bytes))`:                                                                                                   `TypeError: the Response with the module has the content type "", not application/wasm`,
		`WebAssembly.compileStreaming(response("application/wasm", { status: 404 }))`:                                                                         "TypeError: the Response with the module has the status 404",
		`const r = response("application/wasm"); WebAssembly.compileStreaming(r); WebAssembly.compileStreaming(r)`:                                            "TypeError: the body has already been read",
		`WebAssembly.compileStreaming(bytes)`:                                                                                                                 "TypeError: the module must come as a Response, or a promise of one",
		`WebAssembly.compileStreaming(Promise.reject(new RangeError("x")))`:                                                                                   "RangeError: x",
		`WebAssembly.instantiateStreaming(response("application/wasm"), 5)`:                                                                                   "TypeError: the imports must be an object",
		`bytes[4] = 2; WebAssembly.compileStreaming(response("application/wasm")).catch((e) => e instanceof WebAssembly.CompileError)`:                        "true",
	} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()

			g, _ := newGlobal(t)
			v, err := g.VM.RunString("{" + empty + script + "}")
			if err != nil {
				t.Fatal(err)
			}
			p, ok := realm.AsPromise(v)
			if !ok {
				t.Fatalf("gives %v, no promise", v)
			}
			g.Handled(p)

			got := p.Result().String()
			if p.State() == goja.PromiseStateRejected {
				e := g.Describe(p.Result(), nil)
				got = e.Name + ": " + e.Message
			}
			if got != want {
				t.Errorf("gives %q, want %q", got, want)
			}
		})
	}
}

// Code that does not name WebAssembly does without it.
func TestNoWebAssembly(t *testing.T) {
	t.Parallel()

	if NeedsOf("export default () => 1").WebAssembly || !NeedsOf("globalThis.WebAssembly").WebAssembly {
		t.Error("who needs WebAssembly is not told by its name")
	}
	g := New(realm.New(1000), Needs{})
	if g.VM.GlobalObject().Get("WebAssembly") != nil {
		t.Error("WebAssembly is there for code that does not name it")
	}
	g.Interrupt() // and nothing of it is touched
	g.Settle()
	if g.Spent() {
		t.Error("a runtime without modules is spent")
	}
}
