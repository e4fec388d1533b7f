package kv

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"picloud/internal/cloud"
)

func hostError(name, format string, args ...any) *cloud.HostError {
	return &cloud.HostError{Name: name, Message: fmt.Sprintf(format, args...)}
}

// Call performs a KV host call.
func (s *Session) Call(ctx context.Context, op cloud.HostOp, a cloud.HostArgs) (cloud.HostReply, error) {
	if err := CheckCollection(a.Collection); err != nil {
		return cloud.HostReply{}, asHostError(err)
	}
	if op == cloud.OpKVList {
		return s.list(ctx, a)
	}
	if err := CheckKey(a.Key); err != nil {
		return cloud.HostReply{}, asHostError(err)
	}
	key := cloud.KeyRef{App: s.app, Collection: a.Collection, Key: a.Key}
	switch op {
	case cloud.OpKVGet, cloud.OpKVHas:
		e, err := s.read(ctx, key, !a.Flag)
		return reply(e), err
	case cloud.OpKVSet:
		return s.set(ctx, key, a)
	case cloud.OpKVDelete:
		e, err := s.read(ctx, key, true)
		if err != nil || !e.Found {
			return cloud.HostReply{}, err
		}
		return cloud.HostReply{Found: true}, s.write(ctx, cloud.Write{Key: key, Delete: true})
	case cloud.OpKVIncrement:
		return s.increment(ctx, key, a.Number)
	case cloud.OpKVUpdateBegin:
		s.store.turns.enter(ctx, s, key)
		e, err := s.read(ctx, key, true)
		return reply(e), err
	case cloud.OpKVUpdateEnd:
		return s.updateEnd(ctx, key, a)
	default:
		return cloud.HostReply{}, hostError("TypeError", "unknown call")
	}
}

func asHostError(err error) error {
	var ce *cloud.Error
	if e, ok := err.(*cloud.Error); ok { //nolint:errorlint // made by this package, never wrapped
		ce = e
	}
	if ce == nil {
		return err
	}
	if ce.Code == cloud.CodeTooLarge {
		return hostError("LimitError", "%s", ce.Message)
	}
	return hostError("TypeError", "%s", ce.Message)
}

func reply(e Entry) cloud.HostReply {
	r := cloud.HostReply{Found: e.Found, Value: e.Value, Version: e.Version}
	if !e.Expires.IsZero() {
		r.Expires = e.Expires.UnixMilli()
	}
	return r
}

// read gives the run's own write, what it saw before, the run ahead's value, or the committed state.
func (s *Session) read(ctx context.Context, key cloud.KeyRef, checked bool) (Entry, error) {
	s.mu.Lock()
	if e, ok := s.own[key]; ok {
		s.mu.Unlock()
		return e, nil
	}
	e, seen := s.seen[key]
	s.mu.Unlock()
	if !seen {
		var ok bool
		if e, ok = s.store.turns.pending(s, key); !ok {
			var err error
			if e, err = s.store.reader.get(ctx, key); err != nil {
				return Entry{}, err
			}
		}
	}
	if checked {
		s.mu.Lock()
		remember(&s.seen, key, e)
		s.check(key, e.Version)
		s.mu.Unlock()
	}
	if !e.Found {
		e = Entry{}
	}
	return e, nil
}

// check records a condition once. A key that this part wrote before needs none: its version is the run's own.
func (s *Session) check(key cloud.KeyRef, version int64) {
	if s.checked[key] {
		return
	}
	remember(&s.checked, key, true)
	s.part.Checks = append(s.part.Checks, cloud.Check{Key: key, Version: version})
}

func (s *Session) set(ctx context.Context, key cloud.KeyRef, a cloud.HostArgs) (cloud.HostReply, error) {
	if err := CheckValue(a.Value); err != nil {
		return cloud.HostReply{}, asHostError(err)
	}
	if a.TTLMillis < 0 || a.TTLMillis > maxTTL.Milliseconds() || a.TTLMillis > 0 && a.TTLMillis < 1000 {
		return cloud.HostReply{}, hostError("RangeError", "ttl must be from 1 second to 10 years")
	}
	if a.IfVersion >= 0 {
		e, err := s.read(ctx, key, true)
		if err != nil {
			return cloud.HostReply{}, err
		}
		if e.Version != a.IfVersion {
			return cloud.HostReply{}, hostError("KvConflictError", "the version is %d, not %d", e.Version, a.IfVersion)
		}
	}
	return cloud.HostReply{}, s.write(ctx, cloud.Write{Key: key, Value: a.Value, TTLMillis: a.TTLMillis})
}

