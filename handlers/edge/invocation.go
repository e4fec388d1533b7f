package edge

import (
	"encoding/json"

	"picloud/internal/cloud"
	"picloud/internal/orchestrator"
	"picloud/internal/services/kv"
)

// InvokeFetch makes a test run one of fetch, with a plain GET of the script's endpoint until the caller says
// more.
func InvokeFetch(run *orchestrator.Invocation, c *AppCaller) {
	run.Handler = "fetch"
	run.Request = &cloud.Request{Method: "GET", URL: "http://localhost/f/" + c.App.Slug + "/" + run.Script}
}

// InvokeHandler makes a test run one of an event handler; without a name the event decides which.
func InvokeHandler(run *orchestrator.Invocation, handler string, event json.RawMessage) error {
	normal, err := kv.Normalize(string(event))
	if err != nil {
		return err
	}

	run.Event = normal
	run.Handler = handler
	if run.Handler == "" {
		run.Handler = handlerFor(event)
	}
	return nil
}

// handlerFor guesses an event's handler by its members.
func handlerFor(event json.RawMessage) string {
	var members map[string]json.RawMessage

	_ = json.Unmarshal(event, &members) // what is no object has no members
	switch {
	case members["scheduledTime"] != nil || members["cron"] != nil:
		return "scheduled"
	case members["original"] != nil:
		return "deadLetter"
	default:
		return "kv"
	}
}
