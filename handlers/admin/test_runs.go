package admin

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"picloud/handlers/edge"
	"picloud/internal/cloud"
	"picloud/internal/orchestrator"
	"picloud/views"
)

// testScript runs the deployed version once, with the request or event of the form.
func (s *Server) testScript(v *visit) error {
	f := v.form
	test := views.TestRun{
		Method:  f.Get("method"),
		Path:    f.Get("path"),
		Headers: f.Get("headers"),
		Body:    normalizeLines(f.Get("body")),
		Event:   f.Get("event"),
		Handler: f.Get("handler"),
		DryRun:  f.Get("dry_run") == "true",
	}

	result, err := s.runTest(v, &test)
	if message, ok := refused(err); ok {
		test.Problem = message
	} else if err != nil {
		return err
	}
	test.Result = result

	if v.wantsFragment() {
		return v.render(http.StatusOK, views.TestOutput(v.app.App.Slug, test))
	}

	vm, err := s.scriptPage(v)
	if err != nil {
		return err
	}
	vm.Test = test
	return s.editor(v, http.StatusOK, vm)
}

// runTest makes the run and shows what it did.
func (s *Server) runTest(v *visit, test *views.TestRun) (*views.TestResult, error) {
	in, err := s.testInvocation(v, test)
	if err != nil {
		return nil, err
	}

	r, err := s.Orchestrator.Operations.Invoke(v.UserContext(), v.app.ID(), in)
	if err != nil {
		return nil, err
	}

	out := &views.TestResult{
		Execution: r.Execution.String(),
		Status:    string(r.Status),
		Duration:  r.Duration,
		DryRun:    test.DryRun,
	}

	if p := r.Response; p != nil {
		out.HTTPStatus = p.Status

		out.Body = shownBody(p.Body)
		for _, h := range p.Headers {
			out.Headers = append(out.Headers, [2]string{h.Name, h.Value})
		}
	}

	if r.Status != cloud.Succeeded {
		out.Error = r.Error.Name + ": " + r.Error.Message
		out.Stack = r.Error.Stack
	}
	out.Logs = logRows(r.Logs)
	if test.DryRun { // what it would have written
		for _, e := range s.Orchestrator.Operations.EventsOf(v.app.ID(), r.Writes) {
			out.Events = append(out.Events, indented(e))
		}
	}
	return out, nil
}

// testInvocation reads the form of a test run.
func (s *Server) testInvocation(v *visit, test *views.TestRun) (*orchestrator.Invocation, error) {
	in := &orchestrator.Invocation{Script: v.Params("name"), DryRun: test.DryRun, Principal: v.p.Cloud()}
	if test.Handler != "fetch" {
		return in, edge.InvokeHandler(in, test.Handler, json.RawMessage(test.Event))
	}

	edge.InvokeFetch(in, v.app)
	r := in.Request
	r.Method = strings.ToUpper(strings.TrimSpace(test.Method))
	r.Body = []byte(test.Body)
	if r.Method == "" {
		r.Method = http.MethodGet
	}

	origin, err := s.scriptOrigin(v)
	if err != nil {
		return nil, err
	}
	r.URL = origin + "/f/" + v.app.App.Slug + "/" + in.Script + test.Path
	if strings.Contains(test.Path, "://") {
		r.URL = test.Path
	}

	for line := range strings.Lines(test.Headers) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		if !ok || !edge.ValidHeader(name, value) {
			return nil, cloud.Errorf(cloud.CodeInvalid,
				"the header line %q must be a name, a colon and a value", cloud.Shorten(line))
		}
		r.Headers = append(r.Headers, cloud.Header{Name: strings.ToLower(name), Value: value})
	}
	return in, nil
}

// bodyShown bounds the body that a page shows.
const bodyShown = 64 << 10

// shownBody is a body as text, cut where it is too long for a page.
func shownBody(body []byte) string {
	if !utf8.Valid(body) {
		return "(" + strconv.Itoa(len(body)) + " bytes that are not text)"
	}
	if len(body) > bodyShown {
		return string(body[:bodyShown]) + "\n... (" + strconv.Itoa(len(body)) + " bytes in all)"
	}
	return string(body)
}

// logRows shows the lines of a run.
func logRows(lines []cloud.LogLine) []views.LogRow {
	var out []views.LogRow
	for _, l := range lines {
		out = append(out, views.LogRow{At: l.At, Level: l.Level, Message: l.Message})
	}
	return out
}
