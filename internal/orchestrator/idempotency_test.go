package orchestrator_test

import (
	"bytes"
	"strings"
	"sync/atomic"
	"testing"

	"picloud/internal/cloud"
	"picloud/internal/commit"
	"picloud/internal/orchestrator"
	"picloud/internal/testkit/testcloud"
)

type change = func(*orchestrator.HTTPCall)

func keyed(c *orchestrator.HTTPCall)    { c.IdempotencyKey = "once" }
func byOutbox(c *orchestrator.HTTPCall) { c.Outbox = true }
func async(c *orchestrator.HTTPCall)    { c.Async = true }
func direct(*orchestrator.HTTPCall)     {}

// counted is a script that counts its runs and answers with a body.
func counted(runs *atomic.Int64, outcome func(n int64) cloud.Outcome) testcloud.Script {
	return func(*testcloud.Run) cloud.Outcome { return outcome(runs.Add(1)) }
}

// A call that is repeated with its key is answered with the first one's answer, and the script is run once,
// whichever way the call goes.
func TestRepeatedCall(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		way    change
		status int
		body   string
	}{
		"direct": {direct, 201, "hello"},
		"outbox": {byOutbox, 201, "hello"},
		"async":  {async, 202, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one := testcloud.New(t)
			var runs atomic.Int64
			one.Deploy("hello", counted(&runs, func(int64) cloud.Outcome {
				return cloud.Outcome{Status: cloud.Succeeded, Response: &cloud.Response{
					Status:  201,
					Headers: []cloud.Header{{Name: "x-a", Value: "b"}},
					Body:    []byte("hello"),
				}}
			}))

			answer := one.Call("hello", keyed, c.way)
			repeat := one.Call("hello", keyed, c.way)
			one.AwaitEmptyOutbox()
			if answer.Status != c.status || answer.Replayed || repeat.Status != c.status || !repeat.Replayed {
				t.Fatalf("answers %+v and %+v", answer, repeat)
			}
			if repeat.Execution != answer.Execution ||
				!bytes.Equal(repeat.Response.Body, answer.Response.Body) ||
				repeat.Response.Headers[0] != answer.Response.Headers[0] {
				t.Errorf("answers %+v and %+v", answer.Response, repeat.Response)
			}
			if c.body != "" && string(repeat.Response.Body) != c.body {
				t.Errorf("body %s", repeat.Response.Body)
			}
			if n := runs.Load(); n != 1 {
				t.Errorf("%d runs", n)
			}
		})
	}
}

// A run that fails keeps nobody from trying again: its key is free at once.
func TestFailedCallFreesItsKey(t *testing.T) {
	t.Parallel()

	for name, way := range map[string]change{"direct": direct, "outbox": byOutbox} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one := testcloud.New(t)
			var runs atomic.Int64
			one.Deploy("hello", counted(&runs, func(n int64) cloud.Outcome {
				if n == 1 {
					return testcloud.Fail("bad")
				}
				return testcloud.OK("hello")
			}))

			first, second := one.Call("hello", keyed, way), one.Call("hello", keyed, way)
			if first.Status != 502 || first.Failure == nil || second.Status != 200 || second.Replayed {
				t.Errorf("answers %+v and %+v", first, second)
			}
			if n := one.Count("SELECT count(*) FROM idempotency WHERE status_code = 200"); n != 1 {
				t.Errorf("%d answers are kept", n)
			}
		})
	}
}

// What a key is good for: one request, of one caller, to one script.
func TestKeysOfOthers(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	var runs atomic.Int64
	answer := counted(&runs, func(int64) cloud.Outcome { return testcloud.OK("hello") })
	one.Deploy("hello", answer)
	one.Deploy("other", answer)
	one.Call("hello", keyed)

	for name, c := range map[string]struct {
		script string
		change change
		code   cloud.Code // "" for a run of its own
	}{
		"another body": {"hello", func(c *orchestrator.HTTPCall) { c.Request.Body = []byte("x") },
			cloud.CodeInvalid},
		"another method": {"hello", func(c *orchestrator.HTTPCall) { c.Request.Method = "PUT" },
			cloud.CodeInvalid},
		"another query": {"hello", func(c *orchestrator.HTTPCall) { c.Request.URL += "?a=1" },
			cloud.CodeInvalid},
		"no key that works": {"hello", func(c *orchestrator.HTTPCall) { c.IdempotencyKey = "a b" },
			cloud.CodeInvalid},
		"too long a key": {"hello", func(c *orchestrator.HTTPCall) {
			c.IdempotencyKey = strings.Repeat("k",
				256)
		}, cloud.CodeInvalid},
		"another caller": {"hello", func(c *orchestrator.HTTPCall) { c.Principal.UserID = 8 }, ""},
		"by a session":   {"hello", func(c *orchestrator.HTTPCall) { c.Principal.Kind = cloud.PrincipalUser }, ""},
		"anonymous":      {"hello", func(c *orchestrator.HTTPCall) { c.Principal = cloud.Principal{} }, ""},
		"user of the script": {"hello", func(c *orchestrator.HTTPCall) {
			c.Request.Headers = []cloud.Header{{Name: "Authorization", Value: "Bearer ann"}}
		}, ""},
		"another user of the script": {"hello", func(c *orchestrator.HTTPCall) {
			c.Request.Headers = []cloud.Header{{Name: "authorization", Value: "Bearer bob"}}
		}, ""},
		"user of the script by cookie": {"hello", func(c *orchestrator.HTTPCall) {
			c.Request.Headers = []cloud.Header{{Name: "Cookie", Value: "Bearer ann"}}
		}, ""},
		"another script": {"other", direct, ""},
		"another key":    {"hello", func(c *orchestrator.HTTPCall) { c.IdempotencyKey = "twice" }, ""},
	} {
		before := runs.Load()

		reply := one.Call(c.script, keyed, c.change)
		switch {
		case c.code == "" && (reply.Status != 200 || reply.Replayed || runs.Load() != before+1):
			t.Errorf("%s: %+v", name, reply)
		case c.code != "" && (reply.Failure == nil || reply.Failure.Code != c.code || runs.Load() != before):
			t.Errorf("%s: %+v", name, reply)
		}
	}
}

