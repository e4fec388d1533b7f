package kv

import (
	"context"
	"slices"
	"sync"
	"time"

	"picloud/internal/cloud"
)

// maxWait bounds how long a run waits for its turn at a key.
const maxWait = 2 * time.Second

// turns makes hot keys progress. A run that will write a key it has read waits for the run ahead of it - not for that run's
// commit: when the run ahead is finished and its changes wait to be committed, the next sees its value and follows it. The
// checks of the commit make the two be applied or refused together.
type turns struct {
	mu    sync.Mutex
	byKey map[cloud.KeyRef]*turn
}

type turn struct {
	holder  *Session
	waiters []*waiter
	// tail is what the last run that had the turn wrote, while its commit is under way.
	tail   Entry
	tailBy *Session
}

type waiter struct {
	s     *Session
	turnC chan struct{}
}

// enter takes the turn at a key, waiting for it. Without a turn the run goes on all the same: its commit is checked.
func (t *turns) enter(ctx context.Context, s *Session, key cloud.KeyRef) {
	t.mu.Lock()
	if s.over {
		t.mu.Unlock()
		return
	}
	tn := t.byKey[key]
	if tn == nil {
		tn = &turn{}
		t.byKey[key] = tn
	}
	if tn.holder == s {
		t.mu.Unlock()
		return
	}
	if tn.holder == nil && len(tn.waiters) == 0 {
		tn.holder = s
		s.held = append(s.held, key)
		t.mu.Unlock()
		return
	}
	// Waiting only for keys above those that one holds, nobody waits in a circle.
	for _, h := range s.held {
		if compareKeys(h, key) >= 0 {
			t.mu.Unlock()
			return
		}
	}
	w := &waiter{s: s, turnC: make(chan struct{})}
	tn.waiters = append(tn.waiters, w)
	t.mu.Unlock()
	clock := time.NewTimer(maxWait)
	defer clock.Stop()
	select {
	case <-w.turnC:
		return
	case <-clock.C:
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if k := slices.Index(tn.waiters, w); k >= 0 {
		tn.waiters = slices.Delete(tn.waiters, k, k+1)
	}
	// Otherwise the turn came at the last moment and is held.
	t.clean(key, tn)
}

// pending is the value of the run ahead, whose commit is under way.
func (t *turns) pending(s *Session, key cloud.KeyRef) (Entry, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	tn := t.byKey[key]
	if tn == nil || tn.holder != s || tn.tailBy == nil {
		return Entry{}, false
	}
	return tn.tail, true
}

// submitted passes the session's turns on: its changes are in the order of commits now.
func (t *turns) submitted(s *Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, key := range s.held {
		tn := t.byKey[key]
		if tn == nil || tn.holder != s {
			continue
		}
		if own, wrote := s.own[key]; wrote {
			tn.tail, tn.tailBy = own, s
		}
		t.pass(key, tn)
	}
}

// settled forgets the session: its commit was applied, refused, or never made. If it is over, its process may have died in
// the middle of a call: who waits in its name gets nothing that nobody would give back.
func (t *turns) settled(s *Session, over bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.over = s.over || over
	for _, key := range s.held {
		tn := t.byKey[key]
		if tn == nil {
			continue
		}
		if tn.tailBy == s {
			tn.tail, tn.tailBy = Entry{}, nil
		}
		if tn.holder == s {
			t.pass(key, tn)
		}
		t.clean(key, tn)
	}
	s.held = nil
}

func (t *turns) pass(key cloud.KeyRef, tn *turn) {
	tn.holder = nil
	for tn.holder == nil && len(tn.waiters) > 0 {
		w := tn.waiters[0]
		tn.waiters = tn.waiters[1:]
		if !w.s.over {
			tn.holder = w.s
			w.s.held = append(w.s.held, key)
		}
		close(w.turnC)
	}
}

func (t *turns) clean(key cloud.KeyRef, tn *turn) {
	if tn.holder == nil && len(tn.waiters) == 0 && tn.tailBy == nil {
		delete(t.byKey, key)
	}
}

func compareKeys(a, b cloud.KeyRef) int {
	switch {
	case a.App != b.App:
		return int(a.App - b.App)
	case a.Collection != b.Collection:
		if a.Collection < b.Collection {
			return -1
		}
		return 1
	case a.Key < b.Key:
		return -1
	case a.Key > b.Key:
		return 1
	default:
		return 0
	}
}
