package orchestrator_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"picloud/internal/cloud"
	"picloud/internal/history"
	"picloud/internal/manager"
	"picloud/internal/orchestrator"
	"picloud/internal/testkit/testcloud"
)

// leaveLetters has a handler fail for so many events, and gives the ids of their dead letters.
func leaveLetters(t *testing.T, c *testcloud.Cloud, n int) []cloud.ID {
	t.Helper()
	c.Deploy("failing", func(*testcloud.Run) cloud.Outcome { return testcloud.Fail("bad") })
	c.OnKV("in", "failing", 1)
	c.Deploy("writer", func(r *testcloud.Run) cloud.Outcome {
		for k := range n {
			_ = r.Set("in", fmt.Sprint("k", k), fmt.Sprint(k))
		}
		return testcloud.OK("")
	})
	if reply := c.Call("writer"); reply.Status != 200 {
		t.Fatalf("reply %+v", reply)
	}
	c.AwaitEmptyOutbox()

	letters, _, err := c.History.DeadLetters(t.Context(), c.AppID(), history.LetterFilter{State: "all"},
		cloud.ID{}, 100)
	if err != nil || len(letters) != n {
		t.Fatalf("%d dead letters, %v", len(letters), err)
	}

	var ids []cloud.ID
	for k := range letters {
		ids = append(ids, letters[k].ID)
	}
	return ids
}

// leaveWaitingRow has a handler fail once, and gives the id of the row that now waits for an hour.
func leaveWaitingRow(t *testing.T, c *testcloud.Cloud) cloud.ID {
	t.Helper()
	c.Deploy("handler", func(r *testcloud.Run) cloud.Outcome {
		if r.Attempt == 1 {
			return testcloud.Fail("later")
		}
		return cloud.Outcome{Status: cloud.Succeeded}
	})
	kind, script, collection, hour := cloud.SourceKV, "handler", "in", int32(3_600_000)
	c.Trigger(manager.TriggerChange{
		Kind:       &kind,
		Script:     &script,
		Collection: &collection,
		Retry:      &manager.RetryChange{BaseMS: &hour, MaxMS: &hour},
	})
	c.Deploy("writer", func(r *testcloud.Run) cloud.Outcome {
		_ = r.Set("in", "k", "1")
		return testcloud.OK("")
	})
	c.Call("writer")
	c.Await(1, "SELECT count(*) FROM outbox WHERE attempt_count = 1 AND claimed_by IS NULL")

	rows, _, err := c.History.Outbox(t.Context(), c.AppID(), cloud.ID{}, 1)
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	return rows[0].ID
}

// writeKV is an operator's write or delete of in/k.
func writeKV(t *testing.T, c *testcloud.Cloud, action string) error {
	t.Helper()
	if action == "kv.delete" {
		del := orchestrator.KVDelete{Collection: "in", Key: "k", IfVersion: cloud.AnyVersion}
		_, err := c.Operations.DeleteKV(t.Context(), c.AppID(), del, c.Operator())
		return err
	}

	set := cloud.KVSet{Collection: "in", Key: "k", Value: "1", IfVersion: cloud.AnyVersion}
	return c.Operations.SetKV(t.Context(), c.AppID(), set, c.Operator())
}

// replayMany is a bulk replay that must be of so many letters.
func replayMany(t *testing.T, c *testcloud.Cloud, sel orchestrator.LetterSelection, want int) error {
	t.Helper()
	sel.Limit = 100
	done, err := c.Operations.ReplayMany(t.Context(), c.AppID(), sel, c.Operator())
	if err == nil && done.Done != want {
		t.Errorf("%+v replayed, want %d", done, want)
	}
	return err
}

// operation is an operator's action as these tests try it.
type operation struct {
	action string
	// prepare gives what the action is done to; do does it. The target is what the audit row must name, after
	// the action.
	prepare func(t *testing.T, c *testcloud.Cloud) []cloud.ID
	do      func(t *testing.T, c *testcloud.Cloud, ids []cloud.ID) error
	target  func(ids []cloud.ID) string
	detail  string // JSON; an execution's id in it is replaced by "*"
	// effect is a query that gives 0 before the action, and want after it.
	effect string
	want   int64
}

func nothing(*testing.T, *testcloud.Cloud) []cloud.ID { return nil }

