package kv

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"picloud/internal/cloud"
)

const (
	// maxSafe is the largest integer that a double counts exactly.
	maxSafe = 1 << 53
	// writeOverhead is what a write counts for besides its key and its value, in bytes.
	writeOverhead = 64
)

// Call performs one KV call of the run. Errors of the script's making are *cloud.HostError; any other error
// means that the platform failed. An update, begin to end, and an increment wait in the key's queue first.
func (s *Session) Call(ctx context.Context, call cloud.KVCall) (cloud.HostReply, error) {
	switch call := call.(type) {
	case cloud.KVGet:
		return s.get(ctx, call)
	case cloud.KVHas:
		return s.has(ctx, call)
	case cloud.KVSet:
		return s.set(ctx, call)
	case cloud.KVDelete:
		return s.delete(ctx, call)
	case cloud.KVIncrement:
		return s.increment(ctx, call)
	case cloud.KVUpdateBegin:
		return s.updateBegin(ctx, call)
	case cloud.KVUpdateEnd:
		return s.updateEnd(ctx, call)
	case cloud.KVList:
		return s.list(ctx, call)
	default:
		return cloud.HostReply{}, hostError("TypeError", "unknown call")
	}
}

// ref names a key of the run's app, or refuses a collection or a key that cannot exist.
func (s *Session) ref(collection, key string) (cloud.KeyRef, error) {
	if err := CheckCollection(collection); err != nil {
		return cloud.KeyRef{}, asHostError(err)
	}
	if err := CheckKey(key); err != nil {
		return cloud.KeyRef{}, asHostError(err)
	}
	return cloud.KeyRef{App: s.app, Collection: collection, Key: key}, nil
}

func hostError(name, format string, args ...any) *cloud.HostError {
	return &cloud.HostError{Name: name, Message: fmt.Sprintf(format, args...)}
}

// asHostError turns what this package refuses into an error that the script can catch.
func asHostError(err error) error {
	refusal, ok := err.(*cloud.Error) //nolint:errorlint // made by this package, never wrapped
	switch {
	case !ok || refusal == nil:
		return err
	case refusal.Code == cloud.CodeTooLarge:
		return hostError("LimitError", "%s", refusal.Message)
	default:
		return hostError("TypeError", "%s", refusal.Message)
	}
}

func reply(e Entry) cloud.HostReply {
	r := cloud.HostReply{Found: e.Found, Value: e.Value, Version: e.Version}
	if !e.Expires.IsZero() {
		r.Expires = e.Expires.UnixMilli()
	}
	return r
}

// read returns the first of: the run's own write, what the run saw before, what the run ahead in the key's
// queue wrote, the committed entry. A checked read makes the commit depend on it.
func (s *Session) read(ctx context.Context, key cloud.KeyRef, checked bool) (Entry, error) {
	s.mu.Lock()
	own, wrote := s.own[key]
	before, seen := s.seen[key]
	s.mu.Unlock()
	if wrote {
		return own, nil
	}

	entry := before.Entry

	var err error
	switch {
	case !seen:
		entry, err = s.readShared(ctx, key)
	case before.isShort:
		entry, err = s.readAgain(ctx, key, before.Entry)
	}
	if err != nil {
		return Entry{}, err
	}

	if checked {
		s.mu.Lock()
		s.remember(key, entry)
		s.check(key, entry.Version)
		s.mu.Unlock()
	}
	return entry, nil
}

// readShared returns the state of a key outside of this run.
func (s *Session) readShared(ctx context.Context, key cloud.KeyRef) (Entry, error) {
	if entry, ok := s.store.queues.uncommitted(s, key); ok {
		return entry, nil
	}
	return s.store.reader.get(ctx, key)
}

// check makes the commit depend on the key's version, once. A key that was written since the response needs
// no check: its version is the run's own. s.mu is held.
func (s *Session) check(key cloud.KeyRef, version int64) {
	if s.checked[key] {
		return
	}
	put(&s.checked, key, true)
	s.current.Checks = append(s.current.Checks, cloud.Check{Key: key, Version: version})
}

func (s *Session) get(ctx context.Context, call cloud.KVGet) (cloud.HostReply, error) {
	key, err := s.ref(call.Collection, call.Key)
	if err != nil {
		return cloud.HostReply{}, err
	}
	entry, err := s.read(ctx, key, !call.Unchecked)
	return reply(entry), err
}

