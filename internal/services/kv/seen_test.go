package kv

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"picloud/internal/cloud"
)

// What a run has read does not fill this process: beyond a bound only versions are kept. The run sees the
// same values all the same, its commit checks all keys, and what it could not be shown again has it made
// again.
func TestSeenIsBounded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := f.Open(1)
	defer s.Finished()

	const count = 40
	value := func(k int) string { return fmt.Sprintf(`"%d%s"`, k, strings.Repeat("x", MaxValue-10)) }

	name := func(k int) string { return fmt.Sprintf("k%d", k) }
	for k := range count {
		f.committed[ref(name(k))] = Entry{Found: true, Value: value(k), Version: int64(k + 1)}
	}

	for range 2 {
		for k := range count {
			reply, err := s.Call(t.Context(), cloud.KVGet{Collection: "c", Key: name(k)})
			if err != nil || reply.Value != value(k) || reply.Version != int64(k+1) {
				t.Fatalf("key %d: version %d, %v", k, reply.Version, err)
			}
		}
	}

	kept := 0
	for _, entry := range s.seen {
		kept += len(entry.Value)
	}
	if kept > maxSeenBytes || kept < maxSeenBytes/2 {
		t.Errorf("%d bytes are kept", kept)
	}
	if n := len(s.Changes().Checks); n != count {
		t.Errorf("%d checks, want %d", n, count)
	}
	if changed := s.Changed(); len(changed) != 0 {
		t.Errorf("changed: %v", changed)
	}

	// The first is kept, so that a change does not show; the last is not.
	for _, k := range []int{0, count - 1} {
		f.committed[ref(name(k))] = Entry{Found: true, Value: `"new"`, Version: 1000}
	}
	first := f.get(s, name(0))
	if first.Value != value(0) {
		t.Errorf("the first: version %d", first.Version)
	}
	_, err := s.Call(t.Context(), cloud.KVGet{Collection: "c", Key: name(count - 1)})
	var thrown *cloud.HostError
	if !errors.As(err, &thrown) || thrown.Name != "KvConflictError" {
		t.Errorf("the last: %v", err)
	}
	if changed := s.Changed(); len(changed) != 1 || changed[0] != ref(name(count-1)) {
		t.Errorf("changed: %v", changed)
	}
}
