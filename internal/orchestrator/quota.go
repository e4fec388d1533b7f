package orchestrator

import (
	"picloud/internal/cloud"
)

// overQuota ends a task whose writes are over a quota of its app. That is a failure of the run, not of the
// platform: its row is tried again later, and becomes a dead letter in the end.
func (e *execution) overQuota(fin *finished, refusal *cloud.Error) *finished {
	outcome := fin.outcome
	outcome.Status = cloud.Failed
	outcome.Error = quotaError(refusal)
	outcome.Response = nil
	outcome.Pending = false

	failed := e.finish(outcome)
	failed.commitErr = refusal
	if failed.record.HTTPStatus != 0 { // somebody called it by HTTP
		failed.record.HTTPStatus = cloud.StatusOf(refusal.Code)
	}
	return e.fail(failed)
}

// quotaError is a refusal as the script's author sees it with the execution.
func quotaError(refusal *cloud.Error) cloud.ScriptError {
	return cloud.ScriptError{Name: "QuotaError", Message: refusal.Message}
}
