package sandbox

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// maxIdle bounds the runtimes that all programs of a child keep for later: each takes some 200 KB of the child's memory.
const maxIdle = 96

// program is one build: compiled once, with the runtimes that have evaluated it.
type program struct {
	name, code string

	once sync.Once
	prg  *goja.Program
	err  error
	// usesWeb: the code names streams, blobs, forms or bodies, so that they are loaded before it.
	usesWeb bool
	// usesIntl: the code formats or compares by locale.
	usesIntl bool
	// usesEvents: the code names events, signals or performance.
	usesEvents bool
	// usesRepairs: the code may need what the engine lacks.
	usesRepairs bool
	// usesSubtle: the code names crypto.subtle.
	usesSubtle bool
	// usesURLPattern: the code names URLPattern; it is not there otherwise.
	usesURLPattern bool

	kept *keptRuntimes
	idle []*isolate // last used last; belongs to kept's lock
	used uint64     // when, in takes
}

// keptRuntimes is what the programs of a child share: the bound, and who was used when.
type keptRuntimes struct {
	mu    sync.Mutex
	takes uint64
	all   map[*program]struct{} // with idle runtimes
	count int
}

func (p *program) compiled() (*goja.Program, error) {
	p.once.Do(func() {
		p.prg, p.err = goja.Compile(p.name, p.code, false)
		p.usesWeb = webNames.in(p.code)
		p.usesIntl = intlNames.in(p.code)
		p.usesEvents = eventNames.in(p.code)
		p.usesRepairs = needsRepairs(p.code)
		p.usesSubtle = strings.Contains(p.code, "subtle") || strings.Contains(p.code, "CryptoKey") || strings.Contains(p.code, "SubtleCrypto")
		p.usesURLPattern = strings.Contains(p.code, "URLPattern")
		p.code = ""
	})
	return p.prg, p.err
}

// take gives the runtime that was used last, or nil. Those that were made with another environment are thrown away.
func (p *program) take(env *cloud.Env) *isolate {
	k := p.kept
	k.mu.Lock()
	defer k.mu.Unlock()
	k.takes++
	p.used = k.takes
	for {
		iso := k.pop(p, len(p.idle)-1)
		if iso == nil || iso.envID == envID(env) {
			return iso
		}
	}
}

func envID(env *cloud.Env) cloud.ID {
	if env == nil {
		return cloud.ID{}
	}
	return env.ID
}

// pop removes an idle runtime; nil when there is none.
func (k *keptRuntimes) pop(p *program, at int) *isolate {
	if len(p.idle) == 0 {
		return nil
	}
	iso := p.idle[at]
	p.idle = slices.Delete(p.idle, at, at+1)
	k.count--
	if len(p.idle) == 0 {
		delete(k.all, p)
	}
	return iso
}

// putIfIntact keeps a runtime for the next run, unless the last one changed an intrinsic. When too many are kept, the
// program that was used longest ago gives one up.
func (p *program) putIfIntact(iso *isolate) {
	if !iso.intact() {
		return
	}
	k := p.kept
	k.mu.Lock()
	defer k.mu.Unlock()
	p.idle = append(p.idle, iso)
	k.all[p] = struct{}{}
	if k.count++; k.count <= maxIdle {
		return
	}
	oldest := p
	for other := range k.all {
		if other.used < oldest.used {
			oldest = other
		}
	}
	k.pop(oldest, 0)
}

// inspect evaluates a build and names the functions of its default export.
func (s *server) inspect(id uint64, body []byte) {
	d := wire.NewDecoder(body)
	var build cloud.ID
	copy(build[:], d.Bytes())
	var environment cloud.ID
	copy(environment[:], d.Bytes())
	s.mu.Lock()
	p, env := s.programs[build], s.envs[environment]
	s.mu.Unlock()
	var out wire.InspectedMsg
	iso, serr := p.isolate(nil, env)
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
func (p *program) isolate(r *run, env *cloud.Env) (*isolate, *cloud.ScriptError) {
	prg, err := p.compiled()
	if err != nil {
		return nil, &cloud.ScriptError{Name: "SyntaxError", Message: err.Error()}
	}
	iso := newIsolate(p, env)
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
var handlerNames = [...]string{"fetch", "kv", "scheduled", "deadLetter"}

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
	exc := i.vm.Try(func() {
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
