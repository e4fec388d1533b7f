package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox"
	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/sandbox/realm"
	"picloud/internal/executor/sandbox/sdk"
	"picloud/internal/executor/sandbox/webapi"
	"picloud/internal/executor/wire"
)

// maxTime is how long a file may take.
const maxTime = 20 * time.Second

// maxCallStack is the sandbox's.
const maxCallStack = 8000

//go:embed prelude.js
var preludeSource string

// runner runs files in runtimes of this process, each in one of its own.
type runner struct {
	suite    string
	programs map[string]*goja.Program // what files share, by path
}

func newRunner(suite string) (*runner, error) {
	return &runner{suite: suite, programs: map[string]*goja.Program{}}, nil
}

// reported is what the prelude tells of a file.
type reported struct {
	Status  int    `json:"status"`
	Message string `json:"message"`
	Tests   []struct {
		Name    string `json:"name"`
		Status  int    `json:"status"`
		Message string `json:"message"`
	} `json:"tests"`
}

// outcome makes a result of what was reported.
func (rep *reported) outcome(f file) *result {
	r := &result{area: f.area, name: f.name}
	if rep.Status != 0 {
		r.trouble = fmt.Sprintf("the harness has status %d: %s", rep.Status, rep.Message)
	}

	for _, t := range rep.Tests {
		if t.Status == 0 {
			r.passed++
		} else {
			r.failed = append(r.failed, failure{t.Name, t.Message})
		}
	}

	return r
}

// deaf is a parent that takes every frame and answers none.
type deaf struct{ net.Conn }

func (deaf) Write(b []byte) (int, error) { return len(b), nil }

// program compiles a file of the suite as scripts of apps are compiled.
func (r *runner) program(root, name string) (*goja.Program, error) {
	path := filepath.Join(root, name)
	if p := r.programs[path]; p != nil {
		return p, nil
	}

	source, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	code, err := sandbox.Lower(name, string(source))
	if err != nil {
		return nil, err
	}
	p, err := compile(name, code)
	if err != nil {
		return nil, err
	}

	if strings.HasPrefix(name, "resources/") {
		r.programs[path] = p
	}

	return p, nil
}

// compile compiles a file with the regular expressions of scripts. What looks at new.target is left to the
// engine: there, scripts are functions, and a file of the suite is none.
func compile(name, code string) (*goja.Program, error) {
	if strings.Contains(code, "new.target") {
		return goja.Compile(name, code, false)
	}
	return engine.Compile(name, code, false)
}

// run runs one file.
func (r *runner) run(f file) *result {
	rep, err := r.report(f)
	if err != nil {
		return &result{area: f.area, name: f.name, trouble: err.Error()}
	}
	return rep.outcome(f)
}

