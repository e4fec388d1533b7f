package cloud

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Ids grow strictly, also within one millisecond and when more are made than the counter holds.
func TestIDsGrow(t *testing.T) {
	t.Parallel()
	var source IDSource

	last := source.New()
	for range 20_000 {
		id := source.New()
		if !last.Less(id) || id.Less(last) || id.String() <= last.String() {
			t.Fatalf("%s is not after %s", id, last)
		}
		last = id
	}
}

// Goroutines that share a source never get the same id.
func TestIDsAreUnique(t *testing.T) {
	t.Parallel()
	var source IDSource
	var group sync.WaitGroup

	lists := make([][]ID, 8)
	for k := range lists {
		group.Go(func() {
			for range 1000 {
				lists[k] = append(lists[k], source.New())
			}
		})
	}

	group.Wait()

	all := slices.Concat(lists...)
	slices.SortFunc(all, func(a, b ID) int {
		if a.Less(b) {
			return -1
		}
		return 1
	})
	if len(slices.Compact(all)) != 8000 {
		t.Errorf("only %d ids of 8000 differ", len(slices.Compact(all)))
	}
}

// An id carries the time at which it was made, and its version and variant.
func TestIDTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var source IDSource
		for _, wait := range []time.Duration{0, time.Millisecond, 300 * 24 * time.Hour} {
			time.Sleep(wait)
			now := time.Now()
			id := source.New()
			if got := id.Time(); !got.Equal(now.Truncate(time.Millisecond)) {
				t.Errorf("made at %s, carries %s", now, got)
			}
			if id[6]>>4 != 7 || id[8]>>6 != 2 {
				t.Errorf("%s is no UUIDv7", id)
			}

			first := FirstID(now)
			if id.Less(first) || !first.Less(FirstID(now.Add(time.Millisecond))) || LastID.Less(id) {
				t.Errorf("%s is not between %s and %s", id, first, LastID)
			}
		}
	})
}

func TestFirstIDBefore1970(t *testing.T) {
	t.Parallel()
	if first := FirstID(time.Unix(-1, 0)); !first.IsZero() {
		t.Errorf("got %s", first)
	}
}

// An id is read back as it was written, and from nothing else.
func TestParseID(t *testing.T) {
	t.Parallel()
	const text = "01a20dd2-5673-7000-973b-41c159db734b"
	id, ok := ParseID(text)
	if !ok || id.String() != text {
		t.Errorf("%s reads back as %s", text, id)
	}

	for _, bad := range []string{
		"", "x", text[:35], text + "0", "zz" + text[2:], "01a20dd25673-7000-973b-41c159db734b0",
		"00000000-0000-0000-0000-000000000000", "{1a20dd2-5673-7000-973b-41c159db734}",
		"01a20dd2_5673-7000-973b-41c159db734b",
	} {
		if id, ok := ParseID(bad); ok || !id.IsZero() {
			t.Errorf("%q was read as %s", bad, id)
		}
	}

	if text := (ID{}).String(); text != "" {
		t.Errorf("the zero id is %q", text)
	}
}