func first(ids []cloud.ID) string { return ids[0].String() }

func literally(text string) func([]cloud.ID) string { return func([]cloud.ID) string { return text } }

func invoke(name, handler string, outcome cloud.Outcome) func(*testing.T, *testcloud.Cloud,
	[]cloud.ID) error {
	return func(t *testing.T, c *testcloud.Cloud, _ []cloud.ID) error {
		t.Helper()
		c.Deploy(name, func(r *testcloud.Run) cloud.Outcome {
			_ = r.Set("out", "k", "1")
			return outcome
		})
		in := &orchestrator.Invocation{Script: name, Handler: handler, Event: "{}", Principal: c.Operator()}
		done, err := c.Operations.Invoke(t.Context(), c.AppID(), in)
		if err == nil && done.Status != outcome.Status {
			t.Errorf("invoked: %+v", done)
		}
		return err
	}
}

func operations() map[string]operation {
	letters := func(n int) func(*testing.T, *testcloud.Cloud) []cloud.ID {
		return func(t *testing.T, c *testcloud.Cloud) []cloud.ID {
			t.Helper()
			return leaveLetters(t, c, n)
		}
	}
	waiting := func(t *testing.T, c *testcloud.Cloud) []cloud.ID {
		t.Helper()
		return []cloud.ID{leaveWaitingRow(t, c)}
	}
	const replayed = `SELECT count(*) FROM dead_letters WHERE resolution = 'replayed'
		AND resolved_by = 'owner'`

	return map[string]operation{
		"replay": {
			action:  "dead-letter.replay",
			prepare: letters(1),
			do: func(t *testing.T, c *testcloud.Cloud, ids []cloud.ID) error {
				t.Helper()
				_, err := c.Operations.Replay(t.Context(), c.AppID(), ids[0], "", c.Operator())
				return err
			},
			target: first,
			detail: `{"edited":false}`,
			effect: replayed,
			want:   1,
		},
		"edited replay": {
			action:  "dead-letter.replay",
			prepare: letters(1),
			do: func(t *testing.T, c *testcloud.Cloud, ids []cloud.ID) error {
				t.Helper()
				_, err := c.Operations.Replay(t.Context(), c.AppID(), ids[0], `{"edited":1}`, c.Operator())
				return err
			},
			target: first,
			detail: `{"edited":true}`,
			effect: replayed,
			want:   1,
		},
		"bulk replay by ids, one named twice": {
			action:  "dead-letter.replay-many",
			prepare: letters(3),
			do: func(t *testing.T, c *testcloud.Cloud, ids []cloud.ID) error {
				t.Helper()
				return replayMany(t, c, orchestrator.LetterSelection{IDs: []cloud.ID{ids[0], ids[1], ids[0],
					{1}}}, 2)
			},
			target: literally(""),
			detail: `{"replayed":2}`,
			effect: replayed,
			want:   2,
		},
		"bulk replay by filter": {
			action:  "dead-letter.replay-many",
			prepare: letters(3),
			do: func(t *testing.T, c *testcloud.Cloud, _ []cloud.ID) error {
				t.Helper()
				filter := history.LetterFilter{Script: "failing"}
				return replayMany(t, c, orchestrator.LetterSelection{Filter: filter}, 3)
			},
			target: literally(""),
			detail: `{"error":"","replayed":3,"script":"failing","source":"","trigger":""}`,
			effect: replayed,
			want:   3,
		},
		"bulk replay of nothing": {
			action:  "dead-letter.replay-many",
			prepare: nothing,
			do: func(t *testing.T, c *testcloud.Cloud, _ []cloud.ID) error {
				t.Helper()
				filter := history.LetterFilter{Source: "cron"}
				return replayMany(t, c, orchestrator.LetterSelection{Filter: filter}, 0)
			},
			target: literally(""),
			detail: `{"error":"","replayed":0,"script":"","source":"cron","trigger":""}`,
			effect: replayed,
		},
		"resolve": {
			action:  "dead-letter.resolve",
			prepare: letters(1),
			do: func(t *testing.T, c *testcloud.Cloud, ids []cloud.ID) error {
				t.Helper()
				_, err := c.Operations.Resolve(t.Context(), c.AppID(), ids[0], "known", c.Operator())
				return err
			},
			target: first,
			detail: `{"reason":"known"}`,
			effect: `SELECT count(*) FROM dead_letters WHERE resolution = 'ignored'
				AND resolve_reason = 'known' AND resolved_by = 'owner'`,
			want: 1,
		},
		"run now": {
			action:  "outbox.run-now",
			prepare: waiting,
			do: func(t *testing.T, c *testcloud.Cloud, ids []cloud.ID) error {
				t.Helper()
				return c.Operations.RunNow(t.Context(), c.AppID(), ids[0], c.Operator())
			},
			target: first,
			detail: `{}`,
			effect: "SELECT 1 - count(*) FROM outbox",
			want:   1,
		},
		"remove": {
			action:  "outbox.remove",
			prepare: waiting,
			do: func(t *testing.T, c *testcloud.Cloud, ids []cloud.ID) error {
				t.Helper()
				_, err := c.Operations.RemoveRow(t.Context(), c.AppID(), ids[0], c.Operator())
				return err
			},
			target: first,
			detail: `{}`,
			effect: `SELECT count(*) FROM dead_letters WHERE reason = 'removed by an operator'
				AND error LIKE '%by owner%'
				AND NOT EXISTS (SELECT FROM outbox)`,
			want: 1,
		},
		"fire": {
			action: "trigger.fire",
			prepare: func(_ *testing.T, c *testcloud.Cloud) []cloud.ID {
				c.Deploy("handler", succeed)
				return []cloud.ID{c.OnKV("in", "handler", 1)}
			},
			do: func(t *testing.T, c *testcloud.Cloud, ids []cloud.ID) error {
				t.Helper()
				_, _, err := c.Operations.Fire(t.Context(), c.AppID(), ids[0], `{"test":1}`, c.Operator())
				return err
			},
			target: first,
			detail: `{}`,
			effect: "SELECT count(*) FROM executions WHERE source = 'kv' AND principal = 'registrant:owner'",
			want:   1,
		},
		"kv.set": {
			action:  "kv.set",
			prepare: nothing,
			do: func(t *testing.T, c *testcloud.Cloud, _ []cloud.ID) error {
				t.Helper()
				return writeKV(t, c, "kv.set")
			},
			target: literally("in/k"),
			detail: `{}`,
			effect: "SELECT count(*) FROM kv",
			want:   1,
		},
		"kv.delete": {
			action: "kv.delete",
			prepare: func(t *testing.T, c *testcloud.Cloud) []cloud.ID {
				t.Helper()
				if err := writeKV(t, c, "kv.set"); err != nil {
					t.Fatal(err)
				}
				return nil
			},
			do: func(t *testing.T, c *testcloud.Cloud, _ []cloud.ID) error {
				t.Helper()
				return writeKV(t, c, "kv.delete")
			},
			target: literally("in/k"),
			detail: `{}`,
			effect: "SELECT 1 - count(*) FROM kv",
			want:   1,
		},
		"invoke": {
			action:  "script.invoke",
			prepare: nothing,
			do:      invoke("task", "kv", cloud.Outcome{Status: cloud.Succeeded}),
			target:  literally("task"),
			detail:  `{"execution":"*","handler":"kv"}`,
			effect:  "SELECT count(*) FROM kv",
			want:    1,
		},
		"invoke what fails": {
			action:  "script.invoke",
			prepare: nothing,
			do:      invoke("task", "scheduled", testcloud.Fail("bad")),
			target:  literally("task"),
			detail:  `{"execution":"*","handler":"scheduled"}`,
			effect:  "SELECT count(*) FROM executions WHERE source = 'invoke' AND status = 'failed'",
			want:    1,
		},
	}
}

