package commit

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"picloud/internal/catalog"
	"picloud/internal/cloud"
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

// On a real database the count is what the entries have, whatever was written, deleted, overwritten and
// refused, and the quota holds all along.
func TestKVQuotaCounts(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	limit := int64(600)
	definition := newApp()
	definition.Quotas = cloud.Quotas{KVBytes: &limit}
	h.definitions.apps = map[cloud.AppID]*catalog.App{app: definition}
	h.definitions.fresh = h.definitions.apps
	_, err := h.db.General.Exec(t.Context(), "INSERT INTO app_quotas (app_id, kv_bytes) VALUES (1, 600)")
	if err != nil {
		t.Fatal(err)
	}
	h.run(t)

	random := rand.New(rand.NewPCG(1, 2))
	refused := 0

	for n := range 300 {
		w := set(fmt.Sprintf("kä%d", random.IntN(10)), int64(n+1), strings.Repeat("ü", random.IntN(60)))
		w.Delete = random.IntN(5) == 0
		result := h.Do(commitOf(writes(w)))
		if cloud.CodeOf(result.Err) == cloud.CodeQuota && result.Err != nil {
			refused++
			continue
		}
		if !result.Applied {
			t.Fatalf("%+v", result)
		}
	}

	var used, counted int64
	err = h.db.General.QueryRow(t.Context(), `SELECT kv_used,
		(SELECT sum(octet_length(collection) + octet_length(key) + octet_length(value)) FROM kv)
		FROM app_quotas`).Scan(&used, &counted)
	if err != nil {
		t.Fatal(err)
	}
	if used != counted || used > limit || refused == 0 {
		t.Errorf("counted as %d, really %d of %d; %d commits were refused", used, counted, limit, refused)
	}
}
