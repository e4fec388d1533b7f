package history

import (
	"reflect"
	"testing"
	"time"
)

func TestReadNodes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	pid := int32(7)
	well := func(name string) Node {
		return Node{Name: name, Version: "1", ListenerPid: &pid, StartedAt: now.Add(-time.Hour), SeenAt: now}
	}
	change := func(n Node, f func(*Node)) Node {
		f(&n)
		return n
	}

	for _, c := range []struct {
		name  string
		nodes []Node
		want  nodeTable
	}{
		{"all is well", []Node{well("a"), well("b")}, nodeTable{versions: []string{"1"}}},
		{
			"an upgrade that is not finished",
			[]Node{well("a"), change(well("b"), func(n *Node) { n.Version = "2" })},
			nodeTable{versions: []string{"1", "2"}},
		},
		{
			"one says nothing",
			[]Node{well("a"), change(well("b"), func(n *Node) { n.SeenAt = now.Add(-2 * time.Minute) })},
			nodeTable{versions: []string{"1"}, silent: []string{"b"}},
		},
		{
			"alone it speaks every five minutes only",
			[]Node{change(well("a"), func(n *Node) { n.SeenAt = now.Add(-4 * time.Minute) })},
			nodeTable{versions: []string{"1"}},
		},
		{
			"one has no listener",
			[]Node{change(well("a"), func(n *Node) { n.ListenerPid = nil })},
			nodeTable{versions: []string{"1"}, unreached: []string{"a"}},
		},
		{
			"one starts",
			[]Node{change(well("a"), func(n *Node) {
				n.ListenerPid = nil
				n.StartedAt = n.SeenAt
			})},
			nodeTable{versions: []string{"1"}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := readNodes(c.nodes, now); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}
