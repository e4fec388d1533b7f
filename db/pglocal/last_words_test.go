package pglocal

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Why a server gave up is the last that it, or one of its processes, said of its own end.
func TestLastWords(t *testing.T) {
	t.Parallel()

	const line = "2026-11-30 14:41:10.725 UTC [20445] "
	for _, c := range []struct{ name, log, want string }{
		{"none", "", ""},
		{"a stop", line + "LOG:  received fast shutdown request\n", ""},
		{
			"a full disk",
			line + `PANIC:  could not write to file "pg_wal/xlogtemp.7": No space left on device` + "\n" +
				line + `FATAL:  could not write to file "pg_wal/xlogtemp.9": No space left on device` + "\n" +
				line + "LOG:  database system is shut down\n",
			`could not write to file "pg_wal/xlogtemp.9": No space left on device`,
		},
		{"a value in a statement", line + "STATEMENT:  SELECT 'FATAL:  no'\n", ""},
		{"cut off", line + "FATAL:  out of mem", "out of mem"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := lastWords([]byte(c.log)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A start that PostgreSQL refuses says why, and not why an earlier one was refused.
func TestStartSaysWhy(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a cluster")
	}
	parent, err := os.MkdirTemp("", "pglocal-") // t.TempDir is closed to the server's user
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(parent) })
	if err := os.Chmod(parent, 0o755); err != nil {
		t.Fatal(err)
	}

	for setting, want := range map[string]string{
		"shared_preload_libraries": `could not access file "none"`,
		"wal_level":                `invalid value for parameter "wal_level": "none"`,
	} {
		_, err = Start(t.Context(), Options{
			Dir:            filepath.Join(parent, "postgres"),
			MaxConnections: 20,
			Settings:       map[string]string{setting: "none"},
			Log:            slog.New(slog.DiscardHandler),
		})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), "none") != 1 {
			t.Errorf("%s: got %v", setting, err)
		}
	}
}
