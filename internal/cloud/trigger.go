package cloud

import (
	"slices"
	"strings"
	"time"
)

// Event sources that this version dispatches. Rows of any other source are left alone: a newer version put
// them there.
const (
	SourceHTTP       = "http"
	SourceKV         = "kv"
	SourceCron       = "cron"
	SourceDeadLetter = "dead_letter"
)

// What a cron trigger does with slots that it missed.
const (
	// CatchUpNone fires none of them.
	CatchUpNone = "none"
	// CatchUpOne fires the last of them.
	CatchUpOne = "one"
	// CatchUpAll fires each of them.
	CatchUpAll = "all"
)

// What a cron trigger does when a slot is due and an earlier one still waits or runs.
const (
	OverlapAllow = "allow"
	OverlapSkip  = "skip"
)

// Trigger binds a script to events.
type Trigger struct {
	App AppID
	ID  ID
	// Kind is kv, cron or dead_letter: the source of its events.
	Kind    string
	Script  ID
	Enabled bool
	Retry   Retry

	// Of kv triggers: a pattern as MatchesCollection reads it, and insert, update and delete, or none of
	// the three for all.
	Collection string
	Ops        []string

	// Of cron triggers. Schedule is the text of an expression: this package imports the standard library
	// only, so it has no type for a parsed one.
	Schedule string
	Timezone string
	CatchUp  string
	Overlap  string
	// CronJitter is the most that a slot fires after its time.
	CronJitter time.Duration

	// Filters of dead_letter triggers; a zero value matches everything.
	Source       string
	Trigger      ID
	FailedScript ID

	// Registrant is the user as whom its runs act. Refusal says why they may not, empty if they may.
	Registrant string
	Refusal    string
}

// MatchesKV reports whether a KV change concerns the trigger. op is insert, update or delete.
func (t *Trigger) MatchesKV(collection, op string) bool {
	if !t.Enabled || t.Kind != SourceKV || !MatchesCollection(t.Collection, collection) {
		return false
	}
	return len(t.Ops) == 0 || slices.Contains(t.Ops, op)
}

// MatchesCollection applies a pattern: an exact name, "prefix:*" or "*".
func MatchesCollection(pattern, collection string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(collection, prefix)
	}
	return pattern == collection
}

// MatchesDeadLetter reports whether a dead letter of that origin concerns the trigger.
func (t *Trigger) MatchesDeadLetter(source string, trigger, script ID) bool {
	return t.Enabled && t.Kind == SourceDeadLetter &&
		(t.Source == "" || t.Source == source) &&
		(t.Trigger.IsZero() || t.Trigger == trigger) &&
		(t.FailedScript.IsZero() || t.FailedScript == script)
}

// HandlerOf is the handler, in a script's default export, that gets the events of a source: a trigger's
// kind, or http.
func HandlerOf(source string) string {
	switch source {
	case SourceHTTP:
		return "fetch"
	case SourceCron:
		return "scheduled"
	case SourceDeadLetter:
		return "deadLetter"
	default:
		return source
	}
}
