package manager_test

import (
	"strings"
	"testing"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
	"picloud/internal/manager"
	"picloud/internal/schedule"
)

// kvTrigger, cronTrigger and letterTrigger are valid triggers of the script s, which the cases change.
func kvTrigger() manager.TriggerChange {
	return manager.TriggerChange{Kind: new("kv"), Script: new("s"), Collection: new("c")}
}

func cronTrigger() manager.TriggerChange {
	return manager.TriggerChange{Kind: new("cron"), Script: new("s"), Schedule: new("30 2 * * *")}
}

func letterTrigger() manager.TriggerChange {
	return manager.TriggerChange{Kind: new("dead_letter"), Script: new("s")}
}

// Each kind of trigger has rules of its own, and refuses the fields of the other kinds.
func TestTriggerRules(t *testing.T) {
	t.Parallel()
	f := sharedFixture(t)
	f.deploy(t, f.app, "s", "export fetch kv scheduled deadLetter")
	f.deploy(t, f.app, "bare", "export fetch")
	f.deploy(t, f.app, "unknown", "throw no network here")
	f.deployModule(t, f.app, "lib", "export kv")
	foreign := f.newApp(t)
	f.deploy(t, foreign, "s", "export kv")
	foreignTrigger := cloud.ID(f.trigger(t, foreign, kvTrigger()).ID).String()

	type edit = manager.TriggerChange

	kv, cron, letter := kvTrigger, cronTrigger, letterTrigger
	for _, c := range []struct {
		name string
		base func() edit
		set  func(c *edit)
		text string // of the error, which is always invalid; empty: it is valid
	}{
		{"kv", kv, func(*edit) {}, ""},
		{"no kind", kv, func(c *edit) { c.Kind = nil }, "a trigger needs kind and script"},
		{"no script", kv, func(c *edit) { c.Script = nil }, "a trigger needs kind and script"},
		{"bad kind", kv, func(c *edit) { c.Kind = new("queue") }, "kind must be kv, cron or dead_letter"},
		{"missing script", kv, func(c *edit) { c.Script = new("nobody") }, `this app has no script "nobody"`},
		{"module", kv, func(c *edit) { c.Script = new("lib") }, `the script "lib" is a module`},
		{"no handler", kv, func(c *edit) { c.Script = new("bare") }, `"bare" exports no handler kv: add`},
		{
			"unknown handlers", kv, func(c *edit) { c.Script = new("unknown") },
			`what the script "unknown" exports is not known: no network here`,
		},

		{"prefix", kv, func(c *edit) { c.Collection = new("a:*") }, ""},
		{"all collections", kv, func(c *edit) { c.Collection = new("*") }, ""},
		{"no collection", kv, func(c *edit) { c.Collection = nil }, "collection must be"},
		{"bad prefix", kv, func(c *edit) { c.Collection = new("a*") }, "collection must be"},
		{"inner star", kv, func(c *edit) { c.Collection = new("a:*:b") }, "collection must be"},
		{
			"long collection", kv, func(c *edit) { c.Collection = new(strings.Repeat("c", 129)) },
			"collection must be",
		},
		{"ops", kv, func(c *edit) { c.Ops = &[]string{"update", "delete", "insert"} }, ""},
		{"bad op", kv, func(c *edit) { c.Ops = &[]string{"read"} }, "ops may have insert, update and delete"},
		{"kv with schedule", kv, func(c *edit) { c.Schedule = new("* * * * *") }, "belong to cron triggers"},
		{"kv with jitter", kv, func(c *edit) { c.JitterMS = new(int32(1)) }, "belong to cron triggers"},
		{"kv with source", kv, func(c *edit) { c.Source = new("kv") }, "belong to dead_letter triggers"},

		{"cron", cron, func(*edit) {}, ""},
		{"no schedule", cron, func(c *edit) { c.Schedule = nil }, "a cron trigger needs a schedule"},
		{"bad schedule", cron, func(c *edit) { c.Schedule = new("61 * * * *") }, "is not a cron expression"},
		{"never", cron, func(c *edit) { c.Schedule = new("0 0 30 2 *") }, "never comes"},
		{"bad zone", cron, func(c *edit) { c.Timezone = new("Mars/Base") }, `"Mars/Base" is not known`},
		{"catch up", cron, func(c *edit) { c.CatchUp = new("all") }, ""},
		{"bad catch up", cron, func(c *edit) { c.CatchUp = new("two") }, "catch_up must be none, one or all"},
		{"overlap", cron, func(c *edit) { c.Overlap = new("skip") }, ""},
		{"bad overlap", cron, func(c *edit) { c.Overlap = new("wait") }, "overlap must be allow or skip"},
		{"jitter", cron, func(c *edit) { c.JitterMS = new(int32(3_600_000)) }, ""},
		{"much jitter", cron, func(c *edit) { c.JitterMS = new(int32(3_600_001)) }, "from 0 to 3600000"},
		{"negative jitter", cron, func(c *edit) { c.JitterMS = new(int32(-1)) }, "from 0 to 3600000"},
		{"cron with ops", cron, func(c *edit) { c.Ops = &[]string{} }, "belong to kv triggers"},
		{"cron with collection", cron, func(c *edit) { c.Collection = new("c") }, "belong to kv triggers"},
		{
			"cron with filter", cron, func(c *edit) { c.FailedScript = new("s") },
			"belong to dead_letter triggers",
		},

		{"dead_letter", letter, func(*edit) {}, ""},
		{"source", letter, func(c *edit) { c.Source = new("http") }, ""},
		{
			"long source", letter, func(c *edit) { c.Source = new(strings.Repeat("s", 65)) },
			"source must be valid UTF-8 without NUL, of at most 64 bytes",
		},
		{"failed script", letter, func(c *edit) { c.FailedScript = new("bare") }, ""},
		{
			"bad failed script", letter, func(c *edit) { c.FailedScript = new("nobody") },
			`has no script "nobody"`,
		},
		{
			"bad trigger", letter, func(c *edit) { c.Trigger = new("1") },
			"trigger must be the id of a trigger",
		},
		{"foreign trigger", letter, func(c *edit) { c.Trigger = &foreignTrigger }, "this app has no trigger"},
		{"letter with zone", letter, func(c *edit) { c.Timezone = new("UTC") }, "belong to cron triggers"},
		{
			"letter with collection", letter, func(c *edit) { c.Collection = new("c") },
			"belong to kv triggers",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			change := c.base()
			c.set(&change)
			trigger, err := f.CreateTrigger(t.Context(), f.owner, f.app, change)
			if c.text != "" {
				wantError(t, err, cloud.CodeInvalid, c.text)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if stored, err := f.Trigger(t.Context(), f.app, trigger.ID); err != nil ||
				stored.Kind != *change.Kind {
				t.Errorf("stored %+v: %v", stored, err)
			}
		})
	}
}

