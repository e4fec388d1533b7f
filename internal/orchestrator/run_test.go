package orchestrator_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/orchestrator"
	"picloud/internal/testkit/testcloud"
)

// A run whose checks fail is made again, at most five times; one that made requests which must not be
// repeated is not made again. Nothing of it is kept until its checks hold.
func TestConflicts(t *testing.T) {
	t.Parallel()

	const ever = 99
	for name, c := range map[string]struct {
		disturbed int // the first so many runs find their key changed
		unsafe    bool
		runs      int
		status    int
	}{
		"undisturbed":         {0, false, 1, 200},
		"once":                {1, false, 2, 200},
		"five times":          {5, false, 6, 200},
		"each time":           {ever, false, 6, 503},
		"unsafe, undisturbed": {0, true, 1, 200},
		"unsafe, once":        {1, true, 1, 503},
		"unsafe, each time":   {ever, true, 1, 503},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one := testcloud.New(t)
			one.Exec("INSERT INTO kv (app_id, collection, key, value, version) VALUES ($1, 'c', 'k', '1', 1)",
				int64(one.AppID()))
			runs := 0
			one.Deploy("hello", func(r *testcloud.Run) cloud.Outcome {
				runs++
				if _, err := r.Get("c", "k"); err != nil {
					t.Error(err)
				}
				if runs <= c.disturbed {
					one.Exec("UPDATE kv SET version = version + 1 WHERE key = 'k'")
				}
				_ = r.Set("c", "done", "1")
				outcome := testcloud.OK("")
				outcome.Unsafe = c.unsafe
				return outcome
			})

			reply := one.Call("hello")
			if reply.Status != c.status || runs != c.runs {
				t.Errorf("%d runs, reply %+v", runs, reply)
			}
			wrote := int64(0)
			if c.status == 200 {
				wrote = 1
			} else if reply.Failure.Code != cloud.Code(cloud.Conflicted) || reply.RetryAfter != 1 {
				t.Errorf("reply %+v", reply)
			}
			if n := one.Count("SELECT count(*) FROM kv WHERE key = 'done'"); n != wrote {
				t.Errorf("%d keys are written", n)
			}
		})
	}
}

// A run whose child died of another run's doing is made again once, in a child of its own.
func TestCollateral(t *testing.T) {
	t.Parallel()

	died := cloud.Outcome{Status: cloud.Crashed, Collateral: true,
		Error: cloud.ScriptError{Name: "Crashed", Message: "the child died"}}
	for name, c := range map[string]struct {
		deaths int
		unsafe bool
		alone  []bool
		status int
	}{
		"once":         {1, false, []bool{false, true}, 200},
		"twice":        {2, false, []bool{false, true}, 502},
		"once, unsafe": {1, true, []bool{false}, 502},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one := testcloud.New(t)
			var alone []bool
			one.Deploy("hello", func(r *testcloud.Run) cloud.Outcome {
				alone = append(alone, r.Alone)
				if len(alone) <= c.deaths {
					outcome := died
					outcome.Unsafe = c.unsafe
					return outcome
				}
				return testcloud.OK("")
			})

			reply := one.Call("hello")
			if reply.Status != c.status || len(alone) != len(c.alone) ||
				alone[len(alone)-1] != c.alone[len(alone)-1] || alone[0] {
				t.Errorf("alone: %v, reply %+v", alone, reply)
			}
		})
	}
}

// waitUntil work is committed by itself, after the response and what came before it. If it fails, its own
// writes alone are lost, and the log says so.
func TestWaitUntil(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		outcome cloud.Outcome
		after   string
		wrote   int64
		logged  string
	}{
		"succeeds": {cloud.Outcome{Status: cloud.Succeeded}, "succeeded", 1, ""},
		"fails": {testcloud.Fail("bad"), "failed", 0,
			"%after the response: Error: bad; nothing written since was kept%"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one := testcloud.New(t)
			goOn := make(chan struct{})
			one.Deploy("hello", func(r *testcloud.Run) cloud.Outcome {
				_ = r.Set("c", "before", "1")
				r.WaitUntil(func(r *testcloud.Run) cloud.Outcome {
					<-goOn
					_ = r.Set("c", "after", "1")
					return c.outcome
				})
				return testcloud.OK("hello")
			})

			reply := one.Call("hello")
			if reply.Status != 200 || string(reply.Response.Body) != "hello" {
				t.Fatalf("reply %+v", reply)
			}
			if got := one.Text("SELECT string_agg(key, ',') FROM kv"); got != "before" {
				t.Errorf("written with the response: %s", got)
			}
			close(goOn)
			one.Stop()
			if n := one.Count("SELECT count(*) FROM kv WHERE key = 'after'"); n != c.wrote {
				t.Errorf("%d keys are written after it", n)
			}
			if n := one.Count(`SELECT count(*) FROM executions WHERE status = 'succeeded'
				AND after_status = $1 AND logs LIKE $2`, c.after, c.logged); n != 1 {
				t.Errorf("%d executions say how the work ended", n)
			}
		})
	}
}

