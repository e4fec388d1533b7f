package manager

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"picloud/internal/cloud"
)

// The deploys of an app wait for each other and hold one place, so that another app finds one.
func TestDeployQueueIsFair(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newDeployQueue()
		entered := make(chan int64, 10)
		goOn := make(chan struct{})
		deploy := func(app int64) {
			_, leave, err := q.enter(t.Context(), app)
			if err != nil {
				t.Error(err)
				return
			}
			entered <- app
			<-goOn
			leave()
		}

		for range 3 {
			go deploy(1)
		}
		synctest.Wait()
		go deploy(2)
		synctest.Wait()
		go deploy(3) // waits for a place: there are two
		synctest.Wait()
		if len(entered) != maxDeploys || <-entered != 1 || <-entered != 2 {
			t.Fatalf("%d more have entered", len(entered))
		}

		for range 5 {
			goOn <- struct{}{}
			synctest.Wait()
		}
		if len(entered) != 3 || q.places.Free() != maxDeploys {
			t.Errorf("%d have entered, %d places are free", len(entered), q.places.Free())
		}
	})
}

// Whoever waits too long is told so, and keeps nobody's turn or place.
func TestDeployTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newDeployQueue()
		first, leave, err := q.enter(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}

		time.Sleep(time.Second)
		began := time.Now()
		if _, _, err := q.enter(t.Context(), 1); cloud.CodeOf(err) != cloud.CodeTimeout {
			t.Errorf("the second deploy: %v", err)
		}
		if waited := time.Since(began); waited != maxDeployTime || context.Cause(first) != errDeployTime {
			t.Errorf("it waited %s; the first has ended because of %v", waited, context.Cause(first))
		}
		leave()

		_, leave, err = q.enter(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		leave()
		if q.places.Free() != maxDeploys || q.places.Waiting(1) != 0 {
			t.Errorf("%d places are free, %d wait", q.places.Free(), q.places.Waiting(1))
		}
	})
}

// An app has a bounded number of deploys that wait; another app's may.
func TestDeployQueueIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newDeployQueue()

		ctx, cancel := context.WithCancel(t.Context())
		for range maxDeploysWaiting + 1 {
			go func() {
				if _, leave, err := q.enter(ctx, 1); err == nil {
					<-ctx.Done()
					leave()
				}
			}()
		}
		synctest.Wait()

		if _, _, err := q.enter(ctx, 1); cloud.CodeOf(err) != cloud.CodeTooMany {
			t.Errorf("one more deploy: %v", err)
		}
		_, leave, err := q.enter(ctx, 2)
		if err != nil {
			t.Fatal(err)
		}
		leave()

		cancel()
		synctest.Wait()
		if q.places.Free() != maxDeploys || q.places.Waiting(1) != 0 {
			t.Errorf("%d places are free, %d wait", q.places.Free(), q.places.Waiting(1))
		}
	})
}
