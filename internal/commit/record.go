package commit

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

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
		p.Requests = append(p.Requests, Storable(e.Request))

		p.StartTimes = append(p.StartTimes, e.Started)
		p.Durations = append(p.Durations, e.Duration.Microseconds())
		p.HttpStatuses = append(p.HttpStatuses, int32(e.HTTPStatus))
		p.ErrorNames = append(p.ErrorNames, Storable(e.Error.Name))
		p.ErrorMessages = append(p.ErrorMessages, Storable(e.Error.Message))
		p.ErrorStacks = append(p.ErrorStacks, Storable(e.Error.Stack))
		p.AfterStatuses = append(p.AfterStatuses, string(e.After))

		p.Logs = append(p.Logs, LogsJSON(e.Logs, e.LogsDropped))
		p.CpuUs = append(p.CpuUs, e.Usage.CPU.Microseconds())
		p.MemoryKib = append(p.MemoryKib, e.Usage.MemoryKiB)
	}
	return p
}

// LogsJSON is a log as it is stored: a JSON array of lines, "" for an empty log. A last line says how many were dropped.
func LogsJSON(lines []cloud.LogLine, dropped int) string {
	if len(lines) == 0 && dropped == 0 {
		return ""
	}
	if dropped > 0 {
		notice := fmt.Sprintf("the log limit of a run (%d lines, %d KiB) was reached; %d more lines were dropped",
			cloud.MaxLogLines, cloud.MaxLogBytes>>10, dropped)
		lines = append(lines[:len(lines):len(lines)], cloud.LogLine{At: time.Now().UTC(), Level: "warn", Message: notice})
	}
	return string(appendJSON(nil, lines))
}

// Storable makes a text one that PostgreSQL can hold: type text has neither NUL nor invalid UTF-8. Both become U+FFFD.
func Storable(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// appendJSON appends a value of our own types, which always encode.
func appendJSON(b []byte, v any) []byte {
	encoded, err := json.Marshal(v)
	if err != nil {
		return append(b, "null"...)
	}
	return append(b, encoded...)
}
