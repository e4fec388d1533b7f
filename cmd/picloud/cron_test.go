package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

const clockwork = `import { kv } from "picloud";
	export default { async scheduled(event, env, ctx) {
		await kv.collection("slots").increment(new Date(event.scheduledTime).toISOString());
		await kv.collection("last").set("event", { ...event, principal: ctx.principal.username, depth: ctx.depth, attempt: ctx.attempt }) } }`

func (w *fixture) slots(trigger string) []map[string]any {
	w.t.Helper()

	var all []map[string]any
	for cursor := ""; ; {
		r := w.api("GET", "/apps/default/triggers/"+trigger+"/slots?limit=100&cursor="+cursor, nil).want(200)
		for _, it := range r.items() {
			all = append(all, it.(map[string]any))
		}
		next, _ := r.json["next_cursor"].(string)
		if next == "" {
			return all
		}
		cursor = next
	}
}

func slotTime(t *testing.T, s map[string]any) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s["slot"].(string))
	if err != nil {
		t.Fatal(err)
	}

	return at
}

// Two nodes, a schedule of every second: each slot is fired once, also while one node goes; each is a row.
func TestCron(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	other := joinFixture(t, w.n.cfg.DatabaseURL)
	w.deploy("clock", clockwork)
	id := w.trigger(map[string]any{"kind": "cron", "script": "clock", "schedule": "* * * * * *", "timezone": "europe/berlin"})
	w.eventually("3 slots", func() bool { return len(w.slots(id)) >= 3 })
	w.n.Stop()
	before := len(other.slots(id))
	other.eventually("3 more slots", func() bool { return len(other.slots(id)) >= before+3 })
	r := other.api("GET", "/apps/default/triggers/"+id, nil).want(200)
	same(t, "schedule", r.str("schedule"), "* * * * * *")
	same(t, "timezone", r.str("timezone"), "Europe/Berlin")
	same(t, "catch_up", r.str("catch_up"), "one")
	same(t, "overlap", r.str("overlap"), "allow")
	same(t, "jitter_ms", r.number("jitter_ms"), 0)

	other.api("PATCH", "/apps/default/triggers/"+id, map[string]any{"enabled": false}).want(200)
	other.eventually("the last runs", func() bool {
		c := other.api("GET", "/apps/default/conservation", nil).want(200)
		return c.json["waiting"] == 0.0 && c.json["running"] == 0.0
	})

	slots := other.slots(id)

	runs := other.allKeys("slots")
	for k, s := range slots {
		at := slotTime(t, s)
		if s["state"] != "fired" || s["reason"] != "" || s["execution_id"] == nil {
			t.Errorf("slot %v", s)
		}
		if k > 0 && !slotTime(t, slots[k-1]).Equal(at.Add(time.Second)) {
			t.Errorf("between %v and %v there is a slot that is not a row", s, slots[k-1])
		}
		if n := runs[at.Format("2006-01-02T15:04:05.000Z")]; n != 1.0 {
			t.Errorf("slot %s ran %v times", at, n)
		}
	}

	if len(runs) != len(slots) {
		t.Errorf("%d slots, %d of them ran", len(slots), len(runs))
	}

	e, _ := other.kv("last", "event").(map[string]any)
	for name, want := range map[string]any{
		"cron": "* * * * * *", "timezone": "Europe/Berlin", "principal": "admin", "depth": 0.0, "attempt": 1.0,
	} {
		same(t, "the event's "+name, e[name], want)
	}

	ex := other.api("GET", fmt.Sprint("/apps/default/executions/", slots[0]["execution_id"]), nil).want(200)
	same(t, "the execution's source", ex.str("source"), "cron")
	same(t, "the execution's request", ex.str("request"), "* * * * * *")
	same(t, "the execution's trigger", ex.str("trigger_id"), id)
	same(t, "the execution's principal", ex.str("principal"), "registrant:admin")
	if up := other.api("GET", "/apps/default/triggers/"+id+"/slots", nil).want(200); len(up.json["upcoming"].([]any)) != 0 {
		t.Errorf("a disabled trigger has slots to come: %s", up.body)
	}

	other.balanced()
}

