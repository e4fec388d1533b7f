package orchestrator_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"picloud/internal/cloud"
	"picloud/internal/orchestrator"
	"picloud/internal/testkit/testcloud"
)

// asScript runs f as a script and gives its outcome. The script of the letters succeeds from then on.
func asScript(t *testing.T, c *testcloud.Cloud, f testcloud.Script) *orchestrator.HTTPReply {
	t.Helper()
	c.Deploy("failing", succeed)
	c.Deploy("mender", f)
	return c.Call("mender")
}

// letter is a dead letter as a script sees it.
type letter struct {
	ID         string          `json:"id"`
	Original   json.RawMessage `json:"original"`
	Script     string          `json:"script"`
	Resolution *string         `json:"resolution"`
}

// list lists the letters that a script sees.
func list(t *testing.T, r *testcloud.Run, call cloud.DeadLetterList) (items []letter, cursor *string) {
	t.Helper()
	reply, err := r.Call(call)
	if err != nil {
		t.Errorf("list: %v", err)
		return nil, nil
	}
	var page struct {
		Items  []letter `json:"items"`
		Cursor *string  `json:"cursor"`
	}
	if err := json.Unmarshal([]byte(reply.JSON), &page); err != nil {
		t.Errorf("list: %s: %v", reply.JSON, err)
	}
	return page.Items, page.Cursor
}

func isHostError(err error, name, says string) bool {
	var he *cloud.HostError
	return errors.As(err, &he) && he.Name == name && strings.Contains(he.Message, says)
}

// A script lists, reads, replays and resolves the letters of its app. It sees what it did at once; others see
// it with its commit.
func TestLettersOfAScript(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	ids := leaveLetters(t, one, 3)

	reply := asScript(t, one, func(r *testcloud.Run) cloud.Outcome {
		if items, cursor := list(t, r, cloud.DeadLetterList{Limit: 100}); len(items) != 3 || items[0].ID != ids[0].String() || items[0].Script != "failing" ||
			items[0].Original != nil || cursor != nil {
			t.Errorf("listed: %+v, %v", items, cursor)
		}
		got, err := r.Call(cloud.DeadLetterGet{ID: ids[0].String()})
		if err != nil || !got.Found || !strings.Contains(got.JSON, `"original":{"op":"insert"`) || !strings.Contains(got.JSON, `"resolution":null`) {
			t.Errorf("get: %+v, %v", got, err)
		}

		row, err := r.Call(cloud.DeadLetterReplay{ID: ids[0].String(), HasPayload: true, Payload: `{"edited":1}`})
		if _, isID := cloud.ParseID(row.Value); err != nil || !isID {
			t.Errorf("replay: %+v, %v", row, err)
		}
		if _, err := r.Call(cloud.DeadLetterResolve{ID: ids[1].String(), Reason: "known"}); err != nil {
			t.Errorf("resolve: %v", err)
		}

		if items, _ := list(t, r, cloud.DeadLetterList{Limit: 100}); len(items) != 1 || items[0].ID != ids[2].String() {
			t.Errorf("listed afterwards: %+v", items)
		}
		if got, _ := r.Call(cloud.DeadLetterGet{ID: ids[1].String()}); !strings.Contains(got.JSON, `"resolution":"ignored"`) {
			t.Errorf("get afterwards: %s", got.JSON)
		}

		for _, call := range []cloud.HostCall{
			cloud.DeadLetterReplay{ID: ids[1].String()},
			cloud.DeadLetterResolve{ID: ids[1].String()},
		} {
			if _, err := r.Call(call); !isHostError(err, "DeadLetterError", "resolved already: ignored") {
				t.Errorf("%T of a letter that is resolved: %v", call, err)
			}
		}
		if n := one.Count("SELECT count(*) FROM dead_letters WHERE resolution IS NOT NULL"); n != 0 {
			t.Errorf("%d letters are resolved before the commit", n)
		}
		return testcloud.OK("")
	})
	if reply.Status != 200 {
		t.Fatalf("reply %+v", reply)
	}
	one.AwaitEmptyOutbox()

	const letters = `SELECT string_agg(resolution || ' ' || resolved_by || ' ' || coalesce(resolve_reason, ''),
		', ' ORDER BY resolution) FROM dead_letters`
	if got := one.Text(letters); got != "ignored script:mender known, replayed script:mender " {
		t.Errorf("letters: %s", got)
	}
	if n := one.Count(`SELECT count(*) FROM executions WHERE script = 'failing' AND status = 'succeeded'
		AND depth = 2`); n != 1 {
		t.Errorf("%d replays, one deeper than the letter", n)
	}
}

