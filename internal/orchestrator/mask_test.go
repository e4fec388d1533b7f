package orchestrator_test

import (
	"encoding/json"
	"strings"
	"testing"

	"picloud/internal/cloud"
	"picloud/internal/orchestrator"
	"picloud/internal/testkit/testcloud"
)

// A secret that a script logs, throws or answers with, or that a request has in its URL, is in no record of the
// run: viewers of the app read these.
func TestSecretsAreNotRecorded(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	const secret = "-----BEGIN KEY-----\n\"s3cret\"\n-----END KEY-----\n"
	if err := one.Manager.SetVariable(t.Context(), one.Owner, one.App, "PEM", secret, true); err != nil {
		t.Fatal(err)
	}
	one.Refresh(t.Context(), one.AppID())
	quoted, err := json.Marshal(map[string]string{"PEM": secret})
	if err != nil {
		t.Fatal(err)
	}

	started, goOn := make(chan struct{}), make(chan struct{})
	one.Deploy("throws", func(*testcloud.Run) cloud.Outcome {
		return cloud.Outcome{
			Status: cloud.Failed,
			Error:  cloud.ScriptError{Name: secret, Message: string(quoted), Stack: "at " + secret},
			Logs:   []cloud.LogLine{{Level: "log", Message: string(quoted)}},
		}
	})
	one.Deploy("answers", func(*testcloud.Run) cloud.Outcome {
		close(started)
		<-goOn
		return testcloud.OK(string(quoted))
	})

	one.Call("throws", func(c *orchestrator.HTTPCall) {
		c.Request.URL += "?key=-----BEGIN%20KEY-----%0A%22s3cret%22%0A-----END%20KEY-----%0A"
	})
	caller := testcloud.NewCaller()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		one.Call("answers", func(c *orchestrator.HTTPCall) { c.Caller = caller })
	}()
	receive(t, started)
	receive(t, caller.Watched)
	caller.HangUp()
	close(goOn)
	<-answered

	one.Await(2, "SELECT count(*) FROM executions")
	one.Await(1, "SELECT count(*) FROM abandoned_executions")

	for _, table := range []string{"executions", "abandoned_executions"} {
		rows := one.Text("SELECT string_agg(r::text, ' ') FROM " + table + " r")
		if !strings.Contains(rows, "***") || strings.Contains(rows, "s3cret") || strings.Contains(rows, "KEY-----") {
			t.Errorf("%s: %s", table, rows)
		}
	}
}
