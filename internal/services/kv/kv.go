// Package kv is the key-value store as scripts and operators see it: reads of the committed state, and sessions that
// collect a run's writes and what it read until one commit takes them (orchestrator). Nothing here writes to the database.
package kv

import (
	"regexp"
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
