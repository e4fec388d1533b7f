package admin

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/aymanbagabas/go-udiff"

	"picloud/db"
	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/manager"
	"picloud/internal/orchestrator"
	"picloud/views"
)

func (s *Server) showScripts(v *visit) error {
	frame, err := v.frame("Scripts", "scripts")
	if err != nil {
		return err
	}
	if v.Query("done") == "deleted" {
		frame.Notice = "The script is gone."
	}
	list := edge.ListName(v.app, "scripts")
	after, err := s.OpenCursor(list, v.Query("cursor"))
	if err != nil {
		return err
	}

	rows, err := s.Manager.Scripts(v.UserContext(), v.app.App, after, pageSize+1)
	if err != nil {
		return err
	}
	rows, next := edge.Cut(s.Edge, list, rows, pageSize, func(r *db.ListScriptsRow) string { return r.Name })
	vm := views.ScriptsPage{
		Page:    frame,
		MayEdit: v.may(auth.WriteScripts),
		Next:    v.next(next),
		Curl: "curl -X PUT " + s.origin(v) + "/api/v1/apps/" + v.app.App.Slug + "/scripts/hello" +
			" -H \"Authorization: Bearer $KEY\" -H \"Content-Type: text/javascript\" --data-binary @hello.js",
	}
	for k := range rows {
		r := &rows[k]
		vm.Scripts = append(vm.Scripts, views.ScriptRow{
			Name:      r.Name,
			Kind:      r.Kind,
			Access:    r.Access,
			Language:  r.Language,
			Version:   int(r.Version),
			UpdatedAt: r.UpdatedAt,
			Warning:   r.HandlersError,
		})
	}
	return v.render(http.StatusOK, views.Scripts(vm))
}

// origin is where PiCloud is reached from outside.
func (s *Server) origin(v *visit) string {
	if s.PublicURL != "" {
		return strings.TrimSuffix(s.PublicURL, "/")
	}
	scheme := "http"
	if s.Secure(v.Ctx) {
		scheme = "https"
	}
	return scheme + "://" + string(v.Context().Host())
}

// scriptOrigin is where scripts are reached from outside: with a host for the dashboard alone, a host of the app.
func (s *Server) scriptOrigin(v *visit) (string, error) {
	origin := s.origin(v)
	u, err := url.Parse(origin)
	if err != nil {
		return "", cloud.Errorf(cloud.CodeInternal, "the public URL cannot be read").Because(err)
	}
	if s.AdminHost == "" || u.Hostname() != s.AdminHost {
		return origin, nil
	}
	hosts, err := s.Manager.Hosts(v.UserContext(), v.app.App)
	if err != nil {
		return "", err
	}
	for _, h := range hosts {
		if !strings.HasPrefix(h, "*") {
			return u.Scheme + "://" + h, nil
		}
	}
	return u.Scheme + "://HOST-OF-THE-SCRIPTS", nil
}

// template is what a new script starts from.
const template = `import { kv } from "picloud";

export default {
  async fetch(request, env, ctx) {
    const hits = await kv.collection("counters").increment("hits");
    return Response.json({ message: "hello", hits });
  },
};
`

func (s *Server) newScript(v *visit) error {
	name := v.Query("name")
	_, err := s.Manager.Script(v.UserContext(), v.app.App, name)
	switch {
	case err == nil:
		return v.to("/scripts/" + name)
	case cloud.CodeOf(err) != cloud.CodeNotFound:
		return err
	}
	if err := manager.CheckScriptName(name); err != nil {
		return err
	}
	return s.editor(v, http.StatusOK, &views.ScriptPage{Name: name, Source: template, Language: "javascript", Kind: cloud.KindEndpoint, Access: cloud.AccessPublic})
}

func (s *Server) showEditor(v *visit) error {
	vm, err := s.scriptPage(v)
	if err != nil {
		return err
	}
	if v.Query("deployed") != "" {
		vm.Deploy.Notice = "Version " + strconv.Itoa(vm.Version) + " answers now."
	}
	return s.editor(v, http.StatusOK, vm)
}

// scriptPage is the page of a script as it is deployed.
func (s *Server) scriptPage(v *visit) (*views.ScriptPage, error) {
	r, err := s.Manager.Script(v.UserContext(), v.app.App, v.Params("name"))
	if err != nil {
		return nil, err
	}
	vm := &views.ScriptPage{Name: r.Name, Source: r.Source, Language: r.Language, Kind: r.Kind, Access: r.Access, Version: int(r.Version),
		Handlers: r.Handlers, Imports: r.Imports}
	vm.Deploy.Warning, vm.Deploy.Version = r.HandlersError, vm.Version
	if r.TimeoutMs != nil {
		vm.TimeoutMS = strconv.Itoa(int(*r.TimeoutMs))
	}
	if r.MemoryMib != nil {
		vm.MemoryMiB = strconv.Itoa(int(*r.MemoryMib))
	}
	return vm, nil
}

