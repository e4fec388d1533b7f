package edge

import (
	"slices"

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
}

// Filter checks the values.
func (q *LetterQuery) Filter() (history.LetterFilter, error) {
	f := history.LetterFilter{State: q.State, Script: q.Script, Source: q.Source, ErrorGroup: q.Group}
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
	return f, nil
}

// List names what the query selects in an app, for cursors.
func (q *LetterQuery) List(c *AppCaller) string {
	return ListName(c, "dead-letters", q.State, q.Script, q.Source, q.Trigger, q.Group)
}
