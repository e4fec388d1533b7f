package edge

import (
	"math"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/history"
)

// ExecutionQuery selects executions, with its values as a caller gave them. An empty value does not narrow
// the list.
type ExecutionQuery struct {
	Script string
	Status string
	// Source is what caused a run: http, kv, cron, ...
	Source string
	// Trigger and Root are ids.
	Trigger, Root string
	From, To      time.Time
	// Search is a text in the error, the request or the log.
	Search string
}

// Filter checks the values.
func (q *ExecutionQuery) Filter() (history.ExecutionFilter, error) {
	f := history.ExecutionFilter{
		Script: q.Script,
		Status: q.Status,
		Source: q.Source,
		From:   q.From,
		To:     q.To,
		Search: q.Search,
	}

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

// List names what the query selects in an app, for cursors.
func (q *ExecutionQuery) List(c *AppCaller) string {
	return ListName(c, "executions", q.Script, q.Status, q.Source, q.Trigger, q.Root,
		q.From.String(), q.To.String(), q.Search)
}

// MemoryMiB shows a record's KiB, with one decimal.
func MemoryMiB(kib int64) float64 { return math.Round(float64(kib)/102.4) / 10 }
