package commit

import (
	"testing"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/outbox"
)

func enqueues(script cloud.ID) *Commit {
	return commitOf(Enqueue{Row: &outbox.NewRow{Row: outbox.Row{App: app, ID: cloud.ID{0xb0}, Script: script,
		Payload: "{}"}}})
}

// A row is inserted if somebody can run it.
func TestEnqueue(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		gone   bool
		script cloud.ID
		want   string
	}{
		"there":           {false, script.ID, "applied"},
		"the script gone": {false, cloud.ID{9}, "refused: " + errScriptGone.Error()},
		"the app gone":    {true, script.ID, "refused: " + errAppGone.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			definition := newApp()
			if c.gone {
				definition = nil
			}
			f := newFixture(t, definition, enqueues(c.script))
			f.expect(t, c.want)

			want := 0
			if c.want == "applied" {
				want = 1
			}
			if len(f.rows()) != want || f.count(Enqueued) != int64(want) {
				t.Errorf("%d rows, the ledger counts %d", len(f.rows()), f.count(Enqueued))
			}
		})
	}
}

// Several triggers share one payload, of which every row has the id; one alone carries its own.
func TestSharedPayload(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		triggers []*cloud.Trigger
		shared   int
	}{
		"one trigger":    {[]*cloud.Trigger{kvTrigger(1, "c")}, 0},
		"two triggers":   {[]*cloud.Trigger{kvTrigger(2, "c"), kvTrigger(1, "*")}, 1},
		"three triggers": {[]*cloud.Trigger{kvTrigger(3, "c"), kvTrigger(1, "c"), kvTrigger(2, "*")}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, newApp(c.triggers...), commitOf(writes(set("k", 1, "1"))))
			f.expect(t, "applied")

			s := of[*enqueueSection](f.Group)
			if len(s.payloads) != c.shared || len(s.rows) != len(c.triggers) {
				t.Fatalf("%d payloads, %d rows", len(s.payloads), len(s.rows))
			}

			seen := map[cloud.ID]bool{}
			for k, row := range s.rows {
				shares := c.shared == 1 && row.PayloadID == s.payloads[0].id
				if shares != (c.shared == 1) || row.PayloadID.IsZero() != (c.shared == 0) {
					t.Errorf("row %d has the payload %s", k, row.PayloadID)
				}
				// Rows come by the ids of their triggers, each with the policy of its own.
				if row.Retry.MaxAttempts != k+1 || seen[row.ID] || seen[row.Execution] ||
					row.ID == row.Execution {
					t.Errorf("row %d: %+v", k, row.Row)
				}
				seen[row.ID] = true
				seen[row.Execution] = true
				if row.Depth != cause.Depth+1 || row.Root != cause.Root || row.Parent != cause.Execution ||
					row.Origin != cause.Principal {
					t.Errorf("row %d: %+v", k, row.Row)
				}
			}
			if c.shared == 1 && s.payloads[0].payload != s.rows[0].Payload {
				t.Errorf("payload %s", s.payloads[0].payload)
			}
		})
	}
}

// With a permit a row is inserted as claimed and starts right after the commit; without one its app is
// reported.
func TestAdmission(t *testing.T) {
	t.Parallel()
	f := newFixture(t, newApp(kvTrigger(1, "c"), kvTrigger(2, "c"), kvTrigger(3, "c")),
		commitOf(writes(set("k", 1, "1"))))
	f.starter.permits = 2
	f.expect(t, "applied")

	s := of[*enqueueSection](f.Group)
	if len(s.started) != 2 || f.starter.permits != 0 {
		t.Fatalf("%d rows are claimed, %d permits left", len(s.started), f.starter.permits)
	}

	for k, row := range s.rows {
		if row.Token.IsZero() != (k == 2) {
			t.Errorf("row %d has the token %s", k, row.Token)
		}
	}
	if len(f.starter.started) > 0 || len(f.starter.waiting) > 0 || len(f.peers.wakeups) > 0 {
		t.Fatal("something starts before the commit has taken effect")
	}

	f.settle(New(*f.cfg))
	if len(f.starter.started) != 2 || f.starter.started[0].Token != s.rows[0].Token {
		t.Errorf("%d rows started", len(f.starter.started))
	}
	if !f.starter.waiting[app].Equal(clock) || len(f.peers.wakeups) != 1 || f.peers.wakeups[0] != app {
		t.Errorf("waiting since %v, others were told of %v", f.starter.waiting, f.peers.wakeups)
	}
	f.drop()
	if f.starter.declined != 2 {
		t.Errorf("%d permits declined", f.starter.declined)
	}
}

