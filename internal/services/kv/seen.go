package kv

import (
	"context"

	"picloud/internal/cloud"
)

// maxSeenBytes is how many bytes of values a run's checked reads keep in this process. A run may read 10,000
// values of 256 KiB: of those beyond it only the version is kept, and a second read of the key asks the
// database again.
const maxSeenBytes = 4 << 20

// seenEntry is an entry that a run has read.
type seenEntry struct {
	Entry

	// isShort means that the value was not kept.
	isShort bool
}

// remember keeps what a checked read returned. s.mu is held.
func (s *Session) remember(key cloud.KeyRef, entry Entry) {
	if _, known := s.seen[key]; known {
		return
	}

	seen := seenEntry{Entry: entry}
	if s.seenBytes+len(entry.Value) > maxSeenBytes {
		seen.Value = ""
		seen.isShort = true
	}
	s.seenBytes += len(seen.Value)
	put(&s.seen, key, seen)
}

// readAgain reads a key of which only the version was kept. If it has another one now, the run cannot be
// shown what it saw, and its checks would fail: it is to be made again.
func (s *Session) readAgain(ctx context.Context, key cloud.KeyRef, seen Entry) (Entry, error) {
	entry, err := s.readShared(ctx, key)
	if err != nil || entry.Version == seen.Version {
		return entry, err
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed = append(s.changed, key)
	return Entry{}, hostError("KvConflictError", "%q was changed since this run first read it",
		cloud.Shorten(key.Key))
}
