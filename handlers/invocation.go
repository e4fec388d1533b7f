package handlers

import (
	"encoding/json"

	"picloud/internal/cloud"
	"picloud/internal/orchestrator"
	"picloud/internal/services/kv"
)

// testRequest makes a test run of fetch, with a plain GET of the script's endpoint until the caller says more.
func testRequest(inv *orchestrator.Invocation, c *appCaller) {
	inv.Handler = "fetch"
	inv.Request = &cloud.Request{Method: "GET", URL: "http://localhost/f/" + c.app.Slug + "/" + inv.Script}
}

// testEvent makes a test run of an event handler; without a name the event decides which.
func testEvent(inv *orchestrator.Invocation, handler string, event json.RawMessage) error {
	normal, err := kv.Normalize(string(event))
	if err != nil {
		return err
	}
	inv.Event = normal
	inv.Handler = handler
	if inv.Handler == "" {
		inv.Handler = handlerFor(event)
	}
	return nil
}

// handlerFor guesses an event's handler by its members.
func handlerFor(event json.RawMessage) string {
	var probe map[string]json.RawMessage
	_ = json.Unmarshal(event, &probe)
	switch {
	case probe["scheduledTime"] != nil || probe["cron"] != nil:
		return "scheduled"
	case probe["original"] != nil:
		return "deadLetter"
	default:
		return "kv"
	}
}