func (s *Session) has(ctx context.Context, call cloud.KVHas) (cloud.HostReply, error) {
	key, err := s.ref(call.Collection, call.Key)
	if err != nil {
		return cloud.HostReply{}, err
	}
	entry, err := s.read(ctx, key, true)
	return reply(entry), err
}

// set writes a value. It is checked only if the script names the version that it wants to replace.
func (s *Session) set(ctx context.Context, call cloud.KVSet) (cloud.HostReply, error) {
	key, err := s.ref(call.Collection, call.Key)
	if err != nil {
		return cloud.HostReply{}, err
	}
	if err := CheckValue(call.Value); err != nil {
		return cloud.HostReply{}, asHostError(err)
	}

	ttl := call.TTLMillis
	if ttl != 0 && (ttl < minTTL.Milliseconds() || ttl > maxTTL.Milliseconds()) {
		return cloud.HostReply{}, hostError("RangeError", "ttl must be from 1 second to 10 years")
	}

	if call.IfVersion >= 0 {
		entry, err := s.read(ctx, key, true)
		if err != nil {
			return cloud.HostReply{}, err
		}
		if entry.Version != call.IfVersion {
			return cloud.HostReply{}, hostError("KvConflictError", "the version is %d, not %d",
				entry.Version, call.IfVersion)
		}
	}
	return cloud.HostReply{}, s.write(ctx, cloud.Write{Key: key, Value: call.Value, TTLMillis: ttl})
}

func (s *Session) delete(ctx context.Context, call cloud.KVDelete) (cloud.HostReply, error) {
	key, err := s.ref(call.Collection, call.Key)
	if err != nil {
		return cloud.HostReply{}, err
	}
	return s.remove(ctx, key)
}

// remove writes nothing for a key that is absent, so that it raises no event.
func (s *Session) remove(ctx context.Context, key cloud.KeyRef) (cloud.HostReply, error) {
	entry, err := s.read(ctx, key, true)
	if err != nil || !entry.Found {
		return cloud.HostReply{}, err
	}
	return cloud.HostReply{Found: true}, s.write(ctx, cloud.Write{Key: key, Delete: true})
}

// increment adds to a number and keeps its expiry; an absent key counts as 0.
func (s *Session) increment(ctx context.Context, call cloud.KVIncrement) (cloud.HostReply, error) {
	key, err := s.ref(call.Collection, call.Key)
	if err != nil {
		return cloud.HostReply{}, err
	}

	s.store.queues.enter(ctx, s, key)
	entry, err := s.read(ctx, key, true)
	if err != nil {
		return cloud.HostReply{}, err
	}

	number := 0.0
	if entry.Found {
		number, err = strconv.ParseFloat(entry.Value, 64)
		if err != nil || !isNumber(entry.Value) {
			return cloud.HostReply{}, hostError("TypeError", "the value of %q is not a number",
				cloud.Shorten(key.Key))
		}
	}

	// Beyond 2^53 an increment by 1 would be lost without a trace. The sum cannot tell, since 2^53 + 1 is
	// rounded to 2^53, so the room that is left must hold the amount.
	isLost := call.By > maxSafe-number || call.By < -maxSafe-number
	number += call.By
	if math.IsNaN(number) || math.Abs(number) > maxSafe || isLost {
		return cloud.HostReply{}, hostError("RangeError", "the result is beyond 2^53")
	}

	err = s.write(ctx, cloud.Write{Key: key, Value: formatNumber(number), TTLMillis: -1})
	return cloud.HostReply{Number: number}, err
}

// isNumber tells a JSON number from the other words that ParseFloat takes, such as Infinity.
func isNumber(text string) bool {
	return text != "" && (text[0] == '-' || text[0] >= '0' && text[0] <= '9')
}

// updateBegin reads the entry for the script's updater.
func (s *Session) updateBegin(ctx context.Context, call cloud.KVUpdateBegin) (cloud.HostReply, error) {
	key, err := s.ref(call.Collection, call.Key)
	if err != nil {
		return cloud.HostReply{}, err
	}

	s.store.queues.enter(ctx, s, key)
	entry, err := s.read(ctx, key, true)
	return reply(entry), err
}

