package db_test

import (
	"net/url"
	"strings"
	"testing"

	"picloud/db"
	"picloud/internal/testkit"
	"picloud/migrations"
)

// A database that cannot be used as it is is refused with a sentence that says what to do, at once.
func TestMigrateRefuses(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name string
		// as prepares the database and gives the address to connect by.
		database func(testing.TB) string
		as       func(t *testing.T, address string) string
		says     []string
	}{
		{
			"a user who may not create", testkit.EmptyDatabase,
			func(t *testing.T, address string) string { return role(t, address, "") },
			[]string{"permission denied for schema public", "GRANT CREATE ON SCHEMA public TO role_of_"},
		},
		{
			"a user who may use no schema", testkit.EmptyDatabase,
			func(t *testing.T, address string) string {
				run(t, address, "REVOKE ALL ON SCHEMA public FROM PUBLIC")
				return role(t, address, "")
			},
			[]string{"may use no schema", "GRANT USAGE, CREATE ON SCHEMA public TO"},
		},
		{
			"tables of another user", testkit.Database,
			func(t *testing.T, address string) string {
				run(t, address, "GRANT CREATE ON SCHEMA public TO PUBLIC")
				return role(t, address, "")
			},
			[]string{"connect as the user who owns them", "REASSIGN OWNED BY"},
		},
		{
			"tables of another program", testkit.EmptyDatabase,
			func(t *testing.T, address string) string {
				run(t, address, "CREATE TABLE users (id int)")
				return address
			},
			[]string{"tables that PiCloud did not make", "a database of its own", `"users" already exists`},
		},
		{
			"a replica", testkit.Database, readOnly,
			[]string{"the database is read-only", "target_session_attrs=read-write"},
		},
		{
			"a newer schema", testkit.Database,
			func(t *testing.T, address string) string {
				run(t, address, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)")
				return address
			},
			[]string{"that of a newer PiCloud (99999; this one knows up to "},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := open(t, c.as(t, c.database(t))).Migrate(t.Context(), migrations.FS)
			if err == nil {
				t.Fatal("it was taken")
			}

			for _, part := range c.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("no %q in: %v", part, err)
				}
			}
		})
	}
}

// readOnly is the address by which sessions can only read, as on a replica.
func readOnly(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}

	q := u.Query()
	q.Set("default_transaction_read_only", "on")
	u.RawQuery = q.Encode()
	return u.String()
}

// Rights that were granted are enough, and a second start finds nothing to do.
func TestMigrateAsOrdinaryUser(t *testing.T) {
	t.Parallel()
	address := testkit.EmptyDatabase(t)
	run(t, address, "GRANT CREATE ON SCHEMA public TO PUBLIC")
	d := open(t, role(t, address, ""))

	for range 2 {
		if err := d.Migrate(t.Context(), migrations.FS); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.EnsurePartitions(t.Context(), 1); err != nil {
		t.Error(err)
	}
	if granted, err := d.Capacity(t.Context()); err != nil || granted.Usable < db.MinConnections {
		t.Errorf("%+v: %v", granted, err)
	}
}
