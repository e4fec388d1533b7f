// Package kv is the key-value store as scripts and operators see it. It reads the committed state, and its
// sessions collect what one run read and wrote until the orchestrator commits all of it at once. Nothing here
// writes to the database, and nothing here knows what a commit raises or whether it was applied.
package kv

import (
	"cmp"
	"context"
	"regexp"
	"time"
	"unicode/utf8"

	"picloud/db"
	"picloud/internal/cloud"
	"picloud/internal/fairshare"
)

// Limits of the store.
const (
	MaxValue = 256 << 10 // bytes of JSON
	MaxKey   = 512       // bytes of UTF-8

	// Limits of one run, its waitUntil work included.
	maxWrites     = 10_000
	maxWriteBytes = 64 << 20 // keys and values
	maxEvents     = 10_000   // outbox rows that its writes raise
	maxEventBytes = 16 << 20 // what those rows carry

	// maxSmallRun is how many bytes a run may write without a place among the large runs.
	maxSmallRun = 512 << 10

	minTTL = time.Second
	maxTTL = 10 * 366 * 24 * time.Hour
)

// Triggers counts the events that a write raises, so that a run is refused before it raises too many.
type Triggers interface {
	// MatchingKV counts the enabled triggers of an app that a change in a collection may raise.
	MatchingKV(app cloud.AppID, collection string) int
}

// Config is what a Store needs.
type Config struct {
	DB       *db.DB
	Triggers Triggers
	// CursorKey signs list cursors. All nodes have the same one: a cursor may come back to another node.
	CursorKey []byte
	// LargeRuns is how many runs may hold more than maxSmallRun of uncommitted writes at once; one app has
	// at most half of them, or the only one. 0: 4.
	LargeRuns int
}

// Store reads entries and opens sessions. It is safe for concurrent use.
type Store struct {
	cfg      Config
	reader   *reader
	queues   keyQueues
	versions versions
	// places bound the memory of what runs have written and not committed yet. A run takes one for all that
	// it may write, so that no two wait for each other.
	places *fairshare.Pool[cloud.AppID]
}

// New returns a Store.
func New(cfg Config) *Store {
	// Reads of scripts have connections of their own, so that a slow page of the dashboard does not hold them
	// up.
	read := func(ctx context.Context, params db.ReadKeysParams) ([]db.ReadKeysRow, error) {
		return db.New(cfg.DB.Scripts).ReadKeys(ctx, params)
	}
	return &Store{
		cfg:      cfg,
		reader:   &reader{query: read},
		queues:   newKeyQueues(),
		versions: versions{db: cfg.DB},
		places:   fairshare.New[cloud.AppID](int64(cmp.Or(cfg.LargeRuns, 4))),
	}
}

// Entry is the state of a key. Found is false for a key that is absent or expired.
type Entry struct {
	Found   bool
	Value   string    // JSON text
	Version int64     // of the last write; 0 for an absent key
	Expires time.Time // zero: never
}

var collectionName = regexp.MustCompile(`^[A-Za-z0-9:_-]{1,128}$`)

// CheckCollection returns an error of code invalid unless name can name a collection.
func CheckCollection(name string) error {
	if !collectionName.MatchString(name) {
		return cloud.Errorf(cloud.CodeInvalid, "the collection %q must match %s",
			cloud.Shorten(name), collectionName)
	}
	return nil
}

// CheckKey returns an error of code invalid unless key has 1 to 512 bytes of UTF-8 without NUL. The keys "."
// and ".." are refused because clients resolve them away in a URL's path.
func CheckKey(key string) error {
	switch {
	case key == "" || len(key) > MaxKey:
		return cloud.Errorf(cloud.CodeInvalid, "a key has 1 to %d bytes; this one has %d", MaxKey, len(key))
	case key == "." || key == "..":
		return cloud.Errorf(cloud.CodeInvalid, "a key must not be . or ..")
	}
	return checkText("a key", key)
}

// checkText refuses what PostgreSQL's text type cannot hold: NUL, and anything but UTF-8.
func checkText(what, text string) error {
	for i := range len(text) {
		if text[i] == 0 {
			return cloud.Errorf(cloud.CodeInvalid, "%s must not contain NUL", what)
		}
	}

	if !utf8.ValidString(text) {
		return cloud.Errorf(cloud.CodeInvalid, "%s must be valid UTF-8", what)
	}
	return nil
}
