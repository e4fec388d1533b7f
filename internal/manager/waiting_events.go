package manager

import (
	"context"

	"picloud/db"
	"picloud/internal/cloud"
)

// moveRows parks the events that wait for a trigger which is disabled, and wakes them when it is enabled
// again.
func moveRows(ctx context.Context, q *db.Queries, t *Trigger, wasEnabled bool) error {
	switch {
	case wasEnabled && !t.Enabled:
		return q.ParkRows(ctx, t.AppID, &t.ID)
	case !wasEnabled && t.Enabled:
		return q.UnparkRows(ctx, t.AppID, &t.ID)
	default:
		return nil
	}
}

// burial describes outbox rows whose trigger or script is being deleted.
type burial struct {
	app  *App
	rows []db.UUID
	// script is the script's name, which the dead letters keep after it is gone.
	script string
	reason string
	// force allows the burial: without it, rows that wait are a conflict.
	force bool
}

// bury turns the rows into dead letters and counts them in the ledger. The caller holds the app's lock
// (LockApp), so no commit adds a row meanwhile.
func (m *Manager) bury(ctx context.Context, q *db.Queries, b burial) error {
	if len(b.rows) == 0 {
		return nil
	}
	if !b.force {
		return cloud.Errorf(cloud.CodeConflict, "%d events wait for it: "+
			"let them finish, or use ?force=true to make them dead letters", len(b.rows))
	}

	letters := make([]db.UUID, len(b.rows))

	apps := make([]int64, len(b.rows))
	for k := range b.rows {
		letters[k] = m.cfg.IDs.New()
		apps[k] = b.app.ID
	}

	buried, err := q.InsertDeadLettersOfTrigger(ctx, db.InsertDeadLettersOfTriggerParams{
		Script:  b.script,
		Reason:  b.reason,
		AppID:   b.app.ID,
		Ids:     b.rows,
		Letters: letters,
	})
	if err != nil {
		return err
	}

	if err := q.DeleteOutbox(ctx, apps, b.rows); err != nil {
		return err
	}

	return q.CountLedger(ctx, db.CountLedgerParams{
		CommitID: m.cfg.IDs.New(),
		Apps:     []int64{b.app.ID},
		Counters: []string{"dead_lettered"},
		Amounts:  []int64{buried},
	})
}
