package cluster

import (
	"testing"

	"picloud/db"
	"picloud/internal/testkit"
)

// noted is the node as the table of nodes has it, with whether its listener's connection lives there.
func (n *node) noted() (row db.Node, listens bool) {
	n.t.Helper()
	rows, err := n.cfg.DB.Queries().ListNodes(n.t.Context())
	if err != nil || len(rows) != 1 {
		n.t.Fatalf("nodes %v: %v", rows, err)
	}

	err = n.cfg.DB.General.QueryRow(n.t.Context(),
		"SELECT connection_lives(listener_pid, listener_start) FROM nodes").Scan(&listens)
	if err != nil {
		n.t.Fatal(err)
	}
	return rows[0], listens
}

// A poll that began before the listener connected writes after it, and the node is not noted as one that no
// notification reaches; and whatever the table says instead is put right by the next heartbeat.
func TestNodeThatListensIsNotedSo(t *testing.T) {
	t.Parallel()
	n := running(t, testkit.Database(t), "a")
	if row, listens := n.noted(); row.ListenerPid == nil || !listens {
		t.Fatalf("of a new node: %+v", row)
	}

	n.poll(t.Context(), true)
	if row, listens := n.noted(); row.ListenerPid == nil || !listens {
		t.Errorf("after a late poll: %+v", row)
	}

	for _, damage := range []string{
		"UPDATE nodes SET listener_pid = NULL, listener_start = NULL",
		"UPDATE nodes SET listener_pid = 1",
		"DELETE FROM nodes", // a sweep took the node for one that is gone: the machine was suspended
	} {
		n.exec(damage)
		n.beat(t.Context(), false)
		if row, listens := n.noted(); row.ListenerPid == nil || !listens {
			t.Errorf("after %s: %+v", damage, row)
		}
	}
}

// One that does not listen is noted as such: by its polls, and from its start, when the row may be that of an
// earlier process of the same name.
func TestNodeThatDoesNotListenIsNotedSo(t *testing.T) {
	t.Parallel()
	dsn := testkit.Database(t)
	n := running(t, dsn, "a")
	n.stop()
	if row, _ := n.noted(); row.ListenerPid == nil {
		t.Fatalf("of a node that ended: %+v", row)
	}

	again := newNode(t, dsn, "a")
	if row, _ := again.noted(); row.ListenerPid != nil {
		t.Errorf("of one that starts: %+v", row)
	}

	again.exec("UPDATE nodes SET listener_pid = 1")
	again.poll(t.Context(), true)
	if row, _ := again.noted(); row.ListenerPid != nil {
		t.Errorf("of one that polls: %+v", row)
	}
}
