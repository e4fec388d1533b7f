package admin

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"picloud/internal/history"
)

// The checks are made anew when they are old, and a second after they could not be made.
func TestLastChecks(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		l := newLastChecks()
		made := 0
		var fails error
		examine := func(context.Context) (history.Report, error) {
			made++
			return history.Report{Unbalanced: make([]string, made)}, fails
		}

		for _, c := range []struct {
			name  string
			later time.Duration
			fails error
			want  int // the number of the report
			err   bool
		}{
			{"the first time", 0, nil, 1, false},
			{"at once again", 0, nil, 1, false},
			{"at the last moment", checksLast, nil, 1, false},
			{"old", time.Millisecond, nil, 2, false},
			{"old, and it fails", checksLast + time.Millisecond, errors.New("away"), 3, true},
			{"at once after a failure", 0, nil, 3, true},
			{"again after a failure", failureLasts + time.Millisecond, nil, 4, false},
			{"well again", failureLasts + time.Millisecond, nil, 4, false},
		} {
			time.Sleep(c.later)
			fails = c.fails

			report, at, err := l.report(t.Context(), examine)
			if (err != nil) != c.err || len(report.Unbalanced) != c.want || time.Since(at) > checksLast {
				t.Errorf("%s: report %d of %v, %v, want %d", c.name, len(report.Unbalanced), at, err, c.want)
			}
		}
	})
}

// Whoever waits for the checks of another gets what that one gets, also its failure, and none waits for longer
// than its own request. A caller who has gone is no failure of the checks.
func TestWaitingForChecks(t *testing.T) {
	t.Parallel()
	away := errors.New("away")

	synctest.Test(t, func(t *testing.T) {
		l := newLastChecks()
		made := 0
		examine := func(ctx context.Context) (history.Report, error) {
			made++
			<-ctx.Done()
			return history.Report{}, away
		}

		began := time.Now()
		var all sync.WaitGroup
		ask := func(who string, patience, want time.Duration, cause error) {
			all.Go(func() {
				ctx, stop := context.WithTimeout(t.Context(), patience)
				defer stop()
				_, _, err := l.report(ctx, examine)
				if took := time.Since(began); took != want || !errors.Is(err, cause) {
					t.Errorf("%s: %v after %v, want %v after %v", who, err, took, cause, want)
				}
			})
			synctest.Wait()
		}

		ask("the first, who goes", 5*time.Second, 5*time.Second, away)
		ask("who waits", time.Hour, 5*time.Second+maxChecks, away)
		ask("who waits as well", time.Hour, 5*time.Second+maxChecks, away)
		ask("who goes meanwhile", 2*time.Second, 2*time.Second, context.DeadlineExceeded)
		all.Wait()

		if made != 2 {
			t.Errorf("the checks were made %d times", made)
		}
	})
}
