package commit

import (
	"slices"
	"testing"
	"time"

	"picloud/internal/cloud"
)

// A commit applies only on what its run had read, as the database has it and as the commits before it in the
// group leave it.
func TestWritesChecks(t *testing.T) {
	t.Parallel()
	checked := func(version, next int64) *Commit {
		return commitOf(Writes{
			Checks: []cloud.Check{check("k", version)},
			Writes: []cloud.Write{set("k", next, "1")},
		})
	}

	for name, c := range map[string]struct {
		commits []*Commit
		want    []string
	}{
		"the version that was read":   {[]*Commit{checked(5, 9)}, []string{"applied"}},
		"an older version":            {[]*Commit{checked(4, 9)}, []string{"conflict"}},
		"it was absent, and is there": {[]*Commit{checked(0, 9)}, []string{"conflict"}},
		"written by a commit before": {[]*Commit{checked(5, 9), checked(5, 10)},
			[]string{"applied", "conflict"}},
		"it follows a commit before": {[]*Commit{checked(5, 9), checked(9, 10)},
			[]string{"applied", "applied"}},
		"one that conflicts changes none": {[]*Commit{checked(4, 9), checked(5, 10)},
			[]string{"conflict", "applied"}},
		"a blind write needs no check": {[]*Commit{checked(5, 9), commitOf(writes(set("k", 10, "2")))},
			[]string{"applied", "applied"}},
		"deleted by a commit before": {[]*Commit{commitOf(writes(remove("k"))), checked(5, 9)},
			[]string{"applied", "conflict"}},
		"absent after a delete before": {[]*Commit{commitOf(writes(remove("k"))), checked(0, 9)},
			[]string{"applied", "applied"}},
		"checks alone need no definitions": {[]*Commit{commitOf(Writes{Checks: []cloud.Check{check("k",
			5)}})}, []string{"applied"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, newApp(), c.commits...)
			f.has(keyOf("k"), 5, "", nil)

			for k, r := range f.expect(t, c.want...) {
				if c.want[k] == "conflict" && !slices.Equal(r.Conflicts, []cloud.KeyRef{keyOf("k")}) {
					t.Errorf("conflicts %v", r.Conflicts)
				}
			}
		})
	}
}

// Two runs that each read what the other writes cannot both apply: the second had read what is no longer so.
func TestWriteSkew(t *testing.T) {
	t.Parallel()
	reads := []cloud.Check{check("a", 1), check("b", 2)}
	f := newFixture(t, newApp(),
		commitOf(Writes{Checks: reads, Writes: []cloud.Write{set("a", 8, "0")}}),
		commitOf(Writes{Checks: reads, Writes: []cloud.Write{set("b", 9, "0")}}),
	)
	f.has(keyOf("a"), 1, "", nil)
	f.has(keyOf("b"), 2, "", nil)

	results := f.expect(t, "applied", "conflict")
	if !slices.Equal(results[1].Conflicts, []cloud.KeyRef{keyOf("a")}) {
		t.Errorf("conflicts %v", results[1].Conflicts)
	}
	if s := of[*keySection](f.Group); s.state[keyOf("b")].version != 2 || len(s.dirty) != 1 {
		t.Errorf("b has version %d, %d keys are written", s.state[keyOf("b")].version, len(s.dirty))
	}
}

// Every key that changed is named, so that the repeat queues for all of them.
func TestEveryConflictIsNamed(t *testing.T) {
	t.Parallel()
	f := newFixture(t, newApp(), commitOf(Writes{Checks: []cloud.Check{check("a", 1), check("b", 2),
		check("c", 3)}}))
	f.has(keyOf("b"), 2, "", nil)

	results := f.expect(t, "conflict")
	if !slices.Equal(results[0].Conflicts, []cloud.KeyRef{keyOf("a"), keyOf("c")}) {
		t.Errorf("conflicts %v", results[0].Conflicts)
	}
}

// A write sets, keeps or clears the expiry that the value before it had.
func TestExpiryOfWrites(t *testing.T) {
	t.Parallel()
	soon := clock.Add(time.Hour)
	inAMinute := clock.Add(time.Minute)

	for name, c := range map[string]struct {
		before *time.Time
		ttl    int64
		want   *time.Time
	}{
		"none stays none":  {nil, 0, nil},
		"cleared":          {&soon, 0, nil},
		"kept":             {&soon, -1, &soon},
		"nothing to keep":  {nil, -1, nil},
		"set":              {nil, 60_000, &inAMinute},
		"set anew, sooner": {&soon, 60_000, &inAMinute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := set("k", 9, "1")
			w.TTLMillis = c.ttl
			f := newFixture(t, newApp(), commitOf(writes(w)))
			f.has(keyOf("k"), 5, "", c.before)
			f.expect(t, "applied")

			got := of[*keySection](f.Group).state[keyOf("k")].expires
			if microseconds(got) != microseconds(c.want) {
				t.Errorf("expires %v, want %v", got, c.want)
			}
		})
	}
	if microseconds(nil) != 0 || microseconds(&clock) != clock.UnixMicro() {
		t.Errorf("%v in microseconds is %d", clock, microseconds(&clock))
	}
}