// aroundShown bounds the lists beside the editor.
const aroundShown = 5

// editor completes a script's page with its frame and what belongs to the script.
func (s *Server) editor(v *visit, status int, vm *views.ScriptPage) error {
	frame, err := v.frame(vm.Name, "scripts")
	if err != nil {
		return err
	}
	frame.Editor = true
	vm.Page, vm.MayEdit, vm.MayDelete, vm.MayTriggers = frame, v.may(auth.WriteScripts), v.may(auth.DeleteScripts), v.may(auth.WriteTriggers)
	origin, err := s.scriptOrigin(v)
	if err != nil {
		return err
	}
	vm.Curl = "curl " + origin + "/f/" + v.app.App.Slug + "/" + vm.Name
	if vm.Access != cloud.AccessPublic {
		vm.Curl += ` -H "Authorization: Bearer $KEY"`
	}
	vm.DefaultTimeout, vm.DefaultMemory = strconv.FormatInt(s.ScriptTimeout.Milliseconds(), 10), strconv.Itoa(s.ScriptMemory)
	r, err := s.Manager.Script(v.UserContext(), v.app.App, vm.Name)
	if cloud.CodeOf(err) == cloud.CodeNotFound && err != nil {
		return v.render(status, views.Script(*vm))
	}
	if err != nil {
		return err
	}
	if err := s.aroundScript(v, vm, r); err != nil {
		return err
	}
	return v.render(status, views.Script(*vm))
}

// aroundScript adds what belongs to a script: its versions, routes, triggers, test events and latest executions.
func (s *Server) aroundScript(v *visit, vm *views.ScriptPage, script *manager.Script) error {
	ctx, app := v.UserContext(), v.app.App
	versions, err := s.Manager.Versions(ctx, app, script, 1<<30, aroundShown)
	if err != nil {
		return err
	}
	for k := range versions {
		vm.Versions = append(vm.Versions, versionRow(&versions[k], script))
	}

	routes, err := s.Manager.Routes(ctx, app, cloud.ID{}, manager.MaxTriggers)
	if err != nil {
		return err
	}
	for k := range routes {
		if routes[k].ScriptID == script.ID {
			vm.Routes = append(vm.Routes, routeRow((*manager.Route)(&routes[k])))
		}
	}

	triggers, err := s.Manager.Triggers(ctx, app, cloud.ID{}, manager.MaxTriggers)
	if err != nil {
		return err
	}
	for k := range triggers {
		if triggers[k].ScriptID == script.ID {
			t := (*manager.Trigger)(&triggers[k])
			vm.Triggers = append(vm.Triggers, triggerRow(t))
			vm.Test.Templates = append(vm.Test.Templates, eventTemplate(t))
		}
	}

	// The form of a test starts with an event that a trigger of the script would raise.
	if vm.Test.Method == "" {
		vm.Test.Method = "GET"
		vm.Test.DryRun = true
	}
	if vm.Test.Event == "" {
		vm.Test.Event = sampleKV("", nil)
		if len(vm.Test.Templates) > 0 {
			vm.Test.Event = vm.Test.Templates[0].JSON
		}
	}

	filter := orchestrator.ExecutionFilter{Script: script.Name}
	executions, _, err := s.Orchestrator.Executions(ctx, v.app.ID(), filter, cloud.ID{}, aroundShown)
	if err != nil {
		return err
	}
	for k := range executions {
		vm.Executions = append(vm.Executions, executionRow(&executions[k]))
	}
	return nil
}

func versionRow(version *db.ListVersionsRow, script *manager.Script) views.VersionRow {
	return views.VersionRow{
		Version:   int(version.Version),
		CreatedBy: version.CreatedBy,
		CreatedAt: version.CreatedAt,
		Size:      int(version.Size),
		Current:   version.Version == script.Version,
	}
}

