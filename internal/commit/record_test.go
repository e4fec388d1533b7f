package commit

import (
	"strings"
	"testing"
	"time"

	"picloud/internal/cloud"
)

func execution() *cloud.Execution {
	return &cloud.Execution{
		App:        app,
		ID:         cause.Execution,
		Script:     script.ID,
		Name:       script.Name,
		Version:    3,
		Source:     cloud.SourceHTTP,
		Status:     cloud.Failed,
		Attempt:    2,
		Depth:      1,
		Root:       cause.Root,
		Principal:  "key:ann",
		Request:    "GET /\x00",
		Started:    clock,
		Duration:   3 * time.Millisecond,
		HTTPStatus: 502,
		Error:      cloud.ScriptError{Name: "Error", Message: "\x00", Stack: "\x00"},
		After:      cloud.Succeeded,
		Usage:      cloud.Usage{CPU: time.Millisecond, MemoryKiB: 9},
	}
}

// A record goes with its commit, whatever else that does, and not with one that is lost.
func TestRecord(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil,
		commitOf(Record{execution()}),
		commitOf(ends(claimed(1), 1), Record{execution()}),
	)
	f.expect(t, "applied", "lost")
	if n := len(of[*recordSection](f.Group).executions); n != 1 {
		t.Errorf("%d executions are recorded", n)
	}
}

// Every field of an execution has its column, in a form that PostgreSQL takes.
func TestExecutionRows(t *testing.T) {
	t.Parallel()
	p := ExecutionRows("here", []*cloud.Execution{execution(), execution()})
	if p.Node != "here" || len(p.Ids) != 2 {
		t.Fatalf("parameters %+v", p)
	}
	if p.Apps[0] != int64(app) || p.Ids[0] != cause.Execution || p.ScriptIds[0] != script.ID ||
		p.Scripts[0] != script.Name || p.Versions[0] != 3 {
		t.Errorf("script: %+v", p)
	}
	if p.Sources[0] != "http" || p.Statuses[0] != "failed" || p.Attempts[0] != 2 || p.Depths[0] != 1 ||
		p.Roots[0] != cause.Root ||
		p.Principals[0] != "key:ann" || p.AfterStatuses[0] != "succeeded" {
		t.Errorf("run: %+v", p)
	}
	if !p.StartTimes[0].Equal(clock) || p.Durations[0] != 3000 || p.HttpStatuses[0] != 502 ||
		p.CpuUs[0] != 1000 || p.MemoryKib[0] != 9 {
		t.Errorf("numbers: %+v", p)
	}

	for what, text := range map[string]string{"request": p.Requests[0], "message": p.ErrorMessages[0],
		"stack": p.ErrorStacks[0]} {
		if strings.ContainsRune(text, 0) {
			t.Errorf("the %s %q cannot be stored", what, text)
		}
	}
}

// A log is stored as JSON lines, an empty one as nothing. What was dropped is said in a line of its own,
// which the execution's own lines do not get.
func TestLogsJSON(t *testing.T) {
	t.Parallel()
	lines := make([]cloud.LogLine, 1, 2)
	lines[0] = cloud.LogLine{At: clock, Level: "log", Message: `a "b"`}

	if got := LogsJSON(nil, 0); got != "" {
		t.Errorf("an empty log is %q", got)
	}
	if got := LogsJSON(lines, 0); got != `[{"at":"2026-03-02T10:00:00Z","level":"log","message":"a \"b\""}]` {
		t.Errorf("log %s", got)
	}
	dropped := LogsJSON(lines, 12)
	if strings.Count(dropped, `"level"`) != 2 || !strings.Contains(dropped, `"level":"warn"`) ||
		!strings.Contains(dropped, "12 more lines were dropped") {
		t.Errorf("log %s", dropped)
	}
	if spare := lines[:2][1]; spare != (cloud.LogLine{}) {
		t.Errorf("the lines of the execution were changed: %+v", spare)
	}
}
