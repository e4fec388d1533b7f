package admin

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"picloud/db"
	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/history"
	"picloud/internal/manager"
	"picloud/views"
)

// showScripts lists the scripts; the page also says how to deploy one from a shell.
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
			Warning:   cloud.HandlersWarning(r.Kind, r.Handlers, r.HandlersError),
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

// scriptOrigin is where scripts are reached from outside: with a host for the dashboard alone, a host of the
// app.
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

// newScript is the editor with a template, or the page of the script that has the name already.
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

	return s.editor(v, http.StatusOK, &views.ScriptPage{
		Name:     name,
		Source:   template,
		Language: "javascript",
		Kind:     cloud.KindEndpoint,
		Access:   cloud.AccessPublic,
	})
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

	vm := &views.ScriptPage{
		Name:     r.Name,
		Source:   r.Source,
		Language: r.Language,
		Kind:     r.Kind,
		Access:   r.Access,
		Version:  int(r.Version),
		Handlers: r.Handlers,
		Imports:  r.Imports,
		Limit:    rateLimitOf(cloud.ParseRateLimit(r.RateLimit)),
	}

	vm.Deploy.Warning = cloud.HandlersWarning(r.Kind, r.Handlers, r.HandlersError)
	vm.Deploy.Version = vm.Version
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

// editor completes a script's page with its frame and, unless it is a new script, with what belongs to it.
func (s *Server) editor(v *visit, status int, vm *views.ScriptPage) error {
	frame, err := v.frame(vm.Name, "scripts")
	if err != nil {
		return err
	}
	frame.Editor = true
	vm.Page = frame
	vm.MayEdit = v.may(auth.WriteScripts)
	vm.MayDelete = v.may(auth.DeleteScripts)
	vm.MayTriggers = v.may(auth.WriteTriggers)
	vm.DefaultTimeout = strconv.FormatInt(s.ScriptTimeout.Milliseconds(), 10)
	vm.DefaultMemory = strconv.Itoa(s.ScriptMemory)

	origin, err := s.scriptOrigin(v)
	if err != nil {
		return err
	}
	vm.Curl = "curl " + origin + "/f/" + v.app.App.Slug + "/" + vm.Name
	if vm.Access != cloud.AccessPublic {
		vm.Curl += ` -H "Authorization: Bearer $KEY"`
	}

	script, err := s.Manager.Script(v.UserContext(), v.app.App, vm.Name)
	if cloud.CodeOf(err) == cloud.CodeNotFound && err != nil {
		return v.render(status, views.Script(*vm))
	}
	if err != nil {
		return err
	}
	if err := s.aroundScript(v, vm, script); err != nil {
		return err
	}
	return v.render(status, views.Script(*vm))
}

// aroundScript adds what belongs to a script: its versions, routes, triggers, test events and latest
// executions.
func (s *Server) aroundScript(v *visit, vm *views.ScriptPage, script *manager.Script) error {
	ctx := v.UserContext()
	app := v.app.App
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

	filter := history.ExecutionFilter{Script: script.Name}
	page, err := s.Orchestrator.History.Executions(ctx, v.app.ID(), filter, cloud.ID{}, aroundShown)
	if err != nil {
		return err
	}

	for k := range page.List {
		vm.Executions = append(vm.Executions, executionRow(&page.List[k]))
	}
	return nil
}

// deployScript deploys what the form holds. A refusal is the editor again, with the text as it was typed.
func (s *Server) deployScript(v *visit) error {
	name := v.Params("name")
	typed := v.typedScript(name)
	err := s.Manager.MayDeploy(v.UserContext(), v.app.Actor(), v.app.App, name)

	var change manager.ScriptChange
	if err == nil {
		change, err = scriptChange(typed)
	}

	var deployed *manager.Deployed
	if err == nil {
		deployed, err = s.Manager.PutScript(v.UserContext(), v.app.Actor(), v.app.App, name, change)
	}
	if message, ok := refused(err); ok {
		typed.Deploy = views.Deploy{Error: message, Version: typed.Version}
		if cloud.CodeOf(err) == cloud.CodePrecondition {
			typed.Deploy.Error = "Somebody deployed another version meanwhile. " +
				"Copy your text, reload, and merge the two."
		}
		typed.Deploy.Line, typed.Deploy.Column = placeOf(err, name)
		if v.wantsFragment() {
			return v.render(http.StatusOK, views.DeployResult(typed.Deploy))
		}
		return s.editor(v, http.StatusUnprocessableEntity, typed)
	}
	if err != nil {
		return err
	}

	switch {
	case !v.wantsFragment():
		return v.to("/scripts/" + name + "?deployed=1")
	case deployed.Created: // the address changes, and the page has more to show
		v.Set("HX-Redirect", "/admin/apps/"+v.app.App.Slug+"/scripts/"+name+"?deployed=1")
		return v.SendStatus(http.StatusNoContent)
	default:
		return v.render(http.StatusOK, views.DeployResult(deployResult(deployed)))
	}
}

