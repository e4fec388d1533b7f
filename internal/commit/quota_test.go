package commit

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"picloud/internal/catalog"
	"picloud/internal/cloud"
	"picloud/internal/testkit"
)

// limited has a group's app keep some bytes of KV under a quota. It is called once per fixture.
func (f *fixture) limited(limit, used int64) {
	of[*quotaSection](f.Group).kv = map[cloud.AppID]*kvUse{app: {limit: limit, used: used}}
}

// stored puts a key with its size into the state that the group has read.
func (f *fixture) stored(name string, version int64, value string) {
	f.has(keyOf(name), version, value, nil)
	of[*keySection](f.Group).state[keyOf(name)].size = sizeOf(keyOf(name), len(value))
}

// Each commit of a group is decided against what those before it have left; one that is over the quota leaves
// no trace, and what makes the app no larger passes even then. An entry here has 2 bytes and its value.
func TestKVQuota(t *testing.T) {
	t.Parallel()
	const over = "refused"

	for name, c := range map[string]struct {
		limit   int64
		commits []*Commit
		want    []string
		used    int64
	}{
		"it fits exactly":     {112, []*Commit{commitOf(writes(set("n", 2, "1234567890")))}, []string{"applied"}, 112},
		"one byte more":       {111, []*Commit{commitOf(writes(set("n", 2, "1234567890")))}, []string{over}, 100},
		"the growth alone":    {101, []*Commit{commitOf(writes(set("k", 2, "1234")))}, []string{"applied"}, 101},
		"a shrinking write":   {0, []*Commit{commitOf(writes(set("k", 2, "1")))}, []string{"applied"}, 98},
		"as large as before":  {0, []*Commit{commitOf(writes(set("k", 2, "abc")))}, []string{"applied"}, 100},
		"a deletion":          {0, []*Commit{commitOf(writes(remove("k")))}, []string{"applied"}, 95},
		"deletion of nothing": {0, []*Commit{commitOf(writes(remove("n")))}, []string{"applied"}, 100},
		"room that the same commit makes": {100,
			[]*Commit{commitOf(writes(set("n", 2, "123"), remove("k")))}, []string{"applied"}, 100},
		"written and deleted in one commit": {100,
			[]*Commit{commitOf(writes(set("n", 2, "1234567890"), remove("n")))}, []string{"applied"}, 100},
		"only the last of several writes counts": {104,
			[]*Commit{commitOf(writes(set("n", 2, "1234567890"), set("n", 3, "12")))}, []string{"applied"}, 104},
		"a commit before takes the room": {110,
			[]*Commit{commitOf(writes(set("n", 2, "12345678"))), commitOf(writes(set("m", 3, "1")))},
			[]string{"applied", over}, 110},
		"a commit before makes room": {100,
			[]*Commit{commitOf(writes(remove("k"))), commitOf(writes(set("m", 3, "123")))},
			[]string{"applied", "applied"}, 100},
		"one that is refused takes none": {104,
			[]*Commit{commitOf(writes(set("n", 2, "12345678"))), commitOf(writes(set("m", 3, "12")))},
			[]string{over, "applied"}, 104},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// k is always there; a commit that does not write it only reads it.
			commits := append([]*Commit{commitOf(Writes{Checks: []cloud.Check{check("k", 1)}})}, c.commits...)
			f := newFixture(t, newApp(), commits...)
			f.stored("k", 1, "abc")
			f.limited(c.limit, 100)

			for k, got := range verdictsOf(f.decideAll())[1:] {
				if !strings.HasPrefix(got, c.want[k]) {
					t.Errorf("commit %d: %s, want %s", k, got, c.want[k])
				}
			}
			if got := of[*quotaSection](f.Group).kv[app].used; got != c.used {
				t.Errorf("%d bytes are in use, want %d", got, c.used)
			}
		})
	}
}

