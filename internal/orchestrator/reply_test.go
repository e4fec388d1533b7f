package orchestrator

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"picloud/internal/cloud"
)

// Who calls is told to come again when the database has no room for a commit, and of nothing else that it
// answered.
func TestSafeError(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name string
		err  error
		code cloud.Code
		says string
	}{
		{"a full disk", &pgconn.PgError{Code: "53100", Message: "base/16384"}, cloud.CodeUnavailable,
			"the database's disk is full; nothing of this run was kept"},
		{"no connection", &pgconn.PgError{Code: "53300"}, cloud.CodeUnavailable,
			"the database has no connection left for commits; nothing of this run was kept"},
		{"a constraint", &pgconn.PgError{Code: "23514", Message: "x_check"}, cloud.CodeInternal,
			"the run could not be committed"},
		{"another fault", errors.New("unexpected"), cloud.CodeInternal, "the run could not be committed"},
		{"known", cloud.ErrDatabaseAway, cloud.CodeUnavailable, cloud.ErrDatabaseAway.Message},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := safeError(c.err)
			if got.Code != c.code || got.Message != c.says || !strings.Contains(got.Error(), got.Message) {
				t.Errorf("%v", got)
			}
		})
	}
}

func TestFaasTrigger(t *testing.T) {
	t.Parallel()

	for source, want := range map[string]string{
		cloud.SourceHTTP: "http", cloud.SourceCron: "timer", cloud.SourceKV: "datasource",
		cloud.SourceDeadLetter: "other", "invoke": "other", "later": "other",
	} {
		if got := faasTrigger(source); got != want {
			t.Errorf("%s: %s, want %s", source, got, want)
		}
	}
}