// waitUntil work whose checks fail is not made again: its response is out.
func TestWaitUntilConflicts(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	one.Deploy("hello", func(r *testcloud.Run) cloud.Outcome {
		r.WaitUntil(func(r *testcloud.Run) cloud.Outcome {
			_, _ = r.Get("c", "k")
			one.Exec("INSERT INTO kv (app_id, collection, key, value, version) VALUES ($1, 'c', 'k', '1', 1)",
				int64(one.AppID()))
			_ = r.Set("c", "after", "1")
			return cloud.Outcome{Status: cloud.Succeeded}
		})
		return testcloud.OK("")
	})
	if reply := one.Call("hello"); reply.Status != 200 {
		t.Fatalf("reply %+v", reply)
	}
	one.Stop()
	if n := one.Count(`SELECT count(*) FROM executions WHERE status = 'succeeded'
		AND after_status = 'conflict'`); n != 1 {
		t.Errorf("%d executions", n)
	}
	if n := one.Count("SELECT count(*) FROM kv WHERE key = 'after'"); n != 0 {
		t.Error("the work was committed")
	}
}

// A dry run shows what it would do and leaves nothing: no key, no event, no record, no audit row, even if it
// logs after its response. A fetch is refused.
func TestDryRun(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	logs := []cloud.LogLine{{At: time.Now(), Level: "log", Message: "hello"}}
	one.Deploy("handler", succeed)
	one.OnKV("in", "handler", 1)
	one.Deploy("hello", func(r *testcloud.Run) cloud.Outcome {
		_ = r.Set("in", "k", "1")
		if _, err := r.Call(cloud.Fetch{}); !isHostError(err, "FetchError", "refused in a dry run") {
			t.Errorf("fetch: %v", err)
		}
		r.WaitUntil(func(r *testcloud.Run) cloud.Outcome {
			_ = r.Set("in", "after", "1")
			return cloud.Outcome{Status: cloud.Succeeded, Logs: logs}
		})
		return testcloud.OK("hello")
	})
	audited := one.Count("SELECT count(*) FROM audit")

	in := &orchestrator.Invocation{Script: "hello", Handler: "fetch",
		Request: &cloud.Request{Method: "GET", URL: "/"}, DryRun: true, Principal: one.Operator()}
	done, err := one.Operations.Invoke(t.Context(), one.AppID(), in)
	if err != nil || done.Status != cloud.Succeeded || string(done.Response.Body) != "hello" {
		t.Fatalf("%+v, %v", done, err)
	}
	if len(done.Writes) != 1 || done.Writes[0].Key.Key != "k" || done.Writes[0].Value != "1" {
		t.Errorf("writes %+v", done.Writes)
	}
	one.Stop() // waits for the work after the response, and writes what is to be recorded

	for _, table := range []string{"kv", "outbox", "executions", "ledger"} {
		if n := one.Count("SELECT count(*) FROM " + table); n != 0 {
			t.Errorf("%d rows in %s", n, table)
		}
	}
	if n := one.Count("SELECT count(*) FROM audit"); n != audited {
		t.Errorf("%d audit rows", n-audited)
	}
}