// maxSafe is the largest integer that a double counts exactly.
const maxSafe = 1 << 53

func (s *Session) increment(ctx context.Context, key cloud.KeyRef, by float64) (cloud.HostReply, error) {
	s.store.turns.enter(ctx, s, key)
	e, err := s.read(ctx, key, true)
	if err != nil {
		return cloud.HostReply{}, err
	}
	n := 0.0
	if e.Found {
		if n, err = strconv.ParseFloat(e.Value, 64); err != nil || !isNumber(e.Value) {
			return cloud.HostReply{}, hostError("TypeError", "the value of %q is not a number", cloud.Shorten(key.Key))
		}
	}
	n += by
	if math.IsNaN(n) || math.Abs(n) > maxSafe {
		return cloud.HostReply{}, hostError("RangeError", "the result is beyond 2^53")
	}
	err = s.write(ctx, cloud.Write{Key: key, Value: formatNumber(n), TTLMillis: -1})
	return cloud.HostReply{Number: n}, err
}

func isNumber(s string) bool { return s != "" && (s[0] == '-' || s[0] >= '0' && s[0] <= '9') }

func (s *Session) updateEnd(ctx context.Context, key cloud.KeyRef, a cloud.HostArgs) (cloud.HostReply, error) {
	if a.Flag {
		e, err := s.read(ctx, key, true)
		if err != nil || !e.Found {
			return cloud.HostReply{}, err
		}
		return cloud.HostReply{}, s.write(ctx, cloud.Write{Key: key, Delete: true})
	}
	if err := CheckValue(a.Value); err != nil {
		return cloud.HostReply{}, asHostError(err)
	}
	return cloud.HostReply{}, s.write(ctx, cloud.Write{Key: key, Value: a.Value, TTLMillis: -1})
}

// write collects one write, within what a run may raise.
func (s *Session) write(ctx context.Context, w cloud.Write) error {
	version, err := s.store.versions.take(ctx)
	if err != nil {
		return err
	}
	w.Version = version
	triggers := s.store.cfg.Triggers.MatchingKV(s.app, w.Key.Collection)
	s.mu.Lock()
	defer s.mu.Unlock()
	size := len(w.Value) + len(w.Key.Key) + len(w.Key.Collection) + 64
	switch {
	case len(s.part.Writes)+len(s.first.Writes) >= maxWrites || s.bytes+size > maxWriteBytes:
		return hostError("LimitError", "a run can make %d writes of %d MiB together", maxWrites, maxWriteBytes>>20)
	case s.rows+triggers > maxRows:
		return hostError("LimitError", "a run can raise %d events; this write would exceed that", maxRows)
	case triggers > 0 && s.payload+size > maxPayload:
		return hostError("LimitError", "the events of a run can carry %d MiB; this write would exceed that", maxPayload>>20)
	}
	s.bytes += size
	s.rows += triggers
	if triggers > 0 {
		s.payload += size
	}
	old := s.own[w.Key]
	if _, wrote := s.own[w.Key]; !wrote {
		old = s.seen[w.Key]
	}
	s.part.Writes = append(s.part.Writes, w)
	remember(&s.own, w.Key, after(old, w))
	return nil
}

// after is the entry that a write leaves.
func after(old Entry, w cloud.Write) Entry {
	if w.Delete {
		return Entry{}
	}
	e := Entry{Found: true, Value: w.Value, Version: w.Version}
	switch {
	case w.TTLMillis > 0:
		e.Expires = time.Now().Add(time.Duration(w.TTLMillis) * time.Millisecond)
	case w.TTLMillis < 0 && old.Found:
		e.Expires = old.Expires
	}
	return e
}
