package orchestrator

import (
	"time"

	"picloud/internal/cloud"
	"picloud/internal/commit"
)

// finishBackground sees waitUntil work to its end: its writes are a second commit.
func (e *execution) finishBackground() {
	defer e.session.Finished()

	fin := e.background
	after := e.sandbox.After()
	e.t.app.MaskOutcome(&after)

	status := after.Status
	ok := status == cloud.Succeeded
	did := effects{e.session.After(), e.letters.after()}
	if e.t.dry { // nothing of it is kept
		e.sandbox.Release(ok)
		return
	}
	if ok && !did.empty() {
		status, after.Error = e.commitBackground(&did)
		ok = status == cloud.Succeeded
	}

	// The execution's own error is that of its response, so that of its waitUntil work goes into the log.
	if !ok {
		message := "after the response: " + after.Error.String() + "; nothing written since was kept"
		after.Logs = append(after.Logs, cloud.LogLine{At: time.Now().UTC(), Level: "error", Message: message})
	}
	e.sandbox.Release(ok)
	e.r.recorder.After(fin.entry, status, &after)
}

func (e *execution) commitBackground(did *effects) (cloud.Status, cloud.ScriptError) {
	x := &commit.Commit{App: e.t.app.ID, Cause: e.t.cause(), Parts: did.parts()}
	result := commit.Result{Conflicts: e.session.Changed()}
	if len(result.Conflicts) == 0 {
		e.r.committer.Submit(x)
		e.session.Submitted()
		result = x.Wait()
	}

	switch {
	case cloud.CodeOf(result.Err) == cloud.CodeQuota:
		return cloud.Failed, quotaError(safeError(result.Err))
	case len(result.Conflicts) > 0:
		return cloud.Conflicted, cloud.ScriptError{
			Name:    "ConflictError",
			Message: "what it had read was changed by another run",
		}
	case !result.Applied:
		return cloud.Interrupted, cloud.ScriptError{
			Name:    "Interrupted",
			Message: "the database did not take it",
		}
	default:
		return cloud.Succeeded, cloud.ScriptError{}
	}
}
