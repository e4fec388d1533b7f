package cloud

import (
	"testing"
	"time"
)

// Ids grow within a process, carry their time, and read back.
func TestIDs(t *testing.T) {
	var s IDSource
	last := s.New()
	for range 20_000 {
		id := s.New()
		if string(id[:]) <= string(last[:]) {
			t.Fatalf("%s is not after %s", id, last)
		}
		last = id
	}
	if d := time.Since(last.Time()); d < -10*time.Second || d > 10*time.Second {
		t.Errorf("the id's time is off by %s", d)
	}
	if back, ok := ParseID(last.String()); !ok || back != last {
		t.Errorf("%s reads back as %s", last, back)
	}
	for _, bad := range []string{"", "x", "00000000-0000-0000-0000-000000000000", last.String() + "0", "zz" + last.String()[2:]} {
		if _, ok := ParseID(bad); ok {
			t.Errorf("%q is no id", bad)
		}
	}
	if first := FirstID(last.Time()); string(first[:]) > string(last[:]) {
		t.Error("FirstID is not the least")
	}
}

func TestDelay(t *testing.T) {
	for _, c := range []struct {
		r      Retry
		n      int
		random float64
		want   time.Duration
	}{
		{Retry{Backoff: "constant", Base: time.Second, Max: time.Minute}, 7, 0, time.Second},
		{Retry{Backoff: "linear", Base: time.Second, Max: time.Minute}, 7, 0, 7 * time.Second},
		{Retry{Backoff: "linear", Base: time.Hour, Max: 3 * time.Hour}, 1 << 30, 0, 3 * time.Hour},
		{Retry{Backoff: "exponential", Base: time.Second, Max: time.Minute}, 1, 0, time.Second},
		{Retry{Backoff: "exponential", Base: time.Second, Max: time.Minute}, 4, 0, 8 * time.Second},
		{Retry{Backoff: "exponential", Base: time.Second, Max: time.Minute}, 100, 0, time.Minute},
		{Retry{Backoff: "constant", Base: 10 * time.Second, Max: time.Minute, Jitter: 0.2}, 1, 0, 8 * time.Second},
		{Retry{Backoff: "constant", Base: 10 * time.Second, Max: time.Minute, Jitter: 0.2}, 1, 0.5, 10 * time.Second},
		{Retry{Backoff: "exponential", Base: 0, Max: 0}, 100, 0, 0},
	} {
		if got := c.r.Delay(c.n, c.random); got != c.want {
			t.Errorf("%+v attempt %d: %s, want %s", c.r, c.n, got, c.want)
		}
	}
}

func TestTriggerMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, collection string
		want                bool
	}{
		{"a", "a", true}, {"a", "b", false}, {"*", "anything", true}, {"a:*", "a:b", true}, {"a:*", "a", false}, {"a:*", "a:", true}, {"a:*", "ab:c", false},
	} {
		if got := MatchesCollection(c.pattern, c.collection); got != c.want {
			t.Errorf("%s on %s: %v", c.pattern, c.collection, got)
		}
	}
	kv := Trigger{Kind: SourceKV, Enabled: true, Collection: "c", Ops: []string{"insert", "delete"}}
	if !kv.MatchesKV("c", "insert") || kv.MatchesKV("c", "update") || kv.MatchesKV("d", "insert") {
		t.Error("operations are not matched")
	}
	kv.Enabled = false
	if kv.MatchesKV("c", "insert") {
		t.Error("a disabled trigger matches")
	}
	dl := Trigger{Kind: SourceDeadLetter, Enabled: true, Source: "kv", FailedScript: ID{1}}
	if !dl.MatchesDeadLetter("kv", ID{9}, ID{1}) || dl.MatchesDeadLetter("http", ID{9}, ID{1}) || dl.MatchesDeadLetter("kv", ID{9}, ID{2}) {
		t.Error("dead letters are not matched")
	}
}
