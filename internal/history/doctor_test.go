package history

import (
	"reflect"
	"testing"
	"time"

	"picloud/db"
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

// A schedule may wait for its next slot and no later one, whatever the slots that fired while the clock was
// ahead.
func TestWaitsTooLong(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 12, 0, 30, 0, time.UTC)
	at := func(hour, minute int) time.Time { return time.Date(2026, 11, 29, hour, minute, 0, 0, time.UTC) }
	row := func(expression string, next time.Time) db.DoctorNextSlotsRow {
		return db.DoctorNextSlotsRow{
			Schedule: expression, Timezone: "UTC", NextSlot: next, FireAt: next.Add(time.Second), JitterMs: 1000, Now: now,
		}
	}
	yearly := row("0 0 1 1 *", time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
	fired := row("0 * * * *", at(15, 0))
	fired.Fired = []time.Time{at(13, 0), at(14, 0)}
	late := row("0 * * * *", at(13, 0))
	late.FireAt = at(13, 30)

	for _, c := range []struct {
		name string
		row  db.DoctorNextSlotsRow
		want bool
	}{
		{"the next minute", row("* * * * *", at(12, 1)), false},
		{"just moved on", row("* * * * *", at(12, 2)), false},
		{"a year may be long", yearly, false},
		{"300 days ahead", row("* * * * *", now.AddDate(0, 0, 300)), true},
		{"an hour ahead", row("0 * * * *", at(14, 0)), true},
		{"those before fired already", fired, false},
		{"fires later than its jitter", late, true},
		{"what cannot be read is for the node", row("never", at(23, 0)), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := waitsTooLong(&c.row); got != c.want {
				t.Errorf("%v", got)
			}
		})
	}
}
