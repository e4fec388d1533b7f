package handlers

import (
	"net/http"
	"strconv"
	"time"

	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/manager"
	"picloud/views"
)

func (s *Server) showScripts(v *visit) error {
	frame, err := v.frame("Scripts", "scripts")
	if err != nil {
		return err
	}
	list, err := s.listScripts(v.UserContext(), v.app, &listScripts{PageQuery: *v.pageQuery()})
	if err != nil {
		return err
	}
	vm := views.ScriptsPage{Page: frame, MayEdit: v.may(auth.WriteScripts), Next: v.next(list.Body.NextCursor)}
	for _, r := range list.Body.Items {
		vm.Scripts = append(vm.Scripts, views.ScriptRow{Name: r.Name, Kind: r.Kind, Access: r.Access, Language: r.Language, Version: r.Version, UpdatedAt: r.UpdatedAt})
	}
	return v.render(http.StatusOK, views.Scripts(vm))
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
	if _, err := s.cfg.Manager.Script(v.UserContext(), v.app.app, name); err == nil {
		return v.to("/scripts/" + name)
	}
	return s.editor(v, http.StatusOK, &views.ScriptPage{Name: name, Source: template, Language: "javascript", Kind: cloud.KindEndpoint, Access: cloud.AccessPublic})
}

func (s *Server) showEditor(v *visit) error {
	r, err := s.cfg.Manager.Script(v.UserContext(), v.app.app, v.Params("name"))
	if err != nil {
		return err
	}
	vm := &views.ScriptPage{Name: r.Name, Source: r.Source, Language: r.Language, Kind: r.Kind, Access: r.Access, Version: int(r.Version),
		Warning: r.HandlersError, Handlers: r.Handlers}
	if v.Query("deployed") != "" {
		vm.Notice = "Version " + strconv.Itoa(vm.Version) + " answers now."
	}
	return s.editor(v, http.StatusOK, vm)
}

// editor completes a script's page with its frame and versions.
func (s *Server) editor(v *visit, status int, vm *views.ScriptPage) error {
	frame, err := v.frame(vm.Name, "scripts")
	if err != nil {
		return err
	}
	frame.Error, frame.Notice = vm.Error, vm.Notice
	vm.Page, vm.MayEdit = frame, v.may(auth.WriteScripts)
	scheme := "http"
	if s.secure(v.Ctx) {
		scheme = "https"
	}
	vm.URL = scheme + "://" + string(v.Context().Host()) + "/f/" + v.app.app.Slug + "/" + vm.Name
	if r, err := s.cfg.Manager.Script(v.UserContext(), v.app.app, vm.Name); err == nil {
		versions, err := s.cfg.Manager.Versions(v.UserContext(), v.app.app, r, 1<<30, pageSize)
		if err != nil {
			return err
		}
		for _, x := range versions {
			vm.Versions = append(vm.Versions, views.VersionRow{Version: int(x.Version), CreatedBy: x.CreatedBy, CreatedAt: x.CreatedAt, Current: x.Version == r.Version})
		}
	}
	return v.render(status, views.Script(*vm))
}

// deployScript deploys what the form holds. A refusal is the editor again, with the text as it was typed.
func (s *Server) deployScript(v *visit) error {
	f := v.form
	name, language, kind, access := v.Params("name"), f.Get("language"), f.Get("kind"), f.Get("access")
	version, _ := strconv.Atoi(f.Get("version"))
	change := manager.ScriptChange{Source: normalizeLines(f.Get("source")), Language: &language, Kind: &kind, Access: &access, IfMatch: version, MustBeNew: version == 0}
	_, err := s.cfg.Manager.PutScript(v.UserContext(), actor(v.p), v.app.app, name, change)
	if message, ok := refused(err); ok {
		if cloud.CodeOf(err) == cloud.CodePrecondition {
			message = "Somebody deployed another version meanwhile. Copy your text, reload, and merge the two."
		}
		vm := &views.ScriptPage{Name: name, Source: change.Source, Language: language, Kind: kind, Access: access, Version: version}
		vm.Error = message
		return s.editor(v, http.StatusUnprocessableEntity, vm)
	}
	if err != nil {
		return err
	}
	return v.to("/scripts/" + name + "?deployed=1")
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
	if _, err := s.cfg.Manager.Rollback(v.UserContext(), actor(v.p), v.app.app, v.Params("name"), version); err != nil {
		return err
	}
	return v.to("/scripts/" + v.Params("name") + "?deployed=1")
}

