package db_test

import (
	"strings"
	"testing"

	"picloud/db"
	"picloud/internal/testkit"
	"picloud/migrations"
)

// A database is restored into only if it is empty, and is refused from the first step of a restore to its
// end, wherever it was cut off.
func TestRestoreMark(t *testing.T) {
	t.Parallel()

	d := open(t, testkit.EmptyDatabase(t))
	refuses := func(err error, says string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
	succeeds := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	begin := func(says string) *db.Restore {
		t.Helper()
		r, err := d.BeginRestore(t.Context())
		if says != "" {
			refuses(err, says)
			return nil
		}
		succeeds(err)
		return r
	}

	succeeds(d.CheckRestored(t.Context()))
	cutOff := begin("")
	refuses(d.CheckRestored(t.Context()), "was cut off")
	cutOff.Close()

	rolledBack := begin("")
	begin("another restore into this database is under way")
	succeeds(rolledBack.Abandon(t.Context()))
	succeeds(d.CheckRestored(t.Context()))
	rolledBack.Close()

	whole := begin("")
	succeeds(d.Migrate(t.Context(), migrations.FS))
	refuses(d.CheckRestored(t.Context()), "was cut off")
	refuses(whole.Abandon(t.Context()), "was cut off") // the copy is there, and not on hold
	refuses(d.CheckRestored(t.Context()), "was cut off")
	begin("another restore")

	succeeds(whole.End(t.Context()))
	succeeds(whole.End(t.Context())) // also after an answer that was lost
	succeeds(d.CheckRestored(t.Context()))
	whole.Close()
	begin("not empty")
}

// Where no table can be made, nothing is restored, and the sentence says what to grant.
func TestRestoreNeedsRights(t *testing.T) {
	t.Parallel()

	address := testkit.EmptyDatabase(t)
	_, err := open(t, role(t, address, "")).BeginRestore(t.Context())
	if err == nil || !strings.Contains(err.Error(), "GRANT CREATE ON SCHEMA public TO role_of_") {
		t.Errorf("got %v", err)
	}
}
