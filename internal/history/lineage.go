package history

import (
	"context"

	"picloud/db"
	"picloud/internal/cloud"
)

// Lineage is everything that one request or event caused, as a tree: a run, the events that its commit
// raised, the runs that those started, what became of them.
type Lineage struct {
	// Top has the runs that nothing recorded caused, and Events those that came from outside, such as an
	// accepted request.
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
func (r *Reader) Lineage(ctx context.Context, app cloud.AppID, root cloud.ID) (*Lineage, error) {
	var runs []db.ExecutionsOfRootRow
	var waiting []db.OutboxOfRootRow
	var letters []db.DeadLettersOfRootRow

	// One more of each than is shown says that there are more. One snapshot, so that an event that moves
	// meanwhile is neither shown twice nor missed.
	err := r.db.Snapshot(ctx, func(q *db.Queries) error {
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

	truncated := max(len(runs), len(waiting), len(letters)) > maxLineage
	lineage := buildLineage(
		runs[:min(len(runs), maxLineage)],
		waiting[:min(len(waiting), maxLineage)],
		letters[:min(len(letters), maxLineage)],
	)
	lineage.Truncated = truncated
	return lineage, nil
}

// Event finds the event of a row, nil when it is not in the tree.
func (l *Lineage) Event(outbox cloud.ID) *LineageEvent {
	if e := findEvent(l.Events, outbox); e != nil {
		return e
	}
	return findInRuns(l.Top, outbox)
}

func findEvent(events []*LineageEvent, outbox cloud.ID) *LineageEvent {
	for _, e := range events {
		if e.Outbox == outbox {
			return e
		}
		if found := findInRuns(e.Attempts, outbox); found != nil {
			return found
		}
	}

	return nil
}

func findInRuns(runs []*LineageRun, outbox cloud.ID) *LineageEvent {
	for _, run := range runs {
		if found := findEvent(run.Events, outbox); found != nil {
			return found
		}
	}
	return nil
}

// lineageBuilder builds the tree in one pass over each list. The lists are in the order of time, so causes
// come before effects.
type lineageBuilder struct {
	out    Lineage
	runs   map[cloud.ID]*LineageRun
	events map[cloud.ID]*LineageEvent
}

func buildLineage(
	runs []db.ExecutionsOfRootRow, waiting []db.OutboxOfRootRow, letters []db.DeadLettersOfRootRow,
) *Lineage {
	b := &lineageBuilder{
		runs:   map[cloud.ID]*LineageRun{},
		events: map[cloud.ID]*LineageEvent{},
	}

	// All runs before any event: an event is put below its run, which must not be taken for an unrecorded
	// one.
	for i := range runs {
		b.runs[runs[i].ID] = &LineageRun{ID: runs[i].ID, Row: &runs[i]}
	}

	for i := range runs {
		run := &runs[i]
		if run.OutboxID == nil {
			b.out.Top = append(b.out.Top, b.runs[run.ID])
			continue
		}
		e := b.event(*run.OutboxID, run.ParentID, run.Source, run.Script)
		e.Attempts = append(e.Attempts, b.runs[run.ID])
	}

	for i := range waiting {
		row := &waiting[i]
		b.event(row.ID, row.ParentID, row.Source, row.Script).Waiting = row
	}

	for i := range letters {
		letter := &letters[i]
		b.event(letter.OutboxID, letter.ParentID, letter.Source, letter.Script).Letter = letter
	}

	return &b.out
}

// event finds or makes the event of a row, below the run that raised it.
func (b *lineageBuilder) event(outbox db.UUID, parent *db.UUID, source, script string) *LineageEvent {
	if e := b.events[outbox]; e != nil {
		return e
	}
	e := &LineageEvent{Outbox: outbox, Source: source, Script: script}
	b.events[outbox] = e

	if parent == nil {
		b.out.Events = append(b.out.Events, e)
		return e
	}

	run := b.runs[*parent]
	if run == nil { // it was not recorded
		run = &LineageRun{ID: *parent}
		b.runs[*parent] = run
		b.out.Top = append(b.out.Top, run)
	}
	run.Events = append(run.Events, e)
	return e
}