// What a write raises says what it was, and what the value was before it.
func TestEventsOfWrites(t *testing.T) {
	t.Parallel()
	w := func(w ...cloud.Write) []*Commit { return []*Commit{commitOf(writes(w...))} }

	for name, c := range map[string]struct {
		commits []*Commit
		exists  bool
		want    []string
	}{
		"insert": {w(set("k", 9, `{"n":1}`)), false,
			[]string{`{"op":"insert","collection":"c","key":"k","value":{"n":1}}`}},
		"update": {w(set("k", 9, "2")), true,
			[]string{`{"op":"update","collection":"c","key":"k","value":2,"oldValue":"old"}`}},
		"delete": {w(remove("k")), true,
			[]string{`{"op":"delete","collection":"c","key":"k","oldValue":"old"}`}},
		"delete of a missing key": {w(remove("k")), false, nil},
		"a run's own writes, one after the other": {w(set("k", 9, "1"), set("k", 10, "2"), remove("k"),
			remove("k")), false, []string{
			`{"op":"insert","collection":"c","key":"k","value":1}`,
			`{"op":"update","collection":"c","key":"k","value":2,"oldValue":1}`,
			`{"op":"delete","collection":"c","key":"k","oldValue":2}`}},
		"after the commit before": {append(w(remove("k")), w(set("k", 9, "3"))...), true, []string{
			`{"op":"delete","collection":"c","key":"k","oldValue":"old"}`,
			`{"op":"insert","collection":"c","key":"k","value":3}`}},
		"names are JSON": {w(cloud.Write{Key: keyOf(`a"b`), Value: "1"}), false,
			[]string{`{"op":"insert","collection":"c","key":"a\"b","value":1}`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, newApp(kvTrigger(1, "c")), c.commits...)
			if c.exists {
				f.has(keyOf("k"), 5, `"old"`, nil)
			}
			f.decideAll()

			var got []string
			for _, row := range f.rows() {
				got = append(got, row.Payload)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("events\n%q, want\n%q", got, c.want)
			}
			if n := f.count(Enqueued); n != int64(len(c.want)) {
				t.Errorf("the ledger counts %d", n)
			}
		})
	}
}

// A trigger is raised by the collections and operations that it names, a disabled one by none.
func TestWhichTriggersAWriteRaises(t *testing.T) {
	t.Parallel()
	disabled := kvTrigger(9, "c")
	disabled.Enabled = false

	for name, c := range map[string]struct {
		trigger *cloud.Trigger
		want    int
	}{
		"its collection":     {kvTrigger(1, "c"), 3},
		"every collection":   {kvTrigger(1, "*"), 3},
		"another collection": {kvTrigger(1, "d"), 0},
		"inserts alone":      {kvTrigger(1, "c", "insert"), 1},
		"updates, deletes":   {kvTrigger(1, "c", "update", "delete"), 2},
		"disabled":           {disabled, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, newApp(c.trigger),
				commitOf(writes(set("k", 1, "1"), set("k", 2, "2"), remove("k"))))
			f.expect(t, "applied")
			if n := len(f.rows()); n != c.want {
				t.Errorf("%d rows, want %d", n, c.want)
			}
		})
	}
}

// Values are read only where an event may need the old one. Of an app that is not known yet, that is
// everywhere.
func TestMayRaiseEvents(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		f    *fixture
		want bool
	}{
		"a trigger matches": {newFixture(t, newApp(kvTrigger(1, "c", "insert")),
			commitOf(writes(set("k", 1, "1")))), true},
		"none does": {newFixture(t, newApp(kvTrigger(1, "d")), commitOf(writes(set("k", 1, "1")))),
			false},
		"the app is not known": {newFixture(t, nil, commitOf(writes(set("k", 1, "1")))), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := mayRaiseEvents(c.f.Group, keyOf("k")); got != c.want {
				t.Errorf("%v", got)
			}
		})
	}
}

// Nothing is written into an app that is gone.
func TestWritesOfADeletedApp(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, commitOf(writes(set("k", 1, "1"))))
	f.expect(t, "refused: "+errAppGone.Error())
	if s := of[*keySection](f.Group); len(s.dirty) > 0 {
		t.Errorf("%d keys are written", len(s.dirty))
	}
}

// The final state of a key is written once, however many commits wrote it, and one that was only checked is
// not written.
func TestKeysAreWrittenOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, newApp(),
		commitOf(Writes{Checks: []cloud.Check{check("read", 0)},
			Writes: []cloud.Write{set("k", 1, "1"), set("k", 2, "2")}}),
		commitOf(writes(set("k", 3, "3"))),
		commitOf(writes(set("gone", 4, "4"))),
		commitOf(writes(remove("gone"))),
	)
	f.expect(t, "applied", "applied", "applied", "applied")

	s := of[*keySection](f.Group)
	if len(s.dirty) != 2 || s.dirty[0].key != keyOf("k") || s.dirty[0].value != "3" ||
		s.dirty[0].version != 3 || s.dirty[1].exists {
		t.Errorf("written: %+v", s.dirty)
	}
}

// Keys are locked in one order by everybody, each once, and apps and keys of different apps have different
// locks.
func TestLockNames(t *testing.T) {
	t.Parallel()
	forwards := newFixture(t, newApp(), commitOf(writes(set("a", 1, "1"), set("b", 1, "1"),
		set("a", 2, "1"))), commitOf(writes(set("c", 1, "1"))))
	backwards := newFixture(t, newApp(), commitOf(writes(set("c", 1, "1"))),
		commitOf(writes(set("b", 1, "1"), set("a", 1, "1"))))

	one, other := of[*keySection](forwards.Group).lockNames(), of[*keySection](backwards.Group).lockNames()
	if len(one) != 3 || !slices.Equal(one, other) || !slices.IsSorted(one) {
		t.Errorf("locks %v and %v", one, other)
	}

	for _, other := range []cloud.KeyRef{{App: 2, Collection: "c", Key: "a"},
		{App: 1, Collection: "d", Key: "a"}, {App: 1, Collection: "ca"}} {
		if lockName(other) == lockName(keyOf("a")) {
			t.Errorf("%v has the lock of %v", other, keyOf("a"))
		}
	}
}