// After a downtime each trigger does what it was told to, and says so slot by slot; a change or a clock that
// was put back fires no slot again.
func TestCronCatchesUp(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.deploy("clock", clockwork)
	missed := func(id, by string) {
		t.Helper()
		_, err := w.n.db.General.Exec(context.Background(), `UPDATE schedules SET next_slot = next_slot - $2::interval, fire_at = fire_at - $2::interval WHERE trigger_id = $1`, id, by)
		if err != nil {
			t.Fatal(err)
		}
		w.n.orchestrator.Refresh(context.Background(), 1)
	}

	for catchUp, want := range map[string]map[string]int{"none": {"missed": 4}, "one": {"missed": 3, "late": 1}, "all": {"late": 4}} {
		id := w.trigger(map[string]any{"kind": "cron", "script": "clock", "schedule": "0 0 1 * *", "catch_up": catchUp})
		up := w.api("GET", "/apps/default/triggers/"+id+"/slots", nil).want(200)
		if l := up.json["upcoming"].([]any); len(l) != 10 || up.json["overdue_ms"] != 0.0 {
			t.Errorf("upcoming %s", up.body)
		}
		missed(id, "4 months")
		w.eventually("slots of catch_up "+catchUp, func() bool { return len(w.slots(id)) == 4 })

		got := map[string]int{}
		for _, s := range w.slots(id) {
			got[s["state"].(string)]++
			if (s["state"] == "missed") != strings.HasPrefix(s["reason"].(string), "PiCloud did not fire at this time") {
				t.Errorf("reason %v", s)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("catch_up %s: %v", catchUp, got)
		}
		if again := w.api("GET", "/apps/default/triggers/"+id+"/slots", nil).want(200); fmt.Sprint(again.json["upcoming"]) != fmt.Sprint(up.json["upcoming"]) {
			t.Errorf("it goes on with %v instead of %v", again.json["upcoming"], up.json["upcoming"])
		}
		// The database's clock goes back: slots that were decided stay so, whatever is changed.
		if _, err := w.n.db.General.Exec(context.Background(), `UPDATE slots SET slot = slot + interval '8 months' WHERE trigger_id = $1`, id); err != nil {
			t.Fatal(err)
		}
		w.api("PATCH", "/apps/default/triggers/"+id, map[string]any{"schedule": "0 0 1 1-12 *"}).want(200)
		next, err := time.Parse(time.RFC3339, w.api("GET", "/apps/default/triggers/"+id+"/slots", nil).want(200).json["upcoming"].([]any)[0].(string))
		if newest := slotTime(t, w.slots(id)[0]); err != nil || !next.After(newest) {
			t.Errorf("the slot %s was decided, and %s is to come", newest, next)
		}
		w.api("DELETE", "/apps/default/triggers/"+id+"?force=true", nil).want(204)
	}

	w.balanced()
}

// A schedule that does not fire as it should is shown as such, by the API and on the pages.
func TestCronWarns(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.deploy("clock", clockwork)
	id := w.trigger(map[string]any{"kind": "cron", "script": "clock", "schedule": "0 0 1 1 *"})

	// Another holder of the lease, whose time does not end, keeps it from firing.
	_, err := w.n.db.General.Exec(context.Background(), `INSERT INTO leases VALUES ('cron', 'somebody', 'infinity')`)
	if err == nil {
		_, err = w.n.db.General.Exec(context.Background(), `UPDATE schedules SET next_slot = clock_timestamp() - interval '10 minutes', fire_at = clock_timestamp() - interval '10 minutes'`)
	}
	if err != nil {
		t.Fatal(err)
	}

	w.n.orchestrator.Refresh(context.Background(), 1)
	if ms, _ := w.api("GET", "/apps/default/triggers/"+id+"/slots", nil).want(200).json["overdue_ms"].(float64); ms < 600_000 {
		t.Errorf("overdue %v", ms)
	}

	b := w.browse("admin")
	for _, page := range []string{"", "/triggers", "/triggers/" + id} {
		if text := b.open("/apps/default" + page).body; !strings.Contains(text, "should have fired 10 min ago and has not") {
			t.Errorf("no warning on %q", page)
		}
	}
	if _, err := w.n.db.General.Exec(context.Background(), `UPDATE leases SET until = clock_timestamp()`); err != nil {
		t.Fatal(err)
	}

	w.n.orchestrator.Refresh(context.Background(), 1)
	w.eventually("the slot", func() bool { s := w.slots(id); return len(s) == 1 && s[0]["state"] == "late" })
	if text := b.open("/apps/default").body; strings.Contains(text, "should have fired") {
		t.Error("it fired, and is warned of")
	}

	if m := w.do("GET", "/metrics", nil, "Authorization", "Bearer "+w.token).want(200).body; !strings.Contains(m, `picloud_schedule_slots_total{state="late"} 1`) {
		t.Errorf("metrics %s", m)
	}
}

// A run that goes on lets a slot be skipped, if the trigger says so; a failing one is retried and becomes a
// dead letter.
func TestCronOverlap(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.deploy("slow", `export default { async scheduled() { await new Promise((r) => setTimeout(r, 2600)) } }`)
	w.deploy("bad", `export default { scheduled() { throw new Error("no") } }`)
	id := w.trigger(map[string]any{"kind": "cron", "script": "slow", "schedule": "* * * * * *", "overlap": "skip"})
	bad := w.trigger(map[string]any{"kind": "cron", "script": "bad", "schedule": "0 0 1 1 *", "retry": map[string]any{"max_attempts": 2, "base_ms": 10}})
	fired := w.api("POST", "/apps/default/triggers/"+bad+"/fire", map[string]any{"event": map[string]any{"cron": "x", "scheduledTime": 0}}).want(202)
	w.eventually("skipped slots and one more run", func() bool {
		states := ""
		for _, s := range w.slots(id) {
			states = s["state"].(string)[:1] + states
			if s["state"] == "skipped" && s["reason"] != "the run before was not over" {
				t.Errorf("%v", s)
			}
		}
		return strings.HasPrefix(states, "fs") && strings.Contains(states[1:], "sf")
	})

	w.api("PATCH", "/apps/default/triggers/"+id, map[string]any{"enabled": false}).want(200)
	w.eventually("dead letter", func() bool {
		l := w.api("GET", "/apps/default/dead-letters?source=cron", nil).want(200)
		return len(l.items()) == 1 && l.get("items.0.attempts") == 2.0 && l.str("items.0.script") == "bad" && l.str("items.0.root_id") == fired.str("execution_id")
	})

	w.balanced()
}

// A schedule that cannot be meant is refused with a sentence that says why, and changes nothing.
func TestCronRefuses(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.deploy("clock", clockwork)
	w.deploy("web", `export default () => 1`)
	w.deploy("keys", `export default { kv() {} }`)

	for name, c := range map[string]struct {
		body map[string]any
		want string
	}{
		"no schedule": {map[string]any{
			"kind": "cron", "script": "clock",
		}, "needs a schedule"},
		"words": {map[string]any{
			"kind": "cron", "script": "clock", "schedule": "every day",
		}, "5 fields"},
		"30 February": {map[string]any{
			"kind": "cron", "script": "clock", "schedule": "0 0 30 2 *",
		}, "never comes"},
		"minute 61": {map[string]any{
			"kind": "cron", "script": "clock", "schedule": "61 * * * *",
		}, "is no minute"},
		"path as time zone": {map[string]any{
			"kind": "cron", "script": "clock", "schedule": "* * * * *", "timezone": "../../etc/passwd",
		}, "time zone"},
		"unknown catch_up": {map[string]any{
			"kind": "cron", "script": "clock", "schedule": "* * * * *", "catch_up": "some",
		}, "catch_up"},
		"unknown overlap": {map[string]any{
			"kind": "cron", "script": "clock", "schedule": "* * * * *", "overlap": "kill",
		}, "overlap"},
		"negative jitter": {map[string]any{
			"kind": "cron", "script": "clock", "schedule": "* * * * *", "jitter_ms": -1,
		}, "jitter_ms"},
		"collection": {map[string]any{
			"kind": "cron", "script": "clock", "schedule": "* * * * *", "collection": "x",
		}, "kv triggers"},
		"failed script": {map[string]any{
			"kind": "cron", "script": "clock", "schedule": "* * * * *", "failed_script": "x",
		}, "dead_letter triggers"},
		"schedule of a kv trigger": {map[string]any{
			"kind": "kv", "script": "keys", "collection": "x", "schedule": "* * * * *",
		}, "cron triggers"},
		"script without handler": {map[string]any{
			"kind": "cron", "script": "web", "schedule": "* * * * *",
		}, "exports no handler scheduled"},
		"10,000 bytes": {map[string]any{
			"kind": "cron", "script": "clock", "schedule": strings.Repeat("1,", 5000) + "1 * * * *",
		}, "not a cron expression"},
		"NUL": {map[string]any{
			"kind": "cron", "script": "clock", "schedule": "\x00 * * * *",
		}, "characters"},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.on(t).api("POST", "/apps/default/triggers", c.body).want(422)
			if !strings.Contains(r.body, c.want) {
				t.Errorf("no %q in %s", c.want, r.body)
			}
		})
	}

	id := w.trigger(map[string]any{"kind": "cron", "script": "clock", "schedule": "@daily", "jitter_ms": 1000})
	w.api("PATCH", "/apps/default/triggers/"+id, map[string]any{"schedule": "* * *"}).want(422)
	w.api("GET", "/apps/default/triggers/"+id+"/slots?cursor=forged", nil).want(422)
	w.api("GET", "/apps/default/triggers/00000000-0000-0000-0000-000000000000/slots", nil).want(404)
	if r := w.api("GET", "/apps/default/triggers/"+id, nil).want(200); r.str("schedule") != "@daily" {
		t.Errorf("after a refused change: %s", r.body)
	}
}

