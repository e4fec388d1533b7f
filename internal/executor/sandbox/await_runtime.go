package sandbox

import (
	"slices"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// A large library's runtime may have most of what its process may have, and take seconds to make. When all
// runtimes of such a program are in use, another would not fit: the run waits for one of them. It waits as
// long as making one takes, and is then made elsewhere, in a process of its own.

const (
	// largeRuntime is what a runtime has at least, in bytes, for runs to wait for it.
	largeRuntime = 4 << 20
	// largeProgram is how much code a program has at least, in bytes, for runs to wait until its first
	// runtime is there: how large that is, is not known before.
	largeProgram = 64 << 10
	// firstWait is how long they wait for it.
	firstWait = 10 * time.Second
)

// prepare gives the run a runtime: an idle one, or a new one.
func (r *run) prepare() *cloud.ScriptError {
	var late <-chan time.Time

	for {
		if iso := r.prog.take(r.env); iso != nil {
			r.attach(iso)
			return nil
		}

		patience := r.prog.queue(r)
		if patience == 0 {
			_, serr := r.prog.isolate(r, r.env)
			return serr
		}
		if late == nil {
			timer := time.NewTimer(patience)
			defer timer.Stop()
			late = timer.C
		}

		woken := r.wait(late)
		r.prog.leaveQueue(r)

		switch {
		case r.interrupted.Load():
			r.waitedFor = "the script's runtime, which other runs used"
			return &cloud.ScriptError{}
		case !woken:
			r.exceeded.Store(r.s.kept.heap.inUse.Load())
			return &cloud.ScriptError{Name: wire.MemoryError}
		}
	}
}

// queue puts a run among those that wait for a runtime of the program, if another one should not be made, and
// returns how long it should wait; 0 if it should not.
func (p *program) queue(r *run) time.Duration {
	k := p.kept
	k.mu.Lock()
	defer k.mu.Unlock()

	busy := p.users - 1 - len(p.waiters)
	if k.heap.limit == 0 || busy <= 0 {
		return 0
	}

	patience := max(p.evaluation, time.Second)
	isUnknown := p.runtimeBytes == 0
	if isUnknown {
		patience = firstWait
	}

	isLarge := p.runtimeBytes >= largeRuntime && k.heap.inUse.Load()+p.runtimeBytes > k.heap.total()*2/3
	if !isLarge && (!isUnknown || p.codeBytes < largeProgram) {
		return 0
	}

	p.waiters = append(p.waiters, r)
	return patience
}

// leaveQueue ends what queue began.
func (p *program) leaveQueue(r *run) {
	p.kept.mu.Lock()
	defer p.kept.mu.Unlock()
	if at := slices.Index(p.waiters, r); at >= 0 {
		p.waiters = slices.Delete(p.waiters, at, at+1)
	}
}

// wakeWaiters has the runs that wait look again. The lock of kept is held.
func (p *program) wakeWaiters() {
	for _, r := range p.waiters {
		r.post(event{kind: evRuntime})
	}
}
