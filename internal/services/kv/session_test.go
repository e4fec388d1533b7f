package kv

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"picloud/internal/cloud"
)

// The checks of a commit are what the run read for certain: each key once, in the version that the run saw
// first.
func TestChecks(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		run  func(f *fixture, s *Session)
		want []cloud.Check
	}{
		"get": {
			func(f *fixture, s *Session) { f.get(s, "there") },
			[]cloud.Check{{Key: ref("there"), Version: 7}},
		},
		"get of an absent key": {
			func(f *fixture, s *Session) { f.get(s, "absent") },
			[]cloud.Check{{Key: ref("absent"), Version: 0}},
		},
		"get twice": {
			func(f *fixture, s *Session) { f.get(s, "there"); f.get(s, "there") },
			[]cloud.Check{{Key: ref("there"), Version: 7}},
		},
		"unchecked get": {
			func(f *fixture, s *Session) {
				f.call(s, cloud.KVGet{Collection: "c", Key: "there", Unchecked: true})
			},
			nil,
		},
		"unchecked get, then a checked one": {
			func(f *fixture, s *Session) {
				f.call(s, cloud.KVGet{Collection: "c", Key: "there", Unchecked: true})
				f.get(s, "there")
			},
			[]cloud.Check{{Key: ref("there"), Version: 7}},
		},
		"set": {
			func(f *fixture, s *Session) { f.set(s, "there", "1") },
			nil,
		},
		"get after set": {
			func(f *fixture, s *Session) { f.set(s, "there", "1"); f.get(s, "there") },
			nil,
		},
		"set after get": {
			func(f *fixture, s *Session) { f.get(s, "there"); f.set(s, "there", "1") },
			[]cloud.Check{{Key: ref("there"), Version: 7}},
		},
		"set if version": {
			func(f *fixture, s *Session) {
				f.call(s, cloud.KVSet{Collection: "c", Key: "there", Value: "1", IfVersion: 7})
			},
			[]cloud.Check{{Key: ref("there"), Version: 7}},
		},
		"delete of an absent key": {
			func(f *fixture, s *Session) { f.call(s, cloud.KVDelete{Collection: "c", Key: "absent"}) },
			[]cloud.Check{{Key: ref("absent"), Version: 0}},
		},
		"increment": {
			func(f *fixture, s *Session) { f.increment(s, "there") },
			[]cloud.Check{{Key: ref("there"), Version: 7}},
		},
		"has of two keys": {
			func(f *fixture, s *Session) {
				f.call(s, cloud.KVHas{Collection: "c", Key: "there"})
				f.call(s, cloud.KVHas{Collection: "c", Key: "absent"})
			},
			[]cloud.Check{{Key: ref("there"), Version: 7}, {Key: ref("absent"), Version: 0}},
		},
		"nothing": {func(*fixture, *Session) {}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.commit("there", Entry{Value: "1", Version: 7})
			s := f.Open(1)
			defer s.Finished()

			c.run(f, s)
			if got := s.Changes().Checks; !slices.Equal(got, c.want) {
				t.Errorf("checks %+v, want %+v", got, c.want)
			}
		})
	}
}

// A run sees one state: what it read once stays, whatever others commit, and its own writes are in it.
func TestReadsRepeat(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.commit("k", Entry{Value: "1", Version: 7})
	s := f.Open(1)
	defer s.Finished()

	f.get(s, "k")
	f.commit("k", Entry{Value: "2", Version: 8})
	if reply := f.get(s, "k"); reply.Value != "1" || reply.Version != 7 || f.statements != 1 {
		t.Errorf("read again: %+v, after %d statements", reply, f.statements)
	}

	f.set(s, "k", "3")
	if reply := f.get(s, "k"); reply.Value != "3" || reply.Version != s.Changes().Writes[0].Version {
		t.Errorf("own write reads as %+v", reply)
	}

	f.call(s, cloud.KVDelete{Collection: "c", Key: "k"})
	if reply := f.get(s, "k"); reply.Found || reply.Version != 0 {
		t.Errorf("own delete reads as %+v", reply)
	}

	// An unchecked read promises nothing, and asks anew.
	other := f.Open(1)
	defer other.Finished()

	for want := int64(8); want < 10; want++ {
		f.commit("k", Entry{Value: "2", Version: want})
		reply := f.call(other, cloud.KVGet{Collection: "c", Key: "k", Unchecked: true})
		if reply.Version != want {
			t.Errorf("unchecked: version %d, want %d", reply.Version, want)
		}
	}
}