// A row that is due later takes no permit; only the first of these is reported, with its time. One whose time
// has come is like any other.
func TestDueLater(t *testing.T) {
	t.Parallel()
	due := func(at time.Time) *Commit {
		x := enqueues(script.ID)
		x.Parts[0].(Enqueue).Row.DueAt = at
		return x
	}
	later, soon := clock.Add(time.Hour), clock.Add(time.Minute)

	for name, c := range map[string]struct {
		permits int
		due     []time.Time
		started int
		waiting time.Time
	}{
		"later":                        {9, []time.Time{later}, 0, later},
		"the first of several":         {9, []time.Time{later, soon, later}, 0, soon},
		"the time has come":            {9, []time.Time{clock, clock.Add(-time.Second)}, 2, time.Time{}},
		"one now, one later":           {9, []time.Time{later, clock}, 1, later},
		"one now, without a permit":    {0, []time.Time{later, {}, soon}, 0, clock},
		"one without a time, a permit": {1, []time.Time{{}}, 1, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var commits []*Commit

			var want []string
			for _, at := range c.due {
				commits = append(commits, due(at))
				want = append(want, "applied")
			}
			f := newFixture(t, newApp(), commits...)
			f.starter.permits = c.permits
			f.expect(t, want...)
			f.settle(New(*f.cfg))

			if len(f.starter.started) != c.started || !f.starter.waiting[app].Equal(c.waiting) {
				t.Errorf("%d are started, others wait for %s", len(f.starter.started), f.starter.waiting[app])
			}

			for k, row := range f.rows() {
				if !row.DueAt.Equal(c.due[k]) {
					t.Errorf("row %d is due at %s", k, row.DueAt)
				}
			}
		})
	}
}

// An attempt that did not take effect gives every permit back, once.
func TestDecline(t *testing.T) {
	t.Parallel()
	f := newFixture(t, newApp(kvTrigger(1, "c"), kvTrigger(2, "c")), commitOf(writes(set("k", 1, "1"))),
		enqueues(script.ID))
	f.starter.permits = 2
	f.expect(t, "applied", "applied")
	f.drop()
	f.drop()
	if f.starter.permits != 2 || f.starter.declined != 2 {
		t.Errorf("%d permits, %d declined", f.starter.permits, f.starter.declined)
	}

	var none *Group
	none.drop() // an attempt that took nothing
}

// An attempt claims its own copy of a row: the commit's stays as it was, so that a repeat decides anew.
func TestRepeatDecidesAnew(t *testing.T) {
	t.Parallel()
	x := enqueues(script.ID)
	f := newFixture(t, newApp(), x)
	f.starter.permits = 1
	f.expect(t, "applied")
	f.drop()
	if token := x.Parts[0].(Enqueue).Row.Token; !token.IsZero() {
		t.Errorf("the commit's row has the token %s", token)
	}

	f.starter.permits = 0
	again := newGroup(f.cfg, cloud.ID{0xc1}, f.commits)
	x.Parts[0].require(again, x)
	again.decide(x)
	if rows := of[*enqueueSection](again).rows; len(rows) != 1 || !rows[0].Token.IsZero() {
		t.Errorf("rows %+v", rows)
	}
}

// newRow is a row as it was before this node claimed it.
func newRow(row *outbox.Row) *outbox.NewRow {
	n := &outbox.NewRow{Row: *row}
	n.Token = cloud.ID{}
	return n
}
