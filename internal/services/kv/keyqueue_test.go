package kv

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"picloud/internal/cloud"
)

// enterLater makes a session enter a queue in a goroutine. It returns once that one waits, or has returned;
// done tells which.
func enterLater(ctx context.Context, q *keyQueues, s *Session, key cloud.KeyRef) (done <-chan struct{}) {
	doneCh := make(chan struct{})
	go func() {
		defer close(doneCh)
		q.enter(ctx, s, key)
	}()
	synctest.Wait()
	return doneCh
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func holds(q *keyQueues, s *Session, key cloud.KeyRef) bool {
	return q.byKey[key] != nil && q.byKey[key].holder == s
}

// Grants go to the waiting runs in the order of their arrival, one at a time.
func TestGrantsInOrderOfArrival(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newFixture(t).Store
		key := ref("hot")
		first := store.Open(1)
		store.queues.enter(t.Context(), first, key)

		var waiting []*Session
		for range 3 {
			s := store.Open(1)
			enterLater(t.Context(), &store.queues, s, key)
			waiting = append(waiting, s)
		}

		first.Settled()

		for k, s := range waiting {
			if !holds(&store.queues, s, key) {
				t.Errorf("grant %d did not go to run %d", k, k)
			}
			s.Finished()
		}
		if len(store.queues.byKey) != 0 {
			t.Errorf("queues are left: %v", store.queues.byKey)
		}
	})
}

// A follower gets the grant when its predecessor's changes are submitted, with the value that is not
// committed yet; once the commit is settled the committed state is right again.
func TestSubmittedPassesValuesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.commit("n", Entry{Value: "1", Version: 7})
		first, second, third := f.Open(1), f.Open(1), f.Open(1)
		f.increment(first, "n")
		waits := enterLater(t.Context(), &f.queues, second, ref("n"))
		if isClosed(waits) {
			t.Fatal("two runs have the grant")
		}

		first.Submitted()
		if n := f.increment(second, "n"); n != 3 {
			t.Errorf("the follower counts to %v, want 3", n)
		}
		if got, want := second.Changes().Checks[0].Version, first.Changes().Writes[0].Version; got != want {
			t.Errorf("the follower is checked for version %d, want the predecessor's %d", got, want)
		}

		second.Submitted()
		first.Settled()
		if n := f.increment(third, "n"); n != 4 {
			t.Errorf("the third run counts to %v, want 4: the second is still under way", n)
		}

		// The second was refused: whoever comes now starts from the committed state.
		second.Settled()
		third.Finished()
		fourth := f.Open(1)
		if n := f.increment(fourth, "n"); n != 2 {
			t.Errorf("after the refusals a run counts to %v, want 2", n)
		}
		fourth.Finished()
		if len(f.queues.byKey) != 0 {
			t.Errorf("queues are left: %v", f.queues.byKey)
		}
	})
}

// Only the run that has the grant continues from the uncommitted value.
func TestUncommittedValueIsTheFollowersAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		first, follower, reader := f.Open(1), f.Open(1), f.Open(1)
		f.call(first, cloud.KVUpdateBegin{Collection: "c", Key: "k"})
		f.call(first, cloud.KVUpdateEnd{Collection: "c", Key: "k", Value: `"new"`})
		enterLater(t.Context(), &f.queues, follower, ref("k"))
		first.Submitted()

		if reply := f.get(reader, "k"); reply.Found {
			t.Errorf("a reader sees %s, which is not committed", reply.Value)
		}
		if reply := f.get(follower, "k"); reply.Value != `"new"` {
			t.Errorf("the follower reads %q", reply.Value)
		}
	})
}

// Waiting ends after two seconds or with the call; the run goes on without the grant, and leaves nothing in
// the queue.
func TestWaitingEnds(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		cancel bool
		after  time.Duration
	}{
		"after two seconds": {false, maxWait},
		"with the context":  {true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := newFixture(t).Store
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				holder, late := store.Open(1), store.Open(1)
				store.queues.enter(ctx, holder, ref("k"))

				start := time.Now()
				waits := enterLater(ctx, &store.queues, late, ref("k"))
				if c.cancel {
					cancel()
				}
				<-waits

				if waited := time.Since(start); waited != c.after {
					t.Errorf("waited %s, want %s", waited, c.after)
				}
				if !holds(&store.queues, holder, ref("k")) || len(store.queues.byKey[ref("k")].waiters) != 0 {
					t.Error("the late run got the grant, or still waits for it")
				}
				holder.Finished()
				if len(store.queues.byKey) != 0 || len(late.granted) != 0 {
					t.Error("the late run was granted the key after it had given up")
				}
			})
		})
	}
}

