package commit

import (
	"maps"
	"testing"

	"picloud/internal/outbox"
)

// The ledger of a group counts each app's rows by what became of them: what came in is waiting, running, or
// in one of the others.
func TestLedger(t *testing.T) {
	t.Parallel()
	f := newFixture(t, newApp(kvTrigger(1, "c")),
		commitOf(writes(set("a", 1, "1"), set("b", 1, "1"))),
		commitOf(ends(claimed(1), outbox.EndDone)),
		commitOf(ends(claimed(2), outbox.EndSkip)),
		commitOf(ends(claimed(3), outbox.EndRetry)),
		commitOf(buries(claimed(4))),
		commitOf(ends(claimed(5), outbox.EndDone), writes(set("c", 1, "1"))),
		enqueues(script.ID),
	)
	f.holds(claimed(1), claimed(2), claimed(3), claimed(4), claimed(5))
	f.expect(t, "applied", "applied", "applied", "applied", "applied", "applied", "applied")

	want := map[ledgerKey]int64{
		{app, Enqueued}:     4,
		{app, Done}:         2,
		{app, Skipped}:      1,
		{app, DeadLettered}: 1,
	}
	if got := of[*ledgerSection](f.Group).counts; !maps.Equal(got, want) {
		t.Errorf("ledger %v, want %v", got, want)
	}
}