// An operator's action leaves exactly one audit row, which says who did what to which thing. Where that row
// cannot be written, the action has no effect at all and the caller is told that it failed, so that it can be
// done again.
func TestOperatorsAreAudited(t *testing.T) {
	t.Parallel()

	for name, op := range operations() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := testcloud.New(t)
			ids := op.prepare(t, c)
			rows := "SELECT count(*) FROM audit WHERE action = '" + op.action + "'"

			c.Exec("ALTER TABLE audit ADD CONSTRAINT refused CHECK (action <> '" + op.action + "') NOT VALID")
			if err := op.do(t, c, ids); err == nil {
				t.Error("done, though it could not be audited")
			}
			if effect, audited := c.Count(op.effect), c.Count(rows); effect != 0 || audited != 0 {
				t.Fatalf("refused, with the effect %d and %d audit rows", effect, audited)
			}

			c.Exec("ALTER TABLE audit DROP CONSTRAINT refused")
			if err := op.do(t, c, ids); err != nil {
				t.Fatal(err)
			}
			c.Await(op.want, op.effect)
			if audited := c.Count(rows); audited != 1 {
				t.Fatalf("%d audit rows", audited)
			}
			row := c.Text(`SELECT concat_ws(' ', actor, app, action, target,
				regexp_replace(detail, '"execution":"[^"]*"', '"execution":"*"')) FROM audit
					WHERE action = '` + op.action + "'")
			if want := "owner default " + op.action + " " + op.target(ids) + " " + op.detail; row != want {
				t.Errorf("audit row %q, want %q", row, want)
			}
		})
	}
}

