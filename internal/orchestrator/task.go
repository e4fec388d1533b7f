package orchestrator

import (
	"picloud/internal/admission"
	"picloud/internal/catalog"
	"picloud/internal/cloud"
	"picloud/internal/commit"
	"picloud/internal/history"
	"picloud/internal/outbox"
)

// task is a run to be made, whether a request or a row started it. The two flows meet in runner.perform.
type task struct {
	app     *catalog.App
	script  *cloud.Script
	handler string
	request *cloud.Request // of a fetch handler
	event   string         // of every other handler, as JSON

	execution cloud.ID
	root      cloud.ID
	parent    cloud.ID
	depth     int
	attempt   int
	principal cloud.Principal
	source    string
	trigger   cloud.ID
	// idempotencyKey is for ctx.idempotencyKey.
	idempotencyKey string

	// permit is released by whoever made the task; a run lends it while its commit is under way.
	permit *admission.Permit
	// row is the claimed row that the run ends, nil for a direct call.
	row *outbox.Row
	// answerKey is a reserved idempotency key that the commit answers, nil for none.
	answerKey *commit.IdempotencyKey
	// audit is the operator's action that the run is; it is part of the commit.
	audit *commit.Audit
	// alone asks for a child that no other run shares.
	alone bool
	// stream says that the caller takes the response's body while the script writes it.
	stream bool
	// aborted is closed when the caller hangs up, soon after.
	aborted <-chan struct{}
	// onStart is told of every sandbox run of the task, so that it can be cancelled.
	onStart func(Run)
	// dry says that nothing is committed and fetch is refused.
	dry bool
}

func (t *task) cause() commit.Cause {
	return commit.Cause{Execution: t.execution, Root: t.root, Depth: t.depth, Principal: t.principal.String()}
}

// finished is a task's first outcome, with its record.
type finished struct {
	outcome cloud.Outcome
	record  *cloud.Execution
	// entry is the record in the hands of the recorder, for the end of waitUntil work.
	entry history.Entry
	// recorded says that the record went with the commit.
	recorded bool
	// lost says that the claim was no longer ours, so nothing of this run counts.
	lost bool
	// unknown says that whether the commit took effect cannot be told.
	unknown bool
	// commitErr is the platform's failure to commit, safe to show.
	commitErr *cloud.Error
	// changes are what a dry run would have written.
	changes cloud.Changes
}

func (f *finished) succeeded() bool { return f.outcome.Status == cloud.Succeeded }