// The writes of a run are collected in its order, and the response splits them: what comes later is a second
// commit, which is checked for what the first one wrote.
func TestRespondedSplitsTheChanges(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.commit("a", Entry{Value: "1", Version: 7})
	s := f.Open(1)
	defer s.Finished()

	f.increment(s, "a")
	f.set(s, "b", "1")
	f.call(s, cloud.KVDelete{Collection: "c", Key: "b"})
	before := s.Changes()
	s.Responded()
	if got := s.Changes(); !reflect.DeepEqual(got, before) {
		t.Errorf("the response changed the first commit: %+v, before %+v", got, before)
	}
	if after := s.After(); !after.Empty() || len(after.Checks) != 0 {
		t.Errorf("the second commit starts with %+v", after)
	}

	f.increment(s, "a")
	f.get(s, "b")
	f.set(s, "c", "1")
	after := s.After()
	wantChecks := []cloud.Check{
		{Key: ref("a"), Version: before.Writes[0].Version},
		{Key: ref("b"), Version: 0},
	}
	if !slices.Equal(after.Checks, wantChecks) {
		t.Errorf("the second commit checks %+v, want %+v", after.Checks, wantChecks)
	}
	if len(after.Writes) != 2 || after.Writes[0].Value != "3" || after.Writes[1].Key != ref("c") {
		t.Errorf("the second commit writes %+v", after.Writes)
	}

	if got := s.Changes(); !reflect.DeepEqual(got, before) {
		t.Errorf("waitUntil work changed the first commit: %+v, before %+v", got, before)
	}

	first := before.Writes
	if len(first) != 3 || first[0].Value != "2" || first[1].Key != ref("b") || !first[2].Delete {
		t.Errorf("the first commit writes %+v", first)
	}
}

// Calls with bad arguments are thrown to the script under the name that the contract gives, and leave nothing
// to commit.
func TestCallRefuses(t *testing.T) {
	t.Parallel()
	get := func(collection, key string) cloud.KVGet {
		return cloud.KVGet{Collection: collection, Key: key}
	}
	increment := func(key string, by float64) cloud.KVIncrement {
		return cloud.KVIncrement{Collection: "c", Key: key, By: by}
	}
	value := func(value string) cloud.KVSet {
		return cloud.KVSet{Collection: "c", Key: "k", Value: value, IfVersion: cloud.AnyVersion}
	}
	ttl := func(ttl time.Duration) cloud.KVSet {
		call := value("1")
		call.TTLMillis = ttl.Milliseconds()
		return call
	}
	version := func(version int64) cloud.KVSet {
		return cloud.KVSet{Collection: "c", Key: "k", Value: "1", IfVersion: version}
	}
	long := `"` + strings.Repeat("x", MaxValue) + `"`

	list := func(limit int, prefix, cursor string) cloud.KVList {
		return cloud.KVList{Collection: "c", Prefix: prefix, Cursor: cursor, Limit: limit}
	}
	for name, c := range map[string]struct {
		call      cloud.KVCall
		errorName string
		message   string // a part of it
	}{
		"collection":   {get("a b", "k"), "TypeError", "the collection"},
		"key":          {get("c", ""), "TypeError", "1 to 512 bytes"},
		"call":         {nil, "TypeError", "unknown call"},
		"value":        {value("{"), "TypeError", "not JSON"},
		"long value":   {value(long), "LimitError", "262146 bytes"},
		"updated":      {cloud.KVUpdateEnd{Collection: "c", Key: "k", Value: "nope"}, "TypeError", "not JSON"},
		"short ttl":    {ttl(999 * time.Millisecond), "RangeError", "ttl"},
		"negative ttl": {ttl(-time.Second), "RangeError", "ttl"},
		"long ttl":     {ttl(maxTTL + time.Millisecond), "RangeError", "ttl"},
		"version":      {version(8), "KvConflictError", "the version is 7, not 8"},
		"new version":  {version(0), "KvConflictError", "the version is 7, not 0"},
		"no number":    {increment("text", 1), "TypeError", "is not a number"},
		"beyond 2^53":  {increment("k", 1<<54), "RangeError", "2^53"},
		"not a number": {increment("k", math.NaN()), "RangeError", "2^53"},
		"list limit":   {list(MaxList+1, "", ""), "RangeError", "limit"},
		"no limit":     {list(0, "", ""), "RangeError", "limit"},
		"prefix":       {list(1, "\x00", ""), "TypeError", "NUL"},
		"long prefix":  {list(1, strings.Repeat("x", 513), ""), "TypeError", "512 bytes"},
		"cursor":       {list(1, "", "x"), "TypeError", "cursor"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.commit("k", Entry{Value: "1", Version: 7})
			f.commit("text", Entry{Value: `"Infinity"`, Version: 7})
			s := f.Open(1)
			defer s.Finished()

			_, err := s.Call(t.Context(), c.call)
			if !isThrown(err, c.errorName, c.message) {
				t.Errorf("got %v, want %s: %s", err, c.errorName, c.message)
			}
			if changes := s.Changes(); !changes.Empty() {
				t.Errorf("it wrote %+v", changes.Writes)
			}
		})
	}
}

