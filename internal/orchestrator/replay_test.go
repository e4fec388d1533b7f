package orchestrator_test

import (
	"slices"
	"strings"
	"testing"

	"picloud/internal/cloud"
	"picloud/internal/orchestrator"
	"picloud/internal/testkit/testcloud"
)

// replay is an operator's replay of a letter.
func replay(t *testing.T, c *testcloud.Cloud, id cloud.ID, payload string) error {
	t.Helper()
	_, err := c.Operations.Replay(t.Context(), c.AppID(), id, payload, c.Operator())
	return err
}

// A replay is a fresh row of the same event: attempt 1, with the letter's payload or the operator's, which
// points back at the letter and the run that failed.
func TestReplay(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct{ payload, want string }{
		"as it was": {"", `{"op":"insert","collection":"in","key":"k0","value":0}`},
		"edited":    {`{"edited":true}`, `{"edited":true}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one := testcloud.New(t)
			id := leaveLetters(t, one, 1)[0]
			runs := make(chan *testcloud.Run, 9)
			one.Deploy("failing", func(r *testcloud.Run) cloud.Outcome {
				runs <- r
				return cloud.Outcome{Status: cloud.Succeeded}
			})

			if err := replay(t, one, id, c.payload); err != nil {
				t.Fatal(err)
			}
			r := receive(t, runs)
			if r.Event != c.want || r.Handler != "kv" || r.Attempt != 1 || r.Depth != 1 {
				t.Errorf("run %+v", r.RunSpec)
			}
			if r.Principal != (cloud.Principal{Kind: cloud.PrincipalRegistrant, Username: "owner"}) {
				t.Errorf("as %v", r.Principal)
			}
			one.AwaitEmptyOutbox()
			const want = `SELECT count(*) FROM dead_letters d
				JOIN executions e ON e.parent_id = d.last_execution_id AND e.outbox_id = d.replayed_as
				AND e.root_id = d.root_id WHERE d.resolution = 'replayed'`
			if n := one.Count(want); n != 1 {
				t.Errorf("%d runs are of the letter", n)
			}
		})
	}
}

// A replay that fails again is a letter of its own, which names the one it replays.
func TestReplayThatFailsAgain(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	id := leaveLetters(t, one, 1)[0]
	if err := replay(t, one, id, ""); err != nil {
		t.Fatal(err)
	}
	one.Await(1, "SELECT count(*) FROM dead_letters WHERE replay_of = $1 AND resolution IS NULL", id[:])
}

// What cannot be replayed is refused, says why, and stays as it is.
func TestReplayRules(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	ids := leaveLetters(t, one, 3)
	one.Deploy("gone", func(*testcloud.Run) cloud.Outcome { return testcloud.Fail("bad") })
	one.OnKV("other", "gone", 1)
	one.Deploy("writer", func(r *testcloud.Run) cloud.Outcome {
		_ = r.Set("other", "k", "1")
		return testcloud.OK("")
	})
	one.Call("writer")
	one.Await(4, "SELECT count(*) FROM dead_letters")
	orphan := letterOf(t, one, "gone")
	if err := one.Manager.DeleteScript(t.Context(), one.Owner, one.App, "gone", true); err != nil {
		t.Fatal(err)
	}
	if _, err := one.Operations.Resolve(t.Context(), one.AppID(), ids[0], "known",
		one.Operator()); err != nil {
		t.Fatal(err)
	}
	if err := replay(t, one, ids[1], ""); err != nil {
		t.Fatal(err)
	}

	for name, c := range map[string]struct {
		id      cloud.ID
		payload string
		code    cloud.Code
		says    string
	}{
		"ignored already":    {ids[0], "", cloud.CodeConflict, "resolved already: ignored"},
		"replayed already":   {ids[1], "", cloud.CodeConflict, "resolved already: replayed"},
		"its script is gone": {orphan, "", cloud.CodeConflict, `the script "gone" is gone`},
		"no JSON":            {ids[2], "{", cloud.CodeInvalid, "not JSON"},
		"no such letter":     {cloud.ID{1}, "", cloud.CodeNotFound, ""},
	} {
		err := replay(t, one, c.id, c.payload)
		if cloud.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := one.Operations.Resolve(t.Context(), one.AppID(), ids[0], "again",
		one.Operator()); cloud.CodeOf(err) != cloud.CodeConflict {
		t.Errorf("resolve again: %v", err)
	}
	if n := one.Count("SELECT count(*) FROM dead_letters WHERE id = $1 AND resolution IS NULL",
		ids[2][:]); n != 1 {
		t.Error("a letter that was refused is resolved")
	}

	// In bulk they are left out, and the others are replayed.
	done, err := one.Operations.ReplayMany(t.Context(), one.AppID(),
		orchestrator.LetterSelection{IDs: append(slices.Clone(ids), orphan)}, one.Operator())
	if err != nil || done.Matched != 4 || done.Done != 1 {
		t.Errorf("in bulk: %+v, %v", done, err)
	}
}

// The payload of a request stays one, whatever an operator makes of it.
func TestReplayOfARequest(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t, onePermit)
	one.Deploy("hello", func(*testcloud.Run) cloud.Outcome { return testcloud.Fail("bad") })
	free := busy(t, one)
	one.Call("hello", async)
	one.Exec("UPDATE outbox SET max_attempts = 1")
	free()
	one.AwaitEmptyOutbox()
	id := letterOf(t, one, "hello")

	for _, payload := range []string{`{}`, `{"method":"GET"}`, `"text"`,
		`{"method":"GET","url":"/","body":"*","body_encoding":"base64"}`} {
		if err := replay(t, one, id, payload); cloud.CodeOf(err) != cloud.CodeInvalid {
			t.Errorf("%s: %v", payload, err)
		}
	}
	runs := make(chan *testcloud.Run, 1)
	one.Deploy("hello", func(r *testcloud.Run) cloud.Outcome {
		runs <- r
		return testcloud.OK("")
	})
	const edited = `{"method":"PUT","url":"/edited","headers":[["a","b"]],"body":"aGk=",` +
		`"body_encoding":"base64"}`
	if err := replay(t, one, id, edited); err != nil {
		t.Fatal(err)
	}
	r := receive(t, runs)
	if r.Request.Method != "PUT" || r.Request.URL != "/edited" || string(r.Request.Body) != "hi" ||
		r.Request.Headers[0] != (cloud.Header{Name: "a", Value: "b"}) {
		t.Errorf("request %+v", r.Request)
	}
	if r.Principal != (cloud.Principal{Kind: cloud.PrincipalKey, Username: "caller"}) {
		t.Errorf("as %v", r.Principal)
	}
	one.AwaitEmptyOutbox()
}

// An event of a trigger that was deleted runs as the operator who replays it.
func TestReplayOfADeletedTrigger(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	id := leaveLetters(t, one, 1)[0]
	trigger, _ := cloud.ParseID(one.Text("SELECT id::text FROM triggers"))
	if err := one.Manager.DeleteTrigger(t.Context(), one.Owner, one.App, trigger, true); err != nil {
		t.Fatal(err)
	}
	runs := make(chan *testcloud.Run, 1)
	one.Deploy("failing", func(r *testcloud.Run) cloud.Outcome {
		runs <- r
		return cloud.Outcome{Status: cloud.Succeeded}
	})

	if err := replay(t, one, id, ""); err != nil {
		t.Fatal(err)
	}
	if r := receive(t, runs); r.Principal != one.Operator() {
		t.Errorf("as %v", r.Principal)
	}
	one.AwaitEmptyOutbox()
}

// A filter takes so many letters, the newest first, and says where to go on.
func TestBulkReplayGoesOn(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	ids := leaveLetters(t, one, 3)
	one.Deploy("failing", succeed)

	done, err := one.Operations.ReplayMany(t.Context(), one.AppID(), orchestrator.LetterSelection{Limit: 2},
		one.Operator())
	if err != nil || done.Matched != 2 || done.Done != 2 || done.Last != ids[1] {
		t.Fatalf("%+v, %v", done, err)
	}
	done, err = one.Operations.ReplayMany(t.Context(), one.AppID(),
		orchestrator.LetterSelection{Limit: 2, Before: done.Last}, one.Operator())
	if err != nil || done.Matched != 1 || done.Done != 1 || !done.Last.IsZero() {
		t.Errorf("%+v, %v", done, err)
	}
	one.AwaitEmptyOutbox()
}

// A call takes as many letters as it may, however large they are: it reads and commits them some at a time.
func TestBulkReplayOfLargeLetters(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	ids := leaveLetters(t, one, 6)
	one.Exec(`UPDATE dead_letters SET payload = left(payload, -1) || ',"padding":"' || repeat('x', 3000000) || '"}'`)
	one.Deploy("failing", succeed)

	done, err := one.Operations.ReplayMany(t.Context(), one.AppID(), orchestrator.LetterSelection{Limit: 5},
		one.Operator())
	if err != nil || done.Matched != 5 || done.Done != 5 || done.Last != ids[4] {
		t.Fatalf("%+v, %v", done, err)
	}
	done, err = one.Operations.ReplayMany(t.Context(), one.AppID(),
		orchestrator.LetterSelection{IDs: ids}, one.Operator())
	if err != nil || done.Matched != 6 || done.Done != 1 {
		t.Errorf("by id: %+v, %v", done, err)
	}
	one.AwaitEmptyOutbox()
}

// letterOf is the one letter of a script.
func letterOf(t *testing.T, c *testcloud.Cloud, script string) cloud.ID {
	t.Helper()
	id, ok := cloud.ParseID(c.Text("SELECT id::text FROM dead_letters WHERE script = $1", script))
	if !ok {
		t.Fatalf("no letter of %s", script)
	}
	return id
}

// A selection is marked as ignored in bulk, with the operator's reason and an audit row; what is resolved
// already is left as it is, and the rest goes on from where a call ended.
func TestBulkResolve(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	ids := leaveLetters(t, one, 4)
	resolve := func(sel orchestrator.LetterSelection) orchestrator.BulkResult {
		t.Helper()
		done, err := one.Operations.ResolveMany(t.Context(), one.AppID(), sel, "obsolete", one.Operator())
		if err != nil {
			t.Fatal(err)
		}
		return done
	}

	twice := orchestrator.LetterSelection{IDs: []cloud.ID{ids[0], ids[0], {15: 1}}}
	if done := resolve(twice); done.Matched != 1 || done.Done != 1 {
		t.Errorf("by ids: %+v", done)
	}
	if done := resolve(twice); done.Matched != 1 || done.Done != 0 {
		t.Errorf("again: %+v", done)
	}

	first := resolve(orchestrator.LetterSelection{Limit: 2})
	if first.Matched != 2 || first.Done != 2 || first.Last.IsZero() {
		t.Errorf("by filter: %+v", first)
	}
	if done := resolve(orchestrator.LetterSelection{Limit: 2, Before: first.Last}); done.Done != 1 || !done.Last.IsZero() {
		t.Errorf("the rest: %+v", done)
	}

	if n := one.Text(`SELECT count(*)::text FROM dead_letters
		WHERE resolution = 'ignored' AND resolve_reason = 'obsolete' AND replayed_as IS NULL`); n != "4" {
		t.Errorf("%s are ignored", n)
	}
	if n := one.Text(`SELECT sum((detail::jsonb->>'resolved')::int)::text FROM audit
		WHERE action = 'dead-letter.resolve-many' AND detail::jsonb->>'reason' = 'obsolete'`); n != "4" {
		t.Errorf("%s are audited", n)
	}
	if n := one.Text("SELECT count(*)::text FROM outbox"); n != "0" {
		t.Errorf("%s rows were made", n)
	}
}