// report is what the prelude reports of a file; its error is what kept the file from running.
func (r *runner) report(f file) (*reported, error) {
	root := filepath.Join(r.suite, f.source)
	scripts, err := f.scripts(root)
	if err != nil {
		return nil, err
	}

	var programs []*goja.Program
	for _, name := range scripts {
		p, err := r.program(root, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		programs = append(programs, p)
	}

	rt := newRuntime(root)
	clock := time.AfterFunc(maxTime, func() { rt.vm.Interrupt("it takes too long") })
	defer clock.Stop()

	steps, err := rt.prelude(f)
	if err != nil {
		return nil, err
	}

	for k, p := range programs {
		if _, err := rt.vm.RunProgram(p); err != nil {
			return nil, err
		}
		if k == 0 {
			if err := rt.call(steps, "begin"); err != nil {
				return nil, err
			}
		}
	}
	if err := rt.call(steps, "end"); err != nil {
		return nil, err
	}

	return rt.wait()
}

// runtime is one runtime with a run.
type runtime struct {
	vm       *goja.Runtime
	realm    *realm.Realm
	run      *sdk.Run
	root     string
	reported *reported
	answered uint64
}

func newRuntime(root string) *runtime {
	rl := realm.New(maxCallStack)
	needs := webapi.Needs{
		Streams: true, Intl: true, Events: true, MissingECMAScript: true, Subtle: true, URLPattern: true,
		Clone: true, WebAssembly: true,
	}
	host := sdk.New(webapi.New(rl, needs), nil)
	rl.Survey()

	msg := &wire.RunMsg{
		Request:     &cloud.Request{Method: "GET", URL: "http://web-platform.test/"},
		MaxBody:     10 << 20,
		MaxLogLines: 10,
		MaxLogBytes: 1000,
	}
	run := sdk.NewRun(1, msg, wire.NewWriter(deaf{}, 0, 16<<20))
	host.Enter(&run)

	return &runtime{vm: rl.VM, realm: rl, run: &run, root: root}
}

// call calls one of the functions that the prelude gave.
func (rt *runtime) call(steps *goja.Object, name string) error {
	f, _ := goja.AssertFunction(steps.Get(name))
	_, err := f(goja.Undefined())
	return err
}

// prelude runs prelude.js, which gives what to call before and after a file.
func (rt *runtime) prelude(f file) (*goja.Object, error) {
	code, err := sandbox.Lower("prelude.js", preludeSource)
	if err != nil {
		return nil, err
	}
	v, err := rt.vm.RunScript("prelude.js", code)
	if err != nil {
		return nil, err
	}

	host := rt.vm.NewObject()
	_ = host.Set("read", func(c goja.FunctionCall) goja.Value {
		raw, err := os.ReadFile(filepath.Join(rt.root, filepath.Clean("/"+c.Argument(0).String())))
		if err != nil {
			return goja.Null()
		}

		latin := make([]rune, len(raw))
		for k, b := range raw {
			latin[k] = rune(b)
		}
		return rt.vm.ToValue(string(latin))
	})
	_ = host.Set("report", func(c goja.FunctionCall) goja.Value {
		rep := &reported{}
		if json.Unmarshal([]byte(c.Argument(0).String()), rep) == nil {
			rt.reported = rep
		}
		return goja.Undefined()
	})

	prelude, _ := goja.AssertFunction(v)
	steps, err := prelude(goja.Undefined(), host, rt.vm.ToValue(f.name))
	if err != nil {
		return nil, err
	}

	return steps.ToObject(rt.vm), nil
}

// wait runs timers and refuses host calls until the file has reported.
func (rt *runtime) wait() (*reported, error) {
	end := time.Now().Add(maxTime)
	for rt.reported == nil {
		if time.Now().After(end) {
			return nil, fmt.Errorf("it takes longer than %s", maxTime)
		}

		if rt.run.Calling() > 0 {
			rt.answered++
			if err := rt.refuse(rt.answered); err != nil {
				return nil, err
			}
			continue
		}

		timer := rt.run.Web.Timers.Earliest()
		if timer == nil {
			return nil, errors.New("nothing is left that could end it")
		}
		if timer.Due.After(end) {
			return nil, errors.New("it waits for a timer that is not due in time")
		}
		time.Sleep(time.Until(timer.Due))
		if err := rt.run.Web.Timers.Fire(timer); err != nil && rt.reported == nil {
			rt.vm.ClearInterrupt()
		}
	}

	return rt.reported, nil
}

// refuse answers a host call: there is no network.
func (rt *runtime) refuse(n uint64) error {
	refusal := &cloud.HostError{Name: "FetchError", Message: "there is no network"}
	answer := &wire.ReplyMsg{N: n, Error: refusal}

	var sent frame
	if err := wire.NewWriter(&sent, 0, 1<<20).Send(wire.Reply, 1, answer.Encode); err != nil {
		return err
	}

	const headerLen = 13
	return rt.run.Reply(sent.last[headerLen:])
}

// frame keeps the last frame that was written.
type frame struct {
	net.Conn
	last []byte
}

func (f *frame) Write(b []byte) (int, error) {
	f.last = append(f.last[:0], b...)
	return len(b), nil
}

// inNode counts what Node passes of a file, and how much of it we pass.
func (r *runner) inNode(f file, ours *result) (node, both int) {
	root := filepath.Join(r.suite, f.source)
	scripts, err := f.scripts(root)
	if err != nil {
		return 0, 0
	}

	ctx, cancel := context.WithTimeout(context.Background(), 2*maxTime)
	defer cancel()

	args := []string{"--no-warnings", "lab/wpt/node.mjs", "lab/wpt/prelude.js", root, f.name}
	args = append(args, scripts...)
	out, _ := exec.CommandContext(ctx, "node", args...).Output()

	rep := &reported{}
	if json.Unmarshal(out, rep) != nil {
		return 0, 0
	}

	failed := map[string]bool{}
	for _, t := range ours.failed {
		failed[t.name] = true
	}

	for _, t := range rep.Tests {
		if t.Status == 0 {
			node++
			if !failed[t.Name] && ours.total() > 0 {
				both++
			}
		}
	}

	return node, min(both, ours.passed)
}