// Each call checks the collection and the key that a script gave, before it does anything.
func TestCallsCheckNames(t *testing.T) {
	t.Parallel()
	s := newFixture(t).Open(1)
	defer s.Finished()

	for name, call := range map[string]func(collection, key string) cloud.KVCall{
		"get":          func(c, k string) cloud.KVCall { return cloud.KVGet{Collection: c, Key: k} },
		"has":          func(c, k string) cloud.KVCall { return cloud.KVHas{Collection: c, Key: k} },
		"set":          func(c, k string) cloud.KVCall { return cloud.KVSet{Collection: c, Key: k} },
		"delete":       func(c, k string) cloud.KVCall { return cloud.KVDelete{Collection: c, Key: k} },
		"increment":    func(c, k string) cloud.KVCall { return cloud.KVIncrement{Collection: c, Key: k} },
		"update begin": func(c, k string) cloud.KVCall { return cloud.KVUpdateBegin{Collection: c, Key: k} },
		"update end":   func(c, k string) cloud.KVCall { return cloud.KVUpdateEnd{Collection: c, Key: k} },
	} {
		if _, err := s.Call(t.Context(), call("a b", "k")); !isThrown(err, "TypeError", "the collection") {
			t.Errorf("%s of a bad collection: %v", name, err)
		}
		if _, err := s.Call(t.Context(), call("c", "..")); !isThrown(err, "TypeError", "must not be . or ..") {
			t.Errorf("%s of a bad key: %v", name, err)
		}
	}

	list := cloud.KVList{Collection: "a b", Limit: 1}
	if _, err := s.Call(t.Context(), list); !isThrown(err, "TypeError", "the collection") {
		t.Errorf("list of a bad collection: %v", err)
	}
}

// isThrown reports whether a script gets err under that name, with that part of a message.
func isThrown(err error, name, message string) bool {
	var thrown *cloud.HostError
	return errors.As(err, &thrown) && thrown.Name == name && strings.Contains(thrown.Message, message)
}

