package commit

import (
	"context"
	"fmt"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

// Record keeps an execution, whatever else its commit does.
type Record struct{ *cloud.Execution }

func (r Record) require(*Group, *Commit) {}

func (r Record) decide(*Group, *Commit) Verdict { return applies() }

func (r Record) apply(g *Group, _ *Commit) {
	s := of[*recordSection](g)
	s.executions = append(s.executions, r.Execution)
}

// recordSection holds the executions that a group records.
type recordSection struct{ executions []*cloud.Execution }

func (s *recordSection) read(*Group, *db.Pipeline) {}

func (s *recordSection) write(ctx context.Context, g *Group, q *db.Queries) {
	if len(s.executions) > 0 {
		_ = q.InsertExecutions(ctx, ExecutionRows(g.cfg.Node, s.executions))
	}
}

// ExecutionRows makes the parameters that insert executions, in their order.
func ExecutionRows(node string, executions []*cloud.Execution) db.InsertExecutionsParams {
	p := db.InsertExecutionsParams{Node: node}
	for _, e := range executions {
		p.Apps = append(p.Apps, int64(e.App))
		p.Ids = append(p.Ids, e.ID)
		p.ScriptIds = append(p.ScriptIds, e.Script)
		p.Scripts = append(p.Scripts, e.Name)
		p.Versions = append(p.Versions, int32(e.Version))

		p.Sources = append(p.Sources, e.Source)
		p.Triggers = append(p.Triggers, e.Trigger)
		p.OutboxIds = append(p.OutboxIds, e.Outbox)

		p.Statuses = append(p.Statuses, string(e.Status))
		p.Attempts = append(p.Attempts, int32(e.Attempt))
		p.Depths = append(p.Depths, int32(e.Depth))
		p.Roots = append(p.Roots, e.Root)
		p.Parents = append(p.Parents, e.Parent)
		p.Principals = append(p.Principals, e.Principal)
		p.Requests = append(p.Requests, db.Storable(e.Request))

		p.StartTimes = append(p.StartTimes, e.Started)
		p.Durations = append(p.Durations, e.Duration.Microseconds())
		p.HttpStatuses = append(p.HttpStatuses, int32(e.HTTPStatus))
		p.ErrorNames = append(p.ErrorNames, db.Storable(e.Error.Name))
		p.ErrorMessages = append(p.ErrorMessages, db.Storable(e.Error.Message))
		p.ErrorStacks = append(p.ErrorStacks, db.Storable(e.Error.Stack))
		p.AfterStatuses = append(p.AfterStatuses, string(e.After))

		p.Logs = append(p.Logs, LogsJSON(e.Logs, e.LogsDropped))
		p.CpuUs = append(p.CpuUs, e.Usage.CPU.Microseconds())
		p.MemoryKib = append(p.MemoryKib, e.Usage.MemoryKiB)
	}

	return p
}

// LogsJSON is a log as it is stored: a JSON array of lines, "" for an empty log. A last line says how many
// were dropped.
func LogsJSON(lines []cloud.LogLine, dropped int) string {
	if len(lines) == 0 && dropped == 0 {
		return ""
	}
	if dropped > 0 {
		notice := fmt.Sprintf(
			"the log limit of a run (%d lines, %d KiB) was reached; %d more lines were dropped",
			cloud.MaxLogLines,
			cloud.MaxLogBytes>>10,
			dropped,
		)
		lines = append(
			lines[:len(lines):len(lines)],
			cloud.LogLine{At: time.Now().UTC(), Level: "warn", Message: notice},
		)
	}

	return string(cloud.AppendJSON(nil, lines))
}
