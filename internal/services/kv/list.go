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

// Item is an entry with its key.
type Item struct {
	Key       string
	Value     string
	Version   int64
	Expires   *time.Time
	UpdatedAt time.Time
}

// MaxList is the most items of a page.
const MaxList = 1000

// List gives a page of a collection in byte order, and the cursor of the next one.
func (s *Store) List(ctx context.Context, app cloud.AppID, collection, prefix, cursor string, limit int) ([]Item, string, error) {
	after, err := s.openCursor(app, collection, prefix, cursor)
	if err != nil {
		return nil, "", err
	}
	items, err := s.page(ctx, app, collection, prefix, after, limit+1)
	if err != nil {
		return nil, "", err
	}
	if len(items) <= limit {
		return items, "", nil
	}
	items = items[:limit]
	return items, s.sealCursor(app, collection, prefix, items[limit-1].Key), nil
}

func (s *Store) page(ctx context.Context, app cloud.AppID, collection, prefix, after string, max int) ([]Item, error) {
	rows, err := s.cfg.DB.Queries().ListKeys(ctx, db.ListKeysParams{AppID: int64(app), Collection: collection, Prefix: prefix,
		After: after, Below: successor(prefix), Max: int32(max)})
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", db.Translate(err))
	}
	items := make([]Item, len(rows))
	for k, r := range rows {
		items[k] = Item{Key: r.Key, Value: r.Value, Version: r.Version, Expires: r.ExpiresAt, UpdatedAt: r.UpdatedAt}
	}
	return items, nil
}

// successor is the least string above everything that starts with prefix; "" when there is none. UTF-8 sorts by code point.
func successor(prefix string) string {
	for prefix != "" {
		r, size := utf8.DecodeLastRuneInString(prefix)
		prefix = prefix[:len(prefix)-size]
		switch {
		case r == utf8.MaxRune:
			continue
		case r+1 == 0xd800: // surrogates are no characters
			return prefix + "\ue000"
		default:
			return prefix + string(r+1)
		}
	}
	return ""
}

type listItem struct {
	Key       string          `json:"key"`
	Value     json.RawMessage `json:"value"`
	Version   int64           `json:"version"`
	ExpiresAt *int64          `json:"expiresAt"` // Unix milliseconds
}

// list is a page as the run sees it: the committed state under its own writes.
func (s *Session) list(ctx context.Context, a cloud.HostArgs) (cloud.HostReply, error) {
	limit := int(a.Number)
	if limit < 1 || limit > MaxList {
		return cloud.HostReply{}, hostError("RangeError", "limit must be from 1 to %d", MaxList)
	}
	if len(a.Key) > MaxKey {
		return cloud.HostReply{}, hostError("TypeError", "a prefix has at most %d bytes", MaxKey)
	}
	if err := checkText("a prefix", a.Key); err != nil {
		return cloud.HostReply{}, asHostError(err)
	}
	from, err := s.store.openCursor(s.app, a.Collection, a.Key, a.Cursor)
	if err != nil {
		return cloud.HostReply{}, asHostError(err)
	}
	own := s.ownKeys(a.Collection, a.Key, from)
	items, err := s.store.page(ctx, s.app, a.Collection, a.Key, from, limit+1+len(own))
	if err != nil {
		return cloud.HostReply{}, err
	}
	more := len(items) == limit+1+len(own)
	merged := merge(items, own, more)
	cursor := "null"
	if len(merged) > limit {
		merged = merged[:limit]
		cursor = `"` + s.store.sealCursor(s.app, a.Collection, a.Key, merged[limit-1].Key) + `"`
	}
	body, err := json.Marshal(merged)
	if err != nil {
		return cloud.HostReply{}, fmt.Errorf("encode page: %w", err)
	}
	return cloud.HostReply{JSON: `{"items":` + string(body) + `,"cursor":` + cursor + `}`}, nil
}

type ownKey struct {
	key string
	e   Entry
}

func (s *Session) ownKeys(collection, prefix, after string) []ownKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []ownKey
	for k, e := range s.own {
		if k.Collection == collection && strings.HasPrefix(k.Key, prefix) && k.Key > after {
			out = append(out, ownKey{k.Key, e})
		}
	}
	slices.SortFunc(out, func(a, b ownKey) int { return strings.Compare(a.key, b.key) })
	return out
}

// merge lays own writes over a page. When the page is not the last, own keys beyond its end belong to later pages.
func merge(items []Item, own []ownKey, more bool) []listItem {
	out := make([]listItem, 0, len(items)+len(own))
	last := ""
	if more {
		last = items[len(items)-1].Key
	}
	take := func(o ownKey) {
		if !o.e.Found || more && o.key > last {
			return
		}
		it := listItem{Key: o.key, Value: json.RawMessage(o.e.Value), Version: o.e.Version}
		if !o.e.Expires.IsZero() {
			ms := o.e.Expires.UnixMilli()
			it.ExpiresAt = &ms
		}
		out = append(out, it)
	}
	for _, it := range items {
		for len(own) > 0 && own[0].key < it.Key {
			take(own[0])
			own = own[1:]
		}
		if len(own) > 0 && own[0].key == it.Key {
			take(own[0])
			own = own[1:]
			continue
		}
		li := listItem{Key: it.Key, Value: json.RawMessage(it.Value), Version: it.Version}
		if it.Expires != nil {
			ms := it.Expires.UnixMilli()
			li.ExpiresAt = &ms
		}
		out = append(out, li)
	}
	for _, o := range own {
		take(o)
	}
	return out
}

// Get reads one entry with its times; found is false when it is absent or expired.
func (s *Store) Get(ctx context.Context, app cloud.AppID, collection, key string) (Item, error) {
	r, err := s.cfg.DB.Queries().ReadEntry(ctx, int64(app), collection, key)
	if err != nil {
		return Item{}, fmt.Errorf("read entry: %w", db.Translate(err))
	}
	return Item{Key: r.Key, Value: r.Value, Version: r.Version, Expires: r.ExpiresAt, UpdatedAt: r.UpdatedAt}, nil
}

// Collection is a collection with the number of its keys, counted to 10,001.
type Collection struct {
	Name string
	Keys int64
}

// Collections lists an app's collections by name.
func (s *Store) Collections(ctx context.Context, app cloud.AppID, after string, limit int) ([]Collection, error) {
	rows, err := s.cfg.DB.Queries().ListCollections(ctx, int64(app), int32(limit), after)
	if err != nil {
		return nil, fmt.Errorf("list collections: %w", db.Translate(err))
	}
	out := make([]Collection, len(rows))
	for k, r := range rows {
		out[k] = Collection{Name: r.Collection, Keys: r.Keys}
	}
	return out, nil
}