// Nodes are killed while a schedule of every second fires: every slot is a row, and every one that fired was
// handled once.
func TestCronKill(t *testing.T) {
	t.Parallel()
	url := newDatabase(t)
	env := []string{"DATABASE_URL=" + url, "PICLOUD_SECRET_KEY=" + testKey, "PICLOUD_LEASE=2s"}
	nodes := []*process{startProcess(t, env...), startProcess(t, env...)}
	defer func() {
		for _, p := range nodes {
			p.kill()
		}
	}()

	w := nodes[0].fixture()
	w.deploy("clock", clockwork)
	id := w.trigger(map[string]any{"kind": "cron", "script": "clock", "schedule": "* * * * * *", "catch_up": "all"})

	for round := range 3 {
		time.Sleep(1700 * time.Millisecond) // not to wait for anything: so much of the schedule passes before each kill
		victim := nodes[round%2]
		victim.kill()
		victim.restart(env...)
	}

	w = nodes[1].fixture()
	n := len(w.slots(id))
	w.eventually("it goes on", func() bool { return len(w.slots(id)) > n+2 })
	w.api("PATCH", "/apps/default/triggers/"+id, map[string]any{"enabled": false}).want(200)
	w.eventually("the last runs", func() bool {
		c := w.api("GET", "/apps/default/conservation", nil).want(200)
		return c.json["waiting"] == 0.0 && c.json["running"] == 0.0
	})

	slots := w.slots(id)

	runs := w.allKeys("slots")
	for k, s := range slots {
		at := slotTime(t, s)
		if k > 0 && !slotTime(t, slots[k-1]).Equal(at.Add(time.Second)) {
			t.Errorf("between %v and %v there is a slot that is not a row", s, slots[k-1])
		}
		if n := runs[at.Format("2006-01-02T15:04:05.000Z")]; n != 1.0 || s["state"] != "fired" && s["state"] != "late" {
			t.Errorf("slot %v ran %v times", s, n)
		}
	}

	if len(runs) != len(slots) {
		t.Errorf("%d slots, %d of them ran", len(slots), len(runs))
	}
	t.Logf("%d slots", len(slots))
	w.balanced()
}
