package manager

import (
	"context"
	"encoding/json"
	"fmt"

	"picloud/db"
	"picloud/internal/cloud"
)

func (m *Manager) audit(ctx context.Context, q *db.Queries, c change) error {
	detail := []byte("{}")
	if c.detail != nil {
		var err error
		if detail, err = json.Marshal(c.detail); err != nil {
			return fmt.Errorf("encode audit detail: %w", err)
		}
	}
	arg := db.InsertAuditParams{ID: m.cfg.IDs.New(), Actor: c.actor.Username, Action: c.action, Target: c.target, Detail: string(detail)}
	if c.app != nil {
		arg.AppID, arg.App = &c.app.ID, &c.app.Slug
	}
	if err := q.InsertAudit(ctx, arg); err != nil {
		return fmt.Errorf("write audit: %w", err)
	}
	return nil
}

// Record writes an audit row for an operator's action that changes no definition.
func (m *Manager) Record(ctx context.Context, actor Actor, app *App, action, target string, detail any) error {
	return explain(m.cfg.DB.Tx(ctx, func(q *db.Queries) error {
		return m.audit(ctx, q, change{actor: actor, app: app, action: action, target: target, detail: detail})
	}))
}

// AuditFilter selects entries of the audit trail; zero fields select everything.
type AuditFilter struct {
	App           cloud.AppID
	Actor, Action string
}

// Audit lists the audit trail, newest first.
func (m *Manager) Audit(ctx context.Context, f AuditFilter, before cloud.ID, limit int) ([]db.Audit, error) {
	list, err := m.cfg.DB.Queries().ListAudit(ctx, db.ListAuditParams{AppID: int64(f.App), Actor: storable(f.Actor), Action: storable(f.Action),
		Before: before, Max: int32(limit)})
	return list, explain(db.Translate(err))
}