func TestRetryRules(t *testing.T) {
	t.Parallel()
	f := sharedFixture(t)
	f.deploy(t, f.app, "s", "export kv")
	type retry = manager.RetryChange

	for _, c := range []struct {
		name  string
		retry retry
		text  string
	}{
		{"least", retry{new(int32(1)), new("constant"), new(int32(0)), new(int32(0)), new(0.0)}, ""},
		{
			"most",
			retry{new(int32(100)), new("linear"), new(int32(86_400_000)), new(int32(86_400_000)), new(1.0)},
			"",
		},
		{"no attempt", retry{MaxAttempts: new(int32(0))}, "retry.max_attempts must be from 1 to 100"},
		{"many attempts", retry{MaxAttempts: new(int32(101))}, "retry.max_attempts must be from 1 to 100"},
		{
			"backoff", retry{Backoff: new("random")},
			"retry.backoff must be one of constant, linear, exponential",
		},
		{"negative base", retry{BaseMS: new(int32(-1))}, "retry.base_ms must be from 0 to 86400000"},
		{"long base", retry{BaseMS: new(int32(86_400_001))}, "retry.base_ms must be from 0 to 86400000"},
		{
			"below base", retry{BaseMS: new(int32(10)), MaxMS: new(int32(9))},
			"retry.max_ms must be from base_ms to",
		},
		{"long max", retry{MaxMS: new(int32(86_400_001))}, "retry.max_ms must be from base_ms to 86400000"},
		{"negative jitter", retry{Jitter: new(-0.1)}, "retry.jitter must be from 0 to 1"},
		{"much jitter", retry{Jitter: new(1.1)}, "retry.jitter must be from 0 to 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			change := kvTrigger()
			change.Retry = &c.retry
			_, err := f.CreateTrigger(t.Context(), f.owner, f.app, change)
			if c.text != "" {
				wantError(t, err, cloud.CodeInvalid, c.text)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// A new trigger has the defaults, and the one who made it as its registrant.
func TestTriggerDefaults(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.deploy(t, f.app, "s", "export scheduled kv")
	tina := f.newUser(t, "tina", "member")

	change := cronTrigger()
	change.Timezone = new("europe/berlin")
	made, err := f.CreateTrigger(t.Context(), tina, f.app, change)
	if err != nil {
		t.Fatal(err)
	}

	got, err := f.Trigger(t.Context(), f.app, made.ID)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Enabled || got.CatchUp != "one" || got.Overlap != "allow" || got.JitterMs != 0 {
		t.Errorf("the trigger is %+v", got)
	}
	if got.MaxAttempts != 5 || got.Backoff != "exponential" || got.BaseMs != 1000 || got.MaxMs != 300_000 {
		t.Errorf("the retry policy is %d, %s, %d, %d", got.MaxAttempts, got.Backoff, got.BaseMs, got.MaxMs)
	}
	if got.Timezone != "Europe/Berlin" {
		t.Errorf("the time zone is %s", got.Timezone)
	}
	if *got.RegisteredBy != tina.UserID || got.RegisteredName != "tina" {
		t.Errorf("the registrant is %s", got.RegisteredName)
	}

	ops := kvTrigger()
	ops.Ops = &[]string{"update", "insert", "update"}
	if trigger := f.trigger(t, f.app, ops); strings.Join(trigger.Ops, " ") != "insert update" {
		t.Errorf("the operations are %v", trigger.Ops)
	}
}

// Filters of a dead_letter trigger are set by name and taken away by an empty text.
func TestDeadLetterFilters(t *testing.T) {
	t.Parallel()
	f := sharedFixture(t)
	f.deploy(t, f.app, "s", "export kv deadLetter")
	watched := f.trigger(t, f.app, kvTrigger())

	change := letterTrigger()
	change.Source = new("kv")
	change.Trigger = new(cloud.ID(watched.ID).String())
	change.FailedScript = new("s")
	trigger := f.trigger(t, f.app, change)
	got, err := f.Trigger(t.Context(), f.app, trigger.ID)
	if err != nil {
		t.Fatal(err)
	}
	if *got.SourceFilter != "kv" || *got.TriggerFilter != watched.ID || got.FailedScript != "s" {
		t.Errorf("the filters are %+v", got)
	}

	none := manager.TriggerChange{Source: new(""), Trigger: new(""), FailedScript: new("")}
	if _, err := f.UpdateTrigger(t.Context(), f.owner, f.app, trigger.ID, none); err != nil {
		t.Fatal(err)
	}

	got, err = f.Trigger(t.Context(), f.app, trigger.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got.SourceFilter != nil || got.TriggerFilter != nil || got.ScriptFilter != nil ||
		got.FailedScript != "" {
		t.Errorf("the filters are %+v", got)
	}
}

// schedule returns the slot that a cron trigger waits for and when it fires, zero for none.
func (f *fixture) schedule(t *testing.T, trigger *manager.Trigger) (slot, fire time.Time) {
	t.Helper()
	row, err := f.db.Queries().ScheduleOf(t.Context(), trigger.AppID, trigger.ID)
	if err != nil {
		return time.Time{}, time.Time{}
	}
	return row.NextSlot, row.FireAt
}

// A cron trigger waits for its next slot while it is enabled. What does not change its times keeps the slot.
func TestSchedules(t *testing.T) {
	t.Parallel()
	f := sharedFixture(t)
	ctx := t.Context()
	f.deploy(t, f.app, "s", "export scheduled")
	const jitter = 60_000
	change := cronTrigger()
	change.JitterMS = new(int32(jitter))
	trigger := f.trigger(t, f.app, change)

	parsed, _, err := schedule.Parse("30 2 * * *", "")
	if err != nil {
		t.Fatal(err)
	}

	slot, fire := f.schedule(t, trigger)
	want := parsed.Next(trigger.CreatedAt)
	if !slot.Equal(want) ||
		!fire.Equal(want.Add(schedule.Jitter(trigger.ID, want, jitter*time.Millisecond))) {
		t.Errorf("waits for %s, fires at %s, want %s", slot, fire, want)
	}

	update := func(change manager.TriggerChange) {
		t.Helper()
		if _, err := f.UpdateTrigger(ctx, f.owner, f.app, trigger.ID, change); err != nil {
			t.Fatal(err)
		}
	}

	// A mark that a schedule written anew does not have.
	marked := slot.Add(24 * time.Hour)
	mark := func() {
		t.Helper()
		err := f.db.Queries().PutSchedule(ctx, db.PutScheduleParams{
			AppID: trigger.AppID, TriggerID: trigger.ID, NextSlot: marked, FireAt: marked,
		})
		if err != nil {
			t.Fatal(err)
		}
	}

	for _, c := range []struct {
		name   string
		change manager.TriggerChange
		keeps  bool
	}{
		{"catch up", manager.TriggerChange{CatchUp: new("all")}, true},
		{"same schedule", manager.TriggerChange{Schedule: new(" 30 2 * * * ")}, true},
		{"retry", manager.TriggerChange{Retry: &manager.RetryChange{MaxAttempts: new(int32(2))}}, true},
		{"jitter", manager.TriggerChange{JitterMS: new(int32(0))}, false},
		{"zone", manager.TriggerChange{Timezone: new("Asia/Tokyo")}, false},
		{"schedule", manager.TriggerChange{Schedule: new("30 3 * * *")}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			mark()
			update(c.change)
			if slot, _ := f.schedule(t, trigger); slot.Equal(marked) != c.keeps {
				t.Errorf("waits for %s", slot)
			}
		})
	}

	update(manager.TriggerChange{Enabled: new(false)})
	if slot, _ := f.schedule(t, trigger); !slot.IsZero() {
		t.Errorf("a disabled trigger waits for %s", slot)
	}
	update(manager.TriggerChange{Enabled: new(true)})
	if slot, _ := f.schedule(t, trigger); slot.IsZero() {
		t.Error("an enabled trigger waits for nothing")
	}
}

// A slot that was decided fires once, even if the clock is put back to before it.
func TestScheduleAfterTheLastSlot(t *testing.T) {
	t.Parallel()
	f := sharedFixture(t)
	ctx := t.Context()
	f.deploy(t, f.app, "s", "export scheduled")
	trigger := f.trigger(t, f.app, cronTrigger())
	slot, _ := f.schedule(t, trigger)

	err := f.db.Queries().InsertSlots(ctx, db.InsertSlotsParams{
		Apps:       []int64{trigger.AppID},
		Ids:        []db.UUID{trigger.ID},
		Slots:      []time.Time{slot},
		States:     []string{"fired"},
		Reasons:    []string{""},
		Executions: []db.UUID{f.ids.New()},
	})
	if err != nil {
		t.Fatal(err)
	}

	change := manager.TriggerChange{JitterMS: new(int32(1))}
	if _, err := f.UpdateTrigger(ctx, f.owner, f.app, trigger.ID, change); err != nil {
		t.Fatal(err)
	}
	if next, _ := f.schedule(t, trigger); !next.Equal(slot.Add(24 * time.Hour)) {
		t.Errorf("%s was decided, and the next slot is %s", slot, next)
	}
}

func TestUpdateTrigger(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	f.deploy(t, f.app, "s", "export kv")
	f.deploy(t, f.app, "bare", "export fetch")
	trigger := f.trigger(t, f.app, kvTrigger())
	admin := f.newUser(t, "tom", "admin")

	for _, c := range []struct {
		name   string
		id     cloud.ID
		change manager.TriggerChange
		code   cloud.Code
		text   string
	}{
		{"same kind", trigger.ID, manager.TriggerChange{Kind: new("kv")}, "", ""},
		{
			"retry", trigger.ID, manager.TriggerChange{Retry: &manager.RetryChange{BaseMS: new(int32(7))}},
			"", "",
		},
		{
			"other kind", trigger.ID, manager.TriggerChange{Kind: new("cron")}, cloud.CodeInvalid,
			"kind of a trigger cannot change",
		},
		{
			"bad ops", trigger.ID, manager.TriggerChange{Ops: &[]string{"x"}}, cloud.CodeInvalid,
			"ops may have",
		},
		{
			"bad script", trigger.ID, manager.TriggerChange{Script: new("bare")}, cloud.CodeInvalid,
			"exports no handler kv",
		},
		{"missing", f.ids.New(), manager.TriggerChange{}, cloud.CodeNotFound, "no such trigger"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := f.UpdateTrigger(ctx, admin, f.app, c.id, c.change)
			check(t, err, c.code, c.text)
		})
	}

	got, err := f.Trigger(ctx, f.app, trigger.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got.BaseMs != 7 || got.MaxMs != 300_000 || got.Collection != "c" {
		t.Errorf("the trigger is %+v", got)
	}
	if got.RegisteredName != ownerName {
		t.Errorf("who changes a trigger became its registrant: %s", got.RegisteredName)
	}
}

// Events wait while their trigger is disabled, and are due again when it is enabled.
func TestDisabledTriggerParksEvents(t *testing.T) {
	t.Parallel()
	f := sharedFixture(t)
	ctx := t.Context()
	f.deploy(t, f.app, "s", "export kv")
	trigger := f.trigger(t, f.app, kvTrigger())
	f.enqueue(t, trigger)

	for _, enabled := range []bool{false, true} {
		change := manager.TriggerChange{Enabled: &enabled}
		if _, err := f.UpdateTrigger(ctx, f.owner, f.app, trigger.ID, change); err != nil {
			t.Fatal(err)
		}

		rows, err := f.db.Queries().ListOutbox(ctx, db.ListOutboxParams{AppID: f.app.ID, Max: 10, MaxBytes: 1 << 20})
		if err != nil || len(rows) != 1 || rows[0].Due != enabled {
			t.Errorf("enabled %v: the outbox has %+v: %v", enabled, rows, err)
		}
	}
}

// The limit counts enabled triggers: a disabled one can always be made, and only be enabled below the limit.
func TestTriggerLimit(t *testing.T) {
	t.Parallel()
	f := sharedFixture(t)
	ctx := t.Context()
	f.deploy(t, f.app, "s", "export kv")
	first := f.trigger(t, f.app, kvTrigger())
	_, err := f.db.General.Exec(ctx, `INSERT INTO triggers
		SELECT (t).* FROM (SELECT jsonb_populate_record(t, jsonb_build_object('id', gen_random_uuid())) AS t
			FROM triggers t, generate_series(2, $1)) q`, manager.MaxTriggers)
	if err != nil {
		t.Fatal(err)
	}

	const text = "an app can have 1000 enabled triggers"

	_, err = f.CreateTrigger(ctx, f.owner, f.app, kvTrigger())
	wantError(t, err, cloud.CodeInvalid, text)

	disabled := kvTrigger()
	disabled.Enabled = new(false)
	spare := f.trigger(t, f.app, disabled)
	on := manager.TriggerChange{Enabled: new(true)}
	_, err = f.UpdateTrigger(ctx, f.owner, f.app, spare.ID, on)
	wantError(t, err, cloud.CodeInvalid, text)
	if _, err := f.UpdateTrigger(ctx, f.owner, f.app, first.ID, on); err != nil {
		t.Errorf("a trigger that is enabled already: %v", err)
	}
	if err := f.DeleteTrigger(ctx, f.owner, f.app, first.ID, false); err != nil {
		t.Fatal(err)
	}
	if _, err := f.UpdateTrigger(ctx, f.owner, f.app, spare.ID, on); err != nil {
		t.Errorf("below the limit: %v", err)
	}
}

func TestDeleteTrigger(t *testing.T) {
	t.Parallel()
	f := sharedFixture(t)
	ctx := t.Context()
	f.deploy(t, f.app, "s", "export scheduled")
	trigger := f.trigger(t, f.app, cronTrigger())

	wantError(t, f.DeleteTrigger(ctx, f.owner, f.newApp(t), trigger.ID, true), cloud.CodeNotFound,
		"no such trigger")
	if err := f.DeleteTrigger(ctx, f.owner, f.app, trigger.ID, false); err != nil {
		t.Fatal(err)
	}
	if slot, _ := f.schedule(t, trigger); !slot.IsZero() {
		t.Errorf("the trigger is gone and waits for %s", slot)
	}

	_, err := f.Trigger(ctx, f.app, trigger.ID)
	wantError(t, err, cloud.CodeNotFound, "no such trigger")
}

// A trigger whose registrant may run nothing is not enabled, since each event would be a dead letter; an admin
// of the app takes it over, which is audited with the change.
func TestTakeOverTrigger(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name  string
		leave func(t *testing.T, f *fixture) error
		text  string
	}{
		{"deleted", func(t *testing.T, f *fixture) error {
			return f.DeleteUser(t.Context(), f.owner, "tom")
		}, `the trigger's registrant "tom" was deleted: take the trigger over`},
		{"deactivated", func(t *testing.T, f *fixture) error {
			_, err := f.UpdateUser(t.Context(), f.owner, "tom", manager.UserChange{Active: new(false)})
			return err
		}, `the trigger's registrant "tom" is deactivated`},
		{"no admin any more", func(t *testing.T, f *fixture) error {
			_, err := f.UpdateUser(t.Context(), f.owner, "tom", manager.UserChange{Role: new("member")})
			return err
		}, `the trigger's registrant "tom" is no longer an editor of the app`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			ctx := t.Context()
			f.deploy(t, f.app, "s", "export kv")
			tom := f.newUser(t, "tom", "admin")
			trigger, err := f.CreateTrigger(ctx, tom, f.app, kvTrigger())
			if err != nil {
				t.Fatal(err)
			}
			if err := c.leave(t, f); err != nil {
				t.Fatal(err)
			}

			enable := manager.TriggerChange{Enabled: new(true)}
			_, err = f.UpdateTrigger(ctx, f.owner, f.app, trigger.ID, enable)
			wantError(t, err, cloud.CodeConflict, c.text)
			_, err = f.UpdateTrigger(ctx, f.owner, f.app, trigger.ID, manager.TriggerChange{Registrant: new("ann")})
			wantError(t, err, cloud.CodeInvalid, `registrant can only be "me"`)

			taken, err := f.UpdateTrigger(ctx, f.owner, f.app, trigger.ID,
				manager.TriggerChange{Registrant: new("me"), Enabled: new(true)})
			if err != nil || taken.RegisteredName != ownerName || !taken.Enabled {
				t.Fatalf("%+v: %v", taken, err)
			}

			stored, err := f.Trigger(ctx, f.app, trigger.ID)
			if err != nil || stored.RegisteredBy == nil || *stored.RegisteredBy != f.owner.UserID {
				t.Errorf("stored: %+v: %v", stored, err)
			}
			rows, err := f.Audit(ctx, manager.AuditFilter{}, cloud.ID{}, 1)
			if err != nil || len(rows) != 1 || rows[0].Action != "trigger.update" ||
				!strings.Contains(rows[0].Detail, `"registrant"`) {
				t.Errorf("audit %+v: %v", rows, err)
			}
		})
	}
}
