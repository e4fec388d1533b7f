package commit

import (
	"context"

	"picloud/db"
	"picloud/internal/cloud"
)

// Abandoned keeps an answer that nobody waited for.
type Abandoned struct {
	ID        cloud.ID
	Script    cloud.ID
	Name      string // the script's
	Execution cloud.ID
	Status    int    // that would have been sent
	Summary   string // of the body
	Reason    string // client-closed, timeout or node-lost
}

func (a Abandoned) require(*Group, *Commit) {}

func (a Abandoned) decide(*Group, *Commit) Verdict { return applies() }

func (a Abandoned) apply(g *Group, x *Commit) {
	p := &of[*abandonedSection](g).insert
	p.Apps = append(p.Apps, int64(x.App))
	p.Ids = append(p.Ids, a.ID)
	p.ScriptIds = append(p.ScriptIds, a.Script)
	p.Scripts = append(p.Scripts, a.Name)
	p.Executions = append(p.Executions, a.Execution)
	p.Statuses = append(p.Statuses, int32(a.Status))
	p.Summaries = append(p.Summaries, db.Storable(a.Summary))
	p.Reasons = append(p.Reasons, a.Reason)
}

// abandonedSection holds the answers that a group keeps.
type abandonedSection struct{ insert db.InsertAbandonedParams }

func (s *abandonedSection) read(*Group, *db.Pipeline) {}

func (s *abandonedSection) write(ctx context.Context, _ *Group, q *db.Queries) {
	if len(s.insert.Ids) > 0 {
		_ = q.InsertAbandoned(ctx, s.insert)
	}
}
