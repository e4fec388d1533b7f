package api

import (
	"context"
	"encoding/json"
	"strings"

	"picloud/handlers/edge"
	"picloud/handlers/tail"
	"picloud/internal/cloud"
	"picloud/internal/orchestrator"
)

// invokeBody is a test run: of fetch with a request, or of an event handler.
type invokeBody struct {
	Request *struct {
		Method  string            `json:"method,omitempty"`
		URL     string            `json:"url,omitempty"`
		Path    string            `json:"path,omitempty"`
		Headers map[string]string `json:"headers,omitempty"`
		Body    string            `json:"body,omitempty"`
	} `json:"request,omitempty"`
	// Handler names the event handler; without it the event decides: kv, scheduled or deadLetter.
	Handler string          `json:"handler,omitempty" enum:"fetch,kv,scheduled,deadLetter"`
	Event   json.RawMessage `json:"event,omitempty"`
	DryRun  bool            `json:"dry_run,omitempty"`
}

type invokeScript struct {
	ScriptPath
	RawBody []byte
}

type responseItem struct {
	Status  int         `json:"status"`
	Headers [][2]string `json:"headers"`
	Body    string      `json:"body"`
}

// invokeOutput is what a test run did.
type invokeOutput struct {
	Body struct {
		ExecutionID string            `json:"execution_id"`
		Status      string            `json:"status"`
		Response    *responseItem     `json:"response"`
		Error       *tail.ErrorItem   `json:"error"`
		Logs        []tail.LogItem    `json:"logs"`
		Events      []json.RawMessage `json:"events" doc:"writes of a dry run, with the triggers they would fire"`
		DurationMS  float64           `json:"duration_ms"`
	}
}

// invoke runs a script once, whoever may call its endpoint. A dry run commits nothing.
func (s *Server) invoke(ctx context.Context, c *edge.AppCaller, in *invokeScript) (*invokeOutput, error) {
	var b invokeBody
	if len(in.RawBody) > 0 {
		if err := decodeBody(in.RawBody, &b); err != nil {
			return nil, err
		}
	}

	inv := &orchestrator.Invocation{Script: in.Name, DryRun: b.DryRun, Principal: c.Cloud()}
	if err := b.fill(c, inv); err != nil {
		return nil, err
	}

	r, err := s.Orchestrator.Operations.Invoke(ctx, c.ID(), inv)
	if err != nil {
		return nil, err
	}

	out := &invokeOutput{}
	o := &out.Body
	o.ExecutionID = r.Execution.String()
	o.Status = string(r.Status)
	o.Logs = tail.ShowLogs(r.Logs)
	o.DurationMS = millis(r.Duration)
	if r.Response != nil {
		o.Response = &responseItem{
			Status:  r.Response.Status,
			Headers: [][2]string{},
			Body:    string(r.Response.Body),
		}
		for _, h := range r.Response.Headers {
			o.Response.Headers = append(o.Response.Headers, [2]string{h.Name, h.Value})
		}
	}

	if r.Status != cloud.Succeeded {
		o.Error = &tail.ErrorItem{Name: r.Error.Name, Message: r.Error.Message, Stack: r.Error.Stack}
	}
	o.Events = s.Orchestrator.Operations.EventsOf(c.ID(), r.Writes)
	return out, nil
}

// fill makes the test run that a body describes.
func (b *invokeBody) fill(c *edge.AppCaller, inv *orchestrator.Invocation) error {
	if b.Event != nil {
		if b.Request != nil {
			return cloud.Errorf(cloud.CodeInvalid, "give a request or an event, not both")
		}
		return edge.InvokeHandler(inv, b.Handler, b.Event)
	}

	if b.Handler != "" && b.Handler != "fetch" {
		return cloud.Errorf(cloud.CodeInvalid, "the handler %s needs an event", cloud.Shorten(b.Handler))
	}
	edge.InvokeFetch(inv, c)
	if b.Request == nil {
		return nil
	}

	if b.Request.Method != "" {
		inv.Request.Method = strings.ToUpper(b.Request.Method)
	}
	if b.Request.URL != "" {
		inv.Request.URL = b.Request.URL
	}

	inv.Request.URL += b.Request.Path

	inv.Request.Body = []byte(b.Request.Body)
	for name, value := range b.Request.Headers {
		inv.Request.Headers = append(inv.Request.Headers, cloud.Header{Name: name, Value: value})
	}
	return nil
}
