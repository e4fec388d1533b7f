package commit

import (
	"context"

	"picloud/db"
	"picloud/internal/cloud"
)

// Audit is the audit row of an operator's action, written if and only if the action takes effect.
type Audit struct {
	Actor  string // the operator's username
	App    string // the app's slug
	Action string
	Target string
	// Detail says more, as JSON; nil for nothing.
	Detail any
}

func (a Audit) require(*Group, *Commit) {}

func (a Audit) decide(*Group, *Commit) Verdict { return applies() }

func (a Audit) apply(g *Group, x *Commit) {
	s := of[*auditSection](g)
	s.entries = append(s.entries, a.Params(g.cfg.IDs.New(), x.App))
}

// Params are those of the statement that inserts the entry, for actions that are no commits of runs.
func (a Audit) Params(id cloud.ID, app cloud.AppID) db.InsertAuditParams {
	detail := "{}"
	if a.Detail != nil {
		detail = string(cloud.AppendJSON(nil, a.Detail))
	}
	appID := int64(app)
	return db.InsertAuditParams{
		ID:     id,
		Actor:  a.Actor,
		AppID:  &appID,
		App:    &a.App,
		Action: a.Action,
		Target: db.Storable(a.Target),
		Detail: db.Storable(detail),
	}
}

// auditSection holds the audit rows of a group. Operators' actions are rare: each has a statement of its own.
type auditSection struct{ entries []db.InsertAuditParams }

func (s *auditSection) read(*Group, *db.Pipeline) {}

func (s *auditSection) write(ctx context.Context, _ *Group, q *db.Queries) {
	for _, entry := range s.entries {
		_ = q.InsertAudit(ctx, entry)
	}
}