// Two runs that take two keys in opposite orders do not block each other: the one that would close the circle
// does not wait.
func TestNoDeadlock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newFixture(t).Store
		up, down := store.Open(1), store.Open(1)
		store.queues.enter(t.Context(), up, ref("a"))
		store.queues.enter(t.Context(), down, ref("b"))

		upWaits := enterLater(t.Context(), &store.queues, up, ref("b"))
		downWaits := enterLater(t.Context(), &store.queues, down, ref("a"))
		if isClosed(upWaits) || !isClosed(downWaits) {
			t.Errorf("back: the run that goes up %t, the other %t", isClosed(upWaits), isClosed(downWaits))
		}

		down.Finished()
		<-upWaits
		if !holds(&store.queues, up, ref("b")) {
			t.Error("the run that goes up did not get its second key")
		}
		up.Finished()
	})
}

// Prepare enters in the order of the keys whatever order the conflicts came in, so that it may wait for each
// of them.
func TestPrepareEntersInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newFixture(t).Store
		holder, retry := store.Open(1), store.Open(1)
		store.queues.enter(t.Context(), holder, ref("a"))

		keys := []cloud.KeyRef{ref("c"), ref("b"), ref("a")}
		doneCh := make(chan struct{})
		go func() {
			defer close(doneCh)
			retry.Prepare(t.Context(), keys)
		}()
		synctest.Wait()
		if isClosed(doneCh) || len(retry.granted) != 0 {
			t.Fatal("the first key in order is taken, and Prepare did not wait for it")
		}

		holder.Finished()
		<-doneCh
		want := []cloud.KeyRef{ref("a"), ref("b"), ref("c")}
		if !slices.Equal(retry.granted, want) || keys[0] != ref("c") {
			t.Errorf("granted %v, want %v; the caller's keys are now %v", retry.granted, want, keys)
		}
		retry.Finished()
	})
}

// A run whose process dies while it waits in a queue is granted nothing: nobody would release it, and from
// then on everybody behind it would wait for the key in vain.
func TestClosedSessionIsGrantedNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		store := newFixture(t).Store
		key := ref("hot")
		first, dead, next, late := store.Open(1), store.Open(1), store.Open(1), store.Open(1)
		store.queues.enter(ctx, first, key)

		for _, s := range []*Session{dead, next} {
			enterLater(ctx, &store.queues, s, key)
		}

		dead.Finished()
		first.Settled()
		synctest.Wait()
		if !holds(&store.queues, next, key) {
			t.Error("the grant did not go to the run that lives")
		}

		next.Finished()
		store.queues.enter(ctx, dead, key) // a call that was still under way
		if len(store.queues.byKey) != 0 {
			t.Errorf("somebody still has a grant: %+v", store.queues.byKey)
		}
		store.queues.enter(ctx, late, key)
		if !holds(&store.queues, late, key) {
			t.Error("the key is not free")
		}
	})
}

// A waiter that gives up after its queue was removed leaves the key's new queue alone.
func TestGivingUpLate(t *testing.T) {
	t.Parallel()
	store := newFixture(t).Store
	key := ref("k")
	first, gone, other := store.Open(1), store.Open(1), store.Open(1)
	store.queues.enter(t.Context(), first, key)
	w := store.queues.join(gone, key)
	gone.Finished()
	first.Finished()

	store.queues.giveUp(w, key)
	store.queues.enter(t.Context(), other, key)
	store.queues.giveUp(w, key)
	if !holds(&store.queues, other, key) {
		t.Error("the key's new queue is gone")
	}
}

// waitUntil work may enter queues after the commit of the response was settled.
func TestSettledSessionEntersAgain(t *testing.T) {
	t.Parallel()
	store := newFixture(t).Store
	s := store.Open(1)
	store.queues.enter(t.Context(), s, ref("k"))
	s.Settled()
	if len(store.queues.byKey) != 0 {
		t.Fatal("the key is still granted")
	}

	store.queues.enter(t.Context(), s, ref("k"))
	if !holds(&store.queues, s, ref("k")) {
		t.Error("the session was not granted the key again")
	}

	s.Finished()
}

func TestCompareKeys(t *testing.T) {
	t.Parallel()

	ordered := []cloud.KeyRef{
		{App: 1, Collection: "a", Key: "b"},
		{App: 1, Collection: "a", Key: "c"},
		{App: 1, Collection: "b", Key: "a"},
		{App: 2, Collection: "a", Key: "a"},
	}
	for i, a := range ordered {
		for k, b := range ordered {
			if got := compareKeys(a, b); (got < 0) != (i < k) || (got == 0) != (i == k) {
				t.Errorf("%v and %v: %d", a, b, got)
			}
		}
	}
}
