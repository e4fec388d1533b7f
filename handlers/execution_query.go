package handlers

import (
	"math"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/orchestrator"
)

// executionQuery selects executions, with its values as a caller gave them. Empty values select nothing.
type executionQuery struct {
	Script, Status, Source string
	Trigger, Root          string // ids
	From, To               time.Time
	Search                 string
}

// filter checks the values.
func (q *executionQuery) filter() (orchestrator.ExecutionFilter, error) {
	f := orchestrator.ExecutionFilter{Script: q.Script, Status: q.Status, Source: q.Source, From: q.From, To: q.To, Search: q.Search}
	for _, p := range []struct {
		text string
		to   *cloud.ID
		name string
	}{{q.Trigger, &f.Trigger, "trigger"}, {q.Root, &f.Root, "root"}} {
		if p.text == "" {
			continue
		}
		id, ok := cloud.ParseID(p.text)
		if !ok {
			return f, cloud.Errorf(cloud.CodeInvalid, "%s must be an id", p.name)
		}
		*p.to = id
	}
	return f, nil
}

// list names what the query selects in an app, for cursors.
func (q *executionQuery) list(c *appCaller) string {
	return listName(c, "executions", q.Script, q.Status, q.Source, q.Trigger, q.Root, q.From.String(), q.To.String(), q.Search)
}

// memoryMiB shows a record's KiB, with one decimal.
func memoryMiB(kib int64) float64 { return math.Round(float64(kib)/102.4) / 10 }
