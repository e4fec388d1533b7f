package sandbox

import (
	"fmt"
	"sort"
	"sync"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// maxIdle bounds the runtimes that a program keeps for later.
const maxIdle = 64

// program is one build: compiled once, with the runtimes that have evaluated it.
type program struct {
	name, code string

	once sync.Once
	prg  *goja.Program
	err  error

	mu   sync.Mutex
	idle []*isolate
}

func (p *program) compiled() (*goja.Program, error) {
	p.once.Do(func() {
		p.prg, p.err = goja.Compile(p.name, p.code, false)
		p.code = ""
	})
	return p.prg, p.err
}

// take gives the runtime that was used last, or nil.
func (p *program) take() *isolate {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle)
	if n == 0 {
		return nil
	}
	iso := p.idle[n-1]
	p.idle[n-1] = nil
	p.idle = p.idle[:n-1]
	return iso
}

// putIfIntact keeps a runtime for the next run, unless the last one changed an intrinsic.
func (p *program) putIfIntact(iso *isolate) {
	if !iso.intact() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) < maxIdle {
		p.idle = append(p.idle, iso)
	}
}

// inspect evaluates a build and names the functions of its default export.
func (s *server) inspect(id uint64, body []byte) {
	d := wire.NewDecoder(body)
	var build cloud.ID
	copy(build[:], d.Bytes())
	s.mu.Lock()
	p := s.programs[build]
	s.mu.Unlock()
	var out wire.InspectedMsg
	iso, serr := p.isolate(nil)
	if serr != nil {
		out.Error = serr
	} else {
		for name := range iso.handlers {
			out.Handlers = append(out.Handlers, name)
		}
		sort.Strings(out.Handlers)
	}
	s.answer(wire.Inspected, id, out)
}

// isolate makes a runtime and evaluates the program in it. The run, if any, receives what the module logs meanwhile
// and can interrupt it.
func (p *program) isolate(r *run) (*isolate, *cloud.ScriptError) {
	prg, err := p.compiled()
	if err != nil {
		return nil, &cloud.ScriptError{Name: "SyntaxError", Message: err.Error()}
	}
	iso := newIsolate(p)
	if r != nil {
		iso.cur = r
		r.attach(iso)
	}
	if err := iso.evaluate(prg); err != nil {
		return nil, iso.scriptError(err)
	}
	return iso, nil
}

// handlerNames are the members of a default export that PiCloud calls.
var handlerNames = [...]string{"fetch", "kv", "scheduled", "deadLetter"} //nolint:gochecknoglobals // a constant list

func (i *isolate) evaluate(prg *goja.Program) error {
	v, err := i.vm.RunProgram(prg)
	if err != nil {
		return err
	}
	fn, ok := goja.AssertFunction(v)
	if !ok {
		return fmt.Errorf("bundle is not a function")
	}
	module := i.vm.NewObject()
	exports := i.vm.NewObject()
	_ = module.Set("exports", exports)
	i.evaluating = true
	_, err = fn(goja.Undefined(), exports, i.vm.ToValue(i.require), module)
	i.evaluating = false
	if err != nil {
		return err
	}
	i.handlers = map[string]goja.Callable{}
	var exc *goja.Exception
	exc = i.vm.Try(func() {
		out, ok := module.Get("exports").(*goja.Object)
		if !ok {
			return
		}
		def, _ := out.Get("default").(*goja.Object)
		if def == nil {
			return
		}
		i.self = def
		if fn, ok := goja.AssertFunction(def); ok {
			i.handlers["fetch"] = fn
			return
		}
		for _, name := range handlerNames {
			if fn, ok := goja.AssertFunction(def.Get(name)); ok {
				i.handlers[name] = fn
			}
		}
	})
	if exc != nil {
		return exc
	}
	i.snapshot()
	return nil
}
