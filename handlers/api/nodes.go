package api

import (
	"context"
	"net/http"
	"time"

	"picloud/internal/auth"
	"picloud/internal/history"
)

// nodeItem is a node of the installation.
type nodeItem struct {
	Name      string    `json:"name"`
	Version   string    `json:"version"`
	Free      int       `json:"free" doc:"permits that were free when it last said so"`
	StartedAt time.Time `json:"started_at"`
	SeenAt    time.Time `json:"seen_at" doc:"a node speaks every five seconds, one that is alone every five minutes"`
	Self      bool      `json:"self" doc:"the node that answers"`
}

type nodesOutput struct {
	Body struct {
		Items      []nodeItem `json:"items"`
		NextCursor *string    `json:"next_cursor"`
	}
}

func (s *Server) nodesAPI() {
	op(s,
		s.adminOnly("instance:admin",
			operation("list-nodes", http.MethodGet, "/nodes", "The nodes of this installation", "system")),
		s.listNodes)
}

func (s *Server) listNodes(ctx context.Context, _ *auth.Principal, _ *struct{}) (*nodesOutput, error) {
	rows, err := s.Orchestrator.History.Nodes(ctx)
	if err != nil {
		return nil, err
	}

	out := &nodesOutput{}

	out.Body.Items = make([]nodeItem, len(rows))
	for k := range rows {
		out.Body.Items[k] = s.showNode(&rows[k])
	}
	return out, nil
}

// findingItem is what one check of the doctor says.
type findingItem struct {
	Check string `json:"check"`
	State string `json:"state" enum:"ok,warn,bad"`
	Text  string `json:"text"`
}

type doctorOutput struct {
	Body struct {
		Items []findingItem `json:"items"`
	}
}

func (s *Server) doctorAPI() {
	op(s,
		s.adminOnly("instance:admin",
			operation("doctor", http.MethodGet, "/doctor", "What checks of the installation say", "system")),
		s.doctor)
}

// doctor runs the checks of the installation now.
func (s *Server) doctor(ctx context.Context, _ *auth.Principal, _ *struct{}) (*doctorOutput, error) {
	report, err := s.Orchestrator.Examine(ctx)
	out := &doctorOutput{}

	out.Body.Items = make([]findingItem, len(report.Findings))
	for k, f := range report.Findings {
		out.Body.Items[k] = findingItem(f)
	}
	return out, err
}

// showNode shows a node as it last wrote itself down; the one that answers knows better.
func (s *Server) showNode(n *history.Node) nodeItem {
	it := nodeItem{
		Name:      n.Name,
		Version:   n.Version,
		Free:      int(n.Free),
		StartedAt: utc(n.StartedAt),
		SeenAt:    utc(n.SeenAt),
		Self:      n.Name == s.Node,
	}
	if it.Self {
		it.Free = s.Orchestrator.Stats().FreeForOthers
		it.SeenAt = time.Now().UTC()
	}
	return it
}
