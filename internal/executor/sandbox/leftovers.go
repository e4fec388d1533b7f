package sandbox

import "picloud/internal/executor/wire"

// A run often leaves a timer behind that lost a race against the work:
//
//	await Promise.race([work, new Promise((resolve) => setTimeout(resolve, 1000))])
//
// A runtime with a timer cannot serve another run, and to forget the timer would be wrong in general: module
// state may wait for it, as a batch does that a timer sends. But a timer that only settles a promise of which
// no code of the script hears may fire at once: nobody can tell when it did.

// leaves is what a run leaves behind that would go on in the next run of its runtime; 0 if there is nothing.
func (r *run) leaves() wire.Loss {
	switch {
	case r.Calling() > 0:
		return wire.LostCalls
	case r.Web.Timers.Left() && !r.settleTimers():
		return wire.LostTimers
	default:
		return 0
	}
}

// settleTimers fires the timers that are left if all of them only settle promises, and reports whether no
// code of the script heard of it: the interrupt that is pending meanwhile would have ended that code before
// its first instruction. A runtime in which it did is thrown away.
func (r *run) settleTimers() bool {
	if !r.Web.Timers.OnlySettle() {
		return false
	}

	vm := r.iso.realm.VM
	vm.Interrupt("the run is over")
	defer vm.ClearInterrupt()

	for timer := r.Web.Timers.NextLeft(); timer != nil; timer = r.Web.Timers.NextLeft() {
		if r.Web.Timers.Fire(timer) != nil {
			return false
		}
	}
	r.iso.realm.TakeRejected() // it would have been nobody's
	return true
}
