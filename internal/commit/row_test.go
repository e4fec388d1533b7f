package commit

import (
	"slices"
	"testing"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/outbox"
)

// claimed is a row that this node has claimed, as a run brings it to its commit.
func claimed(id byte) *outbox.Row {
	return &outbox.Row{
		App:     app,
		ID:      cloud.ID{0xa0, id},
		Token:   cloud.ID{0x70, id},
		Source:  cloud.SourceKV,
		Op:      "insert",
		Trigger: cloud.ID{0x71, 1},
		Script:  script.ID,
		Payload: `{"n":1}`,
		Depth:   4,
	}
}

func ends(row *outbox.Row, kind outbox.EndKind) RowEnd {
	return RowEnd{Row: row, End: outbox.End{Kind: kind}}
}

func buries(row *outbox.Row) RowEnd {
	return RowEnd{Row: row, End: outbox.End{Kind: outbox.EndBury, Bury: outbox.Bury{
		Letter:    cloud.ID{0xdd},
		Script:    script.Name,
		Reason:    "failed",
		Error:     cloud.ScriptError{Name: "TypeError", Message: `no "b"`},
		Attempts:  5,
		Execution: cause.Execution,
	}}}
}

// holds says which claims the group has found to be valid.
func (f *fixture) holds(rows ...*outbox.Row) {
	s := of[*rowSection](f.Group)

	s.claims = map[cloud.ID]cloud.ID{}
	for _, row := range rows {
		s.claims[row.ID] = row.Token
	}
}

// A row may be claimed twice while the commits of its runs wait: the lease of the first ended. Of a group
// that holds both, the claim that is valid is applied, once.
func TestOneEndOfARow(t *testing.T) {
	t.Parallel()
	ended := func(token cloud.ID) *Commit {
		row := claimed(1)
		row.Token = token
		return commitOf(ends(row, outbox.EndDone))
	}
	first, second := cloud.ID{2}, cloud.ID{3}
	f := newFixture(t, newApp(), ended(first), ended(second), ended(second))
	of[*rowSection](f.Group).claims = map[cloud.ID]cloud.ID{claimed(1).ID: second}

	for _, r := range f.expect(t, "lost", "applied", "lost") {
		if r.Applied == r.Lost {
			t.Errorf("result %+v", r)
		}
	}
	if n := len(of[*rowSection](f.Group).ended); n != 1 {
		t.Errorf("%d rows ended", n)
	}
	if n := f.count(Done); n != 1 {
		t.Errorf("the ledger counts %d", n)
	}
}

// A row whose claim is lost takes everything of its commit along: writes, events, the answer, the record, the
// audit row.
func TestALostClaimLosesItsCommit(t *testing.T) {
	t.Parallel()
	key := IdempotencyKey{App: app, Script: script.ID, Key: "k", Execution: cause.Execution}
	f := newFixture(t, newApp(kvTrigger(1, "c")), commitOf(
		writes(set("k", 9, "1")),
		ends(claimed(1), outbox.EndDone),
		ResolveLetter{ID: cloud.ID{0xdd}},
		StoreAnswer{Key: key, Response: &cloud.Response{Status: 200}},
		Enqueue{Row: &outbox.NewRow{Row: outbox.Row{App: app, Script: script.ID}}},
		Reply{Node: "there"},
		Abandoned{},
		Record{&cloud.Execution{App: app}},
		Audit{},
		HandleLetter{},
	))
	f.starter.permits = 10
	of[*deadLetterSection](f.Group).unresolved = map[cloud.ID]bool{{0xdd}: true}
	of[*idempotencySection](f.Group).reserved = map[cloud.ID]bool{cause.Execution: true}

	f.expect(t, "lost")
	f.settle(New(*f.cfg))

	if f.starter.permits != 10 || len(f.starter.started) > 0 || len(f.peers.inboxes) > 0 {
		t.Errorf("%d permits left, %d rows started, %q notified", f.starter.permits, len(f.starter.started),
			f.peers.inboxes)
	}

	for what, n := range map[string]int{
		"keys":       len(of[*keySection](f.Group).dirty),
		"rows":       len(f.rows()),
		"ends":       len(of[*rowSection](f.Group).ended),
		"letters":    len(of[*deadLetterSection](f.Group).resolved),
		"handled":    len(of[*deadLetterSection](f.Group).handled.Ids),
		"answers":    len(of[*idempotencySection](f.Group).store.Keys),
		"replies":    len(of[*replySection](f.Group).insert.Ids),
		"abandoned":  len(of[*abandonedSection](f.Group).insert.Ids),
		"executions": len(of[*recordSection](f.Group).executions),
		"audit":      len(of[*auditSection](f.Group).entries),
		"ledger":     len(of[*ledgerSection](f.Group).counts),
	} {
		if n != 0 {
			t.Errorf("%d %s are written", n, what)
		}
	}
}

