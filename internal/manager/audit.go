package manager

import (
	"context"
	"encoding/json"
	"fmt"

	"picloud/db"
	"picloud/internal/cloud"
)

// audit writes the audit row of a change, in the transaction of the change.
func (m *Manager) audit(ctx context.Context, q *db.Queries, c change) error {
	detail := []byte("{}")
	if c.detail != nil {
		var err error
		if detail, err = json.Marshal(c.detail); err != nil {
			return fmt.Errorf("encode audit detail: %w", err)
		}
	}

	row := db.InsertAuditParams{
		ID:     m.cfg.IDs.New(),
		Actor:  c.actor.Username,
		Action: c.action,
		Target: c.target,
		Detail: string(detail),
	}
	if c.app != nil {
		row.AppID = &c.app.ID
		row.App = &c.app.Slug
	}
	if err := q.InsertAudit(ctx, row); err != nil {
		return fmt.Errorf("write audit: %w", err)
	}

	return nil
}

// AuditFilter selects entries of the audit trail; zero fields select everything.
type AuditFilter struct {
	App           cloud.AppID
	Actor, Action string
}

// Audit lists at most limit entries of the audit trail, newest first. before is the id of the last entry
// the caller has seen, zero to begin with the newest.
func (m *Manager) Audit(ctx context.Context, f AuditFilter, before cloud.ID, limit int) ([]db.Audit, error) {
	list, err := m.cfg.DB.Queries().ListAudit(ctx, db.ListAuditParams{
		AppID:  int64(f.App),
		Actor:  storable(f.Actor),
		Action: storable(f.Action),
		Before: before,
		Max:    int32(limit),
	})
	return list, explain(db.Translate(err))
}
