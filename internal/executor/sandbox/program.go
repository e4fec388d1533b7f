package sandbox

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/nodeapi"
	"picloud/internal/executor/sandbox/webapi"
	"picloud/internal/executor/wire"
)

// maxIdle bounds the runtimes that all programs of a child keep for later: each takes some 200 KB of the
// child's memory.
const maxIdle = 96

// costly is how long the evaluation of a program takes at least, for its runtimes to be given back first.
const costly = 5 * time.Millisecond

// program is one build: compiled once, with the runtimes that have evaluated it.
type program struct {
	id         cloud.ID
	name, code string // code is empty once it is compiled
	codeBytes  uint64 // of the code, without its source map

	once  sync.Once
	prg   *goja.Program
	err   error
	needs webapi.Needs
	// decorated is true if there are decorators in the code, which esbuild has lowered.
	decorated bool

	nodeNeeds nodeapi.Needs

	kept *keptRuntimes
	// isCostly means that to evaluate it takes so long that a run's runtime is given back before its end is
	// told: the next run may come at once.
	isCostly atomic.Bool
	// isDropped means that nobody may use it any more. It is set with kept's lock held.
	isDropped atomic.Bool
	told      atomic.Uint32 // the parent knows that runtimes were lost for these reasons: a bit for each

	// Guarded by kept's lock.
	idle  []*isolate // last used last
	used  uint64     // when it was used last, in takes
	users int        // runs that use it, or whose runtimes are held

	runtimeBytes uint64        // about what one of its runtimes has; 0 until there was one
	evaluation   time.Duration // how long it took to make it
	waiters      []*run        // for one of its runtimes
}

// keptRuntimes is what the programs of a child share: the bounds, and which of them was used when.
type keptRuntimes struct {
	heap *heap

	onLoss func(*program, wire.Loss) // is told of a runtime that was thrown away
	onDrop func(*program)            // is told of a program that was dropped

	// mu guards the fields below, and those of each program that are named so. The lock of a run's queue is
	// taken under it.
	mu       sync.Mutex
	takes    uint64
	all      map[*program]struct{} // with idle runtimes
	compiled map[*program]struct{}
	count    int // of idle runtimes
}

func newKeptRuntimes(onLoss func(*program, wire.Loss), onDrop func(*program)) *keptRuntimes {
	return &keptRuntimes{
		heap:     newHeap(),
		onLoss:   onLoss,
		onDrop:   onDrop,
		all:      map[*program]struct{}{},
		compiled: map[*program]struct{}{},
	}
}

// use says that a run needs a program, until unuse. It reports false if the program was dropped.
func (p *program) use() bool {
	p.kept.mu.Lock()
	defer p.kept.mu.Unlock()
	if p.isDropped.Load() {
		return false
	}
	p.users++
	return true
}

// loseLast tells that the program which was used last lost its runtime.
func (k *keptRuntimes) loseLast(why wire.Loss) {
	k.mu.Lock()

	var last *program
	for p := range k.compiled {
		if last == nil || p.used > last.used {
			last = p
		}
	}
	k.mu.Unlock()

	if last != nil {
		k.onLoss(last, why)
	}
}

// unuse ends what use began.
func (p *program) unuse() {
	p.kept.mu.Lock()
	defer p.kept.mu.Unlock()
	p.users--
	p.wakeWaiters()
}

// legacyDecorators ends the message of a TypeError at which a module with decorators fails.
const legacyDecorators = " (decorators here are the standard ones, which get a value and a context; " +
	"those of TypeScript's experimentalDecorators get a target, a key and a descriptor, and do not work)"

// compiled compiles the program, once.
func (p *program) compiled() (*goja.Program, error) {
	p.once.Do(func() {
		p.kept.heap.beginParse(uint64(len(p.code)), p.codeBytes, p.kept.shrink)
		defer p.kept.heap.endParse()

		p.needs = webapi.NeedsOf(p.code)
		p.decorated = strings.Contains(p.code, "__decorateElement(")
		p.nodeNeeds = nodeapi.NeedsOf(p.code)
		p.needs.Streams = p.needs.Streams || p.nodeNeeds.Streams()
		p.prg, p.err = compile(p.name, p.code)
		p.code = ""

		p.kept.mu.Lock()
		defer p.kept.mu.Unlock()
		p.kept.compiled[p] = struct{}{}
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
	done := p.kept.heap.measure()
	began := time.Now()
	if err := iso.evaluate(prg); err != nil {
		serr := iso.realm.ScriptError(err)
		if p.decorated && serr.Name == "TypeError" {
			serr.Message += legacyDecorators
		}
		return nil, serr
	}
	took := time.Since(began)
	if took >= costly {
		p.isCostly.Store(true)
	}
	p.note(max(done(), 1), took)

	return iso, nil
}

// note takes down about how many bytes a new runtime of the program has, and how long it took to make it.
func (p *program) note(size uint64, took time.Duration) {
	p.kept.mu.Lock()
	defer p.kept.mu.Unlock()
	p.runtimeBytes = size
	p.evaluation = took
	p.wakeWaiters()
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
	if iso.web.Spent() {
		p.kept.onLoss(p, wire.LostMemory)
		return
	}
	if !iso.realm.Intact() { // outside of the lock: it takes longer than all else here
		p.kept.onLoss(p, wire.LostIntrinsics)
		return
	}

	kept := p.kept
	kept.mu.Lock()
	defer kept.mu.Unlock()
	if p.isDropped.Load() {
		return
	}

	p.idle = append(p.idle, iso)
	p.wakeWaiters()
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
