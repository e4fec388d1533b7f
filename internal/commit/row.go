package commit

import (
	"context"

	"picloud/db"
	"picloud/internal/cloud"
	"picloud/internal/outbox"
)

// RowEnd moves a row to its next state. A claimed row must still be ours: a row that another node took over
// ends its commit as lost, and with it everything else that the run did. A row without a token must still
// wait, claimed by nobody: an operator takes it out of the queue.
type RowEnd struct {
	Row *outbox.Row
	End outbox.End
}

func (r RowEnd) require(g *Group, x *Commit) {
	s := of[*rowSection](g)
	if r.Row.Token.IsZero() {
		s.waitingApps = append(s.waitingApps, int64(r.Row.App))
		s.waitingIDs = append(s.waitingIDs, r.Row.ID)
	} else {
		s.apps = append(s.apps, int64(r.Row.App))
		s.ids = append(s.ids, r.Row.ID)
		s.tokens = append(s.tokens, r.Row.Token)
	}

	// A dead letter raises events.
	if r.End.Kind == outbox.EndBury {
		g.requireApp(x.App)
	}
}

func (r RowEnd) decide(g *Group, _ *Commit) Verdict {
	token, isLocked := of[*rowSection](g).claims[r.Row.ID]
	if !isLocked || token != r.Row.Token {
		return lost()
	}
	return applies()
}

func (r RowEnd) apply(g *Group, x *Commit) {
	s := of[*rowSection](g)
	ledger := of[*ledgerSection](g)
	delete(s.claims, r.Row.ID) // this claim has had its end; another of the same row in the group is lost

	switch r.End.Kind {
	case outbox.EndDone:
		s.ended = append(s.ended, r.Row)
		ledger.count(x.App, Done)
	case outbox.EndSkip:
		s.ended = append(s.ended, r.Row)
		ledger.count(x.App, Skipped)
	case outbox.EndRetry:
		s.retried = append(s.retried, r)
	case outbox.EndBury:
		s.buried = append(s.buried, r)
		s.ended = append(s.ended, r.Row)
		ledger.count(x.App, DeadLettered)
		r.raiseDeadLetter(g, x)
	}
}

// raiseDeadLetter gives the matching dead_letter triggers their rows. Their depth is that of the failed row.
func (r RowEnd) raiseDeadLetter(g *Group, x *Commit) {
	app := g.app(x.App)
	if app == nil {
		return
	}
	triggers := app.DeadLetterTriggers(r.Row.Source, r.Row.Trigger, r.Row.Script)
	if len(triggers) == 0 {
		return
	}

	of[*enqueueSection](g).raise(g, x, triggers, event{
		source:  cloud.SourceDeadLetter,
		op:      r.Row.Source,
		payload: r.deadLetterPayload(app.ScriptName(r.Row.Script)),
		letter:  r.End.Bury.Letter,
		depth:   r.Row.Depth,
	})
}

// deadLetterPayload is the event of a dead letter.
func (r RowEnd) deadLetterPayload(script string) string {
	b := []byte(`{"id":"` + r.End.Bury.Letter.String() + `","original":`)
	b = append(b, r.Row.Payload...)
	b = append(b, `,"attempts":`...)
	b = cloud.AppendJSON(b, r.End.Bury.Attempts)
	b = append(b, `,"error":`...)
	b = cloud.AppendJSON(b, r.End.Bury.Error)
	b = append(b, `,"trigger":`...)
	if r.Row.Trigger.IsZero() {
		b = append(b, "null"...)
	} else {
		b = cloud.AppendJSON(b, r.Row.Trigger.String())
	}
	b = append(b, `,"script":`...)
	b = cloud.AppendJSON(b, script)

	return string(append(b, '}'))
}

// rowSection holds the claimed rows that a group ends.
type rowSection struct {
	apps        []int64
	ids, tokens []db.UUID

	waitingApps []int64 // of rows that must be claimed by nobody
	waitingIDs  []db.UUID

	// claims are the rows that are as their ends want them: claimed still, with the token of the claim, or
	// waiting, with none.
	claims map[cloud.ID]cloud.ID

	ended   []*outbox.Row // to be deleted
	retried []RowEnd
	buried  []RowEnd
}

func (s *rowSection) read(_ *Group, p *db.Pipeline) {
	if len(s.ids)+len(s.waitingIDs) == 0 {
		return
	}

	s.claims = make(map[cloud.ID]cloud.ID, len(s.ids)+len(s.waitingIDs))
	if len(s.ids) > 0 {
		p.Claimed(s.apps, s.ids, s.tokens, func(id, token db.UUID) { s.claims[id] = token })
	}
	if len(s.waitingIDs) > 0 {
		p.Waiting(s.waitingApps, s.waitingIDs, func(id db.UUID) { s.claims[id] = cloud.ID{} })
	}
}

func (s *rowSection) write(ctx context.Context, _ *Group, q *db.Queries) {
	// Burying copies rows which the deletion takes away.
	if len(s.buried) > 0 {
		_ = q.BuryOutbox(ctx, buryParams(s.buried))
	}
	if len(s.ended) > 0 {
		var apps []int64

		var ids []db.UUID
		for _, row := range s.ended {
			apps = append(apps, int64(row.App))
			ids = append(ids, row.ID)
		}
		_ = q.DeleteOutbox(ctx, apps, ids)
	}
	if len(s.retried) > 0 {
		_ = q.RetryOutbox(ctx, retryParams(s.retried))
	}
}

// settle has somebody look when the rows that wait again are due.
func (s *rowSection) settle(g *Group) {
	for _, r := range s.retried {
		g.cfg.Starter.ScanWithin(r.End.Retry.Delay)
	}
}

func buryParams(ends []RowEnd) db.BuryOutboxParams {
	var p db.BuryOutboxParams
	for k := range ends {
		row, bury := ends[k].Row, &ends[k].End.Bury
		p.Apps = append(p.Apps, int64(row.App))
		p.Ids = append(p.Ids, row.ID)
		p.Letters = append(p.Letters, bury.Letter)
		p.Scripts = append(p.Scripts, bury.Script)
		p.Reasons = append(p.Reasons, bury.Reason)
		p.Errors = append(p.Errors, string(cloud.AppendJSON(nil, bury.Error)))
		p.ErrorGroups = append(p.ErrorGroups, cloud.ErrorGroup(bury.Error.Name, bury.Error.Message))
		p.AttemptCounts = append(p.AttemptCounts, int32(bury.Attempts))
		p.Executions = append(p.Executions, bury.Execution)
	}

	return p
}

func retryParams(ends []RowEnd) db.RetryOutboxParams {
	var p db.RetryOutboxParams
	for k := range ends {
		row, retry := ends[k].Row, &ends[k].End.Retry
		p.Apps = append(p.Apps, int64(row.App))
		p.Ids = append(p.Ids, row.ID)
		p.Attempts = append(p.Attempts, int32(retry.Attempts))
		p.Interruptions = append(p.Interruptions, int32(retry.Interruptions))
		p.Errors = append(p.Errors, db.Storable(retry.Error))
		p.Attempted = append(p.Attempted, retry.Attempted)
		p.Delays = append(p.Delays, retry.Delay.Microseconds())
	}

	return p
}
