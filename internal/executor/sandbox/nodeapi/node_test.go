package nodeapi

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/realm"
	"picloud/internal/executor/sandbox/webapi"
)

// newNode makes a runtime with all of Node that there is, and a run in it.
func newNode(t *testing.T) (*Node, *webapi.Run) {
	t.Helper()

	web := webapi.New(realm.New(1000), webapi.Needs{MissingECMAScript: true, Events: true, Streams: true})
	env := web.VM.NewObject()
	_ = env.Set("GREETING", "hello")
	n := New(web, env, NeedsOf("Buffer process setImmediate clearImmediate global"))
	run := &webapi.Run{}
	web.Enter(run)
	n.Enter()
	_ = web.VM.Set("require", func(name string) *goja.Object { return n.Require(name) })
	return n, run
}

// settle runs timers until a promise has a result.
func settle(t *testing.T, n *Node, run *webapi.Run, v goja.Value) goja.Value {
	t.Helper()

	p, ok := realm.AsPromise(v)
	if !ok {
		return v
	}

	for p.State() == goja.PromiseStatePending {
		timer := run.Timers.Earliest()
		if timer == nil {
			t.Fatal("the promise never settles")
		}
		if err := run.Timers.Fire(timer); err != nil {
			t.Fatal(err)
		}
	}
	if p.State() == goja.PromiseStateRejected {
		e := n.Describe(p.Result(), nil)
		t.Fatalf("rejected: %s: %s %s", e.Name, e.Message, e.Stack)
	}
	return p.Result()
}

// cases reads testdata: an expression a line, those of a section after "# name".
func cases(t *testing.T) []string {
	t.Helper()

	files, err := filepath.Glob(filepath.Join("testdata", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}

	var out []string
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}

		lines := bufio.NewScanner(f)
		for lines.Scan() {
			if line := lines.Text(); line != "" && !strings.HasPrefix(line, "#") {
				out = append(out, line)
			}
		}
		_ = f.Close()
	}
	return out
}

// Every case has the value that Node has. testdata/values.json keeps Node's; UPDATE=1 asks Node anew.
func TestValues(t *testing.T) {
	t.Parallel()

	if os.Getenv("UPDATE") != "" {
		list, _ := json.Marshal(cases(t))
		cmd := exec.Command("node", "--no-warnings", filepath.Join("testdata", "node.cjs"))
		cmd.Stdin = strings.NewReader(string(list))
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join("testdata", "values.json"), out, 0o644); err != nil {
			t.Fatal(err)
		}
	}

	raw, err := os.ReadFile(filepath.Join("testdata", "values.json"))
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	if err := json.Unmarshal(raw, &values); err != nil {
		t.Fatal(err)
	}

	tools, err := os.ReadFile(filepath.Join("testdata", "show.js"))
	if err != nil {
		t.Fatal(err)
	}

	n, run := newNode(t)
	for _, c := range cases(t) {
		want, known := values[c]
		if !known {
			t.Errorf("%s: ask Node with UPDATE=1", c)
			continue
		}

		v, err := n.VM.RunString("(async () => {" + string(tools) + "; return show(async () => (" + c + "\n)) })()")
		if err != nil {
			t.Errorf("%s: %v", c, err)
			continue
		}
		if got := settle(t, n, run, v).String(); got != want {
			t.Errorf("%s\n got %s\nwant %s", c, got, want)
		}
	}
}

// A module is there with the prefix and without, and is the same; what is not there is nil.
func TestModules(t *testing.T) {
	t.Parallel()

	n, _ := newNode(t)
	for _, name := range Modules {
		if n.Require(name) == nil || n.Require(name) != n.Require(prefix+name) {
			t.Errorf("%s is not there, or not once", name)
		}
	}

	for _, name := range []string{"fs", "node:net", "internal:errors", "", "../lib/buffer", "node:node:fs"} {
		if n.Require(name) != nil {
			t.Errorf("%q is there", name)
		}
	}
}

// A runtime whose program names nothing of Node has none of it.
func TestNeeds(t *testing.T) {
	t.Parallel()

	for code, want := range map[string]string{
		`const a = 1`: "[] []", `Buffer.from("a")`: "[Buffer] []", `typeof process`: "[process] []", `globalThis.x`: "[] []",
		`myBuffer; processed`: "[] []", `var x = require("node:util")`: "[] [util]",
		`require("node:stream/web"); setImmediate(global)`: "[setImmediate global] [stream/web]",
	} {
		needs := NeedsOf(code)
		got := fmt.Sprint(needs.Globals, needs.Modules)
		if got != want {
			t.Errorf("%s needs %s, want %s", code, got, want)
		}
	}

	web := webapi.New(realm.New(1000), webapi.Needs{})
	New(web, goja.Undefined(), Needs{})

	for _, name := range []string{"Buffer", "process", "global", "setImmediate", "clearImmediate"} {
		if web.VM.GlobalObject().Get(name) != nil {
			t.Errorf("%s is there", name)
		}
	}
}
