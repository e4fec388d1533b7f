package commit

import (
	"context"

	"picloud/db"
	"picloud/internal/cloud"
)

// Reply leaves an answer in the inbox for a client that waits at another node.
type Reply struct {
	ID        cloud.ID // of the inbox entry
	Node      string
	Script    cloud.ID
	Execution cloud.ID
	Status    int
	Response  string // as the inbox encodes it
}

func (r Reply) require(*Group, *Commit) {}

func (r Reply) decide(*Group, *Commit) Verdict { return applies() }

func (r Reply) apply(g *Group, x *Commit) {
	p := &of[*replySection](g).insert
	p.Ids = append(p.Ids, r.ID)
	p.Apps = append(p.Apps, int64(x.App))
	p.Nodes = append(p.Nodes, r.Node)
	p.Scripts = append(p.Scripts, r.Script)
	p.Executions = append(p.Executions, r.Execution)
	p.Statuses = append(p.Statuses, int32(r.Status))
	p.Responses = append(p.Responses, r.Response)
}

// replySection holds the answers that a group leaves for other nodes.
type replySection struct{ insert db.InsertInboxParams }

func (s *replySection) read(*Group, *db.Pipeline) {}

func (s *replySection) write(ctx context.Context, _ *Group, q *db.Queries) {
	if len(s.insert.Ids) > 0 {
		_ = q.InsertInbox(ctx, s.insert)
	}
}

func (s *replySection) settle(g *Group) {
	for _, node := range s.insert.Nodes {
		g.cfg.Peers.NotifyInbox(node)
	}
}
