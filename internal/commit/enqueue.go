package commit

import (
	"context"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
	"picloud/internal/outbox"
)

// Enqueue inserts a row into the outbox, if its script is still there.
type Enqueue struct{ Row *outbox.NewRow }

var errScriptGone = cloud.Errorf(cloud.CodeConflict, "the script is gone")

func (e Enqueue) require(g *Group, x *Commit) { g.requireApp(x.App) }

func (e Enqueue) decide(g *Group, x *Commit) Verdict {
	app := g.app(x.App)
	switch {
	case app == nil:
		return refused(errAppGone)
	case app.Script(e.Row.Script) == nil:
		return refused(errScriptGone)
	default:
		return applies()
	}
}

func (e Enqueue) apply(g *Group, _ *Commit) { of[*enqueueSection](g).insert(g, e.Row) }

// enqueueSection holds the rows that a group inserts, with the events that its writes and dead letters raise.
type enqueueSection struct {
	rows     []*outbox.NewRow
	payloads []sharedPayload
	// started are rows that are inserted as claimed by this node; each has a permit.
	started []*outbox.Row
	// waiting are the apps of which a row waits to be claimed, with when the first of these is due.
	waiting map[cloud.AppID]time.Time
}

// sharedPayload is one that several rows refer to.
type sharedPayload struct {
	app     cloud.AppID
	id      cloud.ID
	payload string
}

// event is what triggers are raised for.
type event struct {
	source  string
	op      string
	payload string // JSON text
	letter  cloud.ID
	depth   int
}

// insert adds a row. With a free permit it is inserted as claimed, and starts right after the commit; unless
// it is to wait for a time that has not come.
func (s *enqueueSection) insert(g *Group, n *outbox.NewRow) {
	row := n.Row // the attempt's own copy: a repeat of the attempt decides anew
	of[*ledgerSection](g).count(row.App, Enqueued)

	switch {
	case n.DueAt.After(g.now):
		s.await(row.App, n.DueAt)
	case g.cfg.Starter.Admit(row.App):
		row.Token = g.cfg.IDs.New()
		s.started = append(s.started, &row)
	default:
		s.await(row.App, g.now)
	}
	s.rows = append(s.rows, &outbox.NewRow{Row: row, PayloadID: n.PayloadID, DueAt: n.DueAt})
}

// await notes that a row of an app is due at a time.
func (s *enqueueSection) await(app cloud.AppID, due time.Time) {
	if s.waiting == nil {
		s.waiting = map[cloud.AppID]time.Time{}
	}
	if first, waits := s.waiting[app]; !waits || due.Before(first) {
		s.waiting[app] = due
	}
}

// raise inserts one row for each trigger. Several rows share one payload.
func (s *enqueueSection) raise(g *Group, x *Commit, triggers []*cloud.Trigger, e event) {
	// A payload is stored once, however many triggers it raises.
	var payloadID cloud.ID
	if len(triggers) > 1 {
		payloadID = g.cfg.IDs.New()
		s.payloads = append(s.payloads, sharedPayload{app: x.App, id: payloadID, payload: e.payload})
	}

	for _, t := range triggers {
		s.insert(g, &outbox.NewRow{
			PayloadID: payloadID,
			Row: outbox.Row{
				App:        x.App,
				ID:         g.cfg.IDs.New(),
				Source:     e.source,
				Op:         e.op,
				Trigger:    t.ID,
				Script:     t.Script,
				Payload:    e.payload,
				Origin:     x.Cause.Principal,
				Parent:     x.Cause.Execution,
				Root:       x.Cause.Root,
				Depth:      e.depth,
				DeadLetter: e.letter,
				Execution:  g.cfg.IDs.New(),
				Retry:      t.Retry,
			},
		})
	}
}

func (s *enqueueSection) read(*Group, *db.Pipeline) {}

func (s *enqueueSection) write(ctx context.Context, g *Group, q *db.Queries) {
	if len(s.payloads) > 0 {
		var apps []int64
		var ids []db.UUID

		var payloads []string
		for _, p := range s.payloads {
			apps = append(apps, int64(p.app))
			ids = append(ids, p.id)
			payloads = append(payloads, p.payload)
		}
		_ = q.InsertPayloads(ctx, apps, ids, payloads)
	}
	if len(s.rows) > 0 {
		_ = q.InsertOutbox(ctx, outbox.InsertParams(g.cfg.Node, g.cfg.Lease, s.rows))
	}
}

// settle starts the rows that were inserted as claimed, and reports the others: the commit's own clock says
// from when. Of rows that are due later only the first is reported: whoever looks for it and finds that its
// time has not come scans, and so learns when the next is due.
func (s *enqueueSection) settle(g *Group) {
	for _, row := range s.started {
		g.cfg.Starter.Start(row)
	}

	for app, since := range s.waiting {
		g.cfg.Starter.RowsWait(app, since)
		g.cfg.Peers.NotifyWakeup(app, since)
	}
}

// decline gives back the permits of rows that were not inserted.
func (s *enqueueSection) decline(g *Group) {
	for _, row := range s.started {
		g.cfg.Starter.Decline(row.App)
	}
	s.started = nil
}
