package kv

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"picloud/internal/cloud"
)

// maxWait bounds how long a run waits in the queue of a key.
const maxWait = 2 * time.Second

// keyQueues lets runs that update the same keys succeed one after the other instead of conflicting at their
// commits. A run that will write a key which it has read enters the key's queue and waits for the grant.
//
// The grant is passed on before the holder's commit is done: as soon as its changes are submitted, the next
// run gets the grant together with the value that the holder wrote, and continues from there. Nothing is
// decided here: the checks of the commit apply both runs in this order, or refuse the follower when its
// predecessor was refused. A queue is an optimisation within one node, so giving up on it is always safe.
type keyQueues struct {
	// mu guards byKey, every keyQueue in it, and the fields granted and closed of every session. No other
	// lock is taken under it.
	mu    sync.Mutex
	byKey map[cloud.KeyRef]*keyQueue
}

// keyQueue is the queue of one key. It exists while a session holds the grant or waits for it, or while there
// is an uncommitted value.
type keyQueue struct {
	holder  *Session
	waiters []*waiter // in the order of their arrival
	// ahead is what the last holder wrote, while its commit is under way. aheadBy is that holder, nil when
	// there is none.
	ahead   Entry
	aheadBy *Session
}

type waiter struct {
	session   *Session
	grantedCh chan struct{} // closed when it left the queue with the grant, or because its session is closed
}

func newKeyQueues() keyQueues {
	return keyQueues{byKey: map[cloud.KeyRef]*keyQueue{}}
}

// enter waits until the session has the grant of a key, for at most maxWait. It also returns when ctx is
// done, when the session is closed, or when waiting might deadlock. A run without the grant goes on all the
// same: its commit is checked.
func (q *keyQueues) enter(ctx context.Context, s *Session, key cloud.KeyRef) {
	w := q.join(s, key)
	if w == nil {
		return
	}

	timeout := time.NewTimer(maxWait)
	defer timeout.Stop()

	select {
	case <-w.grantedCh:
	case <-timeout.C:
		q.giveUp(w, key)
	case <-ctx.Done():
		q.giveUp(w, key)
	}
}

// join grants a free key at once. It returns a waiter if the session has to wait, and nil if it must not.
func (q *keyQueues) join(s *Session, key cloud.KeyRef) *waiter {
	q.mu.Lock()
	defer q.mu.Unlock()

	if s.closed {
		return nil
	}

	queue := q.byKey[key]
	if queue == nil {
		queue = &keyQueue{}
		q.byKey[key] = queue
	}
	if queue.holder == s {
		return nil
	}
	if queue.holder == nil && len(queue.waiters) == 0 {
		queue.grant(s, key)
		return nil
	}

	// Sessions wait in the order of the keys only: none that holds a key waits for a lower one, so there can
	// be no deadlock.
	for _, granted := range s.granted {
		if compareKeys(granted, key) >= 0 {
			return nil
		}
	}

	w := &waiter{session: s, grantedCh: make(chan struct{})}
	queue.waiters = append(queue.waiters, w)
	return w
}

// giveUp takes a waiter out of its queue. If the grant came in the last moment, the session has it and keeps
// it.
func (q *keyQueues) giveUp(w *waiter, key cloud.KeyRef) {
	q.mu.Lock()
	defer q.mu.Unlock()

	queue := q.byKey[key]
	if queue == nil {
		return
	}
	if k := slices.Index(queue.waiters, w); k >= 0 {
		queue.waiters = slices.Delete(queue.waiters, k, k+1)
	}
	q.removeIfUnused(key, queue)
}

// uncommitted returns the value that the session's predecessor wrote to a key, while the predecessor's commit
// is under way and the session holds the grant.
func (q *keyQueues) uncommitted(s *Session, key cloud.KeyRef) (Entry, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()

	queue := q.byKey[key]
	if queue == nil || queue.holder != s || queue.aheadBy == nil {
		return Entry{}, false
	}
	return queue.ahead, true
}

// passOn gives the session's grants to the next runs, with the values that it wrote: its changes now have
// their place in the order of commits. It reads s.own without the session's lock, so no call of the session
// may be under way.
func (q *keyQueues) passOn(s *Session) {
	q.mu.Lock()
	defer q.mu.Unlock()

	for _, key := range s.granted {
		queue := q.byKey[key]
		if queue == nil || queue.holder != s {
			continue
		}
		if own, wrote := s.own[key]; wrote {
			queue.ahead = own
			queue.aheadBy = s
		}
		queue.grantNext(key)
	}
}

// leave gives back everything that the session has in any queue: its commit was applied or refused, or will
// not be made.
func (q *keyQueues) leave(s *Session) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.release(s)
}

// close is leave for good. The sandbox may have died in the middle of a call that waits in a queue; from now
// on the session is granted nothing, since the grant would never be released.
func (q *keyQueues) close(s *Session) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s.closed = true
	q.release(s)
}

func (q *keyQueues) release(s *Session) {
	for _, key := range s.granted {
		queue := q.byKey[key]
		if queue == nil {
			continue
		}

		// From now on the committed state is right, whether it has the session's value or not.
		if queue.aheadBy == s {
			queue.ahead = Entry{}
			queue.aheadBy = nil
		}
		if queue.holder == s {
			queue.grantNext(key)
		}
		q.removeIfUnused(key, queue)
	}
	s.granted = nil
}

func (q *keyQueues) removeIfUnused(key cloud.KeyRef, queue *keyQueue) {
	if queue.holder == nil && len(queue.waiters) == 0 && queue.aheadBy == nil {
		delete(q.byKey, key)
	}
}

func (k *keyQueue) grant(s *Session, key cloud.KeyRef) {
	k.holder = s
	s.granted = append(s.granted, key)
}

// grantNext ends the holder's grant and gives it to the first waiter whose session is still open.
func (k *keyQueue) grantNext(key cloud.KeyRef) {
	k.holder = nil
	for k.holder == nil && len(k.waiters) > 0 {
		w := k.waiters[0]
		k.waiters = k.waiters[1:]
		if !w.session.closed {
			k.grant(w.session, key)
		}
		close(w.grantedCh)
	}
}

// compareKeys is the order in which runs wait for keys.
func compareKeys(a, b cloud.KeyRef) int {
	if c := cmp.Compare(a.App, b.App); c != 0 {
		return c
	}
	if c := strings.Compare(a.Collection, b.Collection); c != 0 {
		return c
	}
	return strings.Compare(a.Key, b.Key)
}
