package kv

import (
	"context"
	"slices"
	"sync"

	"picloud/internal/cloud"
)

// Session is one run's view of the store: it collects writes, remembers what was read, and reads its own writes.
type Session struct {
	store *Store
	app   cloud.AppID

	mu      sync.Mutex
	seen    map[cloud.KeyRef]Entry // what checked reads saw first
	checked map[cloud.KeyRef]bool  // keys with a check in part
	own     map[cloud.KeyRef]Entry // latest own writes
	held    []cloud.KeyRef         // turns; held and over belong to turns.mu
	over    bool

	part  cloud.Changes // being collected
	first cloud.Changes // what was collected when the response went out
	split bool

	rows, payload, bytes int
}

// Open starts a session of an app.
func (s *Store) Open(app cloud.AppID) *Session {
	return &Session{store: s, app: app}
}

// remember adds to one of a session's maps, of which many runs need none.
func remember[V any](m *map[cloud.KeyRef]V, key cloud.KeyRef, v V) {
	if *m == nil {
		*m = map[cloud.KeyRef]V{}
	}
	(*m)[key] = v
}

// Prepare takes the turns at keys whose check failed the last time, before the run starts again.
func (s *Session) Prepare(ctx context.Context, keys []cloud.KeyRef) {
	keys = slices.Clone(keys)
	slices.SortFunc(keys, compareKeys)
	for _, k := range keys {
		s.store.turns.enter(ctx, s, k)
	}
}

// Changes is what the run wants to commit: all of it, or what it wrote before its response went out.
func (s *Session) Changes() cloud.Changes {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.split {
		return s.first
	}
	return s.part
}

// After is what waitUntil work wrote after the response.
func (s *Session) After() cloud.Changes {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.part
}

// Responded starts the second set of changes. What the first wrote counts as read in its new version.
func (s *Session) Responded() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.split = true
	s.first, s.part = s.part, cloud.Changes{}
	for key, e := range s.own {
		if !e.Found {
			e = Entry{}
		}
		remember(&s.seen, key, e)
	}
	s.own, s.checked = nil, nil
}

// Submitted says that the changes are in the order of commits: who waits for the same keys may follow them.
func (s *Session) Submitted() { s.store.turns.submitted(s) }

// Settled ends the session's turns, whatever became of its changes; work after the response may take others.
func (s *Session) Settled() { s.store.turns.settled(s, false) }

// Finished is the last word: a call of this session that is still on its way takes no turn any more.
func (s *Session) Finished() { s.store.turns.settled(s, true) }
