package kv

import (
	"context"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"go.uber.org/goleak"

	"picloud/db"
	"picloud/internal/cloud"
	"picloud/internal/fairshare"
	"picloud/internal/testkit"
)

// tests stops the PostgreSQL of the tests before goleak looks for what is left.
type tests struct{ m *testing.M }

func (t tests) Run() int { return testkit.Main(t.m) }

func TestMain(m *testing.M) { goleak.VerifyTestMain(tests{m}) }

// fixture is a store whose committed entries are in a map instead of a database.
type fixture struct {
	*Store
	t testing.TB

	mu         sync.Mutex
	committed  map[cloud.KeyRef]Entry
	statements int
	events     int // that a write raises
}

func newFixture(t testing.TB) *fixture {
	f := &fixture{t: t, committed: map[cloud.KeyRef]Entry{}}
	f.Store = &Store{
		places:   fairshare.New[cloud.AppID](4),
		cfg:      Config{Triggers: f, CursorKey: []byte("key")},
		reader:   &reader{query: f.query},
		queues:   newKeyQueues(),
		versions: versions{next: 1000, end: 1 << 40},
	}
	return f
}

// MatchingKV makes the fixture the Triggers of its store.
func (f *fixture) MatchingKV(cloud.AppID, string) int { return f.events }

func (f *fixture) query(_ context.Context, params db.ReadKeysParams) ([]db.ReadKeysRow, error) {
	f.mu.Lock()
	defer f.mu.Unlock()

	f.statements++

	var rows []db.ReadKeysRow
	for k, i := range params.Positions {
		app := cloud.AppID(params.Apps[k])
		key := cloud.KeyRef{App: app, Collection: params.Collections[k], Key: params.Keys[k]}
		entry, ok := f.committed[key]
		if !ok {
			continue
		}
		row := db.ReadKeysRow{I: i, Value: entry.Value, Version: entry.Version}
		if !entry.Expires.IsZero() {
			row.ExpiresAt = &entry.Expires
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func ref(key string) cloud.KeyRef { return cloud.KeyRef{App: 1, Collection: "c", Key: key} }

func (f *fixture) commit(key string, entry Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()

	entry.Found = true
	f.committed[ref(key)] = entry
}

// call makes a call that must succeed.
func (f *fixture) call(s *Session, call cloud.KVCall) cloud.HostReply {
	f.t.Helper()
	reply, err := s.Call(f.t.Context(), call)
	if err != nil {
		f.t.Fatalf("%T %+v: %v", call, call, err)
	}
	return reply
}

func (f *fixture) get(s *Session, key string) cloud.HostReply {
	f.t.Helper()
	return f.call(s, cloud.KVGet{Collection: "c", Key: key})
}

func (f *fixture) set(s *Session, key, value string) {
	f.t.Helper()
	f.call(s, cloud.KVSet{Collection: "c", Key: key, Value: value, IfVersion: cloud.AnyVersion})
}

func (f *fixture) increment(s *Session, key string) float64 {
	f.t.Helper()
	return f.call(s, cloud.KVIncrement{Collection: "c", Key: key, By: 1}).Number
}

func TestCheckCollection(t *testing.T) {
	t.Parallel()

	for name, valid := range map[string]bool{
		"orders":                 true,
		"a:b_c-9":                true,
		strings.Repeat("x", 128): true,
		strings.Repeat("x", 129): false,
		"":                       false,
		"a b":                    false,
		"a/b":                    false,
		"é":                      false,
		"a\n":                    false,
		"(dead letter)":          false,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := CheckCollection(name)
			if (err == nil) != valid || !valid && cloud.CodeOf(err) != cloud.CodeInvalid {
				t.Errorf("%v, want valid %t", err, valid)
			}
		})
	}
}

func TestCheckKey(t *testing.T) {
	t.Parallel()

	for _, c := range []struct{ key, want string }{
		{"a", ""},
		{"a/b?c#d", ""},
		{"...", ""},
		{strings.Repeat("ü", 256), ""},
		{"", "1 to 512 bytes"},
		{strings.Repeat("ü", 257), "this one has 514"},
		{".", "must not be . or .."},
		{"..", "must not be . or .."},
		{"a\x00", "NUL"},
		{"\xff", "UTF-8"},
	} {
		t.Run(cloud.Shorten(c.key), func(t *testing.T) {
			t.Parallel()

			err := CheckKey(c.key)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.want == "":
			case cloud.CodeOf(err) != cloud.CodeInvalid || !strings.Contains(err.Error(), c.want):
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// What is accepted as a key can be stored: PostgreSQL's text takes valid UTF-8 without NUL.
func FuzzKey(f *testing.F) {
	for _, s := range []string{"a", "", ".", "..", "a\x00b", "\xff", strings.Repeat("ü", 300), "a/b?c#d"} {
		f.Add(s)
	}

	f.Fuzz(func(t *testing.T, key string) {
		storable := key != "" && len(key) <= MaxKey && utf8.ValidString(key) && !strings.Contains(key, "\x00")
		if CheckKey(key) == nil && (!storable || key == "." || key == "..") {
			t.Errorf("%q was accepted", key)
		}
		if CheckCollection(key) == nil && strings.ContainsAny(key, "/ \x00\n.") {
			t.Errorf("collection %q was accepted", key)
		}
	})
}