// Who repeats a call that is still running is told to come again, and then gets its answer.
func TestCallIsStillRunning(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	started, goOn := make(chan struct{}), make(chan struct{})
	one.Deploy("hello", func(*testcloud.Run) cloud.Outcome {
		close(started)
		<-goOn
		return testcloud.OK("hello")
	})
	answer := make(chan *orchestrator.HTTPReply, 1)
	go func() { answer <- one.Call("hello", keyed) }()
	receive(t, started)

	repeat := one.Call("hello", keyed)
	close(goOn)
	if repeat.Failure == nil || repeat.Failure.Code != cloud.CodeConflict || repeat.RetryAfter != 1 {
		t.Errorf("answer %+v", repeat)
	}
	if first := receive(t, answer); first.Execution != repeat.Execution {
		t.Errorf("the answer of %s was promised, %s answered", repeat.Execution, first.Execution)
	}
	if reply := one.Call("hello", keyed); !reply.Replayed || string(reply.Response.Body) != "hello" {
		t.Errorf("answer %+v", reply)
	}
}

// An answer that is too large is not kept, but its call is not run again either.
func TestAnswerTooLargeToKeep(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	var runs atomic.Int64
	one.Deploy("hello", counted(&runs, func(int64) cloud.Outcome {
		return testcloud.OK(strings.Repeat("x",
			commit.MaxStoredBody+1))
	}))

	if reply := one.Call("hello", keyed); reply.Status != 200 ||
		len(reply.Response.Body) != commit.MaxStoredBody+1 {
		t.Fatalf("answer %d", reply.Status)
	}
	reply := one.Call("hello", keyed)
	if reply.Failure == nil || reply.Failure.Code != cloud.CodeConflict ||
		!strings.Contains(reply.Failure.Message, "is not kept") || reply.RetryAfter != 0 {
		t.Errorf("answer %+v", reply)
	}
	if n := runs.Load(); n != 1 {
		t.Errorf("%d runs", n)
	}
}

// A body that no asynchronous call can have is refused before anything is reserved.
func TestAsyncBodyIsBounded(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	one.Deploy("hello", func(*testcloud.Run) cloud.Outcome { return testcloud.OK("") })
	body := func(n int) change {
		return func(c *orchestrator.HTTPCall) { c.Request.Body = bytes.Repeat([]byte("x"), n) }
	}
	if reply := one.Call("hello", keyed, async, body(orchestrator.MaxAsyncBody+1)); reply.Failure == nil ||
		reply.Failure.Code != cloud.CodeTooLarge {
		t.Errorf("answer %+v", reply)
	}
	if reply := one.Call("hello", keyed, async, body(orchestrator.MaxAsyncBody)); reply.Status != 202 ||
		reply.Accepted.IsZero() {
		t.Errorf("answer %+v", reply)
	}
	one.AwaitEmptyOutbox()
}

// An app that keeps as many answers as it may takes no new key. Those that it has are answered, and whoever has
// none is served.
func TestAnswersQuota(t *testing.T) {
	t.Parallel()

	for name, fill := range map[string]string{
		"bytes": `INSERT INTO idempotency
				(app_id, script_id, principal, key, request_hash, execution_id, status_code, body, expires_at)
			SELECT app_id, script_id, '', 'filler' || n, '', execution_id, 200, repeat('x', 1 << 20)::bytea,
				expires_at FROM idempotency, generate_series(1, 256) n`,
		"keys": `INSERT INTO idempotency
				(app_id, script_id, principal, key, request_hash, execution_id, status_code, expires_at)
			SELECT app_id, script_id, '', 'filler' || n, '', execution_id, 200, expires_at
			FROM idempotency, generate_series(1, 100000) n`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if testing.Short() && name == "keys" {
				t.Skip("inserts 100,000 rows")
			}
			one := testcloud.New(t)
			var runs atomic.Int64
			one.Deploy("hello", counted(&runs, func(int64) cloud.Outcome { return testcloud.OK("hello") }))
			first := one.Call("hello", keyed)
			one.Exec(fill)
			other := one.Join("other") // it has not counted the keys yet

			refused := other.Call("hello", keyed, func(c *orchestrator.HTTPCall) { c.IdempotencyKey = "new" })
			if refused.Failure == nil || refused.Failure.Code != cloud.CodeQuota || refused.Status != 503 {
				t.Errorf("a new key: %+v", refused)
			}
			repeat := other.Call("hello", keyed)
			if !repeat.Replayed || repeat.Execution != first.Execution {
				t.Errorf("a key that is kept: %+v", repeat)
			}
			if free := other.Call("hello"); free.Status != 200 {
				t.Errorf("no key: %+v", free)
			}
			if n := runs.Load(); n != 2 {
				t.Errorf("%d runs", n)
			}
		})
	}
}