func (s *Server) showTriggers(v *visit) error { return s.triggersPage(v, http.StatusOK, "") }

func (s *Server) triggersPage(v *visit, status int, problem string) error {
	frame, err := v.frame("Triggers", "triggers")
	if err != nil {
		return err
	}
	frame.Error = problem
	list, err := s.listTriggers(v.UserContext(), v.app, &listScripts{PageQuery: PageQuery{Limit: manager.MaxTriggers}})
	if err != nil {
		return err
	}
	vm := views.TriggersPage{Page: frame, MayEdit: v.may(auth.WriteTriggers)}
	if v.form != nil {
		vm.Script, vm.Collection = v.form.Get("script"), v.form.Get("collection")
	}
	for k := range list.Body.Items {
		t := &list.Body.Items[k]
		vm.Rows = append(vm.Rows, views.TriggerRow{ID: t.ID, Kind: t.Kind, Script: t.Script, What: whatFires(t), Registrant: t.RegisteredBy,
			Retry: views.InWords(int(t.Retry.MaxAttempts), totalDelay(t.Retry)), Enabled: t.Enabled})
	}
	return v.render(status, views.Triggers(vm))
}

// whatFires puts a trigger's condition into words.
func whatFires(t *triggerItem) string {
	if t.Kind == cloud.SourceDeadLetter {
		out := "an event became a dead letter"
		if t.FailedScript != nil {
			out += " in " + *t.FailedScript
		}
		if t.Source != nil {
			out += ", from " + *t.Source
		}
		return out
	}
	ops := "changes"
	if len(*t.Ops) > 0 {
		ops = ""
		for k, op := range *t.Ops {
			if k > 0 {
				ops += " or "
			}
			ops += op
		}
	}
	return ops + " in " + *t.Collection
}

// totalDelay is how long all retries take together, without jitter.
func totalDelay(r retryItem) time.Duration {
	policy := cloud.Retry{Backoff: r.Backoff, Base: time.Duration(r.BaseMS) * time.Millisecond, Max: time.Duration(r.MaxMS) * time.Millisecond}
	var total time.Duration
	for n := 1; n < int(r.MaxAttempts); n++ {
		total += policy.Delay(n, 0.5)
	}
	return total
}

func (s *Server) createTrigger(v *visit) error {
	kind, script, collection := v.form.Get("kind"), v.form.Get("script"), v.form.Get("collection")
	change := manager.TriggerChange{Kind: &kind, Script: &script}
	if kind != cloud.SourceDeadLetter {
		change.Collection = &collection
	}
	_, err := s.cfg.Manager.CreateTrigger(v.UserContext(), actor(v.p), v.app.app, change)
	if message, ok := refused(err); ok {
		return s.triggersPage(v, http.StatusUnprocessableEntity, message)
	}
	if err != nil {
		return err
	}
	return v.to("/triggers")
}

func (s *Server) updateTrigger(v *visit) error {
	id, err := idParam(v.Params("id"), "trigger")
	if err != nil {
		return err
	}
	enabled := v.form.Get("enabled") == "true"
	if _, err := s.cfg.Manager.UpdateTrigger(v.UserContext(), actor(v.p), v.app.app, id, manager.TriggerChange{Enabled: &enabled}); err != nil {
		return err
	}
	return v.to("/triggers")
}
