package sandbox

import (
	"slices"
	"strings"
	"sync"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/sandbox/nodeapi"
	"picloud/internal/executor/sandbox/webapi"
)

// maxIdle bounds the runtimes that all programs of a child keep for later: each takes some 200 KB of the
// child's memory.
const maxIdle = 96

// program is one build: compiled once, with the runtimes that have evaluated it.
type program struct {
	name, code string // code is empty once it is compiled

	once  sync.Once
	prg   *goja.Program
	err   error
	needs webapi.Needs
	// decorated is true if there are decorators in the code, which esbuild has lowered.
	decorated bool

	nodeNeeds nodeapi.Needs

	kept *keptRuntimes
	idle []*isolate // last used last; guarded by kept's lock
	used uint64     // when it was used last, in takes; guarded by kept's lock
}

// keptRuntimes is what the programs of a child share: the bound, and which of them was used when.
type keptRuntimes struct {
	// mu guards the fields below, and each program's idle and used. No other lock is taken under it.
	mu    sync.Mutex
	takes uint64
	all   map[*program]struct{} // with idle runtimes
	count int                   // of idle runtimes
}

// legacyDecorators ends the message of a TypeError at which a module with decorators fails.
const legacyDecorators = " (decorators here are the standard ones, which get a value and a context; " +
	"those of TypeScript's experimentalDecorators get a target, a key and a descriptor, and do not work)"

// compiled compiles the program, once.
func (p *program) compiled() (*goja.Program, error) {
	p.once.Do(func() {
		p.prg, p.err = engine.Compile(p.name, p.code, false)
		p.needs = webapi.NeedsOf(p.code)
		p.decorated = strings.Contains(p.code, "__decorateElement(")
		p.nodeNeeds = nodeapi.NeedsOf(p.code)
		p.needs.Streams = p.needs.Streams || p.nodeNeeds.Streams()
		p.code = ""
	})
	return p.prg, p.err
}

// isolate makes a runtime and evaluates the program in it. The run, if any, receives what the module logs
// meanwhile and can interrupt it.
func (p *program) isolate(r *run, env *cloud.Env) (made *isolate, serr *cloud.ScriptError) {
	defer func() {
		if recover() != nil {
			made, serr = nil, engineFailure()
		}
	}()

	prg, err := p.compiled()
	if err != nil {
		return nil, &cloud.ScriptError{Name: "SyntaxError", Message: err.Error()}
	}

	iso := newIsolate(p, env)
	if r != nil {
		r.attach(iso)
	}
	if err := iso.evaluate(prg); err != nil {
		serr := iso.realm.ScriptError(err)
		if p.decorated && serr.Name == "TypeError" {
			serr.Message += legacyDecorators
		}
		return nil, serr
	}

	return iso, nil
}

// take gives the runtime that was used last, or nil. Those that were made with another environment are
// thrown away.
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

// pop removes an idle runtime; nil when there is none. The caller holds the lock.
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

// putIfIntact keeps a runtime for the next run, unless the last one changed an intrinsic. When too many are
// kept, the program that was used longest ago gives one up.
func (p *program) putIfIntact(iso *isolate) {
	if iso.web.Spent() || !iso.realm.Intact() { // outside of the lock: it takes longer than all else here
		return
	}

	kept := p.kept
	kept.mu.Lock()
	defer kept.mu.Unlock()

	p.idle = append(p.idle, iso)
	kept.all[p] = struct{}{}
	if kept.count++; kept.count <= maxIdle {
		return
	}

	oldest := p
	for other := range kept.all {
		if other.used < oldest.used {
			oldest = other
		}
	}

	kept.pop(oldest, 0)
}
