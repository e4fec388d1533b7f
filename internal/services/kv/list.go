package kv

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"picloud/db"
	"picloud/internal/cloud"
)

const (
	// MaxList is the most items of a page.
	MaxList = 1000
	// maxPageBytes bounds the values of a page: it ends with the one that takes it above, whatever its limit.
	maxPageBytes = 4 << 20
)

// Item is an entry with its key and its times.
type Item struct {
	Key       string
	Value     string // JSON text
	Version   int64
	Expires   *time.Time // nil: never
	UpdatedAt time.Time
}

// Get reads one committed entry. The error wraps db.ErrNotFound when the key is absent or expired.
func (s *Store) Get(ctx context.Context, app cloud.AppID, collection, key string) (Item, error) {
	row, err := s.cfg.DB.Queries().ReadEntry(ctx, int64(app), collection, key)
	if err != nil {
		return Item{}, fmt.Errorf("read entry: %w", db.Translate(err))
	}
	return Item{
		Key:       row.Key,
		Value:     row.Value,
		Version:   row.Version,
		Expires:   row.ExpiresAt,
		UpdatedAt: row.UpdatedAt,
	}, nil
}

func newItem(row db.ListKeysRow) Item {
	return Item{
		Key:       row.Key,
		Value:     row.Value,
		Version:   row.Version,
		Expires:   row.ExpiresAt,
		UpdatedAt: row.UpdatedAt,
	}
}

// Collection is a collection's name with the number of its keys, which is counted to 10,001.
type Collection struct {
	Name string
	Keys int64
}

// Collections lists at most limit of an app's collections, by name, beginning behind after.
func (s *Store) Collections(ctx context.Context, app cloud.AppID, after string, limit int) (
	[]Collection, error,
) {
	rows, err := s.cfg.DB.Queries().ListCollections(ctx, int64(app), int32(limit), after)
	if err != nil {
		return nil, fmt.Errorf("list collections: %w", db.Translate(err))
	}

	collections := make([]Collection, len(rows))
	for k, row := range rows {
		collections[k] = Collection{Name: row.Collection, Keys: row.Keys}
	}
	return collections, nil
}

// List returns a page of the committed entries of a collection whose keys start with prefix, in byte order,
// and the cursor of the next page, "" after the last. The error is of code invalid for the cursor of another
// list.
func (s *Store) List(
	ctx context.Context, app cloud.AppID, collection, prefix, cursor string, limit int,
) (items []Item, next string, err error) {
	scope := listScope{app: app, collection: collection, prefix: prefix}
	after, err := s.openCursor(scope, cursor)
	if err != nil {
		return nil, "", err
	}

	// One item more than asked for tells whether there is another page.
	items, more, err := s.page(ctx, scope, after, limit+1)
	if err != nil {
		return nil, "", err
	}
	if len(items) > limit {
		items = items[:limit]
		more = true
	}
	if !more {
		return items, "", nil
	}

	return items, s.sealCursor(scope, items[len(items)-1].Key), nil
}

// page reads the committed entries of a list behind the key after: at most limit, and maxPageBytes with the
// last of them. more says that the bytes ended it, so that it has at least one.
func (s *Store) page(ctx context.Context, scope listScope, after string, limit int) (
	items []Item, more bool, err error,
) {
	rows, err := s.cfg.DB.Queries().ListKeys(ctx, db.ListKeysParams{
		AppID:      int64(scope.app),
		Collection: scope.collection,
		Prefix:     scope.prefix,
		After:      after,
		Below:      successor(scope.prefix),
		Max:        int32(limit),
		MaxBytes:   maxPageBytes,
	})
	if err != nil {
		return nil, false, fmt.Errorf("list keys: %w", db.Translate(err))
	}

	items = make([]Item, len(rows))
	for k, row := range rows {
		items[k] = newItem(row)
	}
	return items, len(rows) > 0 && rows[0].Found > int64(len(rows)), nil
}

// successor returns the least string above everything that starts with prefix, so that the index can stop
// there; "" when there is none. UTF-8 sorts by code point.
func successor(prefix string) string {
	for prefix != "" {
		last, size := utf8.DecodeLastRuneInString(prefix)
		prefix = prefix[:len(prefix)-size]

		switch {
		case last == utf8.MaxRune: // nothing follows it: the rune before it must grow
			continue
		case last+1 == 0xd800: // UTF-8 has no surrogates
			return prefix + "\ue000"
		default:
			return prefix + string(last+1)
		}
	}
	return ""
}

