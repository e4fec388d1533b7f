package orchestrator_test

import (
	"testing"

	"picloud/internal/cloud"
	"picloud/internal/orchestrator"
	"picloud/internal/testkit/testcloud"
)

// onePermit makes a node that runs one script at a time.
func onePermit(cfg *orchestrator.Config) { cfg.Permits = 1 }

// busy takes the one permit of a node until free is called.
func busy(t *testing.T, c *testcloud.Cloud) (free func()) {
	t.Helper()
	started, goOn, over := make(chan struct{}), make(chan struct{}), make(chan struct{})
	c.Deploy("busy", func(*testcloud.Run) cloud.Outcome {
		close(started)
		<-goOn
		return testcloud.OK("")
	})
	go func() {
		defer close(over)
		c.Call("busy")
	}()
	receive(t, started)
	return func() {
		close(goOn)
		<-over
	}
}

// A client that leaves is not answered; what it would have been sent is kept as an abandoned execution, and
// the run as succeeded.
func TestAbandonedAnswer(t *testing.T) {
	t.Parallel()

	for name, way := range map[string]change{"direct": direct, "outbox": byOutbox} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one := testcloud.New(t)
			started, goOn := make(chan struct{}), make(chan struct{})
			one.Deploy("hello", func(r *testcloud.Run) cloud.Outcome {
				close(started)
				<-goOn
				_ = r.Set("done", "k", "1")
				return testcloud.OK("too late")
			})
			caller := testcloud.NewCaller()
			answer := make(chan *orchestrator.HTTPReply, 1)
			go func() {
				answer <- one.Call("hello", way,
					func(c *orchestrator.HTTPCall) { c.Caller = caller })
			}()
			receive(t, started)
			receive(t, caller.Watched)
			caller.HangUp()
			if name == "outbox" { // nobody waits for the run; a direct one is made by its caller's goroutine
				if reply := receive(t, answer); !reply.HungUp {
					t.Errorf("answer %+v", reply)
				}
			}
			close(goOn)
			if name == "direct" {
				if reply := receive(t, answer); !reply.HungUp {
					t.Errorf("answer %+v", reply)
				}
			}

			one.Await(1, `SELECT count(*) FROM abandoned_executions a
				JOIN executions e ON e.id = a.execution_id
				WHERE a.reason = 'client-closed' AND a.summary = 'too late' AND a.status_code = 200
				AND a.script = 'hello' AND e.status = 'succeeded'`)
			if n := one.Count("SELECT count(*) FROM kv"); n != 1 {
				t.Errorf("%d keys: the run itself is not abandoned", n)
			}
		})
	}
}

// Nobody waits longer than the script may take, and two seconds: then the run goes on without its client.
func TestAnswerInTime(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits two seconds")
	}
	one := testcloud.New(t, func(cfg *orchestrator.Config) { cfg.DefaultLimits.Timeout = 1 })
	goOn := make(chan struct{})
	one.Deploy("hello", func(*testcloud.Run) cloud.Outcome {
		<-goOn
		return testcloud.OK("too late")
	})
	reply := one.Call("hello", byOutbox)
	close(goOn)
	if reply.Failure == nil || reply.Failure.Code != cloud.CodeTimeout || reply.Status != 504 {
		t.Errorf("answer %+v", reply)
	}
	one.Await(1, `SELECT count(*) FROM abandoned_executions WHERE reason = 'timeout'
		AND summary = 'too late'`)
}

