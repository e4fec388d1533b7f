package commit

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"picloud/internal/cloud"
	"picloud/internal/outbox"
)

// Every section has its place in newSections, once, where the parts find it: a part whose section is missing
// would panic in the committer's goroutine.
func TestSections(t *testing.T) {
	t.Parallel()
	g := newGroup(&Config{}, cloud.ID{}, nil)
	found := []section{
		of[*quotaSection](g),
		of[*keySection](g),
		of[*enqueueSection](g),
		of[*rowSection](g),
		of[*deadLetterSection](g),
		of[*slotSection](g),
		of[*idempotencySection](g),
		of[*replySection](g),
		of[*abandonedSection](g),
		of[*recordSection](g),
		of[*auditSection](g),
		of[*ledgerSection](g),
	}
	if !slices.Equal(found, g.sections) {
		t.Errorf("newSections has %d sections, this test knows %d", len(g.sections), len(found))
	}

	seen := map[reflect.Type]bool{}
	for _, s := range g.sections {
		if seen[reflect.TypeOf(s)] {
			t.Errorf("%T is there twice", s)
		}
		seen[reflect.TypeOf(s)] = true
	}
	defer func() {
		if recover() == nil {
			t.Error("a section that is missing was found")
		}
	}()
	g.sections = nil
	of[*keySection](g)
}

// Locks are taken in the order that doc.go promises: two commits that took them in another could wait for
// each other.
func TestOrderOfLocks(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, promise, _ := strings.Cut(string(text), "Locks are taken in one order")

	g := newGroup(&Config{}, cloud.ID{}, nil)

	// Before any section Group.lock takes those of apps and keys.
	last, at := -1, strings.Index(promise, "\tkeys, by hash")
	for _, lock := range []struct {
		named string
		by    section
	}{
		{"quotas of KV bytes", of[*quotaSection](g)},
		{"claimed rows", of[*rowSection](g)},
		{"dead letters", of[*deadLetterSection](g)},
		{"schedules", of[*slotSection](g)},
		{"idempotency reservations", of[*idempotencySection](g)},
	} {
		place := slices.Index(g.sections, lock.by)
		line := strings.Index(promise, "\t"+lock.named)
		if place <= last || line <= at {
			t.Errorf("%s: section %d after %d, line at %d after %d", lock.named, place, last, line, at)
		}
		last, at = place, line
	}
}

// Apps are locked by id, each once, whatever the order in which parts require them.
func TestRequiredApps(t *testing.T) {
	t.Parallel()

	f := newFixture(t, newApp())
	for _, id := range []cloud.AppID{5, 1, 3, 5, 1} {
		f.requireApp(id)
	}
	if got := f.requiredApps(); !slices.Equal(got, []int64{1, 3, 5}) {
		t.Errorf("apps %v", got)
	}
	if f.app(1) == nil || f.app(5) != nil {
		t.Errorf("definitions %v, %v", f.app(1), f.app(5))
	}
}

// Parts require what they need to be decided, and no more: an app that is not required is not locked.
func TestWhatPartsRequire(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		part Part
		apps []int64
		keys int
	}{
		"writes":       {writes(set("k", 1, "1")), []int64{1}, 1},
		"checks alone": {Writes{Checks: []cloud.Check{check("k", 1)}}, nil, 1},
		"checked write": {
			Writes{Checks: []cloud.Check{check("k", 1)}, Writes: []cloud.Write{set("k", 2, "1")}}, []int64{1},
			1,
		},
		"done":           {ends(claimed(1), outbox.EndDone), nil, 0},
		"buried":         {buries(claimed(1)), []int64{1}, 0},
		"enqueue":        {enqueues(script.ID).Parts[0], []int64{1}, 0},
		"letter":         {ResolveLetter{ID: letter}, []int64{1}, 0},
		"handled letter": {HandleLetter{}, nil, 0},
		"slots":          {slotsOf(7, clock, clock), []int64{1}, 0},
		"answer":         {answers(nil).Parts[0], nil, 0},
		"reply":          {Reply{}, nil, 0},
		"abandoned":      {Abandoned{}, nil, 0},
		"record":         {Record{}, nil, 0},
		"audit":          {Audit{}, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, newApp(), commitOf(c.part))
			if got := f.requiredApps(); !slices.Equal(got, c.apps) {
				t.Errorf("apps %v, want %v", got, c.apps)
			}
			if n := len(of[*keySection](f.Group).order); n != c.keys {
				t.Errorf("%d keys, want %d", n, c.keys)
			}
		})
	}
}

// Of a commit that does not apply no part does, wherever the part that stops it stands.
func TestAllOrNothing(t *testing.T) {
	t.Parallel()

	stale := Writes{Checks: []cloud.Check{check("stale", 4)}, Writes: []cloud.Write{set("stale", 5, "1")}}
	for name, parts := range map[string][]Part{
		"at first": {stale, Audit{}, Record{execution()}, writes(set("k", 1, "1"))},
		"at last":  {Audit{}, Record{execution()}, writes(set("k", 1, "1")), stale},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, newApp(kvTrigger(1, "*")), commitOf(parts...),
				commitOf(writes(set("neighbour", 1, "1"))))
			f.expect(t, "conflict", "applied")
			if n := len(of[*keySection](f.Group).dirty); n != 1 || len(f.rows()) != 1 {
				t.Errorf("%d keys, %d rows", n, len(f.rows()))
			}
			if len(of[*auditSection](f.Group).entries)+len(of[*recordSection](f.Group).executions) > 0 {
				t.Error("a part was applied")
			}
		})
	}
}

// Commits get their results in their order, and the committer counts those that conflicted.
func TestSettle(t *testing.T) {
	t.Parallel()
	f := newFixture(t, newApp(),
		commitOf(writes(set("a", 1, "1"))),
		commitOf(Writes{Checks: []cloud.Check{check("a", 0)}}),
		commitOf(ends(claimed(1), outbox.EndDone)),
	)
	f.expect(t, "applied", "conflict", "lost")
	c := New(*f.cfg)
	f.settle(c)

	var results []Result
	for _, x := range f.commits {
		results = append(results, x.result)
	}
	if got := verdictsOf(results); !slices.Equal(got, []string{"applied", "conflict", "lost"}) {
		t.Errorf("results %q", got)
	}
	if c.Counts().Conflicts != 1 {
		t.Errorf("counts %+v", c.Counts())
	}
}
