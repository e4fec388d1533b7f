package history

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"picloud/internal/cloud"
)

// A whole queue is counted once in ten minutes, for all who ask, and what was found wrong is said until a later
// count says otherwise.
func TestWholeCounts(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		counted, balanced := 0, false
		var fails error
		w := newWholeCounts(func(context.Context, cloud.AppID) (bool, error) {
			counted++
			time.Sleep(time.Second)
			return balanced, fails
		})
		if w.unbalanced(1) {
			t.Error("an app that nobody has counted is unbalanced")
		}

		ask := func(name string, want bool, wantCounted int) {
			t.Helper()

			var all sync.WaitGroup
			for range 3 {
				all.Go(func() {
					if got, err := w.balanced(t.Context(), 1); err != nil || got != want {
						t.Errorf("%s: %v %v", name, got, err)
					}
				})
			}
			all.Wait()
			if counted != wantCounted || w.unbalanced(1) == want {
				t.Errorf("%s: counted %d times, unbalanced %v", name, counted, w.unbalanced(1))
			}
		}

		ask("at first", false, 1)
		balanced = true
		time.Sleep(wholeAge / 2)
		ask("lately", false, 1)
		time.Sleep(wholeAge)
		if !w.unbalanced(1) {
			t.Error("forgotten without a count")
		}
		fails = errors.New("away")
		if _, err := w.balanced(t.Context(), 1); !errors.Is(err, fails) {
			t.Errorf("got %v", err)
		}
		fails = nil
		ask("later", true, 3)

		ctx, stop := context.WithTimeout(t.Context(), time.Millisecond)
		defer stop()
		w.turn <- struct{}{}
		if _, err := w.balanced(ctx, 2); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waited in vain: %v", err)
		}
	})
}
