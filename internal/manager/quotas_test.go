package manager_test

import (
	"testing"

	"picloud/internal/cloud"
	"picloud/internal/manager"
)

// What an app keeps is counted when it gets a quota of it, and again each time that the quota is set.
func TestQuotaCountsKV(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	used := func(change manager.QuotaChange) int64 {
		t.Helper()
		_, err := f.UpdateApp(t.Context(), f.owner, f.app, manager.AppChange{Quotas: &change})
		if err != nil {
			t.Fatal(err)
		}
		row, err := f.db.Queries().QuotasOfApp(t.Context(), f.app.ID)
		if err != nil {
			t.Fatal(err)
		}
		return row.KvUsed
	}
	insert := func(key string) {
		t.Helper()
		_, err := f.db.General.Exec(t.Context(), `INSERT INTO kv (app_id, collection, key, value, version)
			VALUES ($1, 'c', $2, '"ä"', 1)`, f.app.ID, key)
		if err != nil {
			t.Fatal(err)
		}
	}
	kvBytes := manager.QuotaChange{KVBytes: manager.ValueOf(new(int64(100)))}

	insert("k")
	if n := used(manager.QuotaChange{Scripts: manager.ValueOf(new(int64(5)))}); n != 0 {
		t.Errorf("%d bytes are counted without a quota of them", n)
	}
	if n := used(kvBytes); n != 6 {
		t.Errorf("%d bytes are counted", n)
	}
	insert("l") // by nobody who counts
	if n := used(manager.QuotaChange{Executions: manager.ValueOf(new(int64(5)))}); n != 6 {
		t.Errorf("another quota changed the count to %d", n)
	}
	if n := used(kvBytes); n != 12 {
		t.Errorf("set again, %d bytes are counted", n)
	}
}

// Only an instance admin sets quotas, and a refused change changes nothing else.
func TestWhoSetsQuotas(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	quotas := &manager.QuotaChange{KVBytes: manager.ValueOf(new(int64(1)))}
	member := f.owner
	member.Admin = false

	_, err := f.UpdateApp(t.Context(), member, f.app, manager.AppChange{Name: new("Mine"), Quotas: quotas})
	check(t, err, cloud.CodeForbidden, "only an instance admin sets quotas of an app")

	app, err := f.App(t.Context(), f.app.Slug)
	if err != nil {
		t.Fatal(err)
	}
	if app.Name == "Mine" {
		t.Error("the name was changed")
	}
}
