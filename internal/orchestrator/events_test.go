package orchestrator_test

import (
	"testing"

	"picloud/db"
	"picloud/internal/cloud"
	"picloud/internal/manager"
	"picloud/internal/orchestrator"
	"picloud/internal/testkit/testcloud"
)

// raise has one event of the collection "in" raised.
func raise(t *testing.T, c *testcloud.Cloud) {
	t.Helper()
	c.Deploy("writer", func(r *testcloud.Run) cloud.Outcome {
		_ = r.Set("in", "k", "1")
		return testcloud.OK("")
	})
	if reply := c.Call("writer"); reply.Status != 200 {
		t.Fatalf("reply %+v", reply)
	}
}

// failOnce is a handler that fails when goOn is closed, having said that it started, and succeeds at its next
// attempt.
func failOnce(started, goOn chan struct{}) testcloud.Script {
	return func(r *testcloud.Run) cloud.Outcome {
		if r.Attempt > 1 {
			return cloud.Outcome{Status: cloud.Succeeded}
		}
		close(started)
		<-goOn
		return testcloud.Fail("once")
	}
}

// The outcome of an event's run moves its row to its next state, which the ledger, the executions and the
// dead letters tell alike.
func TestRowsReachTheirEnds(t *testing.T) {
	t.Parallel()

	type state struct{ done, dead, skipped, succeeded, failed int64 }
	for name, c := range map[string]struct {
		attempts int32
		script   testcloud.Script
		want     state
	}{
		"succeeds": {3, succeed,
			state{done: 1, succeeded: 1}},
		"fails": {3, func(*testcloud.Run) cloud.Outcome { return testcloud.Fail("bad") },
			state{dead: 1, failed: 3}},
		"succeeds at last": {3, func(r *testcloud.Run) cloud.Outcome {
			if r.Attempt < 3 {
				return testcloud.Fail("bad")
			}
			return cloud.Outcome{Status: cloud.Succeeded}
		}, state{done: 1, failed: 2, succeeded: 1}},
		"what failed wrote nothing": {1, func(r *testcloud.Run) cloud.Outcome {
			_ = r.Set("out", "k", "1")
			return testcloud.Fail("bad")
		}, state{dead: 1, failed: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one := testcloud.New(t)
			one.Deploy("handler", c.script)
			one.OnKV("in", "handler", c.attempts)
			raise(t, one)
			one.AwaitEmptyOutbox()

			ledger := func(what string) int64 {
				return one.Count("SELECT coalesce(sum(n), 0)::bigint FROM ledger WHERE what = $1", what)
			}
			runs := func(status string) int64 {
				return one.Count("SELECT count(*) FROM executions WHERE source = 'kv' AND status = $1",
					status)
			}
			got := state{ledger("done"), ledger("dead_lettered"), ledger("skipped"), runs("succeeded"),
				runs("failed")}
			if got != c.want || ledger("enqueued") != 1 {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			if n := one.Count("SELECT count(*) FROM dead_letters WHERE reason = 'failed' AND attempts = $1",
				c.attempts); n != c.want.dead {
				t.Errorf("%d dead letters", n)
			}
			if n := one.Count("SELECT count(*) FROM kv WHERE collection = 'out'"); n != 0 {
				t.Errorf("%d keys of a run that failed", n)
			}
		})
	}
}

// An event acts as whoever registered its trigger. If they may no longer do so it is refused: not run, and
// kept as a dead letter.
func TestRefusedEvent(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	one.Deploy("handler", succeed)
	user, err := one.DB.Queries().InsertUser(t.Context(),
		db.InsertUserParams{Username: "bob", PasswordHash: "none", Role: "admin"})
	if err != nil {
		t.Fatal(err)
	}
	kind, script, collection := cloud.SourceKV, "handler", "in"
	bob := manager.Actor{UserID: user.ID, Username: user.Username}
	if _, err := one.Manager.CreateTrigger(t.Context(), bob, one.App,
		manager.TriggerChange{Kind: &kind, Script: &script, Collection: &collection}); err != nil {
		t.Fatal(err)
	}
	inactive := false
	if _, err := one.Manager.UpdateUser(t.Context(), one.Owner, "bob",
		manager.UserChange{Active: &inactive}); err != nil {
		t.Fatal(err)
	}

	raise(t, one)
	one.AwaitEmptyOutbox()
	if n := one.Count(`SELECT count(*) FROM executions WHERE status = 'refused'
		AND error_message LIKE '%"bob" is deactivated'`); n != 1 {
		t.Errorf("%d executions were refused", n)
	}
	if n := one.Count("SELECT count(*) FROM dead_letters WHERE reason = 'refused' AND attempts = 0"); n != 1 {
		t.Errorf("%d dead letters", n)
	}
}

// A chain of events ends at its greatest depth: what is deeper is skipped, recorded, and no dead letter.
func TestChainOfEventsEnds(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t, func(cfg *orchestrator.Config) { cfg.MaxDepth = 2 })
	one.Deploy("handler", func(r *testcloud.Run) cloud.Outcome {
		_ = r.Set("in", "k", "2")
		return cloud.Outcome{Status: cloud.Succeeded}
	})
	one.OnKV("in", "handler", 1)
	raise(t, one)
	one.AwaitEmptyOutbox()

	for want, sql := range map[string]string{
		"2": "SELECT count(*)::text FROM executions WHERE script = 'handler' AND status = 'succeeded'",
		"3": "SELECT string_agg(depth::text, ',') FROM executions WHERE status = 'skipped'",
		"1": "SELECT sum(n)::text FROM ledger WHERE what = 'skipped'",
		"0": "SELECT count(*)::text FROM dead_letters",
	} {
		if got := one.Text(sql); got != want {
			t.Errorf("%s: %s, want %s", sql, got, want)
		}
	}
}