// What changes nothing leaves no audit row: a delete of a missing key, a dry run, an action that is refused
// by its own rules.
func TestNothingIsAuditedThatDidNotHappen(t *testing.T) {
	t.Parallel()
	c := testcloud.New(t)
	c.Deploy("task", func(r *testcloud.Run) cloud.Outcome {
		_ = r.Set("out", "k", "1")
		return cloud.Outcome{Status: cloud.Succeeded}
	})
	before := c.Count("SELECT count(*) FROM audit")

	if err := writeKV(t, c, "kv.delete"); err != nil {
		t.Fatal(err)
	}
	in := &orchestrator.Invocation{Script: "task", Handler: "kv", Event: "{}", DryRun: true,
		Principal: c.Operator()}
	done, err := c.Operations.Invoke(t.Context(), c.AppID(), in)
	if err != nil || len(done.Writes) != 1 {
		t.Fatalf("dry run: %+v, %v", done, err)
	}

	app, by, missing := c.AppID(), c.Operator(), cloud.ID{1}
	for what, f := range map[string]func() error{
		"replay": func() error {
			_, err := c.Operations.Replay(t.Context(), app, missing, "",
				by)
			return err
		},
		"resolve": func() error {
			_, err := c.Operations.Resolve(t.Context(), app, missing, "",
				by)
			return err
		},
		"run now": func() error { return c.Operations.RunNow(t.Context(), app, missing, by) },
		"remove": func() error {
			_, err := c.Operations.RemoveRow(t.Context(), app, missing,
				by)
			return err
		},
		"fire": func() error {
			_, _, err := c.Operations.Fire(t.Context(), app, missing, "{}",
				by)
			return err
		},
		"invoke": func() error {
			_, err := c.Operations.Invoke(t.Context(), app,
				&orchestrator.Invocation{Script: "missing", Principal: by})
			return err
		},
	} {
		if err := f(); cloud.CodeOf(err) != cloud.CodeNotFound {
			t.Errorf("%s: %v", what, err)
		}
	}

	if n := c.Count("SELECT count(*) FROM audit"); n != before {
		t.Errorf("%d audit rows were written", n-before)
	}
	if n := c.Count("SELECT count(*) FROM kv"); n != 0 {
		t.Errorf("%d keys were written", n)
	}
}

// The events that a dry run would have raised are told by its writes.
func TestEventsOf(t *testing.T) {
	t.Parallel()
	c := testcloud.New(t)
	c.Deploy("handler", succeed)
	trigger := c.OnKV("in", "handler", 1)
	key := func(collection string) cloud.KeyRef {
		return cloud.KeyRef{App: c.AppID(), Collection: collection, Key: "k"}
	}

	events := c.Operations.EventsOf(c.AppID(),
		[]cloud.Write{{Key: key("in"), Value: "1"}, {Key: key("out"), Delete: true}})
	text, err := json.Marshal(events)
	want := `[{"collection":"in","key":"k","op":"set","triggers":["` + trigger.String() + `"],"value":1},` +
		`{"collection":"out","key":"k","op":"delete","triggers":[]}]`
	if err != nil || string(text) != want {
		t.Errorf("events %s, want %s, %v", text, want, err)
	}
	if n := len(c.Operations.EventsOf(99, nil)); n != 0 {
		t.Errorf("%d events of an app that is not there", n)
	}
}