// deployScript deploys what the form holds. A refusal is the editor again, with the text as it was typed.
func (s *Server) deployScript(v *visit) error {
	f := v.form
	name, language, kind, access := v.Params("name"), f.Get("language"), f.Get("kind"), f.Get("access")
	version, _ := strconv.Atoi(f.Get("version"))
	change := manager.ScriptChange{Source: normalizeLines(f.Get("source")), Language: &language, Kind: &kind, Access: &access, IfMatch: version, MustBeNew: version == 0}
	limits := []error{formNumber(f.Get("timeout_ms"), "timeout", &change.TimeoutMS), formNumber(f.Get("memory_mib"), "memory", &change.MemoryMiB)}
	change.ClearLimits = true
	err := errors.Join(limits...)
	var out *manager.Deployed
	if err == nil {
		out, err = s.Manager.PutScript(v.UserContext(), edge.Actor(v.p), v.app.App, name, change)
	}
	if message, ok := refused(err); ok {
		d := views.Deploy{Error: message, Version: version}
		if cloud.CodeOf(err) == cloud.CodePrecondition {
			d.Error = "Somebody deployed another version meanwhile. Copy your text, reload, and merge the two."
		}
		d.Line, d.Column = placeOf(err, name)
		if v.wantsFragment() {
			return v.render(http.StatusOK, views.DeployResult(d))
		}
		return s.editor(v, http.StatusUnprocessableEntity, &views.ScriptPage{Name: name, Source: change.Source, Language: language, Kind: kind,
			Access: access, Version: version, TimeoutMS: f.Get("timeout_ms"), MemoryMiB: f.Get("memory_mib"), Deploy: d})
	}
	if err != nil {
		return err
	}
	if v.wantsFragment() && !out.Created {
		d := views.Deploy{Version: out.Version, Warning: out.Warning, Notice: "Version " + strconv.Itoa(out.Version) + " answers now."}
		if !out.Changed {
			d.Notice = "Saved. The source is that of version " + strconv.Itoa(out.Version) + ", which answers as before."
		}
		return v.render(http.StatusOK, views.DeployResult(d))
	}
	if v.wantsFragment() { // the address changes, and the page has more to show
		v.Set("HX-Redirect", "/admin/apps/"+v.app.App.Slug+"/scripts/"+name+"?deployed=1")
		return v.SendStatus(http.StatusNoContent)
	}
	return v.to("/scripts/" + name + "?deployed=1")
}

// formNumber reads an optional whole number of a form.
func formNumber(text, what string, to **int32) error {
	if text == "" {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return cloud.Errorf(cloud.CodeInvalid, "%s must be a whole number", what)
	}
	small := int32(n)
	*to = &small
	return nil
}

// placeOf gives the line and column that a compile error names in a script's own source, 0 for none.
func placeOf(err error, script string) (line, column int) {
	var ce *cloud.Error
	if !errors.As(err, &ce) {
		return 0, 0
	}
	file, _ := ce.Details["file"].(string)
	if name, _, _ := strings.Cut(file, "."); name == script || file == "" {
		line, _ = ce.Details["line"].(int)
		column, _ = ce.Details["column"].(int)
	}
	return line, column
}

// normalizeLines undoes the line ends that HTML forms are sent with.
func normalizeLines(s string) string {
	out := make([]byte, 0, len(s))
	for k := range len(s) {
		if s[k] != '\r' || k+1 < len(s) && s[k+1] != '\n' {
			out = append(out, s[k])
		}
	}
	return string(out)
}

func (s *Server) rollbackScript(v *visit) error {
	version, err := strconv.Atoi(v.form.Get("version"))
	if err != nil {
		return cloud.Errorf(cloud.CodeInvalid, "version must be a number")
	}
	if _, err := s.Manager.Rollback(v.UserContext(), edge.Actor(v.p), v.app.App, v.Params("name"), version); err != nil {
		return err
	}
	return v.to("/scripts/" + v.Params("name") + "?deployed=1")
}

func (s *Server) deleteScriptPage(v *visit) error {
	name := v.Params("name")
	err := v.confirmed(name)
	if err == nil {
		err = s.Manager.DeleteScript(v.UserContext(), edge.Actor(v.p), v.app.App, name, v.form.Get("force") == "true")
	}
	if message, ok := refused(err); ok {
		vm, err := s.scriptPage(v)
		if err != nil {
			return err
		}
		vm.Deploy.Error = message
		return s.editor(v, http.StatusUnprocessableEntity, vm)
	}
	if err != nil {
		return err
	}
	return v.to("/scripts?done=deleted")
}

// showVersions lists versions and compares two of them, if nothing else is asked the current one with that before it.
func (s *Server) showVersions(v *visit) error {
	ctx, name := v.UserContext(), v.Params("name")
	frame, err := v.frame(name+" versions", "scripts")
	if err != nil {
		return err
	}
	script, err := s.Manager.Script(ctx, v.app.App, name)
	if err != nil {
		return err
	}
	list := edge.ListName(v.app, "versions", name)
	before, err := s.OpenNumberCursor(list, v.Query("cursor"), newestVersion)
	if err != nil {
		return err
	}
	versions, err := s.Manager.Versions(ctx, v.app.App, script, before, pageSize+1)
	if err != nil {
		return err
	}
	versions, next := edge.Cut(s.Edge, list, versions, pageSize, versionKey)

	vm := views.VersionsPage{
		Page:    frame,
		Name:    name,
		MayEdit: v.may(auth.WriteScripts),
		To:      v.QueryInt("to", int(script.Version)),
		Next:    v.next(next),
	}
	vm.From = v.QueryInt("from", max(1, vm.To-1))
	for k := range versions {
		vm.Versions = append(vm.Versions, versionRow(&versions[k], script))
	}

	from, err := s.Manager.Version(ctx, v.app.App, script, vm.From)
	if err != nil {
		return err
	}
	to, err := s.Manager.Version(ctx, v.app.App, script, vm.To)
	if err != nil {
		return err
	}
	if vm.Diff, err = compare(from.Source, to.Source); err != nil {
		return err
	}
	return v.render(http.StatusOK, views.Versions(vm))
}

