package admin

import (
	"context"
	"errors"
	"testing"
	"time"

	"picloud/internal/history"
)

// The checks are made anew when they are old, or could not be made.
func TestLastChecks(t *testing.T) {
	t.Parallel()

	var l lastChecks
	made := 0
	var fails error
	examine := func(context.Context) (history.Report, error) {
		made++
		return history.Report{Unbalanced: make([]string, made)}, fails
	}

	for _, c := range []struct {
		name  string
		age   time.Duration
		fails error
		want  int // the number of the report; 0: none
	}{
		{"the first time", 0, nil, 1},
		{"at once again", 0, nil, 1},
		{"old", checksLast + time.Second, nil, 2},
		{"old, and it fails", checksLast + time.Second, errors.New("away"), 0},
		{"again after a failure", 0, nil, 4},
	} {
		if c.age > 0 {
			l.at = l.at.Add(-c.age)
		}
		fails = c.fails

		report, at, err := l.report(t.Context(), examine)
		if c.want == 0 {
			if err == nil {
				t.Errorf("%s: no error", c.name)
			}
			continue
		}
		if err != nil || len(report.Unbalanced) != c.want || time.Since(at) > checksLast {
			t.Errorf("%s: report %d of %v, %v, want %d", c.name, len(report.Unbalanced), at, err, c.want)
		}
	}
}