// What each writing call leaves to commit.
func TestWrites(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		call cloud.KVCall
		key  string
		want []cloud.Write // none, or one of the key, whose version is drawn
	}{
		"set": {
			cloud.KVSet{Collection: "c", Key: "k", Value: "2", IfVersion: cloud.AnyVersion}, "k",
			[]cloud.Write{{Value: "2"}},
		},
		"set with expiry": {
			cloud.KVSet{Collection: "c", Key: "k", Value: "2", TTLMillis: 1000, IfVersion: 7}, "k",
			[]cloud.Write{{Value: "2", TTLMillis: 1000}},
		},
		"delete": {
			cloud.KVDelete{Collection: "c", Key: "k"}, "k",
			[]cloud.Write{{Delete: true}},
		},
		"delete nothing": {
			cloud.KVDelete{Collection: "c", Key: "absent"}, "absent",
			nil,
		},
		"increment": {
			cloud.KVIncrement{Collection: "c", Key: "k", By: 0.5}, "k",
			[]cloud.Write{{Value: "1.5", TTLMillis: -1}},
		},
		"first increment": {
			cloud.KVIncrement{Collection: "c", Key: "absent", By: -2}, "absent",
			[]cloud.Write{{Value: "-2", TTLMillis: -1}},
		},
		"update": {
			cloud.KVUpdateEnd{Collection: "c", Key: "k", Value: "[]"}, "k",
			[]cloud.Write{{Value: "[]", TTLMillis: -1}},
		},
		"update away": {
			cloud.KVUpdateEnd{Collection: "c", Key: "k", Delete: true}, "k",
			[]cloud.Write{{Delete: true}},
		},
		"update nothing": {
			cloud.KVUpdateEnd{Collection: "c", Key: "absent", Delete: true}, "absent",
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.commit("k", Entry{Value: "1", Version: 7})
			s := f.Open(1)
			defer s.Finished()

			reply := f.call(s, c.call)
			if wantFound := name == "delete"; reply.Found != wantFound {
				t.Errorf("found %t", reply.Found)
			}

			writes := slices.Clone(s.Changes().Writes)
			for k := range writes {
				if writes[k].Key != ref(c.key) || writes[k].Version == 0 {
					t.Errorf("wrote %+v", writes[k])
				}
				writes[k].Key = cloud.KeyRef{}
				writes[k].Version = 0
			}
			if !slices.Equal(writes, c.want) {
				t.Errorf("wrote %+v, want %+v", writes, c.want)
			}
		})
	}
}

// An increment that a double cannot hold is refused: 2^53 + 1 is rounded to 2^53, and would be lost.
func TestIncrementKeepsEveryOne(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		value   string
		by      float64
		refused bool
	}{
		"up to the bound":           {"9007199254740991", 1, false},
		"from the bound":            {"9007199254740992", 1, true},
		"down from the bound":       {"9007199254740992", -1, false},
		"down to the bound":         {"-9007199254740991", -1, false},
		"down from the low bound":   {"-9007199254740992", -1, true},
		"a fraction near the bound": {"9007199254740991", 1.5, true},
		"fractions":                 {"0.1", 0.2, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			f := newFixture(t)
			f.commit("k", Entry{Value: c.value, Version: 7})
			s := f.Open(1)
			defer s.Finished()

			_, err := s.Call(t.Context(), cloud.KVIncrement{Collection: "c", Key: "k", By: c.by})
			if refused := err != nil; refused != c.refused {
				t.Errorf("%s + %g: %v", c.value, c.by, err)
			}
		})
	}
}

// A value's expiry shows in the run that set it; an increment and an update keep it, a set without ttl clears
// it.
func TestExpiryWithinARun(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	expires := time.UnixMilli(4_000_000_000_000)
	f.commit("k", Entry{Value: "1", Version: 7, Expires: expires})
	s := f.Open(1)
	defer s.Finished()

	f.call(s, cloud.KVIncrement{Collection: "c", Key: "k", By: 1})
	if reply := f.get(s, "k"); reply.Expires != expires.UnixMilli() {
		t.Errorf("after an increment it expires at %d", reply.Expires)
	}

	f.set(s, "k", "5")
	if reply := f.get(s, "k"); reply.Expires != 0 {
		t.Errorf("after a set it expires at %d", reply.Expires)
	}

	earliest := time.Now().Add(time.Minute).UnixMilli()
	f.call(s, cloud.KVSet{Collection: "c", Key: "k", Value: "6", TTLMillis: 60_000, IfVersion: cloud.AnyVersion})
	reply := f.get(s, "k")
	latest := time.Now().Add(time.Minute).UnixMilli()
	if reply.Expires < earliest || reply.Expires > latest {
		t.Errorf("after a set with ttl it expires at %d", reply.Expires)
	}
}

