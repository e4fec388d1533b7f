package orchestrator

import (
	"context"
	"fmt"
	"time"

	"picloud/internal/admission"
	"picloud/internal/catalog"
	"picloud/internal/cloud"
	"picloud/internal/commit"
	"picloud/internal/outbox"
)

// parkedFor is the retry delay of a row whose trigger was disabled between enqueueing and claiming. Rows that
// were waiting when it was disabled are parked by the manager, until the trigger is enabled.
const parkedFor = 5 * time.Minute

// eventRunner brings claimed rows to their next state: it finds out what is to be run, has it run, and
// answers whoever waits.
type eventRunner struct {
	node      string
	maxDepth  int
	runner    *runner
	catalog   *catalog.Catalog
	committer *commit.Committer
	inbox     *inbox
	// runCtx ends the runs of this node.
	runCtx func() context.Context
}

// run runs a claimed row. Where it returns without having ended the row, the lease ends and somebody tries
// again.
func (r *eventRunner) run(c *outbox.Claim, permit *admission.Permit) {
	row := c.Row
	ctx := r.runCtx()
	app, err := r.catalog.AtLeast(ctx, row.App, row.Revision)
	if err != nil {
		r.runner.log.Error(
			"run row",
			"row",
			row.ID.String(),
			"execution",
			row.Execution.String(),
			"error",
			err,
		)
		return
	}
	if app == nil {
		return // the app is being deleted, and its rows with it
	}

	t := r.task(app, row)
	t.permit = permit
	t.onStart = func(run Run) { c.Started(run) }
	if unrun, ok := r.whyNot(t); ok {
		r.end(t, unrun)
		return
	}
	if !r.prepare(t) {
		return
	}

	// The client is answered before waitUntil work ends, and after the commit.
	fin, finish := r.runner.perform(ctx, t)
	r.answer(row, fin)
	if finish != nil {
		finish()
	}
}

func (r *eventRunner) task(app *catalog.App, row *outbox.Row) *task {
	t := &task{
		app:            app,
		script:         app.Script(row.Script),
		row:            row,
		source:         row.Source,
		trigger:        row.Trigger,
		event:          row.Payload,
		execution:      row.Execution,
		parent:         row.Parent,
		root:           row.Root,
		depth:          row.Depth,
		attempt:        row.Attempts + 1,
		idempotencyKey: row.IdempotencyKey,
		alone:          row.Interruptions >= outbox.AloneAfter,
	}

	if row.Attempts > 0 { // the row names the execution of its first attempt
		t.execution = r.runner.ids.New()
	}
	if t.idempotencyKey == "" {
		t.idempotencyKey = row.Root.String()
	}

	return t
}

// whyNot gives the outcome of a row that must not be run.
func (r *eventRunner) whyNot(t *task) (cloud.Outcome, bool) {
	row := t.row
	switch {
	case t.script == nil:
		t.script = &cloud.Script{ID: row.Script, App: row.App}
		return refusedOutcome("the script was deleted"), true
	case row.Depth > r.maxDepth:
		message := fmt.Sprintf("the chain of events is %d deep; at most %d are run", row.Depth, r.maxDepth)
		return cloud.Outcome{
			Status: cloud.Skipped,
			Error:  cloud.ScriptError{Name: "Skipped", Message: message},
		}, true
	case !row.ReplyTo.IsZero() && row.Interruptions > 0:
		// Its client was told, or has gone: it is never run again.
		return interrupted("the node that ran it was lost; nothing of the run was kept"), true
	default:
		return cloud.Outcome{}, false
	}
}

// prepare decides whom the run acts as and what it is given; false: the row was ended or parked.
func (r *eventRunner) prepare(t *task) bool {
	row := t.row
	t.handler = cloud.HandlerOf(row.Source)
	if row.Source == cloud.SourceHTTP {
		return r.prepareRequest(t)
	}

	trigger := t.app.Triggers[row.Trigger]
	switch {
	case trigger == nil && row.RunAs != "": // replayed by an operator after the trigger was deleted
		t.principal = cloud.ParsePrincipal(row.RunAs)
	case trigger == nil:
		r.end(t, refusedOutcome("the trigger was deleted"))
		return false
	case trigger.Refusal != "":
		r.end(t, refusedOutcome(trigger.Refusal))
		return false
	case !trigger.Enabled:
		r.park(row)
		return false
	default:
		t.principal = cloud.Principal{Username: trigger.Registrant, Kind: cloud.PrincipalRegistrant}
	}

	return true
}

func (r *eventRunner) prepareRequest(t *task) bool {
	t.principal = cloud.ParsePrincipal(t.row.RunAs)
	request, keyOwner, err := decodeRequest(t.row.Payload)
	if err != nil {
		r.end(t, cloud.Outcome{Status: cloud.Failed, Error: cloud.ScriptError{Name: "TypeError",
			Message: "the payload is not an HTTP request: " + err.Error()}})
		return false
	}
	t.request = request

	// Somebody waits who may repeat the request.
	if key := t.row.IdempotencyKey; key != "" && !t.row.ReplyTo.IsZero() {
		t.answerKey = &commit.IdempotencyKey{
			App:       t.row.App,
			Script:    t.row.Script,
			Principal: keyOwner,
			Key:       key,
			Execution: t.row.Execution,
		}
	}

	return true
}

func refusedOutcome(why string) cloud.Outcome {
	return cloud.Outcome{Status: cloud.Refused, Error: cloud.ScriptError{Name: "Refused", Message: why}}
}

// end ends a row without running its script.
func (r *eventRunner) end(t *task, outcome cloud.Outcome) {
	e := &execution{r: r.runner, t: t, started: time.Now()}
	r.answer(t.row, e.fail(e.finish(outcome)))
}

// answer gives the outcome to the client of this node that waits for the row. One at another node finds it in
// the inbox.
func (r *eventRunner) answer(row *outbox.Row, fin *finished) {
	if !row.ReplyTo.IsZero() && row.ReplyNode == r.node {
		r.inbox.deliver(row, fin)
	}
}

// park lets a row of a disabled trigger wait.
func (r *eventRunner) park(row *outbox.Row) {
	end := outbox.End{Kind: outbox.EndRetry, Retry: outbox.Retry{
		Attempts:      row.Attempts,
		Interruptions: row.Interruptions,
		Delay:         parkedFor,
		Error:         "trigger disabled",
	}}
	r.committer.Do(&commit.Commit{App: row.App, Parts: []commit.Part{commit.RowEnd{Row: row, End: end}}})
}