// typedScript is a script as the editor has it. Version is the one that was edited, 0 for a new script.
func (v *visit) typedScript(name string) *views.ScriptPage {
	version, _ := strconv.Atoi(v.form.Get("version"))
	return &views.ScriptPage{
		Name:      name,
		Source:    normalizeLines(v.form.Get("source")),
		Language:  v.form.Get("language"),
		Kind:      v.form.Get("kind"),
		Access:    v.form.Get("access"),
		Version:   version,
		TimeoutMS: v.form.Get("timeout_ms"),
		MemoryMiB: v.form.Get("memory_mib"),
		Limit:     v.typedRateLimit(),
	}
}

// scriptChange reads the editor's form. Empty limits are those of the installation.
func scriptChange(typed *views.ScriptPage) (manager.ScriptChange, error) {
	change := manager.ScriptChange{
		Source:      typed.Source,
		Language:    &typed.Language,
		Kind:        &typed.Kind,
		Access:      &typed.Access,
		IfMatch:     typed.Version,
		MustBeNew:   typed.Version == 0,
		ClearLimits: true,
	}
	err := errors.Join(
		formNumber(typed.TimeoutMS, "timeout", &change.TimeoutMS),
		formNumber(typed.MemoryMiB, "memory", &change.MemoryMiB),
	)
	if err != nil {
		return change, err
	}

	change.RateLimit, err = rateLimitChange(typed.Limit)
	return change, err
}

// deployResult says what a deployment of a script that was there made.
func deployResult(deployed *manager.Deployed) views.Deploy {
	version := strconv.Itoa(deployed.Version)
	result := views.Deploy{
		Version: deployed.Version,
		Warning: deployed.Warning,
		Notice:  "Version " + version + " answers now.",
	}
	if !deployed.Changed {
		result.Notice = "Saved. The source is that of version " + version + ", which answers as before."
	}
	return result
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
	var known *cloud.Error
	if !errors.As(err, &known) {
		return 0, 0
	}
	file, _ := known.Details["file"].(string)
	if name, _, _ := strings.Cut(file, "."); name == script || file == "" {
		line, _ = known.Details["line"].(int)
		column, _ = known.Details["column"].(int)
	}
	return line, column
}

// normalizeLines undoes the line ends that HTML forms are sent with (CR LF). A lone CR is the text's own.
func normalizeLines(s string) string {
	out := make([]byte, 0, len(s))
	for k := range len(s) {
		if s[k] != '\r' || k+1 < len(s) && s[k+1] != '\n' {
			out = append(out, s[k])
		}
	}
	return string(out)
}

// rollbackScript makes an older version current, built anew with the modules as they are now.
func (s *Server) rollbackScript(v *visit) error {
	version, err := strconv.Atoi(v.form.Get("version"))
	if err != nil {
		return cloud.Errorf(cloud.CodeInvalid, "version must be a number")
	}

	name := v.Params("name")
	_, err = s.Manager.Rollback(v.UserContext(), v.app.Actor(), v.app.App, name, version)
	if err != nil {
		return err
	}
	return v.to("/scripts/" + name + "?deployed=1")
}

// deleteScriptPage deletes a script whose name was typed, with its routes and triggers. With rows in the
// queue it needs force: they become dead letters.
func (s *Server) deleteScriptPage(v *visit) error {
	name := v.Params("name")
	err := v.confirmed(name)
	if err == nil {
		err = s.Manager.DeleteScript(v.UserContext(), edge.Actor(v.p), v.app.App, name,
			v.form.Get("force") == "true")
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
