package commit

import (
	"strings"
	"testing"

	"picloud/internal/cloud"
)

// An answer that nobody waited for is kept with what is known of it, in a form that PostgreSQL takes.
func TestAbandoned(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, commitOf(Abandoned{
		ID:        cloud.ID{1},
		Script:    script.ID,
		Name:      script.Name,
		Execution: cause.Execution,
		Status:    200,
		Summary:   "a\x00b",
		Reason:    "client-closed",
	}))
	f.expect(t, "applied")

	p := of[*abandonedSection](f.Group).insert
	if p.Ids[0] != (cloud.ID{1}) || p.Apps[0] != int64(app) || p.ScriptIds[0] != script.ID ||
		p.Scripts[0] != script.Name ||
		p.Executions[0] != cause.Execution || p.Statuses[0] != 200 || p.Reasons[0] != "client-closed" {
		t.Errorf("parameters %+v", p)
	}
	if strings.ContainsRune(p.Summaries[0], 0) {
		t.Errorf("the summary %q cannot be stored", p.Summaries[0])
	}
}
