package sandbox

import (
	"strings"
	"testing"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/realm"
	"picloud/internal/executor/wire"
)

// evaluated bundles a script, evaluates it and calls its default export.
func evaluated(t *testing.T, source string) (*isolate, string) {
	t.Helper()

	out := bundle(&wire.CompileMsg{Name: "main", Language: "javascript", Source: source})
	if out.Error != nil {
		t.Fatalf("%s: %+v", source, out.Error)
	}

	env := &cloud.Env{ID: cloud.ID{1}, Values: map[string]string{"GREETING": "hello"}}
	iso, serr := aProgramOf("main.js", out.Code).isolate(nil, env)
	if serr != nil {
		t.Fatalf("%s: %+v", source, serr)
	}

	v, err := iso.handlers["fetch"](iso.self)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	if p, ok := realm.AsPromise(v); ok {
		if p.State() == goja.PromiseStatePending {
			t.Fatalf("%s: still pending", source)
		}
		v = p.Result()
	}
	return iso, v.String()
}

// Modules of Node are imported by every kind of import, with the prefix or without, and cost the runtime
// nothing between runs.
func TestNodeImports(t *testing.T) {
	t.Parallel()

	for source, want := range map[string]string{
		`import { Buffer } from "buffer"; export default () => Buffer.from("a").toString("hex")`:                                               "61",
		`import crypto from "node:crypto"; export default () => crypto.createHash("md5").update("").digest("hex")`:                             "d41d8cd98f00b204e9800998ecf8427e",
		`import * as path from "path"; export default () => path.join("a", "..", "b") + path.default.sep`:                                      "b/",
		`import EventEmitter, { once } from "events"; export default () => new EventEmitter().listenerCount("x") + typeof once`:                "0function",
		`const util = require("util"); export default () => util.format("%s", 1)`:                                                              "1",
		`export default async () => (await import("node:os")).EOL.length + (await import("stream/web")).ReadableStream.name`:                   "1ReadableStream",
		`const load = (n) => require(n); export default () => [load("buffer") === load("node:buffer"), typeof load("events")].join()`:          "true,function",
		`const load = (n) => require(n); export default () => { try { load("fs") } catch (e) { return e.message } }`:                           `cannot import "fs": a name that is known only when the code runs can be "picloud" or a module of Node.js that is there; write the name of a module in the code, as import("./name")`,
		`export default () => [typeof Buffer, process.env.GREETING, typeof setImmediate, typeof clearImmediate, global === globalThis].join()`: "function,hello,function,function,true",
		`export default () => ["fer", "fered"].map((s) => typeof globalThis["Buf".concat(s)]).join()`:                                          "undefined,undefined",
		`export default () => { process.env.X = 1; return process.env.X + typeof process.versions.node }`:                                      "1undefined",
		`import assert from "assert"; export default () => { try { assert.equal(1, 2) } catch (e) { return e.stack.includes("picloud:") } }`:   "false",
	} {
		t.Run(source, func(t *testing.T) {
			t.Parallel()

			iso, got := evaluated(t, source)
			if got != want {
				t.Errorf("gives %q, want %q", got, want)
			}
			if !iso.realm.Intact() && !strings.Contains(source, "process.env.X") && !strings.Contains(source, "import(") && !strings.Contains(source, "load") {
				t.Error("the runtime would serve no other run")
			}
		})
	}
}

// What is not there is refused when the script is deployed.
func TestNodeRefuses(t *testing.T) {
	t.Parallel()

	for _, name := range []string{"fs", "node:fs", "net", "node:child_process", "node:worker_threads", "internal:errors", "node:"} {
		out := bundle(&wire.CompileMsg{Name: "main", Language: "javascript", Source: `import x from "` + name + `"; export default () => x`})
		if out.Error == nil {
			t.Errorf("%s is imported", name)
		}
	}
}

// A run's code cannot leave a store behind that the next run sees, and what is changed in a module is seen
// between runs.
func TestNodeBetweenRuns(t *testing.T) {
	t.Parallel()

	iso, _ := evaluated(t, `import { AsyncLocalStorage } from "async_hooks"; const als = new AsyncLocalStorage();
		export default () => { const seen = als.getStore(); als.enterWith("left"); return String(seen) }`)
	iso.node.Enter()
	if v, err := iso.handlers["fetch"](iso.self); err != nil || v.String() != "undefined" {
		t.Errorf("the next run sees %v %v", v, err)
	}

	for _, change := range []string{`Buffer.prototype.x = 1`, `Buffer.from = 1`, `process.nextTick = 1`, `require("node:util").inspect = 1`, `require("node:events").prototype.on = 1`} {
		iso, _ := evaluated(t, `export default () => { Buffer, process; `+change+` }`)
		if iso.realm.Intact() {
			t.Errorf("kept: %s", change)
		}
	}
}
