package cloud

import (
	"strings"
	"time"
)

// Event sources that this version dispatches; rows of any other source are left alone.
const (
	SourceHTTP       = "http"
	SourceKV         = "kv"
	SourceCron       = "cron"
	SourceDeadLetter = "dead_letter"
)

// What becomes of slots that a cron trigger missed, and of one that comes while the run before goes on.
const (
	CatchUpNone  = "none"
	CatchUpOne   = "one"
	CatchUpAll   = "all"
	OverlapAllow = "allow"
	OverlapSkip  = "skip"
)

// Trigger binds a script to events.
type Trigger struct {
	App     AppID
	ID      ID
	Kind    string // kv, cron or dead_letter
	Script  ID
	Enabled bool
	Retry   Retry

	// kv
	Collection string // exact, prefix:* or *
	Ops        []string

	// cron
	Schedule   string
	Timezone   string
	CatchUp    string
	Overlap    string
	CronJitter time.Duration // the most that a slot fires after its time

	// dead_letter: filters, empty is any
	Source       string
	Trigger      ID
	FailedScript ID

	// Registrant is whom its runs act as; Refusal says why they may not.
	Registrant string
	Refusal    string
}

// MatchesKV reports whether a KV change concerns the trigger. op is insert, update or delete.
func (t *Trigger) MatchesKV(collection, op string) bool {
	if !t.Enabled || t.Kind != SourceKV || !MatchesCollection(t.Collection, collection) {
		return false
	}
	if len(t.Ops) == 0 {
		return true
	}
	for _, o := range t.Ops {
		if o == op {
			return true
		}
	}
	return false
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
