package kv

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
	"picloud/internal/testkit"
)

type noTriggers struct{}

func (noTriggers) MatchingKV(cloud.AppID, string) int { return 0 }

// putEntry commits an entry of app 1.
type putEntry func(collection, key string, entry Entry)

// openStore returns a store on a PostgreSQL database of its own.
func openStore(t *testing.T) (*Store, putEntry) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts PostgreSQL")
	}
	pool, err := db.Open(t.Context(), testkit.Database(t), db.MinConnections)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(pool.Close)

	put := func(collection, key string, entry Entry) {
		t.Helper()
		var micros int64
		if !entry.Expires.IsZero() {
			micros = entry.Expires.UnixMicro()
		}
		err := pool.Queries().PutKeys(t.Context(), db.PutKeysParams{
			Apps:        []int64{1},
			Collections: []string{collection},
			Keys:        []string{key},
			Values:      []string{entry.Value},
			Versions:    []int64{entry.Version},
			Expiries:    []int64{micros},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return New(Config{DB: pool, Triggers: noTriggers{}, CursorKey: []byte("key")}), put
}

// The store reads what is committed and has not expired, of its own app.
func TestStoreReads(t *testing.T) {
	t.Parallel()
	store, put := openStore(t)
	expires := time.Now().Add(time.Hour).Truncate(time.Microsecond)
	put("c", "k", Entry{Value: `{"a":1}`, Version: 5, Expires: expires})
	put("c", "old", Entry{Value: `1`, Version: 6, Expires: time.Now().Add(-time.Second)})

	item, err := store.Get(t.Context(), 1, "c", "k")
	if err != nil || item.Value != `{"a":1}` || item.Version != 5 {
		t.Errorf("%+v %v", item, err)
	}
	if item.Expires == nil || !item.Expires.Equal(expires) || item.UpdatedAt.IsZero() {
		t.Errorf("it expires at %v and was updated at %s", item.Expires, item.UpdatedAt)
	}

	for name, where := range map[string]cloud.KeyRef{
		"absent":             {App: 1, Collection: "c", Key: "absent"},
		"expired":            {App: 1, Collection: "c", Key: "old"},
		"another collection": {App: 1, Collection: "d", Key: "k"},
		"another app":        {App: 2, Collection: "c", Key: "k"},
	} {
		_, err := store.Get(t.Context(), where.App, where.Collection, where.Key)
		if !errors.Is(err, db.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
		if entry, err := store.reader.get(t.Context(), where); err != nil || entry != (Entry{}) {
			t.Errorf("%s, read by a script: %+v %v", name, entry, err)
		}
	}

	entry, err := store.reader.get(t.Context(), ref("k"))
	isExpiry := entry.Expires.Equal(expires)
	if err != nil || !entry.Found || entry.Value != `{"a":1}` || entry.Version != 5 || !isExpiry {
		t.Errorf("read by a script: %+v %v", entry, err)
	}
}

// Pages follow one another in byte order without a gap, for operators and for scripts, who see their own
// writes in them.
func TestStoreLists(t *testing.T) {
	t.Parallel()
	store, put := openStore(t)

	var committed []string
	for n := range 25 {
		key := fmt.Sprintf("p/%02d", n)
		committed = append(committed, key)
		put("c", key, Entry{Value: fmt.Sprint(n), Version: int64(n + 1)})
	}
	put("c", "q", Entry{Value: `0`, Version: 99})
	put("d", "k", Entry{Value: `0`, Version: 100})

	var listed []string

	cursor := ""
	for more := true; more; more = cursor != "" {
		items, next, err := store.List(t.Context(), 1, "c", "p/", cursor, 10)
		if err != nil || len(items) > 10 {
			t.Fatalf("%d items, %v", len(items), err)
		}

		for _, item := range items {
			listed = append(listed, item.Key)
		}
		cursor = next
	}
	if !slices.Equal(listed, committed) {
		t.Errorf("listed %v, want %v", listed, committed)
	}

	s := store.Open(1)
	defer s.Finished()

	for _, call := range []cloud.KVCall{
		cloud.KVDelete{Collection: "c", Key: "p/03"},
		cloud.KVSet{Collection: "c", Key: "p/055", Value: "1", IfVersion: cloud.AnyVersion},
		cloud.KVSet{Collection: "c", Key: "p/99", Value: "1", IfVersion: cloud.AnyVersion},
	} {
		if _, err := s.Call(t.Context(), call); err != nil {
			t.Fatal(err)
		}
	}
	want := slices.Insert(slices.Delete(slices.Clone(committed), 3, 4), 5, "p/055")
	want = append(want, "p/99")
	if seen := listBySession(t, s, "p/", 4); !slices.Equal(seen, want) {
		t.Errorf("the script lists %v, want %v", seen, want)
	}

	collections, err := store.Collections(t.Context(), 1, "", 10)
	if err != nil || !slices.Equal(collections, []Collection{{"c", 26}, {"d", 1}}) {
		t.Errorf("collections %+v %v", collections, err)
	}
	if rest, err := store.Collections(t.Context(), 1, "c", 10); err != nil || len(rest) != 1 {
		t.Errorf("collections after c: %+v %v", rest, err)
	}
}

// However many items are asked for, a page ends when its values are large, and the next one goes on there: for
// operators, and for scripts with their own writes.
func TestPagesAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	store, put := openStore(t)

	const size = 200_000
	const aPage = maxPageBytes/size + 1
	value := `"` + strings.Repeat("x", size-2) + `"`

	var committed []string
	for n := range 2*aPage + 5 {
		key := fmt.Sprintf("%03d", n)
		committed = append(committed, key)
		put("c", key, Entry{Value: value, Version: int64(n + 1)})
	}

	var pages []int
	var listed []string

	cursor := ""
	for more := true; more; more = cursor != "" {
		items, next, err := store.List(t.Context(), 1, "c", "", cursor, MaxList)
		if err != nil {
			t.Fatal(err)
		}

		pages = append(pages, len(items))
		for _, item := range items {
			listed = append(listed, item.Key)
		}
		cursor = next
	}
	if !slices.Equal(listed, committed) || !slices.Equal(pages, []int{aPage, aPage, 5}) {
		t.Errorf("pages of %v items: %v", pages, listed)
	}

	// The run deletes the last item of the first page, and adds one on each side of the page's end.
	s := store.Open(1)
	defer s.Finished()

	last := committed[aPage-1]
	for _, call := range []cloud.KVCall{
		cloud.KVDelete{Collection: "c", Key: last},
		cloud.KVSet{Collection: "c", Key: committed[aPage-2] + "a", Value: "1", IfVersion: cloud.AnyVersion},
		cloud.KVSet{Collection: "c", Key: last + "a", Value: "1", IfVersion: cloud.AnyVersion},
	} {
		if _, err := s.Call(t.Context(), call); err != nil {
			t.Fatal(err)
		}
	}
	want := slices.Replace(slices.Clone(committed), aPage-1, aPage, committed[aPage-2]+"a", last+"a")
	if seen := listBySession(t, s, "", MaxList); !slices.Equal(seen, want) {
		t.Errorf("the script lists %v", seen)
	}
}

// listBySession reads all pages as a script does.
func listBySession(t *testing.T, s *Session, prefix string, limit int) []string {
	t.Helper()
	var keys []string

	cursor := ""
	for more := true; more; more = cursor != "" {
		call := cloud.KVList{Collection: "c", Prefix: prefix, Cursor: cursor, Limit: limit}
		reply, err := s.Call(t.Context(), call)
		if err != nil {
			t.Fatal(err)
		}
		var page struct {
			Items  []listItem
			Cursor *string
		}
		if err := json.Unmarshal([]byte(reply.JSON), &page); err != nil || len(page.Items) > limit {
			t.Fatalf("%s: %v", reply.JSON, err)
		}

		for _, item := range page.Items {
			keys = append(keys, item.Key)
		}
		cursor = ""
		if page.Cursor != nil {
			cursor = *page.Cursor
		}
	}
	return keys
}

// No version is handed out twice, by one store or by two: a check must not mistake another's write for what
// it read.
func TestVersionsAreUnique(t *testing.T) {
	t.Parallel()
	store, _ := openStore(t)
	other := New(store.cfg)
	var mu sync.Mutex
	seen := map[int64]bool{}

	var wg sync.WaitGroup
	for _, s := range []*Store{store, store, other, other} {
		wg.Go(func() {
			for range 2*versionBlock + 1 {
				version, err := s.versions.take(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if seen[version] || version == 0 {
					t.Errorf("version %d was handed out twice, or is that of an absent key", version)
				}
				seen[version] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}
