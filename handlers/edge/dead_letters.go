package edge

import (
	"slices"
	"strings"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/history"
)

// LetterQuery selects dead letters, with its values as a caller gave them.
type LetterQuery struct {
	State   string // unresolved, resolved or all
	Script  string
	Source  string // what caused the event: http, kv, cron, ...
	Trigger string // a trigger's id
	Group   string // what cloud.ErrorGroup made of the error
	// From (included) and To are moments of RFC 3339, or of a form: without a zone they are UTC.
	From, To string
	Search   string // a text in the error or the payload
}

// Filter checks the values.
func (q *LetterQuery) Filter() (history.LetterFilter, error) {
	f := history.LetterFilter{
		State:      q.State,
		Script:     q.Script,
		Source:     q.Source,
		ErrorGroup: q.Group,
		Search:     q.Search,
	}
	if !slices.Contains([]string{"unresolved", "resolved", "all"}, q.State) {
		return f, cloud.Errorf(cloud.CodeInvalid, "state must be unresolved, resolved or all")
	}

	if q.Trigger != "" {
		id, ok := cloud.ParseID(q.Trigger)
		if !ok {
			return f, cloud.Errorf(cloud.CodeInvalid, "trigger must be an id")
		}
		f.Trigger = id
	}

	for _, p := range []struct {
		name, text string
		to         *time.Time
	}{{"from", q.From, &f.From}, {"to", q.To, &f.To}} {
		at, ok := parseMoment(p.text)
		if !ok {
			const text = "%s must be a time such as 2026-11-30T12:00:00Z"
			return f, cloud.Errorf(cloud.CodeInvalid, text, p.name)
		}
		*p.to = at
	}
	return f, nil
}

// parseMoment reads a moment; an empty text is none.
func parseMoment(text string) (at time.Time, ok bool) {
	if text == "" {
		return at, true
	}

	for _, layout := range []string{
		time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly,
	} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), true
		}
	}
	return at, false
}

// BulkCursor signs where a bulk action goes on: before an id, and behind the time at which its last letter is
// due, zero without a rate. It is "" for the zero id.
func (e *Edge) BulkCursor(list string, before cloud.ID, due time.Time) string {
	switch {
	case before.IsZero():
		return ""
	case due.IsZero():
		return e.Cursor(list, before.String())
	default:
		return e.Cursor(list, before.String()+" "+due.UTC().Format(time.RFC3339Nano))
	}
}

// OpenBulkCursor gives what a cursor of BulkCursor holds, zero values without a cursor.
func (e *Edge) OpenBulkCursor(list, cursor string) (before cloud.ID, due time.Time, err error) {
	text, err := e.OpenCursor(list, cursor)
	if err != nil || text == "" {
		return before, due, err
	}

	id, at, isPaced := strings.Cut(text, " ")
	before, ok := cloud.ParseID(id)
	if isPaced {
		due, err = time.Parse(time.RFC3339Nano, at)
	}
	if !ok || err != nil {
		return before, due, errCursor
	}
	return before, due, nil
}

// List names what the query selects in an app, for the cursors of a list or of a bulk action.
func (q *LetterQuery) List(c *AppCaller, what string) string {
	return ListName(c, what, q.State, q.Script, q.Source, q.Trigger, q.Group, q.From, q.To, q.Search)
}
