// Package kv is the key-value store as scripts and operators see it: reads of the committed state, and sessions that
// collect a run's writes and what it read until one commit takes them (orchestrator). Nothing here writes to the database.
package kv

import (
	"context"
	"fmt"
	"regexp"
	"sync"
	"time"
	"unicode/utf8"

	"picloud/db"
	"picloud/internal/cloud"
)

// Limits of the store.
const (
	MaxValue      = 256 << 10
	MaxKey        = 512
	maxWrites     = 10_000
	maxWriteBytes = 64 << 20
	maxRows       = 10_000
	maxPayload    = 16 << 20
	maxTTL        = 10 * 366 * 24 * time.Hour
)

// Triggers tells how many rows a write will raise.
type Triggers interface {
	// MatchingKV counts the enabled triggers of an app that a change in a collection may raise.
	MatchingKV(app cloud.AppID, collection string) int
}

// Config is what a Store needs.
type Config struct {
	DB       *db.DB
	Triggers Triggers
	// CursorKey signs list cursors.
	CursorKey []byte
}

// Store reads entries and opens sessions. It is safe for concurrent use.
type Store struct {
	cfg      Config
	reader   *reader
	turns    turns
	versions versions
}

// New returns a Store.
func New(cfg Config) *Store {
	s := &Store{cfg: cfg, reader: newReader(cfg.DB)}
	s.turns.byKey = map[cloud.KeyRef]*turn{}
	s.versions.db = cfg.DB
	return s
}

// Entry is the state of a key. Found false: absent or expired.
type Entry struct {
	Found   bool
	Value   string
	Version int64
	Expires time.Time // zero: never
}

var collectionName = regexp.MustCompile(`^[A-Za-z0-9:_-]{1,128}$`)

// CheckCollection refuses what is no collection's name.
func CheckCollection(name string) error {
	if !collectionName.MatchString(name) {
		return cloud.Errorf(cloud.CodeInvalid, "the collection %q must match %s", cloud.Shorten(name), collectionName)
	}
	return nil
}

// CheckKey refuses what is no key: 1 to 512 bytes of UTF-8 without NUL, not "." nor "..".
func CheckKey(key string) error {
	switch {
	case key == "" || len(key) > MaxKey:
		return cloud.Errorf(cloud.CodeInvalid, "a key has 1 to %d bytes; this one has %d", MaxKey, len(key))
	case key == "." || key == "..":
		return cloud.Errorf(cloud.CodeInvalid, "a key must not be . or ..")
	}
	return checkText("a key", key)
}

func checkText(what, s string) error {
	for k := range len(s) {
		if s[k] == 0 {
			return cloud.Errorf(cloud.CodeInvalid, "%s must not contain NUL", what)
		}
	}
	if !utf8.ValidString(s) {
		return cloud.Errorf(cloud.CodeInvalid, "%s must be valid UTF-8", what)
	}
	return nil
}

// versions hands out numbers from one sequence, in blocks of a thousand.
type versions struct {
	db   *db.DB
	mu   sync.Mutex
	next int64
	end  int64
}

func (v *versions) take(ctx context.Context) (int64, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.next == v.end {
		first, err := v.db.Queries().NextVersionBlock(ctx)
		if err != nil {
			return 0, fmt.Errorf("take a block of versions: %w", db.Translate(err))
		}
		v.next, v.end = first, first+1000
	}
	n := v.next
	v.next++
	return n, nil
}

// reader reads entries; reads that wait at the same moment share a statement.
type reader struct {
	db *db.DB

	mu      sync.Mutex
	waiting []*read
	busy    int
}

type read struct {
	key    cloud.KeyRef
	entry  Entry
	err    error
	doneCh chan struct{}
}

const (
	// maxReaders is the number of statements under way at once.
	maxReaders = 2
	maxBatch   = 256
)

func newReader(d *db.DB) *reader { return &reader{db: d} }

// readTimeout bounds a shared statement, which belongs to no single caller.
const readTimeout = 10 * time.Second

func (r *reader) get(ctx context.Context, key cloud.KeyRef) (Entry, error) {
	rd := &read{key: key, doneCh: make(chan struct{})}
	r.mu.Lock()
	r.waiting = append(r.waiting, rd)
	lead := r.busy < maxReaders
	if lead {
		r.busy++
	}
	r.mu.Unlock()
	if lead {
		go r.lead()
	}
	select {
	case <-rd.doneCh:
		return rd.entry, rd.err
	case <-ctx.Done():
		return Entry{}, context.Cause(ctx)
	}
}

// lead sends statements until nobody waits.
func (r *reader) lead() {
	for {
		r.mu.Lock()
		n := min(len(r.waiting), maxBatch)
		if n == 0 {
			r.busy--
			r.mu.Unlock()
			return
		}
		batch := r.waiting[:n:n]
		r.waiting = r.waiting[n:]
		r.mu.Unlock()
		r.read(batch)
	}
}

func (r *reader) read(batch []*read) {
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	arg := db.ReadKeysParams{}
	for k, rd := range batch {
		arg.Positions = append(arg.Positions, int32(k))
		arg.Apps = append(arg.Apps, int64(rd.key.App))
		arg.Collections = append(arg.Collections, rd.key.Collection)
		arg.Keys = append(arg.Keys, rd.key.Key)
	}
	rows, err := db.New(r.db.Scripts).ReadKeys(ctx, arg)
	for _, row := range rows {
		e := Entry{Found: true, Value: row.Value, Version: row.Version}
		if row.ExpiresAt != nil {
			e.Expires = *row.ExpiresAt
		}
		batch[row.I].entry = e
	}
	for _, rd := range batch {
		if err != nil {
			rd.err = fmt.Errorf("read key: %w", db.Translate(err))
		}
		close(rd.doneCh)
	}
}
