package handlers

import (
	"slices"

	"picloud/internal/cloud"
	"picloud/internal/orchestrator"
)

// letterQuery selects dead letters, with its values as a caller gave them.
type letterQuery struct {
	State   string // unresolved, resolved or all
	Script  string
	Source  string
	Trigger string // a trigger's id
	Group   string // an error group
}

// filter checks the values.
func (q *letterQuery) filter() (orchestrator.LetterFilter, error) {
	f := orchestrator.LetterFilter{State: q.State, Script: q.Script, Source: q.Source, ErrorGroup: q.Group}
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

// list names what the query selects in an app, for cursors.
func (q *letterQuery) list(c *appCaller) string {
	return listName(c, "dead-letters", q.State, q.Script, q.Source, q.Trigger, q.Group)
}
