package executor

import (
	"fmt"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// finish takes the child's word for the end of the run, or of its first part.
func (r *Run) finish(m *wire.DoneMsg) {
	o := cloud.Outcome{Status: m.Status, Error: m.Error, Response: m.Response, Pending: m.Pending, Usage: m.Usage}
	r.mu.Lock()
	r.held = r.held || m.Held
	r.unlogged = m.Unlogged
	if r.timedOut && o.Status != cloud.Succeeded {
		o.Status = cloud.TimedOut
	}
	r.mu.Unlock()
	if o.Status == cloud.TimedOut {
		r.explainTimeout(&o, m.Waiting)
	}
	if o.Pending {
		r.spec.Calls.Responded()
		r.outcomeCh <- r.withLogs(&o)
		return
	}
	r.settle(o)
}

func (r *Run) explainTimeout(o *cloud.Outcome, waiting string) {
	o.Error.Name = "TimeoutError"
	used := "it was computing"
	if waiting != "" {
		used = "it was waiting for " + waiting
	}
	if o.Usage.CPU > 0 {
		used += fmt.Sprintf(", after %s of CPU time", o.Usage.CPU.Round(time.Millisecond))
	}
	o.Error.Message = fmt.Sprintf("the run did not finish within its limit of %s (%s); it was stopped and nothing of it was kept",
		r.spec.Script.Limits.Timeout, used)
}

// settle delivers the last outcome and gives the child's place back, once.
func (r *Run) settle(o cloud.Outcome) {
	r.mu.Lock()
	if r.finished {
		r.mu.Unlock()
		return
	}
	r.finished = true
	if r.stream != nil {
		close(r.stream.overCh)
	}
	for _, timer := range []*time.Timer{r.interrupt, r.killTimer} {
		if timer != nil {
			timer.Stop()
		}
	}
	r.endContext()
	r.mu.Unlock()
	r.child.pool.young.Remove(&r.patience)
	r.child.mu.Lock()
	delete(r.child.runs, r.id)
	r.child.mu.Unlock()
	r.child.pool.done(r.child, o.Usage.MemoryKiB) // before anybody hears of the end and comes with a next run
	r.outcomeCh <- r.withLogs(&o)
}

func (r *Run) withLogs(o *cloud.Outcome) *cloud.Outcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	o.Logs, o.LogsDropped, o.Unsafe = r.logs, r.dropped+r.unlogged, r.unsafe
	return o
}

// childDied decides what the death of the child means for this run.
func (r *Run) childDied(d *deathError) {
	r.mu.Lock()
	timedOut := r.timedOut
	r.mu.Unlock()
	var o cloud.Outcome
	switch {
	case timedOut:
		o.Status = cloud.TimedOut
		r.explainTimeout(&o, "")
		o.Error.Message += " by ending its process: it did not react (a long native operation, such as a regular expression or a sort)"
	case d.culprit != r.id:
		o.Status, o.Collateral = cloud.Interrupted, true
		o.Error = cloud.ScriptError{Name: "Interrupted", Message: "another run of this app ended the process that this one shared"}
	case d.memory:
		o.Status = cloud.OutOfMemory
		o.Usage.MemoryKiB = d.used >> 10
		o.Error = cloud.ScriptError{Name: "MemoryError", Message: fmt.Sprintf(
			"the run needed more than its %d MiB of memory, or nested too deeply; it was stopped and nothing of it was kept%s",
			r.child.key.memoryMiB, d.inUse())}
	default:
		o.Status = cloud.Crashed
		o.Error = cloud.ScriptError{Name: "CrashError", Message: "the script's process ended unexpectedly; nothing of the run was kept"}
	}
	r.settle(o)
}
