package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"picloud/internal/testkit"
)

// The doctor finds an installation well, and says of each thing that is not what it is; it changes nothing.
func TestDoctor(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	p := people(w)
	w.deploy("clock", clockwork)
	w.api("PUT", "/apps/default/secrets/KEY", map[string]any{"value": "a secret value"}).want(200)
	id := w.trigger(map[string]any{"kind": "cron", "script": "clock", "schedule": "0 0 1 1 *"})
	report := func() map[string]string {
		t.Helper()

		states := map[string]string{}
		for _, it := range w.api("GET", "/doctor", nil).want(200).items() {
			m := it.(map[string]any)
			check := m["check"].(string)
			if states[check] == "" || m["state"] != "ok" {
				states[check] = fmt.Sprint(m["state"], ": ", m["text"])
			}
		}
		return states
	}

	w.eventually("the node listens", func() bool { return w.n.orchestrator.Stats().Listening })

	// PostgreSQL of the tests need not survive a crash of the machine.
	loose := "warn: fsync is off, full_page_writes is off:"
	for check, s := range report() {
		if !strings.HasPrefix(s, "ok: ") && (check != "durability" || !strings.HasPrefix(s, loose)) {
			t.Errorf("%s is %s", check, s)
		}
	}

	if len(report()) != 14 {
		t.Errorf("checks %v", report())
	}
	p["viewer"].api("GET", "/doctor", nil).want(403)

	for _, c := range []struct{ sql, check, want string }{
		{`INSERT INTO ledger (commit_id, app_id, what, n) VALUES (gen_random_uuid(), 1, 'enqueued', 3)`, "conservation", "bad: the ledger does not add up in default"},
		{`UPDATE schedules SET fire_at = clock_timestamp() - interval '1 hour'; INSERT INTO leases VALUES ('cron', 'somebody', 'infinity')`, "schedules", "bad: 1 schedule should have fired"},
		{`UPDATE schedules SET fire_at = next_slot + interval '300 days'`, "schedules", "bad: 1 schedule with a later next slot than it can have"},
		{`UPDATE schedules SET fire_at = clock_timestamp() - interval '1 hour'`, "leases", "warn: 1 lease held by a node that is not in the table"},
		{`INSERT INTO leases VALUES ('some', 'somebody', clock_timestamp() + interval '1 day')`, "leases", "warn: 1 lease with a later end than any can have"},
		{`DELETE FROM leases WHERE name = 'some'; INSERT INTO executions (app_id, id, script_id, script, version, source, status, attempt, depth, root_id, node, started_at, duration_us)
			VALUES (1, 'ffffffff-0000-7000-8000-000000000000', gen_random_uuid(), 's', 1, 'http', 'succeeded', 1, 0, gen_random_uuid(), 'n', clock_timestamp(), 1)`,
			"executions", "warn: 1 execution of days that have no partition"},
		{`DELETE FROM schedules WHERE trigger_id = '` + id + `'`, "schedules", "bad: 1 enabled cron trigger without a next slot"},
		{`INSERT INTO nodes (name, version, free, seen_at) VALUES ('old', 'v0', 1, clock_timestamp() - interval '1 hour')`, "versions", "warn: the nodes have different versions"},
		{`SELECT 1`, "nodes", "warn: not heard of for over a minute: old"},
		{`UPDATE nodes SET seen_at = clock_timestamp() + interval '1 second', listener_pid = NULL WHERE name <> 'old'`, "listening", "warn: no notification reaches"},
		{`UPDATE variables SET key_id = 'another'`, "master key", "bad: 1 variable sealed by another master key"},
		{`INSERT INTO outbox (app_id, id, source, op, script_id, root_id, depth, execution_id, max_attempts, backoff, base_ms, max_ms, jitter, wake_at, claimed_by, claim_token)
			VALUES (1, gen_random_uuid(), 'later', '', gen_random_uuid(), gen_random_uuid(), 0, gen_random_uuid(), 1, 'constant', 0, 0, 0, clock_timestamp() - interval '1 hour', 'gone', gen_random_uuid()),
			       (1, gen_random_uuid(), 'later', '', gen_random_uuid(), gen_random_uuid(), 0, gen_random_uuid(), 1, 'constant', 0, 0, 0, clock_timestamp() - interval '1 hour', NULL, NULL)`,
			"leases", "bad: 1 event held by a node"},
		{`SELECT 1`, "queue", "warn: 1 event due for over five minutes"},
	} {
		for _, statement := range strings.Split(c.sql, ";") {
			if _, err := w.n.db.General.Exec(context.Background(), statement); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
		if got := report()[c.check]; !strings.HasPrefix(got, c.want) {
			t.Errorf("%s is %q, want %q", c.check, got, c.want)
		}
	}

	var out bytes.Buffer
	if err := examine(context.Background(), w.n, &out); err == nil {
		t.Error("the command finds nothing bad")
	}
	has(t, "the command", out.String(), "bad   conservation  the ledger", "ok    clock")

	b := w.browse("admin")
	b.open("/system")
	b.shows("<h2>Checks</h2>", "cannot be opened", "without a next slot")
}

// Every metric that the guide explains is there, and no other; the queues are counted.
func TestMetrics(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.deploy("bad", `export default { fetch: () => 1, kv() { throw new Error("no") } }`)
	w.trigger(map[string]any{"kind": "kv", "script": "bad", "collection": "c", "retry": map[string]any{"max_attempts": 1}})
	w.api("PUT", "/apps/default/kv/c/k", map[string]any{"value": 1}).want(200)
	w.do("GET", "/f/default/bad", nil).want(200)
	var body string
	scrape := func() string {
		body = w.do("GET", "/metrics", nil, "Authorization", "Bearer "+w.token).want(200).body
		return body
	}

	// The row is there with the commit, the node counts the run a moment after.
	w.eventually("the dead letter in the metrics", func() bool {
		return strings.Contains(scrape(), "picloud_dead_letters_unresolved 1\n") && strings.Contains(body, "picloud_run_duration_seconds_count 2\n")
	})

	for _, line := range []string{`picloud_runs_total{outcome="failed"} 1`, `picloud_runs_total{outcome="succeeded"} 1`, `picloud_outbox_rows{state="waiting"} 0`, "picloud_run_duration_seconds_count 2",
		`picloud_run_duration_seconds_bucket{le="+Inf"} 2`, "picloud_outbox_overdue_seconds 0", "picloud_schedule_overdue_seconds 0"} {
		if !strings.Contains(body, line+"\n") {
			t.Errorf("no line %s in\n%s", line, body)
		}
	}

	guide, err := os.ReadFile(filepath.Join(testkit.Root(), "docs", "operating.md"))
	if err != nil {
		t.Fatal(err)
	}

	for _, m := range regexp.MustCompile(`(?m)^# TYPE (picloud_\w+) `).FindAllStringSubmatch(body, -1) {
		short := strings.TrimPrefix(m[1], "picloud_sandbox")
		if !strings.Contains(string(guide), "`"+m[1]) && !strings.Contains(string(guide), "`"+short+"`") {
			t.Errorf("the guide does not explain %s", m[1])
		}
	}

	for _, m := range regexp.MustCompile("`(picloud_\\w+)").FindAllStringSubmatch(string(guide), -1) {
		if !strings.Contains(body, "# TYPE "+m[1]+" ") && m[1] != "picloud_schedule_slots_total" {
			t.Errorf("the guide explains %s, which is not there", m[1])
		}
	}
}