// Each limit of a run is refused by name and counts both of its commits; a refused write is not among the
// changes.
func TestLimitsOfARun(t *testing.T) {
	t.Parallel()
	long := `"` + strings.Repeat("x", 200<<10) + `"`

	size := len(long) + len("c") + len("k") + writeOverhead
	for name, c := range map[string]struct {
		events int
		value  string
		accept int // writes
		want   string
	}{
		"writes":      {0, "1", maxWrites, "10000 writes of 64 MiB"},
		"bytes":       {0, long, maxWriteBytes / size, "10000 writes of 64 MiB"},
		"events":      {3, "1", maxEvents / 3, "10000 events"},
		"event bytes": {1, long, maxEventBytes / size, "carry 16 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.events = c.events
			s := f.Open(1)
			defer s.Finished()

			for n := range c.accept {
				if n == c.accept/2 {
					s.Responded()
				}
				f.set(s, "k", c.value)
			}
			call := cloud.KVSet{Collection: "c", Key: "k", Value: c.value, IfVersion: cloud.AnyVersion}
			_, err := s.Call(t.Context(), call)
			if !isThrown(err, "LimitError", c.want) {
				t.Errorf("write %d: %v, want %q", c.accept+1, err, c.want)
			}
			if n := len(s.Changes().Writes) + len(s.After().Writes); n != c.accept {
				t.Errorf("%d writes were collected, want %d", n, c.accept)
			}
		})
	}
}

// A failure of the database is not the script's: it is no HostError, and ends the run.
func TestPlatformErrorIsNotThrown(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	if err := asHostError(broken); err != broken {
		t.Errorf("%v became %v", broken, err)
	}
	if err := asHostError(nil); err != nil {
		t.Errorf("no error became %v", err)
	}
}

// A run that writes much holds a place until it is over; one that writes little needs none, and a run of
// another app finds one.
func TestPlacesOfLargeRuns(t *testing.T) {
	t.Parallel()
	store, _ := openStore(t)
	value := `"` + strings.Repeat("x", MaxValue-2) + `"`
	write := func(ctx context.Context, s *Session, n int) (err error) {
		for k := range n {
			if err == nil {
				_, err = s.Call(ctx, cloud.KVSet{Collection: "c", Key: strconv.Itoa(k), Value: value, IfVersion: -1})
			}
		}
		return err
	}

	var large []*Session
	for range 2 { // half of the places
		s := store.Open(1)
		if err := write(t.Context(), s, 3); err != nil {
			t.Fatal(err)
		}
		large = append(large, s)
	}

	small := store.Open(1)
	if err := write(t.Context(), small, 1); err != nil {
		t.Errorf("a run that writes little: %v", err)
	}
	small.Finished()

	over, cancel := context.WithCancelCause(t.Context())
	timeout := errors.New("out of time")
	cancel(timeout)
	waiting := store.Open(1)
	if err := write(over, waiting, 3); !errors.Is(err, timeout) {
		t.Errorf("a third large run of the app: %v", err)
	}
	waiting.Finished()

	other := store.Open(2)
	if err := write(t.Context(), other, 3); err != nil {
		t.Errorf("a large run of another app: %v", err)
	}
	other.Finished()

	large[0].Finished()
	again := store.Open(1)
	if err := write(t.Context(), again, 3); err != nil {
		t.Errorf("after one is over: %v", err)
	}
	again.Finished()
	large[1].Finished()

	// A call that outlives its run takes nothing that nobody would give back.
	_ = write(t.Context(), again, 3)
	if free := store.places.Free(); free != 4 {
		t.Errorf("%d places are free at the end, want all 4", free)
	}
}

// turnRecord records what a session does with its run's turn.
type turnRecord struct{ calls []string }

func (r *turnRecord) Pause() { r.calls = append(r.calls, "pause") }

func (r *turnRecord) Resume(context.Context) error {
	r.calls = append(r.calls, "resume")
	return nil
}

// Who waits for a place waits without a turn: those who have the places may need it.
func TestPlaceIsAwaitedWithoutATurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		taken := f.places.TryTake(1, 1) && f.places.TryTake(1, 1)

		s := f.Open(1)
		defer s.Finished()
		turn := &turnRecord{}
		s.UseTurn(turn)
		done := make(chan error, 1)
		go func() { done <- s.awaitPlace(t.Context()) }()
		synctest.Wait()
		if !taken || !slices.Equal(turn.calls, []string{"pause"}) {
			t.Errorf("while it waits: %v", turn.calls)
		}

		f.places.Give(1, 1)
		if err := <-done; err != nil || !slices.Equal(turn.calls, []string{"pause", "resume"}) {
			t.Errorf("with its place: %v, %v", turn.calls, err)
		}
	})
}