// An entry that has expired is absent, and yet in the database until it is swept: what is written over it
// takes its place.
func TestKVQuotaOfExpired(t *testing.T) {
	t.Parallel()
	f := newFixture(t, newApp(), commitOf(writes(remove("k"))), commitOf(writes(set("k", 2, "1234"))))
	of[*keySection](f.Group).state[keyOf("k")].size = 5
	f.limited(101, 100)

	f.expect(t, "applied", "applied")
	if got := of[*quotaSection](f.Group).kv[app].used; got != 101 {
		t.Errorf("%d bytes are in use", got)
	}
}

// counted gives an app's definitions a quota of KV bytes, in the database as well.
func (h *harness) counted(t *testing.T, limit int64) {
	t.Helper()
	definition := newApp()
	definition.Quotas.KVBytes = &limit
	h.definitions.apps[app] = definition
	h.exec(t, "INSERT INTO app_quotas (app_id, kv_bytes) VALUES (1, $1) ON CONFLICT DO NOTHING", limit)
}

// inUse is what an app's quota counts; it must be what the entries have.
func (h *harness) inUse(t *testing.T) int64 {
	t.Helper()
	used := h.ask(t, "SELECT kv_used FROM app_quotas")
	really := h.ask(t, "SELECT sum(octet_length(collection) + octet_length(key) + octet_length(value)) FROM kv WHERE app_id = 1")
	if used != really {
		t.Errorf("counted are %d bytes, there are %d", used, really)
	}
	return used
}

func isOverQuota(r Result) bool { return r.Err != nil && cloud.CodeOf(r.Err) == cloud.CodeQuota }

// On a real database the count is what the entries have, whatever was written, deleted, overwritten and
// refused, and the quota holds all along.
func TestKVQuotaCounts(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.counted(t, 600)
	h.run(t)

	random := rand.New(rand.NewPCG(1, 2))
	refused := 0

	for n := range 300 {
		w := set(fmt.Sprintf("kä%d", random.IntN(10)), int64(n+1), strings.Repeat("ü", random.IntN(60)))
		w.Delete = random.IntN(5) == 0

		switch result := h.Do(commitOf(writes(w))); {
		case isOverQuota(result):
			refused++
		case !result.Applied:
			t.Fatalf("%+v", result)
		}
	}
	if used := h.inUse(t); used > 600 || refused == 0 {
		t.Errorf("%d bytes are in use; %d commits were refused", used, refused)
	}
}

// Two nodes do not give the same bytes away.
func TestKVQuotaOfTwoNodes(t *testing.T) {
	t.Parallel()
	dsn := testkit.Database(t)
	nodes := []*harness{newHarnessAt(t, dsn), newHarnessAt(t, dsn)}

	for _, h := range nodes {
		h.counted(t, 1000)
	}

	var commits []*Commit

	for k := range 60 {
		x := commitOf(writes(set(fmt.Sprintf("k%02d", k), int64(k+1), strings.Repeat("x", 96))))
		nodes[k%2].Submit(x)
		commits = append(commits, x)
	}

	for _, h := range nodes {
		h.run(t)
	}

	applied := 0
	for _, x := range commits {
		switch r := x.Wait(); {
		case r.Applied:
			applied++
		case !isOverQuota(r):
			t.Errorf("%+v", r)
		}
	}
	if used := nodes[0].inUse(t); applied != 10 || used != 1000 {
		t.Errorf("%d commits of 100 bytes were applied, %d of 1000 bytes are in use", applied, used)
	}
}

// A quota that was set a moment ago holds, though this node has not heard of it.
func TestKVQuotaThatIsNew(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.counted(t, 100)
	fresh := h.definitions.apps[app]
	fresh.Revision = h.ask(t, "UPDATE apps SET revision = 9 RETURNING revision")
	h.definitions.fresh = map[cloud.AppID]*catalog.App{app: fresh}
	h.definitions.apps = map[cloud.AppID]*catalog.App{app: newApp()}
	h.run(t)

	if r := h.Do(commitOf(writes(set("k", 1, strings.Repeat("x", 99))))); !isOverQuota(r) {
		t.Errorf("%+v", r)
	}
	if r := h.Do(commitOf(writes(set("k", 2, strings.Repeat("x", 98))))); !r.Applied || h.inUse(t) != 100 {
		t.Errorf("%+v", r)
	}
}