// newestVersion is where a list of versions starts: above every version that there can be.
const newestVersion = math.MaxInt32

// versionKey is where a version stands in lists.
func versionKey(v *db.ListVersionsRow) string { return strconv.Itoa(int(v.Version)) }

// maxDiffLines bounds what is compared: the effort grows with the product of the differences.
const maxDiffLines = 5000

// compare gives the lines in which two texts differ, with three around them.
func compare(from, to string) ([]views.DiffLine, error) {
	if strings.Count(from, "\n")+strings.Count(to, "\n") > 2*maxDiffLines {
		return []views.DiffLine{{Op: '@', Text: "the sources are too long to be compared here"}}, nil
	}
	d, err := udiff.ToUnifiedDiff("a", "b", from, udiff.Lines(from, to), udiff.DefaultContextLines)
	if err != nil {
		return nil, err
	}
	var out []views.DiffLine
	for k, h := range d.Hunks {
		if k > 0 {
			out = append(out, views.DiffLine{Op: '@', Text: "..."})
		}
		was, is := h.FromLine, h.ToLine
		for _, l := range h.Lines {
			line := views.DiffLine{Op: ' ', Old: was, New: is, Text: strings.TrimSuffix(l.Content, "\n")}
			switch l.Kind {
			case udiff.Delete:
				line.Op, line.New = '-', 0
				was++
			case udiff.Insert:
				line.Op, line.Old = '+', 0
				is++
			default:
				was++
				is++
			}
			out = append(out, line)
		}
	}
	return out, nil
}

// testScript runs the deployed version once, with the request or event of the form.
func (s *Server) testScript(v *visit) error {
	f := v.form
	test := views.TestRun{Method: f.Get("method"), Path: f.Get("path"), Headers: f.Get("headers"), Body: normalizeLines(f.Get("body")),
		Event: f.Get("event"), Handler: f.Get("handler"), DryRun: f.Get("dry_run") == "true"}
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

func (s *Server) runTest(v *visit, test *views.TestRun) (*views.TestResult, error) {
	in, err := s.testInvocation(v, test)
	if err != nil {
		return nil, err
	}
	r, err := s.Orchestrator.Invoke(v.UserContext(), v.app.ID(), in)
	if err != nil {
		return nil, err
	}
	out := &views.TestResult{Execution: r.Execution.String(), Status: string(r.Status), Duration: r.Duration, DryRun: test.DryRun}
	if p := r.Response; p != nil {
		out.HTTPStatus, out.Body = p.Status, shownBody(p.Body)
		for _, h := range p.Headers {
			out.Headers = append(out.Headers, [2]string{h.Name, h.Value})
		}
	}
	if r.Status != cloud.Succeeded {
		out.Error, out.Stack = r.Error.Name+": "+r.Error.Message, r.Error.Stack
	}
	out.Logs = logRows(r.Logs)
	if test.DryRun {
		for _, e := range s.Orchestrator.EventsOf(v.app.ID(), r.Writes) {
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
	r.Method, r.Body = strings.ToUpper(strings.TrimSpace(test.Method)), []byte(test.Body)
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
			return nil, cloud.Errorf(cloud.CodeInvalid, "the header line %q must be a name, a colon and a value", cloud.Shorten(line))
		}
		r.Headers = append(r.Headers, cloud.Header{Name: strings.ToLower(name), Value: value})
	}
	return in, nil
}

// bodyShown bounds the body that a page shows.
const bodyShown = 64 << 10

func shownBody(body []byte) string {
	if !utf8.Valid(body) {
		return "(" + strconv.Itoa(len(body)) + " bytes that are not text)"
	}
	if len(body) > bodyShown {
		return string(body[:bodyShown]) + "\n... (" + strconv.Itoa(len(body)) + " bytes in all)"
	}
	return string(body)
}

func logRows(lines []cloud.LogLine) []views.LogRow {
	var out []views.LogRow
	for _, l := range lines {
		out = append(out, views.LogRow{At: l.At, Level: l.Level, Message: l.Message})
	}
	return out
}
