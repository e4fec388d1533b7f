package orchestrator

import (
	"context"

	"picloud/db"
	"picloud/internal/cloud"
)

// Lineage is everything that one request or event caused, as a tree: a run, the events that its commit raised, the runs
// that those started, what became of them.
type Lineage struct {
	// Top has the runs that nothing recorded caused, and Events those that came from outside, such as an accepted request.
	Top    []*LineageRun
	Events []*LineageEvent
	// Truncated: there is more than what was read.
	Truncated bool
}

// LineageRun is a run and the events it raised. Row is nil for one that was not recorded.
type LineageRun struct {
	ID     cloud.ID
	Row    *db.ExecutionsOfRootRow
	Events []*LineageEvent
}

// LineageEvent is a row of the outbox in the past or present: its attempts, then what it waits for or became.
type LineageEvent struct {
	Outbox   cloud.ID
	Source   string
	Script   string
	Attempts []*LineageRun
	Waiting  *db.OutboxOfRootRow
	Letter   *db.DeadLettersOfRootRow
}

// maxLineage bounds what is read of each kind.
const maxLineage = 200

// Lineage reads what a root caused. Runs that were not recorded are missing; what they caused is there.
func (o *Orchestrator) Lineage(ctx context.Context, app cloud.AppID, root cloud.ID) (*Lineage, error) {
	var runs []db.ExecutionsOfRootRow
	var waiting []db.OutboxOfRootRow
	var letters []db.DeadLettersOfRootRow
	err := o.cfg.DB.Snapshot(ctx, func(q *db.Queries) error {
		var err error
		if runs, err = q.ExecutionsOfRoot(ctx, int64(app), root, maxLineage+1); err != nil {
			return err
		}
		if waiting, err = q.OutboxOfRoot(ctx, int64(app), root, maxLineage+1); err != nil {
			return err
		}
		letters, err = q.DeadLettersOfRoot(ctx, int64(app), root, maxLineage+1)
		return err
	})
	if err != nil {
		return nil, explain("read lineage", err)
	}
	l := buildLineage(runs[:min(len(runs), maxLineage)], waiting[:min(len(waiting), maxLineage)], letters[:min(len(letters), maxLineage)])
	l.Truncated = max(len(runs), len(waiting), len(letters)) > maxLineage
	return l, nil
}

// Event finds the event of a row, nil when it is not in the tree.
func (l *Lineage) Event(outbox cloud.ID) *LineageEvent {
	var find func(events []*LineageEvent) *LineageEvent
	within := func(runs []*LineageRun) *LineageEvent {
		for _, r := range runs {
			if e := find(r.Events); e != nil {
				return e
			}
		}
		return nil
	}
	find = func(events []*LineageEvent) *LineageEvent {
		for _, e := range events {
			if e.Outbox == outbox {
				return e
			}
			if f := within(e.Attempts); f != nil {
				return f
			}
		}
		return nil
	}
	if e := find(l.Events); e != nil {
		return e
	}
	return within(l.Top)
}

// lineage builds the tree in one pass over each list, which are in the order of time: causes come before effects.
type lineage struct {
	out    Lineage
	runs   map[cloud.ID]*LineageRun
	events map[cloud.ID]*LineageEvent
}

func buildLineage(runs []db.ExecutionsOfRootRow, waiting []db.OutboxOfRootRow, letters []db.DeadLettersOfRootRow) *Lineage {
	b := &lineage{runs: map[cloud.ID]*LineageRun{}, events: map[cloud.ID]*LineageEvent{}}
	for k := range runs {
		b.runs[runs[k].ID] = &LineageRun{ID: runs[k].ID, Row: &runs[k]}
	}
	for k := range runs {
		r := &runs[k]
		if r.OutboxID == nil {
			b.out.Top = append(b.out.Top, b.runs[r.ID])
			continue
		}
		e := b.event(*r.OutboxID, r.ParentID, r.Source, r.Script)
		e.Attempts = append(e.Attempts, b.runs[r.ID])
	}
	for k := range waiting {
		w := &waiting[k]
		b.event(w.ID, w.ParentID, w.Source, w.Script).Waiting = w
	}
	for k := range letters {
		d := &letters[k]
		b.event(d.OutboxID, d.ParentID, d.Source, d.Script).Letter = d
	}
	return &b.out
}

// event finds or makes the event of a row, below the run that raised it.
func (b *lineage) event(outbox db.UUID, parent *db.UUID, source, script string) *LineageEvent {
	e := b.events[outbox]
	if e != nil {
		return e
	}
	e = &LineageEvent{Outbox: outbox, Source: source, Script: script}
	b.events[outbox] = e
	if parent == nil {
		b.out.Events = append(b.out.Events, e)
		return e
	}
	r := b.runs[*parent]
	if r == nil { // a run that was not recorded
		r = &LineageRun{ID: *parent}
		b.runs[*parent] = r
		b.out.Top = append(b.out.Top, r)
	}
	r.Events = append(r.Events, e)
	return e
}
