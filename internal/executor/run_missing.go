package executor

import (
	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// maxMissed is how often a child may have dropped a run's build before the run came: it happens when the
// child makes room at the moment in which the run is sent.
const maxMissed = 10

// missing has a run sent again, with its build, which the child had dropped.
func (r *Run) missing() error {
	r.mu.Lock()
	r.missed++
	isTooMuch := r.missed > maxMissed || r.unsent || r.calls > 0 || r.responded
	r.unsent = true
	timedOut := r.timedOut
	r.mu.Unlock()
	if isTooMuch {
		return wire.ErrProtocol
	}

	r.child.forget(r.spec.Script.Build)
	if timedOut {
		r.settleUnsent()
		return nil
	}
	go r.sendAgain()
	return nil
}

// sendAgain sends a run and its build to a child that has dropped the build.
func (r *Run) sendAgain() {
	_, err := r.child.load(r.parent, r.spec.Script)
	if err != nil {
		r.abandon(err)
		return
	}

	r.mu.Lock()
	isOver := r.finished || r.timedOut
	r.unsent = isOver
	r.mu.Unlock()
	if isOver {
		return
	}

	msg := r.startMessage()
	if err := r.child.w.Send(wire.Run, r.id, msg.Encode); err != nil {
		r.child.kill()
	}
}

// settleUnsent ends a run whose time was over before its child had it.
func (r *Run) settleUnsent() {
	outcome := cloud.Outcome{Status: cloud.TimedOut}
	r.explainTimeout(&outcome, "its code")
	r.settle(outcome)
}