// listItem is an item as scripts get it.
type listItem struct {
	Key       string          `json:"key"`
	Value     json.RawMessage `json:"value"`
	Version   int64           `json:"version"`
	ExpiresAt *int64          `json:"expiresAt"` // Unix milliseconds
}

// list answers a run's list call: the committed page with the run's own writes laid over it.
func (s *Session) list(ctx context.Context, call cloud.KVList) (cloud.HostReply, error) {
	limit := call.Limit
	if err := CheckCollection(call.Collection); err != nil {
		return cloud.HostReply{}, asHostError(err)
	}
	if limit < 1 || limit > MaxList {
		return cloud.HostReply{}, hostError("RangeError", "limit must be from 1 to %d", MaxList)
	}
	if len(call.Prefix) > MaxKey {
		return cloud.HostReply{}, hostError("TypeError", "a prefix has at most %d bytes", MaxKey)
	}
	if err := checkText("a prefix", call.Prefix); err != nil {
		return cloud.HostReply{}, asHostError(err)
	}

	scope := listScope{app: s.app, collection: call.Collection, prefix: call.Prefix}
	after, err := s.store.openCursor(scope, call.Cursor)
	if err != nil {
		return cloud.HostReply{}, asHostError(err)
	}

	// Each own write can remove at most one committed item, so this many are enough to fill the page and to
	// see whether there is another.
	own := s.ownWrites(scope, after)
	wanted := limit + 1 + len(own)
	items, more, err := s.store.page(ctx, scope, after, wanted)
	if err != nil {
		return cloud.HostReply{}, err
	}

	merged := merge(items, own, more || len(items) == wanted)

	cursor := "null"
	switch {
	case len(merged) > limit:
		merged = merged[:limit]
		cursor = `"` + s.store.sealCursor(scope, merged[limit-1].Key) + `"`
	case more:
		cursor = `"` + s.store.sealCursor(scope, items[len(items)-1].Key) + `"`
	}
	body, err := json.Marshal(merged)
	if err != nil {
		return cloud.HostReply{}, fmt.Errorf("encode page: %w", err)
	}
	return cloud.HostReply{JSON: `{"items":` + string(body) + `,"cursor":` + cursor + `}`}, nil
}

// ownWrite is the state in which a run leaves a key; Found is false for one that it deleted.
type ownWrite struct {
	key   string
	entry Entry
}

// ownWrites returns the run's writes that belong to a list behind the key after, in byte order.
func (s *Session) ownWrites(scope listScope, after string) []ownWrite {
	s.mu.Lock()
	defer s.mu.Unlock()

	var writes []ownWrite
	for ref, entry := range s.own {
		if ref.Collection == scope.collection && strings.HasPrefix(ref.Key, scope.prefix) && ref.Key > after {
			writes = append(writes, ownWrite{ref.Key, entry})
		}
	}
	slices.SortFunc(writes, func(a, b ownWrite) int { return strings.Compare(a.key, b.key) })
	return writes
}

// merge lays own writes over a page. With more pages to come, own writes beyond the page's end are left to
// those.
func merge(items []Item, own []ownWrite, more bool) []listItem {
	merged := make([]listItem, 0, len(items)+len(own))
	add := func(w ownWrite) {
		beyond := more && w.key > items[len(items)-1].Key
		if w.entry.Found && !beyond {
			merged = append(merged, newListItem(w.key, w.entry.Value, w.entry.Version, expiry(w.entry)))
		}
	}

	for _, item := range items {
		for len(own) > 0 && own[0].key < item.Key {
			add(own[0])
			own = own[1:]
		}

		// An own write of the same key takes the place of the committed item.
		if len(own) > 0 && own[0].key == item.Key {
			add(own[0])
			own = own[1:]
			continue
		}
		merged = append(merged, newListItem(item.Key, item.Value, item.Version, item.Expires))
	}

	for _, w := range own {
		add(w)
	}
	return merged
}

func newListItem(key, value string, version int64, expires *time.Time) listItem {
	item := listItem{Key: key, Value: json.RawMessage(value), Version: version}
	if expires != nil {
		millis := expires.UnixMilli()
		item.ExpiresAt = &millis
	}
	return item
}

func expiry(e Entry) *time.Time {
	if e.Expires.IsZero() {
		return nil
	}
	return &e.Expires
}