// What becomes of a row whose trigger or script goes while it is tried: it waits for a disabled trigger, and
// is a dead letter of what was deleted.
func TestDefinitionsGoWhileARowIsTried(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		change func(t *testing.T, c *testcloud.Cloud, trigger cloud.ID) error
		want   string // a query that becomes 1
	}{
		"the trigger is disabled": {
			func(t *testing.T, c *testcloud.Cloud, trigger cloud.ID) error {
				t.Helper()
				enabled := false
				_, err := c.Manager.UpdateTrigger(t.Context(), c.Owner, c.App, trigger,
					manager.TriggerChange{Enabled: &enabled})
				return err
			},
			`SELECT count(*) FROM outbox WHERE last_error = 'trigger disabled' AND attempt_count = 1
				AND interruptions = 0
				AND claimed_by IS NULL AND wake_at > clock_timestamp() + interval '4 minutes'`,
		},
		"the trigger is deleted": {
			func(t *testing.T, c *testcloud.Cloud, trigger cloud.ID) error {
				t.Helper()
				c.Exec("DELETE FROM triggers WHERE id = $1", trigger[:])
				c.Exec("UPDATE apps SET revision = revision + 1")
				return nil
			},
			`SELECT count(*) FROM dead_letters WHERE reason = 'refused'
				AND error LIKE '%the trigger was deleted%' AND attempts = 1`,
		},
		"the script is deleted": {
			func(t *testing.T, c *testcloud.Cloud, _ cloud.ID) error {
				t.Helper()
				c.Exec("DELETE FROM scripts WHERE name = 'handler'")
				c.Exec("UPDATE apps SET revision = revision + 1")
				return nil
			},
			`SELECT count(*) FROM dead_letters WHERE reason = 'refused'
				AND error LIKE '%the script was deleted%' AND attempts = 1`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one := testcloud.New(t)
			started, goOn := make(chan struct{}), make(chan struct{})
			one.Deploy("handler", failOnce(started, goOn))
			trigger := one.OnKV("in", "handler", 3)
			raise(t, one)
			receive(t, started)
			if err := c.change(t, one, trigger); err != nil {
				t.Fatal(err)
			}
			close(goOn)
			one.Await(1, c.want)
		})
	}
}

// A handler of dead letters says by its outcome what became of the letter, and makes none itself.
func TestDeadLetterHandler(t *testing.T) {
	t.Parallel()

	for resolution, outcome := range map[string]cloud.Outcome{
		"handled_by_script": {Status: cloud.Succeeded},
		"handler_failed":    testcloud.Fail("bad"),
	} {
		t.Run(resolution, func(t *testing.T) {
			t.Parallel()
			one := testcloud.New(t)
			events := make(chan string, 9)
			one.Deploy("handler", func(r *testcloud.Run) cloud.Outcome {
				events <- r.Handler + " " + r.Event
				return outcome
			})
			kind, script := cloud.SourceDeadLetter, "handler"
			one.Trigger(manager.TriggerChange{Kind: &kind, Script: &script})
			ids := leaveLetters(t, one, 1)

			want := `deadLetter {"id":"` + ids[0].String() +
				`","original":{"op":"insert","collection":"in","key":"k0","value":0},"attempts":1,` +
				`"error":{"name":"Error","message":"bad","stack":""},"trigger":"` +
				one.Text("SELECT id::text FROM triggers WHERE kind = 'kv'") + `","script":"failing"}`
			if got := receive(t, events); got != want {
				t.Errorf("event\n%s, want\n%s", got, want)
			}
			if n := one.Count("SELECT count(*) FROM dead_letters WHERE resolution = $1", resolution); n != 1 {
				t.Errorf("%d letters", n)
			}
			if n := one.Count("SELECT count(*) FROM dead_letters"); n != 1 || len(events) > 0 {
				t.Errorf("%d letters, %d more runs", n, len(events))
			}
		})
	}
}

// Of a payload that is no request nothing is run. No caller can send one, but an operator may have edited it
// in an earlier version.
func TestPayloadThatIsNoRequest(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t, onePermit)
	one.Deploy("hello", func(*testcloud.Run) cloud.Outcome { return testcloud.OK("run") })
	free := busy(t, one)
	reply := one.Call("hello", async)
	one.Exec("UPDATE outbox SET payload = '{}', max_attempts = 1")
	free()
	one.AwaitEmptyOutbox()

	const want = `SELECT count(*) FROM executions WHERE id = $1 AND status = 'failed'
		AND error_message LIKE 'the payload is not an HTTP request%' AND http_status = 502`
	if n := one.Count(want, reply.Execution[:]); n != 1 {
		t.Errorf("%d executions", n)
	}
}
