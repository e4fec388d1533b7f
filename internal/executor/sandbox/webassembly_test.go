package sandbox

import (
	"strings"
	"testing"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// loops is the module webassembly/testdata/loops.wat, of which some functions never end.
const loops = "AGFzbQEAAAABDQNgAABgAAF/YAF/AX8CDwEGc2NyaXB0BGJhY2sAAAMIBwAAAAABAQIFAwEAAQc3BwZtZW1vcnkC" +
	"AARsb29wAAEFaW5uZXIAAwRidXN5AAQEZ3JvdwAFBmdyZWVkeQAGBGJvdGgABwphBwcAA0AMAAsLBwADQAwACwsE" +
	"ABACCwkAA0AQAAwACwsGAEEBQAALHAEBfwNAQRBAAEF/RwRAIABBAWohAAwBCwsgAAscACAAQQFIBH9BAQUgAEEB" +
	"axAHIABBAWsQB2oLCw=="

// A module that computes without end is stopped at the deadline, wherever it is: its process need not die.
func TestWebAssemblyInterrupt(t *testing.T) {
	t.Parallel()

	for _, c := range []struct{ name, source string }{
		{"a loop", `export default () => { console.log("begins"); module().loop() }`},
		{"a loop in a call", `export default () => { console.log("begins"); module().inner() }`},
		{"a loop that calls back", `export default () => { let n = 0; module(() => { if (n++ === 0) console.log("begins") }).busy() }`},
		{"a loop that is caught", `export default () => { const m = module(); console.log("begins"); for (;;) { try { m.loop() } catch {} } }`},
		{"in a promise", `export default async () => { await null; console.log("begins"); await WebAssembly.compile(bytes).then(() => module().loop()) }`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)

			r, over := f.start(loopsScript+c.source, requestMsg())
			f.next(wire.Log)
			r.interrupt()

			done := f.done(wire.Done)
			<-over
			if done.Status != cloud.TimedOut {
				t.Errorf("the outcome is %v %+v", done.Status, done.Error)
			}
		})
	}
}

// What was interrupted before the module begins does not begin.
func TestWebAssemblyInterruptEarly(t *testing.T) {
	t.Parallel()

	iso := newWasmIsolate(t)
	iso.web.Interrupt()
	iso.realm.VM.ClearInterrupt() // as if the engine had looked just before
	_, err := iso.realm.VM.RunString(`start()`)
	if err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("the error is %v", err)
	}
}

// loopsScript is a script's code that has the module.
const loopsScript = `
	const bytes = Uint8Array.from(atob("` + loops + `"), (c) => c.charCodeAt(0));
	const module = (back = () => {}) => new WebAssembly.Instance(new WebAssembly.Module(bytes), { script: { back } }).exports;
`

// newWasmIsolate is a runtime with a function start, which runs a loop without end.
func newWasmIsolate(t *testing.T) *isolate {
	t.Helper()
	out := bundle(&wire.CompileMsg{Name: "main", Language: "javascript", Source: loopsScript + `
		globalThis.start = () => module().loop(); globalThis.module = module; export default () => 1`})
	if out.Error != nil {
		t.Fatal(out.Error.Message)
	}
	iso, serr := aProgramOf("main.js", out.Code).isolate(nil, nil)
	if serr != nil {
		t.Fatal(serr)
	}
	return iso
}

// A runtime keeps its instances from run to run, until runs have made so many that it is given up.
func TestWebAssemblySpent(t *testing.T) {
	t.Parallel()
	iso := newWasmIsolate(t)

	run := func(code string) {
		t.Helper()
		if _, err := iso.realm.VM.RunString(code); err != nil {
			t.Fatal(err)
		}
	}
	run(`globalThis.kept = module()`)
	run(`for (let k = 0; k < 20; k++) module()`)
	if iso.web.Spent() || !iso.realm.Intact() {
		t.Error("a few instances make the runtime unfit for another run")
	}

	run(`for (let k = 0; k < 200; k++) module()`)
	if !iso.web.Spent() {
		t.Error("200 instances, each with a memory, are kept for ever")
	}
}
