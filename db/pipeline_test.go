package db_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"picloud/db"
	"picloud/internal/testkit"
)

// Each method of the pipeline reads its columns as sqlc's own does: the callback gets what the statement
// returns.
func TestPipeline(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t, testkit.Database(t))
	app, err := d.Queries().InsertApp(ctx, "a", "A", "")
	if err != nil {
		t.Fatal(err)
	}

	err = d.Queries().PutKeys(ctx, db.PutKeysParams{
		Apps:        []int64{app.ID, app.ID},
		Collections: []string{"c", "c"},
		Keys:        []string{"k1", "k2"},
		Values:      []string{"1", "2"},
		Versions:    []int64{1001, 1002},
		Expiries:    []int64{0, 1},
	})
	if err != nil {
		t.Fatal(err)
	}

	var got []string
	add := func(format string, args ...any) { got = append(got, fmt.Sprintf(format, args...)) }
	commit := db.UUID{15: 1}
	p := db.NewPipeline()
	p.Begin()
	p.Open(commit, 1, func(isNew bool) { add("new %v", isNew) })
	p.Open(commit, 1, func(isNew bool) { add("new %v", isNew) })
	p.Now(func(now time.Time) { add("now %v", !now.IsZero()) })
	p.Revisions([]int64{app.ID, 99}, func(app, revision int64) { add("app %d revision %d", app, revision) })
	p.Current(db.CurrentKeysParams{
		Positions:   []int32{0, 1, 2},
		Apps:        []int64{app.ID, app.ID, app.ID},
		Collections: []string{"c", "c", "c"},
		Keys:        []string{"k1", "k2", "k3"},
		Wanted:      []bool{true, false, true},
	}, func(r db.CurrentKeysRow) {
		add("key %d version %d expired %v %v value %q", r.I, r.Version, r.ExpiresAt != nil, r.Expired,
			r.Value)
	})

	p.Claimed([]int64{app.ID}, []db.UUID{{}}, []db.UUID{{}}, func(id, token db.UUID) { add("claimed") })
	p.Unresolved([]int64{app.ID}, []db.UUID{{}}, func(id db.UUID) { add("unresolved") })
	p.Schedules([]int64{app.ID}, []db.UUID{{}}, func(db.UUID, time.Time) { add("schedule") })
	if err := p.BumpApp(ctx, app.ID); err != nil {
		t.Fatal(err)
	}
	p.Commit()

	conn, err := d.Commits.Acquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if len(got) > 0 {
		t.Errorf("callbacks before anything was sent: %v", got)
	}
	if err := p.Send(ctx, conn.Conn()); err != nil {
		t.Fatal(err)
	}

	want := []string{
		"new true", "new false", "now true", fmt.Sprintf("app %d revision 1", app.ID),
		`key 0 version 1001 expired false false value "1"`, `key 1 version 1002 expired true true value ""`,
	}
	slices.Sort(got) // a join has no order
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
	if after, err := d.Queries().AppByID(ctx, app.ID); err != nil || after.Revision != 2 {
		t.Errorf("the revision is %d: %v", after.Revision, err)
	}
}

// A statement with a result cannot be queued by way of Queries: its result would be lost.
func TestPipelineHasNoResults(t *testing.T) {
	t.Parallel()
	p := db.NewPipeline()
	if _, err := p.AppByID(t.Context(), 1); err == nil {
		t.Error("an app came from a pipeline that was not sent")
	}
	if _, err := p.AppRevisions(t.Context(), []int64{1}); err == nil {
		t.Error("revisions came from a pipeline that was not sent")
	}
}
