package history

import (
	"slices"
	"strings"
	"testing"

	"picloud/db"
)

func TestServerFindings(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name    string
		finding Finding
		state   string
		text    string
	}{
		{"room for all", connectionFinding(db.Capacity{Usable: 97, InUse: 24}), FindingOK, "24 of 97 connections"},
		{"crowded", connectionFinding(db.Capacity{Usable: 20, InUse: 18}), FindingWarn, "18 of 20 connections"},
		{
			"too few for a node", connectionFinding(db.Capacity{Usable: 7, InUse: 1, Limit: "max_connections is 10"}),
			FindingBad, "grants PiCloud 7 connections (max_connections is 10), and a node needs at least 9",
		},
		{"a disk with room", diskFinding(5 << 30), FindingOK, "5120 MiB are free"},
		{"little room", diskFinding(1<<30 - 1), FindingWarn, "only 1023 MiB are free"},
		{"no room", diskFinding(1 << 20), FindingBad, "only 1 MiB are free"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.finding.State != c.state || !strings.HasPrefix(c.finding.Text, c.text) &&
				!strings.Contains(c.finding.Text, c.text) {
				t.Errorf("%+v", c.finding)
			}
		})
	}
}

func TestLooseSettings(t *testing.T) {
	t.Parallel()
	safe := db.DurabilityRow{Fsync: "on", FullPageWrites: "on", SynchronousCommit: "local"}
	loose := db.DurabilityRow{Fsync: "off", FullPageWrites: "off", SynchronousCommit: "off"}
	want := []string{"fsync is off", "full_page_writes is off", "synchronous_commit is off"}

	if got := looseSettings(safe); len(got) != 0 {
		t.Errorf("of a safe server: %v", got)
	}
	if got := looseSettings(loose); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}