// expire lets entries of the app expire.
func (h *harness) expire(t *testing.T, keys string) {
	t.Helper()
	h.exec(t, "UPDATE kv SET expires_at = clock_timestamp() WHERE key LIKE $1", keys)
}

// What has expired is absent for everybody, so it does not stand in the way of what needs its room; what has
// not stays. As much goes as is needed, some at a time.
func TestKVQuotaMakesRoom(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.counted(t, 1000)
	h.run(t)

	put := func(key string, bytes int) Result {
		x := commitOf(writes(set(key, h.ask(t, "SELECT nextval('kv_version')"), strings.Repeat("x", bytes-1-len(key)))))
		return h.Do(x)
	}
	for k := range 10 {
		if r := put(fmt.Sprint("old", k), 100); !r.Applied {
			t.Fatalf("%+v", r)
		}
	}
	if r := put("new", 100); !isOverQuota(r) {
		t.Fatalf("nothing has expired: %+v", r)
	}

	h.expire(t, "old%")
	h.exec(t, "UPDATE kv SET expires_at = NULL WHERE key = 'old9'")
	h.exec(t, "INSERT INTO apps (slug, name) VALUES ('other', 'Other')")
	h.exec(t, `INSERT INTO kv (app_id, collection, key, value, version, expires_at)
		VALUES (2, 'c', 'old', '1', 1, clock_timestamp())`)

	if r := put("new", 900); !r.Applied || h.inUse(t) != 1000 {
		t.Errorf("%+v, %d bytes are in use", r, h.inUse(t))
	}
	if r := put("more", 100); !isOverQuota(r) {
		t.Errorf("%+v", r)
	}
	if n := h.ask(t, "SELECT count(*) FROM kv"); n != 3 {
		t.Errorf("%d entries are left, want the new one, the one that has not expired, and another app's", n)
	}
}

// A commit that overwrites, or deletes, what it makes room of counts it once.
func TestKVQuotaMakesRoomOfWhatIsWritten(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		writes []cloud.Write
		used   int64
	}{
		"overwritten":             {[]cloud.Write{set("old", 9, "12345")}, 9},
		"deleted":                 {[]cloud.Write{remove("old"), set("n", 9, "12")}, 4},
		"deleted and overwritten": {[]cloud.Write{remove("old"), set("old", 9, "12345")}, 9},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			h.counted(t, 9)
			h.run(t)
			if r := h.Do(commitOf(writes(set("old", 1, "12345")))); !r.Applied {
				t.Fatalf("%+v", r)
			}
			h.expire(t, "old")

			if r := h.Do(commitOf(Writes{Writes: c.writes})); !r.Applied || h.inUse(t) != c.used {
				t.Errorf("%+v, %d bytes are in use, want %d", r, h.inUse(t), c.used)
			}
		})
	}
}

// A sweep that deletes an expired entry, while a commit which overwrites that waits for the quota's lock,
// counts it once: the commit looks at the entry only under the lock.
func TestKVQuotaBesideASweep(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.counted(t, 1000)
	h.run(t)

	for k, key := range []string{"old", "other"} {
		if r := h.Do(commitOf(writes(set(key, int64(k+1), "12345")))); !r.Applied {
			t.Fatalf("%+v", r)
		}
	}
	h.expire(t, "old")

	sweep, err := h.db.General.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const step = `WITH gone AS (DELETE FROM kv WHERE key = 'old')
		UPDATE app_quotas SET kv_used = kv_used - 9`
	if _, err := sweep.Exec(t.Context(), step); err != nil {
		t.Fatal(err)
	}

	x := commitOf(writes(set("old", 3, "1234567")))
	h.Submit(x)

	for waiting := int64(0); waiting == 0; {
		waiting = h.ask(t, `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`)
	}
	if err := sweep.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}

	if r := x.Wait(); !r.Applied || h.inUse(t) != 22 {
		t.Errorf("%+v, %d bytes are in use", r, h.inUse(t))
	}
}
