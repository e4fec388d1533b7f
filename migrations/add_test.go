package migrations_test

import (
	"io/fs"
	"regexp"
	"testing"

	"picloud/migrations"
)

// takesAway finds statements that nodes of the version before would miss something after, and that wait for
// commits which themselves wait for an earlier statement of the file.
var takesAway = regexp.MustCompile(`(?m)^[^-\n]*\b(DROP|RENAME|TRUNCATE)\b`)

// Migrations only add, so that nodes of the version before go on while they are made. The two that dropped an
// index and a key are older than that rule.
func TestMigrationsOnlyAdd(t *testing.T) {
	t.Parallel()
	older := map[string]bool{"00008_outbox_due.sql": true, "00009_ledger_key.sql": true}

	files, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files: %v", len(files), err)
	}

	for _, name := range files {
		file, err := fs.ReadFile(migrations.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		if found := takesAway.Find(file); (found != nil) != older[name] {
			t.Errorf("%s: %q", name, found)
		}
	}
}