// Every end is one state: the row is deleted or waits again, a letter is made or not, and the ledger counts
// what left.
func TestEndsOfRows(t *testing.T) {
	t.Parallel()
	type count struct{ ended, retried, buried, done, skipped, deadLettered int }

	for name, c := range map[string]struct {
		part RowEnd
		want count
	}{
		"done":   {ends(claimed(1), outbox.EndDone), count{ended: 1, done: 1}},
		"skip":   {ends(claimed(1), outbox.EndSkip), count{ended: 1, skipped: 1}},
		"retry":  {ends(claimed(1), outbox.EndRetry), count{retried: 1}},
		"buried": {buries(claimed(1)), count{ended: 1, buried: 1, deadLettered: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, newApp(), commitOf(c.part))
			f.holds(claimed(1))
			f.expect(t, "applied")

			s := of[*rowSection](f.Group)
			got := count{
				ended:        len(s.ended),
				retried:      len(s.retried),
				buried:       len(s.buried),
				done:         int(f.count(Done)),
				skipped:      int(f.count(Skipped)),
				deadLettered: int(f.count(DeadLettered)),
			}
			if got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			if f.count(Enqueued) != 0 {
				t.Error("a row was enqueued")
			}
		})
	}
}

// A row that waits again waits with its counts and its delay, and somebody looks for it when that is over.
func TestRetriedRow(t *testing.T) {
	t.Parallel()
	end := ends(claimed(1), outbox.EndRetry)
	end.End.Retry = outbox.Retry{Attempts: 2, Interruptions: 1, Attempted: true, Delay: 3 * time.Second,
		Error: "bad\x00"}
	f := newFixture(t, newApp(), commitOf(end))
	f.holds(claimed(1))
	f.expect(t, "applied")
	f.settle(New(*f.cfg))

	p := retryParams(of[*rowSection](f.Group).retried)
	if p.Ids[0] != claimed(1).ID || p.Attempts[0] != 2 || p.Interruptions[0] != 1 || !p.Attempted[0] ||
		p.Delays[0] != 3_000_000 {
		t.Errorf("parameters %+v", p)
	}
	if p.Errors[0] == end.End.Retry.Error {
		t.Errorf("the error %q cannot be stored", p.Errors[0])
	}
	if !slices.Equal(f.starter.scans, []time.Duration{3 * time.Second}) {
		t.Errorf("scans within %v", f.starter.scans)
	}
}

// A dead letter raises the matching triggers with what failed and why, at the depth of the row that failed.
func TestDeadLetterRaisesEvents(t *testing.T) {
	t.Parallel()
	disabled := deadLetterTrigger(4, "")
	disabled.Enabled = false
	f := newFixture(t, newApp(
		deadLetterTrigger(1, cloud.SourceKV),
		deadLetterTrigger(2, cloud.SourceHTTP),
		deadLetterTrigger(3, ""),
		disabled,
		kvTrigger(5, "*"),
	), commitOf(buries(claimed(1))))
	f.holds(claimed(1))
	f.expect(t, "applied")

	const want = `{"id":"dd000000-0000-0000-0000-000000000000","original":{"n":1},"attempts":5,` +
		`"error":{"name":"TypeError","message":"no \"b\"","stack":""},` +
		`"trigger":"71010000-0000-0000-0000-000000000000","script":"orders"}`
	rows := f.rows()
	if len(rows) != 2 || rows[0].Trigger != (cloud.ID{0xd1, 1}) || rows[1].Trigger != (cloud.ID{0xd1, 3}) {
		t.Fatalf("rows %+v", rows)
	}

	for _, row := range rows {
		if row.Payload != want {
			t.Errorf("payload %s", row.Payload)
		}
		if row.Source != cloud.SourceDeadLetter || row.Op != cloud.SourceKV || row.Depth != 4 ||
			row.DeadLetter != (cloud.ID{0xdd}) {
			t.Errorf("row %+v", row.Row)
		}
		if row.Root != cause.Root || row.Parent != cause.Execution || row.Origin != cause.Principal {
			t.Errorf("row %+v has another cause", row.Row)
		}
	}
	if f.count(Enqueued) != 2 || f.count(DeadLettered) != 1 {
		t.Errorf("ledger %v", of[*ledgerSection](f.Group).counts)
	}
}

// The event of a row that no trigger raised, or whose script is gone, says so.
func TestDeadLetterPayloadWithoutTrigger(t *testing.T) {
	t.Parallel()
	row := claimed(1)
	row.Trigger = cloud.ID{}
	const want = `{"id":"dd000000-0000-0000-0000-000000000000","original":{"n":1},"attempts":5,` +
		`"error":{"name":"TypeError","message":"no \"b\"","stack":""},"trigger":null,"script":""}`
	if got := buries(row).deadLetterPayload(""); got != want {
		t.Errorf("payload %s", got)
	}
}

// A row of an app that is gone is buried all the same: nobody is left to be raised.
func TestBuryInADeletedApp(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, commitOf(buries(claimed(1))))
	f.holds(claimed(1))
	f.expect(t, "applied")
	if n := len(f.rows()); n != 0 {
		t.Errorf("%d rows", n)
	}
}

// A letter says what an operator needs: who failed, how often, why, and in which group of errors.
func TestBuryParams(t *testing.T) {
	t.Parallel()
	p := buryParams([]RowEnd{buries(claimed(1))})
	if p.Ids[0] != claimed(1).ID || p.Letters[0] != (cloud.ID{0xdd}) || p.Scripts[0] != "orders" ||
		p.Reasons[0] != "failed" ||
		p.AttemptCounts[0] != 5 || p.Executions[0] != cause.Execution {
		t.Errorf("parameters %+v", p)
	}
	if want := `{"name":"TypeError","message":"no \"b\"","stack":""}`; p.Errors[0] != want {
		t.Errorf("error %s", p.Errors[0])
	}
	if p.ErrorGroups[0] != cloud.ErrorGroup("TypeError", `no "b"`) {
		t.Errorf("error group %q", p.ErrorGroups[0])
	}
}