// What still runs when the grace of a shutdown is over is stopped and its row given back, as if nobody had
// tried it: another node runs it. Nothing that the first run did is kept.
func TestDrainGivesRowsBack(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	started, ended := make(chan struct{}), make(chan struct{})
	one.Deploy("handler", func(r *testcloud.Run) cloud.Outcome {
		if r.Node == "two" {
			_ = r.Set("out", "by", `"two"`)
			return cloud.Outcome{Status: cloud.Succeeded}
		}
		_ = r.Set("out", "by", `"one"`)
		close(started)
		<-r.Cancelled()
		<-ended
		return cloud.Outcome{Status: cloud.Succeeded}
	})
	one.OnKV("in", "handler", 3)
	raise(t, one)
	receive(t, started)

	over, cancel := context.WithCancel(t.Context())
	cancel()
	one.Drain(over)
	const given = `SELECT count(*) FROM outbox WHERE claimed_by IS NULL AND attempt_count = 0
		AND interruptions = 0 AND wake_at <= clock_timestamp()`
	if n := one.Count(given); n != 1 {
		t.Errorf("%d rows were given back", n)
	}
	close(ended)
	one.Stop()

	two := one.Join("two")
	two.AwaitEmptyOutbox()
	if got := one.Text("SELECT value FROM kv WHERE collection = 'out'"); got != `"two"` {
		t.Errorf("written by %s", got)
	}
	if n := one.Count("SELECT count(*) FROM executions WHERE script = 'handler'"); n != 1 {
		t.Errorf("%d executions of the event", n)
	}
}

// A node that drains serves no request that would wait for a permit, and answers from the outbox no more.
func TestQuiescedNodeServesDirectly(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	one.Deploy("hello", func(*testcloud.Run) cloud.Outcome { return testcloud.OK("hello") })
	one.Quiesce()
	if reply := one.Call("hello", byOutbox); reply.Status != 200 {
		t.Errorf("reply %+v", reply)
	}
	if n := one.Count("SELECT count(*) FROM ledger WHERE what = 'enqueued'"); n != 0 {
		t.Error("it went through the outbox")
	}
}

// waitUntil work of a run whose response was never sent, since its checks failed, is stopped, and nothing of
// it is kept.
func TestWaitUntilOfARunThatDidNotHappen(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	runs := 0
	stopped := make(chan int, 9)
	one.Deploy("hello", func(r *testcloud.Run) cloud.Outcome {
		runs++
		run := runs
		_, _ = r.Get("c", "k")
		if run == 1 {
			one.Exec("INSERT INTO kv (app_id, collection, key, value, version) VALUES ($1, 'c', 'k', '1', 1)",
				one.App.ID)
		}
		_ = r.Set("c", "done", "1")
		r.WaitUntil(func(r *testcloud.Run) cloud.Outcome {
			select {
			case <-r.Cancelled():
				stopped <- run
			default:
			}
			_ = r.Set("c", fmt.Sprint("after", run), "1")
			return cloud.Outcome{Status: cloud.Succeeded}
		})
		return testcloud.OK("")
	})

	if reply := one.Call("hello"); reply.Status != 200 || runs != 2 {
		t.Errorf("%d runs, reply %+v", runs, reply)
	}
	if run := receive(t, stopped); run != 1 {
		t.Errorf("the work of run %d was stopped", run)
	}
	one.Stop()
	if got := one.Text("SELECT string_agg(key, ',' ORDER BY key) FROM kv"); got != "after2,done,k" ||
		len(stopped) > 0 {
		t.Errorf("written: %s", got)
	}
}

// A run that cannot be started is interrupted, so that it may be tried again. The caller is told why if that is
// known, and nothing of the cause otherwise.
func TestNotStarted(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	one.Deploy("hello", func(*testcloud.Run) cloud.Outcome { return testcloud.OK("") })

	for want, reason := range map[string]error{
		"no memory for it; nothing was run":                 cloud.Errorf(cloud.CodeUnavailable, "no memory for it; nothing was run"),
		"the sandbox could not be started; nothing was run": errors.New("fork: /usr/local/bin/picloud: no memory"),
	} {
		one.RefuseRuns(fmt.Errorf("start: %w", reason))
		reply := one.Call("hello")
		if reply.Status != 503 || reply.Failure.Code != cloud.Code(cloud.Interrupted) ||
			!strings.HasSuffix(reply.Failure.Message, want) {
			t.Errorf("reply %+v", reply)
		}
	}

	one.RefuseRuns(nil)
	if reply := one.Call("hello"); reply.Status != 200 {
		t.Errorf("reply %+v", reply)
	}
}