// A request whose node has no permit is run by another node, and answered by the first: with the response, or
// with what became of the run.
func TestAnswerOfAnotherNode(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		outcome cloud.Outcome
		status  int
		body    string
	}{
		"response": {testcloud.OK("by "), 200, "by two"},
		"failure":  {testcloud.Fail("bad"), 502, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one := testcloud.New(t, onePermit)
			one.Deploy("hello", func(r *testcloud.Run) cloud.Outcome {
				outcome := c.outcome
				if outcome.Response != nil {
					outcome.Response = &cloud.Response{Status: 200, Body: []byte("by " + r.Node)}
				}
				return outcome
			})
			free := busy(t, one)
			defer free()
			one.Join("two")

			reply := one.Call("hello", byOutbox, keyed)
			if reply.Status != c.status || (reply.Failure != nil) != (c.status != 200) {
				t.Fatalf("answer %+v", reply)
			}
			if c.body != "" && string(reply.Response.Body) != c.body {
				t.Errorf("answered %s", reply.Response.Body)
			}
			if n := one.Count("SELECT count(*) FROM executions WHERE node = 'two' AND id = $1",
				reply.Execution[:]); n != 1 {
				t.Errorf("%d executions of node two", n)
			}
			// A key whose run failed is free, one that was answered is kept.
			kept := int64(1)
			if c.status != 200 {
				kept = 0
			}
			if n := one.Count("SELECT count(*) FROM idempotency"); n != kept {
				t.Errorf("%d keys", n)
			}
			if n := one.Count("SELECT count(*) FROM inbox"); n != 0 {
				t.Errorf("%d answers are left", n)
			}
		})
	}
}

// An answer of another node whose client has left is kept as abandoned, by the node it had asked.
func TestAbandonedAnswerOfAnotherNode(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t, onePermit)
	started, goOn := make(chan struct{}), make(chan struct{})
	one.Deploy("hello", func(*testcloud.Run) cloud.Outcome {
		close(started)
		<-goOn
		return testcloud.OK("too late")
	})
	free := busy(t, one)
	defer free()
	one.Join("two")

	caller := testcloud.NewCaller()
	answer := make(chan *orchestrator.HTTPReply, 1)
	go func() {
		answer <- one.Call("hello", byOutbox,
			func(c *orchestrator.HTTPCall) { c.Caller = caller })
	}()
	receive(t, started)
	caller.HangUp()
	if reply := receive(t, answer); !reply.HungUp {
		t.Fatalf("answer %+v", reply)
	}
	close(goOn)
	one.Await(1, `SELECT count(*) FROM abandoned_executions WHERE reason = 'client-closed'
		AND summary = 'too late' AND script = 'hello'`)
}

// An answer for a node that never took it is kept as abandoned once it is sure that nobody will.
func TestOrphanedAnswer(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	one.Deploy("hello", func(*testcloud.Run) cloud.Outcome { return testcloud.OK("") })
	script, _ := one.Catalog.ScriptID(one.AppID(), "hello")
	leave := func(age string) {
		id := one.IDs.New()
		one.Exec(`INSERT INTO inbox
				(id, app_id, node, script_id, execution_id, status_code, response, created_at)
			VALUES ($1, $2, 'gone', $3, $1, 200, '{"status":200,"body":"aGk="}',
				clock_timestamp() - $4::interval)`,
			id[:], int64(one.AppID()), script[:], age)
	}
	leave("1 minute")
	leave("1 second")

	if err := one.KeepOrphans(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := one.Count("SELECT count(*) FROM inbox"); n != 1 {
		t.Errorf("%d answers are left", n)
	}
	if n := one.Count(`SELECT count(*) FROM abandoned_executions WHERE reason = 'node-lost' AND summary = 'hi'
		AND script = 'hello'`); n != 1 {
		t.Errorf("%d answers are kept", n)
	}
}

// A request whose node was lost while it ran is never run again: its client, if it is still there, is told
// so.
func TestRequestIsNotRunAgain(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t, onePermit)
	one.Deploy("hello", func(*testcloud.Run) cloud.Outcome { return testcloud.OK("run again") })
	free := busy(t, one)
	answer := make(chan *orchestrator.HTTPReply, 1)
	go func() { answer <- one.Call("hello", byOutbox) }()

	one.Await(1, "SELECT count(*) FROM outbox WHERE claimed_by IS NULL")
	one.Exec(`UPDATE outbox SET claimed_by = 'lost', claim_token = gen_random_uuid(),
		wake_at = clock_timestamp() - interval '1 second'`)
	free()
	reply := receive(t, answer)
	if reply.Failure == nil || reply.Failure.Code != cloud.Code(cloud.Interrupted) || reply.Status != 503 ||
		reply.RetryAfter != 1 {
		t.Errorf("answer %+v", reply)
	}
	one.AwaitEmptyOutbox()
	if n := one.Count(`SELECT count(*) FROM executions WHERE script = 'hello'
		AND status = 'interrupted'`); n != 1 {
		t.Errorf("%d executions", n)
	}
}
