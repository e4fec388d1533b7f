package commit

import (
	"slices"
	"testing"

	"picloud/internal/cloud"
)

// An answer for another node is a row of the inbox, of which the node is told once the commit has taken
// effect.
func TestReply(t *testing.T) {
	t.Parallel()
	reply := Reply{ID: cloud.ID{1}, Node: "there", Script: script.ID, Execution: cause.Execution, Status: 502,
		Response: "{}"}
	f := newFixture(t, nil, commitOf(reply))
	f.expect(t, "applied")
	if len(f.peers.inboxes) > 0 {
		t.Fatal("a node was told before the commit took effect")
	}

	p := of[*replySection](f.Group).insert
	if p.Ids[0] != reply.ID || p.Apps[0] != int64(app) || p.Nodes[0] != "there" ||
		p.Scripts[0] != script.ID ||
		p.Executions[0] != cause.Execution || p.Statuses[0] != 502 || p.Responses[0] != "{}" {
		t.Errorf("parameters %+v", p)
	}
	f.settle(New(*f.cfg))
	if !slices.Equal(f.peers.inboxes, []string{"there"}) {
		t.Errorf("told: %q", f.peers.inboxes)
	}
}
