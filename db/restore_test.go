package db_test

import (
	"strings"
	"testing"

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

	succeeds(d.CheckRestored(t.Context()))
	succeeds(d.BeginRestore(t.Context()))
	refuses(d.CheckRestored(t.Context()), "was cut off")
	succeeds(d.BeginRestore(t.Context())) // again, after a copy that was rolled back

	succeeds(d.Migrate(t.Context(), migrations.FS))
	refuses(d.CheckRestored(t.Context()), "was cut off")
	refuses(d.BeginRestore(t.Context()), "not empty")

	succeeds(d.EndRestore(t.Context()))
	succeeds(d.CheckRestored(t.Context()))
	refuses(d.BeginRestore(t.Context()), "not empty")
}

// Where no table can be made, nothing is restored, and the sentence says what to grant.
func TestRestoreNeedsRights(t *testing.T) {
	t.Parallel()

	address := testkit.EmptyDatabase(t)
	err := open(t, role(t, address, "")).BeginRestore(t.Context())
	if err == nil || !strings.Contains(err.Error(), "GRANT CREATE ON SCHEMA public TO role_of_") {
		t.Errorf("got %v", err)
	}
}
