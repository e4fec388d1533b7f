package executor

import (
	"fmt"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// finish takes the child's report of the run's end, or of the end of its first part.
func (r *Run) finish(m *wire.DoneMsg) {
	for _, line := range r.child.pool.losses.take(r.spec.Script.Build) {
		r.log(line)
	}

	outcome := cloud.Outcome{
		Status:   m.Status,
		Error:    m.Error,
		Response: m.Response,
		Pending:  m.Pending,
		Usage:    m.Usage,
	}

	r.mu.Lock()
	r.held = r.held || m.Held
	r.unlogged = m.Unlogged
	if r.timedOut && outcome.Status != cloud.Succeeded {
		outcome.Status = cloud.TimedOut
	}
	r.mu.Unlock()

	switch {
	case outcome.Status == cloud.TimedOut:
		r.explainTimeout(&outcome, m.Waiting)
	case outcome.Status == cloud.OutOfMemory && outcome.Error.Name == wire.MemoryError:
		r.excuse(&outcome)
	}
	if outcome.Pending {
		r.spec.Calls.Responded()
		r.outcomeCh <- r.withLogs(&outcome)
		return
	}

	r.settle(outcome)
}

// explainTimeout writes an outcome's error: what the time was used for. waiting is empty if the run was
// computing.
func (r *Run) explainTimeout(outcome *cloud.Outcome, waiting string) {
	used := "it was computing"
	if waiting != "" {
		used = "it was waiting for " + waiting
	}
	if outcome.Usage.CPU > 0 {
		used += fmt.Sprintf(", after %s of CPU time", outcome.Usage.CPU.Round(time.Millisecond))
	}

	outcome.Error.Name = "TimeoutError"
	outcome.Error.Message = fmt.Sprintf(
		"the run did not finish within its limit of %s (%s); it was stopped and nothing of it was kept",
		r.spec.Script.Limits.Timeout, used)
}

// settle delivers the last outcome and releases the run's place in the child, once. Later outcomes are
// dropped.
func (r *Run) settle(outcome cloud.Outcome) {
	r.mu.Lock()
	if r.finished {
		r.mu.Unlock()
		return
	}

	r.finished = true
	if r.stream != nil {
		close(r.stream.overCh)
	}

	for _, timer := range []*time.Timer{r.interruptTimer, r.killTimer} {
		if timer != nil {
			timer.Stop()
		}
	}
	r.endContext()
	r.mu.Unlock()

	r.child.pool.unarmed.Remove(&r.wheelEntry)
	r.child.removeRun(r)

	// The place is free before the caller has the outcome: it may start its next run at once.
	r.child.pool.release(r.child, outcome.Usage.MemoryKiB)
	r.outcomeCh <- r.withLogs(&outcome)
}

func (r *Run) withLogs(outcome *cloud.Outcome) *cloud.Outcome {
	r.mu.Lock()
	defer r.mu.Unlock()

	outcome.Logs = r.logs
	outcome.LogsDropped = r.dropped + r.unlogged
	outcome.Unsafe = r.unsafe
	return outcome
}

// abandon ends a run because the platform failed it: the database was unavailable in a read.
func (r *Run) abandon(err error) {
	r.child.pool.cfg.Log.Error("host call failed", "execution", r.spec.Execution.String(), "error", err)
	r.settle(cloud.Outcome{Status: cloud.Interrupted, Error: cloud.ScriptError{
		Name:    "Interrupted",
		Message: "the database did not answer; nothing of this run was kept",
	}})
	r.Cancel()
}

// childDied decides what the death of the child means for this run, and ends it.
func (r *Run) childDied(death *deathError) {
	r.mu.Lock()
	timedOut := r.timedOut
	r.mu.Unlock()

	var outcome cloud.Outcome
	switch {
	case timedOut: // the pool killed the child, after the run did not react to its interrupt
		outcome.Status = cloud.TimedOut
		r.explainTimeout(&outcome, "")
		outcome.Error.Message += " by ending its process: it did not react" +
			" (a long native operation, such as a regular expression or a sort)"
	case death.evicted:
		outcome.Status = cloud.Interrupted
		outcome.Collateral = true
		outcome.Error.Name = "Interrupted"
		outcome.Error.Message = "its process was ended because all sandboxes together used too much memory"
	case death.culprit != r.id:
		outcome.Status = cloud.Interrupted
		outcome.Collateral = true
		outcome.Error.Name = "Interrupted"
		outcome.Error.Message = "another run of this app ended the process that this one shared"
	case death.memory:
		outcome.Status = cloud.OutOfMemory
		outcome.Usage.MemoryKiB = death.used >> 10
		outcome.Error.Name = wire.MemoryError
		outcome.Error.Message = fmt.Sprintf(
			"the run needed more than its %d MiB of memory, or nested too deeply;"+
				" it was stopped and nothing of it was kept%s",
			r.child.key.memoryMiB, death.inUse())
		if death.shared {
			r.excuseAs(&outcome)
		}
	default:
		outcome.Status = cloud.Crashed
		outcome.Error.Name = "CrashError"
		outcome.Error.Message = "the script's process ended unexpectedly; nothing of the run was kept"
	}
	r.settle(outcome)
}

// excuse keeps a run from being blamed for memory that others may have filled: if its child had other runs,
// it is made again, alone.
func (r *Run) excuse(outcome *cloud.Outcome) {
	if _, shared := r.child.circumstances(); shared {
		r.excuseAs(outcome)
	}
}

// excuseAs makes an outcome of memory one that is not the last word. A run that must not be made again, for
// the requests that it made, is interrupted: only what needs too much alone is said to need too much.
func (r *Run) excuseAs(outcome *cloud.Outcome) {
	r.mu.Lock()
	unsafe := r.unsafe
	r.mu.Unlock()

	outcome.Collateral = true
	if unsafe {
		outcome.Status = cloud.Interrupted
		outcome.Error.Name = "Interrupted"
		outcome.Error.Message = "the memory of the process that the run shared with others was used up; " +
			"the run made requests that must not be repeated, so it was not run again; " +
			"nothing of it was kept"
	}
}
