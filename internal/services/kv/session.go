package kv

import (
	"context"
	"slices"
	"sync"

	"picloud/internal/cloud"
)

// Session is one run's view of the store. It answers the run's KV calls, remembers what the run read, and
// collects what it writes; the caller then commits the collected changes. A run that is executed again gets a
// new session.
//
// The methods are called in this order, Call by the run and the others by the caller that executes it:
//
//	Prepare      only before a retry
//	Call ...     the handler
//	Responded    only if waitUntil work follows the response
//	Changes      what to commit
//	Submitted    the commit has its place in the order of commits
//	Settled      the commit was applied or refused, or there was none
//	Call ...     waitUntil work; then After and Submitted, as above
//	Finished     always, in the end
//
// A session is safe for concurrent use, with one exception: Submitted must not run beside a Call.
type Session struct {
	store *Store
	app   cloud.AppID

	// mu guards the fields below it, up to placeMu. No other lock is taken under it.
	mu sync.Mutex

	// seen is what the first checked read of each key returned: later reads repeat it, so that the run sees
	// one state.
	seen map[cloud.KeyRef]seenEntry
	// seenBytes is how much the values in seen are. Beyond maxSeenBytes only versions are kept.
	seenBytes int
	// changed are keys that had another version when they were read again.
	changed []cloud.KeyRef
	// own is the state in which the writes in current leave each key.
	own map[cloud.KeyRef]Entry
	// checked are the keys with a check in current.
	checked map[cloud.KeyRef]bool

	// current collects changes. At the response it becomes beforeResponse, and collects those of waitUntil
	// work.
	current        cloud.Changes
	beforeResponse cloud.Changes
	responded      bool

	// What the run's writes add up to, for the limits; bytes count keys, values and an allowance for each
	// write.
	events     int
	eventBytes int
	writeBytes int

	// placeMu guards the place among the large runs. It is held while the session waits for one, so nothing
	// else may be: a second write waits for the same place.
	placeMu  sync.Mutex
	hasPlace bool
	finished bool // Finished was called

	// turn is given back while the session waits for a place; nil for none.
	turn cloud.Turn

	// Guarded by the mutex of store.queues.
	granted []cloud.KeyRef // keys of which the session has, or has passed on, the grant
	closed  bool           // Finished was called
}

// Open starts the session of a run of an app. The caller must call Finished.
func (s *Store) Open(app cloud.AppID) *Session {
	return &Session{store: s, app: app}
}

// UseTurn has the session give the run's turn back while a call of it waits for other runs to end. It must be
// called before the first Call, and Call by the goroutine whose the turn is.
func (s *Session) UseTurn(turn cloud.Turn) { s.turn = turn }

// Prepare enters the queues of keys whose checks failed the last time, before the run is executed again. It
// may wait, for at most two seconds a key.
func (s *Session) Prepare(ctx context.Context, keys []cloud.KeyRef) {
	// In any other order the queues would not let the session wait.
	keys = slices.Clone(keys)
	slices.SortFunc(keys, compareKeys)

	for _, key := range keys {
		s.store.queues.enter(ctx, s, key)
	}
}

// Changes returns what the run wants to commit: everything that it wrote, or only what it wrote before its
// response if Responded was called. The checks cover every key of a checked read, written or not.
func (s *Session) Changes() cloud.Changes {
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.responded {
		return s.beforeResponse
	}
	return s.current
}

// Changed returns the keys of which the run has seen one version, and found another when it read them again.
// It saw no state that there was: whoever has executed it must do so again, and commit nothing.
func (s *Session) Changed() []cloud.KeyRef {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// After returns what waitUntil work wrote after the response, for a commit of its own. Call it after
// Responded only.
func (s *Session) After() cloud.Changes {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// Responded marks the response of a run whose waitUntil work goes on: calls from now on belong to a second
// commit, which follows that of the calls before. Call it at most once, between the two.
func (s *Session) Responded() {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.responded = true
	s.beforeResponse = s.current
	s.current = cloud.Changes{}

	// The second commit builds on the first: what the first wrote counts as read, in the version that it
	// wrote.
	for key, entry := range s.own {
		put(&s.seen, key, seenEntry{Entry: entry}) // the values count as written
	}
	s.own = nil
	s.checked = nil
}

// Submitted says that the changes of Changes, or of After, have their place in the order of commits. Call it
// directly after they were handed to the committer, and not at all if they are not going to be committed.
//
// It passes the session's grants on, so that the runs waiting for the same keys continue at once, from the
// values written here. After Responded the values of the first commit are not passed on; its followers read
// the committed state.
//
// If it is not called, the followers wait for the whole commit, until Settled. If it is called before the
// changes are handed over, or without that, the followers build on values that are not there at their own
// commits, and conflict.
func (s *Session) Submitted() { s.store.queues.passOn(s) }

// Settled says that the fate of the changes is known: they were applied, refused, or will not be committed.
// Call it as soon as that is so, once for each commit; Finished includes it.
//
// It gives back every grant that was not passed on, and withdraws the values that were: followers read the
// committed state again. The session can still be used, and waitUntil work may enter queues again.
//
// If it is not called, followers go on from the values written here even when these were refused or
// overwritten by another node, and conflict; and runs that wait for a key of this session wait for two
// seconds, in vain.
func (s *Session) Settled() { s.store.queues.leave(s) }

// Finished says that the run makes no more calls. Call it on every path, after the fate of the last commit is
// known.
//
// It is Settled for good: a call that is still under way, because its sandbox died, enters no queue any more
// and loses its place in the one where it waits.
//
// If it is not called, a grant that such a call gets late is never released, and from then on every run of
// this node that updates the key waits for two seconds.
func (s *Session) Finished() {
	s.store.queues.close(s)
	s.givePlace()
}

// put adds to one of a session's maps. They are made when first needed: many runs use none of them.
func put[V any](m *map[cloud.KeyRef]V, key cloud.KeyRef, v V) {
	if *m == nil {
		*m = map[cloud.KeyRef]V{}
	}
	(*m)[key] = v
}