// A list comes page by page, of one script if it is named.
func TestPagesOfLetters(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	ids := leaveLetters(t, one, 3)
	asScript(t, one, func(r *testcloud.Run) cloud.Outcome {
		items, cursor := list(t, r, cloud.DeadLetterList{Limit: 2})
		if len(items) != 2 || cursor == nil || *cursor != ids[1].String() {
			t.Errorf("first page: %+v, %v", items, cursor)
			return testcloud.Fail("")
		}
		if items, cursor = list(t, r, cloud.DeadLetterList{Limit: 2, Cursor: *cursor}); len(items) != 1 || items[0].ID != ids[2].String() || cursor != nil {
			t.Errorf("second page: %+v, %v", items, cursor)
		}
		if items, _ = list(t, r, cloud.DeadLetterList{Limit: 9, Script: "other"}); len(items) != 0 {
			t.Errorf("letters of another script: %+v", items)
		}
		return testcloud.OK("")
	})
}

// A call that cannot be answered throws, under a name that a script can catch, and does not end the run.
func TestLetterCallsThatThrow(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t, func(cfg *orchestrator.Config) { cfg.MaxDepth = 1 })
	id := leaveLetters(t, one, 1)[0].String()
	asScript(t, one, func(r *testcloud.Run) cloud.Outcome {
		for name, c := range map[string]struct {
			call cloud.HostCall
			says string
		}{
			"no such letter":  {cloud.DeadLetterReplay{ID: "missing"}, "no such dead letter"},
			"none to resolve": {cloud.DeadLetterResolve{ID: one.IDs.New().String()}, "no such dead letter"},
			"no JSON":         {cloud.DeadLetterReplay{ID: id, HasPayload: true, Payload: "{"}, "not JSON"},
			"no UTF-8":        {cloud.DeadLetterReplay{ID: id, HasPayload: true, Payload: "\"\xff\""}, "not JSON"},
			"too deep":        {cloud.DeadLetterReplay{ID: id}, "the chain of events is 1 deep already"},
			"long reason":     {cloud.DeadLetterResolve{ID: id, Reason: strings.Repeat("ä", 1001)}, "1000 characters"},
			"bad cursor":      {cloud.DeadLetterList{Cursor: "x"}, "cursor must be one that list gave"},
		} {
			if _, err := r.Call(c.call); !isHostError(err, "DeadLetterError", c.says) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got, err := r.Call(cloud.DeadLetterGet{ID: one.IDs.New().String()}); err != nil || got.Found {
			t.Errorf("get of a letter that is not there: %+v, %v", got, err)
		}
		return testcloud.OK("")
	})
	if n := one.Count("SELECT count(*) FROM dead_letters WHERE resolution IS NOT NULL"); n != 0 {
		t.Errorf("%d letters are resolved", n)
	}
}

// What a run did with letters goes with the rest of it: nothing of a failed one, and of waitUntil work in a
// commit of its own.
func TestLettersGoWithTheRun(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	ids := leaveLetters(t, one, 3)
	resolve := func(r *testcloud.Run, k int) {
		if _, err := r.Call(cloud.DeadLetterResolve{ID: ids[k].String(), Reason: fmt.Sprint(k)}); err != nil {
			t.Errorf("resolve %d: %v", k, err)
		}
	}

	asScript(t, one, func(r *testcloud.Run) cloud.Outcome {
		resolve(r, 0)
		return testcloud.Fail("bad")
	})
	if n := one.Count("SELECT count(*) FROM dead_letters WHERE resolution IS NOT NULL"); n != 0 {
		t.Fatalf("%d letters of a failed run are resolved", n)
	}

	goOn := make(chan struct{})
	asScript(t, one, func(r *testcloud.Run) cloud.Outcome {
		resolve(r, 1)
		r.WaitUntil(func(r *testcloud.Run) cloud.Outcome {
			<-goOn
			resolve(r, 2)
			return cloud.Outcome{Status: cloud.Succeeded}
		})
		return testcloud.OK("")
	})
	if got := one.Text("SELECT string_agg(resolve_reason, ',') FROM dead_letters"); got != "1" {
		t.Errorf("resolved with the response: %s", got)
	}
	close(goOn)
	one.Await(2, "SELECT count(*) FROM dead_letters WHERE resolution = 'ignored'")
}

// A letter that somebody resolves while a run deals with it is a conflict: the run is made again and sees
// what became of it.
func TestLetterIsResolvedMeanwhile(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	id := leaveLetters(t, one, 1)[0]
	runs := 0
	reply := asScript(t, one, func(r *testcloud.Run) cloud.Outcome {
		runs++
		_, err := r.Call(cloud.DeadLetterReplay{ID: id.String()})
		if runs == 1 {
			if _, err := one.Operations.Resolve(t.Context(), one.AppID(), id, "known",
				one.Operator()); err != nil {
				t.Error(err)
			}
			return testcloud.OK("replayed")
		}
		if !isHostError(err, "DeadLetterError", "resolved already: ignored") {
			t.Errorf("run %d: %v", runs, err)
		}
		return testcloud.OK("too late")
	})
	if reply.Status != 200 || string(reply.Response.Body) != "too late" || runs != 2 {
		t.Errorf("%d runs, reply %+v", runs, reply)
	}
	if n := one.Count("SELECT count(*) FROM dead_letters WHERE resolution = 'ignored'"); n != 1 {
		t.Error("the operator's decision was overwritten")
	}
}