// updateEnd writes what the updater made of the entry.
func (s *Session) updateEnd(ctx context.Context, call cloud.KVUpdateEnd) (cloud.HostReply, error) {
	key, err := s.ref(call.Collection, call.Key)
	if err != nil {
		return cloud.HostReply{}, err
	}

	if call.Delete {
		_, err := s.remove(ctx, key)
		return cloud.HostReply{}, err
	}

	if err := CheckValue(call.Value); err != nil {
		return cloud.HostReply{}, asHostError(err)
	}
	return cloud.HostReply{}, s.write(ctx, cloud.Write{Key: key, Value: call.Value, TTLMillis: -1})
}

// write collects one write, or refuses it with a LimitError when the run's writes would exceed a limit.
func (s *Session) write(ctx context.Context, w cloud.Write) error {
	// The version is drawn now and not by the commit, so that a run that follows this one knows it.
	version, err := s.store.versions.take(ctx)
	if err != nil {
		return err
	}

	w.Version = version
	if err := s.takePlace(ctx, &w); err != nil {
		return err
	}
	events := s.store.cfg.Triggers.MatchingKV(s.app, w.Key.Collection)

	s.mu.Lock()
	defer s.mu.Unlock()

	if err := s.charge(&w, events); err != nil {
		return err
	}

	before, wrote := s.own[w.Key]
	if !wrote {
		before = s.seen[w.Key].Entry
	}
	s.current.Writes = append(s.current.Writes, w)
	put(&s.own, w.Key, entryAfter(before, w))
	return nil
}

// takePlace waits for a place among the large runs when a write makes the run one of them. A session that is
// finished gets none: nobody would give it back. The error is that of the context.
func (s *Session) takePlace(ctx context.Context, w *cloud.Write) error {
	s.mu.Lock()
	large := s.writeBytes+sizeOf(w) > maxSmallRun
	s.mu.Unlock()
	if !large {
		return nil
	}

	s.placeMu.Lock()
	defer s.placeMu.Unlock()

	if s.hasPlace || s.finished {
		return nil
	}
	if err := s.awaitPlace(ctx); err != nil {
		return err
	}
	s.hasPlace = true

	return nil
}

// awaitPlace waits for a place without the run's turn: those who have the places may need it to come to their
// end. The error is that of the context.
func (s *Session) awaitPlace(ctx context.Context) error {
	if s.store.places.TryTake(s.app, 1) {
		return nil
	}
	if s.turn == nil {
		return s.store.places.Take(ctx, s.app, 1)
	}

	s.turn.Pause()
	if err := s.store.places.Take(ctx, s.app, 1); err != nil {
		return err
	}
	if err := s.turn.Resume(ctx); err != nil {
		s.store.places.Give(s.app, 1)
		return err
	}

	return nil
}

func (s *Session) givePlace() {
	s.placeMu.Lock()
	defer s.placeMu.Unlock()

	s.finished = true
	if s.hasPlace {
		s.hasPlace = false
		s.store.places.Give(s.app, 1)
	}
}

// sizeOf is what a write counts for, in bytes.
func sizeOf(w *cloud.Write) int {
	return len(w.Value) + len(w.Key.Key) + len(w.Key.Collection) + writeOverhead
}

// charge counts a write that raises so many events against the run's limits. s.mu is held.
func (s *Session) charge(w *cloud.Write, events int) error {
	size := sizeOf(w)

	writes := len(s.current.Writes) + len(s.beforeResponse.Writes)
	switch {
	case writes >= maxWrites || s.writeBytes+size > maxWriteBytes:
		return hostError("LimitError", "a run can make %d writes of %d MiB together",
			maxWrites, maxWriteBytes>>20)
	case s.events+events > maxEvents:
		return hostError("LimitError", "a run can raise %d events; this write would exceed that", maxEvents)
	case events > 0 && s.eventBytes+size > maxEventBytes:
		return hostError("LimitError", "the events of a run can carry %d MiB; this write would exceed that",
			maxEventBytes>>20)
	}

	s.writeBytes += size
	s.events += events
	if events > 0 { // they share one payload
		s.eventBytes += size
	}
	return nil
}

// entryAfter is the entry that a write leaves.
func entryAfter(before Entry, w cloud.Write) Entry {
	if w.Delete {
		return Entry{}
	}

	entry := Entry{Found: true, Value: w.Value, Version: w.Version}
	switch {
	case w.TTLMillis > 0:
		entry.Expires = time.Now().Add(time.Duration(w.TTLMillis) * time.Millisecond)
	case w.TTLMillis < 0 && before.Found:
		entry.Expires = before.Expires
	}
	return entry
}
