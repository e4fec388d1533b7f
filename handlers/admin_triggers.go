package handlers

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/manager"
	"picloud/internal/services/kv"
	"picloud/views"
)

func triggerRow(t *triggerItem) views.TriggerRow {
	return views.TriggerRow{ID: t.ID, Kind: t.Kind, Script: t.Script, What: whatFires(t), Registrant: t.RegisteredBy, Retry: retryInWords(t),
		Enabled: t.Enabled}
}

func retryInWords(t *triggerItem) string {
	return views.InWords(int(t.Retry.MaxAttempts), totalDelay(t.Retry))
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
	if t.Kind == cloud.SourceCron {
		return *t.Schedule + " in " + *t.Timezone
	}
	ops := "changes"
	if len(*t.Ops) > 0 {
		ops = strings.Join(*t.Ops, " or ")
	}
	if *t.Collection == "*" {
		return ops + " in any collection"
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

// sampleKV is an event of a collection to start a test from.
func sampleKV(collection string, ops []string) string {
	op := "insert"
	if len(ops) > 0 {
		op = ops[0]
	}
	name := strings.TrimSuffix(strings.TrimSuffix(collection, "*"), ":")
	if name == "" {
		name = "orders"
	}
	e := struct {
		Op         string         `json:"op"`
		Collection string         `json:"collection"`
		Key        string         `json:"key"`
		Value      map[string]any `json:"value,omitempty"`
		OldValue   map[string]any `json:"oldValue,omitempty"`
	}{Op: op, Collection: name, Key: "test"}
	if op != "delete" {
		e.Value = map[string]any{"test": true}
	}
	if op != "insert" {
		e.OldValue = map[string]any{"test": false}
	}
	return pretty(e)
}

func pretty(v any) string {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return "{}"
	}
	return string(b)
}

// eventTemplate is an event that a trigger would raise.
func eventTemplate(t *triggerItem) views.EventTemplate {
	e := views.EventTemplate{Name: whatFires(t), Handler: "kv"}
	if t.Kind == cloud.SourceKV {
		e.JSON = sampleKV(*t.Collection, *t.Ops)
		return e
	}
	if t.Kind == cloud.SourceCron {
		e.Handler = "scheduled"
		e.JSON = pretty(struct {
			Cron          string `json:"cron"`
			ScheduledTime int64  `json:"scheduledTime"`
			Timezone      string `json:"timezone"`
		}{*t.Schedule, time.Now().Truncate(time.Minute).UnixMilli(), *t.Timezone})
		return e
	}
	e.Handler = "deadLetter"
	script := "orders"
	if t.FailedScript != nil {
		script = *t.FailedScript
	}
	e.JSON = pretty(struct {
		ID       string            `json:"id"`
		Original json.RawMessage   `json:"original"`
		Attempts int               `json:"attempts"`
		Error    map[string]string `json:"error"`
		Trigger  *string           `json:"trigger"`
		Script   string            `json:"script"`
	}{"00000000-0000-7000-8000-000000000000", json.RawMessage(sampleKV("", nil)), 5, map[string]string{"name": "Error", "message": "test", "stack": ""}, t.Trigger, script})
	return e
}

func (s *Server) showTriggers(v *visit) error {
	frame, err := v.frame("Triggers", "triggers")
	if err != nil {
		return err
	}
	if v.Query("done") == "deleted" {
		frame.Notice = "The trigger is gone."
	}
	list, err := s.listTriggers(v.UserContext(), v.app, &listScripts{PageQuery: *v.pageQuery()})
	if err != nil {
		return err
	}
	vm := views.TriggersPage{Page: frame, MayEdit: v.may(auth.WriteTriggers), Next: v.next(list.Body.NextCursor)}
	if vm.Overdue, err = v.overdue(); err != nil {
		return err
	}
	for k := range list.Body.Items {
		vm.Rows = append(vm.Rows, triggerRow(&list.Body.Items[k]))
	}
	return v.render(http.StatusOK, views.Triggers(vm))
}

func (s *Server) newTrigger(v *visit) error {
	d := cloud.DefaultRetry()
	form := views.TriggerForm{Kind: or(v.Query("kind"), cloud.SourceKV), Script: v.Query("script"), MaxAttempts: strconv.Itoa(d.MaxAttempts), Backoff: d.Backoff,
		BaseMS: strconv.FormatInt(d.Base.Milliseconds(), 10), MaxMS: strconv.FormatInt(d.Max.Milliseconds(), 10),
		Jitter: strconv.FormatFloat(d.Jitter, 'f', -1, 64)}
	return s.triggerPage(v, http.StatusOK, form, "")
}

// triggerPage shows the form of a trigger; one that exists with what can be done to it.
func (s *Server) triggerPage(v *visit, status int, form views.TriggerForm, problem string) error {
	frame, err := v.frame("Trigger", "triggers")
	if err != nil {
		return err
	}
	frame.Error = problem
	switch v.Query("done") {
	case "saved":
		frame.Notice = "Saved."
	case "created":
		frame.Notice = "Created: it fires from now on."
	}
	vm := views.TriggerPage{Page: frame, Form: form, MayEdit: v.may(auth.WriteTriggers), MayFire: v.may(auth.FireTriggers) && form.Enabled}
	if id, ok := cloud.ParseID(v.Query("fired")); ok {
		vm.Fired = id.String()
	}
	if vm.Scripts, err = v.scriptNames(); err != nil {
		return err
	}
	if form.ID != "" {
		t, err := s.trigger(v)
		if err != nil {
			return err
		}
		vm.Event = eventTemplate(t).JSON
		if t.Kind == cloud.SourceCron {
			if err := s.addSlots(v, t, &vm); err != nil {
				return err
			}
		}
		if v.form != nil && v.form.Has("event") {
			vm.Event = v.form.Get("event")
		}
	}
	return v.render(status, views.Trigger(vm))
}

// addSlots shows what became of a schedule's slots, and the next ones.
func (s *Server) addSlots(v *visit, t *triggerItem, vm *views.TriggerPage) error {
	in := &listSlots{PageQuery: *v.pageQuery()}
	in.ID = t.ID
	list, err := s.listSlots(v.UserContext(), v.app, in)
	if err != nil {
		return err
	}
	_, loc := cloud.Zone(*t.Timezone)
	if loc == nil {
		loc = time.UTC
	}
	local := func(at time.Time) string { return at.In(loc).Format("Mon 2 Jan 2006 15:04:05 -07:00") }
	for _, at := range list.Body.Upcoming {
		vm.Upcoming = append(vm.Upcoming, views.Slot{At: at, Local: local(at)})
	}
	for _, it := range list.Body.Items {
		row := views.Slot{At: it.Slot, Local: local(it.Slot), State: it.State, Reason: it.Reason,
			Drift: time.Duration(it.DriftMS) * time.Millisecond}
		if it.ExecutionID != nil {
			row.Execution = *it.ExecutionID
		}
		vm.Slots = append(vm.Slots, row)
	}
	if by := time.Duration(list.Body.OverdueMS) * time.Millisecond; by > cloud.LateAfter {
		vm.Overdue = []views.Overdue{{Trigger: t.ID, Script: t.Script, Schedule: *t.Schedule, By: by}}
	}
	vm.NextSlots = v.next(list.Body.NextCursor)
	return nil
}

// overdue are the schedules of the app to warn of.
func (v *visit) overdue() ([]views.Overdue, error) {
	list, err := v.s.cfg.Orchestrator.History.OverdueSchedules(v.UserContext(), v.app.id())
	out := make([]views.Overdue, len(list))
	for k, o := range list {
		out[k] = views.Overdue{Trigger: o.Trigger.String(), Script: o.Script, Schedule: o.Schedule, By: o.By}
	}
	return out, err
}

// trigger is the one that the address names.
func (s *Server) trigger(v *visit) (*triggerItem, error) {
	id, err := idParam(v.Params("id"), "trigger")
	if err != nil {
		return nil, err
	}
	t, err := s.cfg.Manager.Trigger(v.UserContext(), v.app.app, id)
	if err != nil {
		return nil, err
	}
	it := showTrigger(t)
	return &it, nil
}

func triggerForm(t *triggerItem) views.TriggerForm {
	f := views.TriggerForm{ID: t.ID, Kind: t.Kind, Script: t.Script, Enabled: t.Enabled, MaxAttempts: strconv.Itoa(int(t.Retry.MaxAttempts)),
		Backoff: t.Retry.Backoff, BaseMS: strconv.Itoa(int(t.Retry.BaseMS)), MaxMS: strconv.Itoa(int(t.Retry.MaxMS)),
		Jitter: strconv.FormatFloat(t.Retry.Jitter, 'f', -1, 64)}
	for _, p := range []struct {
		to   *string
		from *string
	}{{&f.Schedule, t.Schedule}, {&f.Timezone, t.Timezone}, {&f.CatchUp, t.CatchUp}, {&f.Overlap, t.Overlap}, {&f.Collection, t.Collection}, {&f.Source, t.Source}, {&f.Trigger, t.Trigger}, {&f.FailedScript, t.FailedScript}} {
		if p.from != nil {
			*p.to = *p.from
		}
	}
	if t.Ops != nil {
		f.Ops = *t.Ops
	}
	if t.JitterMS != nil {
		f.CronJitter = strconv.Itoa(int(*t.JitterMS))
	}
	return f.About(t.RegisteredBy, retryInWords(t), whatFires(t), t.CreatedAt)
}

func (s *Server) showTriggerPage(v *visit) error {
	t, err := s.trigger(v)
	if err != nil {
		return err
	}
	return s.triggerPage(v, http.StatusOK, triggerForm(t), "")
}

// typedTrigger is a trigger as its form has it.
func (v *visit) typedTrigger() views.TriggerForm {
	f := v.form
	return views.TriggerForm{Kind: f.Get("kind"), Script: f.Get("script"), Collection: f.Get("collection"), Ops: f["ops"], Source: f.Get("source"),
		Trigger: f.Get("trigger"), FailedScript: f.Get("failed_script"), Schedule: f.Get("schedule"), Timezone: f.Get("timezone"), CatchUp: f.Get("catch_up"),
		Overlap: f.Get("overlap"), CronJitter: f.Get("jitter_ms"), MaxAttempts: f.Get("max_attempts"), Backoff: f.Get("backoff"),
		BaseMS: f.Get("base_ms"), MaxMS: f.Get("max_ms"), Jitter: f.Get("jitter")}
}

// triggerChange reads a form; only the fields of the kind count.
func triggerChange(f *views.TriggerForm) (manager.TriggerChange, error) {
	c := manager.TriggerChange{Kind: &f.Kind, Script: &f.Script, Retry: &manager.RetryChange{}}
	switch f.Kind {
	case cloud.SourceDeadLetter:
		c.Source, c.Trigger, c.FailedScript = &f.Source, &f.Trigger, &f.FailedScript
	case cloud.SourceCron:
		c.Schedule, c.Timezone, c.CatchUp, c.Overlap = &f.Schedule, &f.Timezone, &f.CatchUp, &f.Overlap
		if err := formNumber(f.CronJitter, "spread", &c.JitterMS); err != nil {
			return c, err
		}
	default:
		ops := append([]string{}, f.Ops...)
		c.Collection, c.Ops = &f.Collection, &ops
	}
	r := c.Retry
	if f.Backoff != "" {
		r.Backoff = &f.Backoff
	}
	for _, n := range []struct {
		text, what string
		to         **int32
	}{{f.MaxAttempts, "attempts", &r.MaxAttempts}, {f.BaseMS, "first pause", &r.BaseMS}, {f.MaxMS, "longest pause", &r.MaxMS}} {
		if err := formNumber(n.text, n.what, n.to); err != nil {
			return c, err
		}
	}
	if f.Jitter != "" {
		j, err := strconv.ParseFloat(f.Jitter, 64)
		if err != nil {
			return c, cloud.Errorf(cloud.CodeInvalid, "jitter must be a number from 0 to 1")
		}
		r.Jitter = &j
	}
	return c, nil
}

func (s *Server) createTriggerPage(v *visit) error {
	form := v.typedTrigger()
	change, err := triggerChange(&form)
	var t *manager.Trigger
	if err == nil {
		t, err = s.cfg.Manager.CreateTrigger(v.UserContext(), actor(v.p), v.app.app, change)
	}
	if message, ok := refused(err); ok {
		return s.triggerPage(v, http.StatusUnprocessableEntity, form, message)
	}
	if err != nil {
		return err
	}
	return v.to("/triggers/" + cloud.ID(t.ID).String() + "?done=created")
}

func (s *Server) updateTriggerPage(v *visit) error {
	t, err := s.trigger(v)
	if err != nil {
		return err
	}
	form := v.typedTrigger()
	form.Kind = t.Kind
	change, err := triggerChange(&form)
	if err == nil {
		_, err = s.cfg.Manager.UpdateTrigger(v.UserContext(), actor(v.p), v.app.app, mustID(t.ID), change)
	}
	if message, ok := refused(err); ok {
		form.ID, form.Enabled = t.ID, t.Enabled
		return s.triggerPage(v, http.StatusUnprocessableEntity, form.About(t.RegisteredBy, retryInWords(t), whatFires(t), t.CreatedAt), message)
	}
	if err != nil {
		return err
	}
	return v.to("/triggers/" + t.ID + "?done=saved")
}

// mustID is the id of something that was read by it.
func mustID(text string) cloud.ID {
	id, _ := cloud.ParseID(text)
	return id
}

func (s *Server) enableTrigger(v *visit) error {
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

// fireTriggerPage puts a test event into the queue.
func (s *Server) fireTriggerPage(v *visit) error {
	t, err := s.trigger(v)
	if err != nil {
		return err
	}
	var execution cloud.ID
	event, err := kv.Normalize(v.form.Get("event"))
	if err == nil {
		_, execution, err = s.cfg.Orchestrator.Operations.Fire(v.UserContext(), v.app.id(), mustID(t.ID), event, v.p.Cloud())
	}
	if message, ok := refused(err); ok {
		return s.triggerPage(v, http.StatusUnprocessableEntity, triggerForm(t), message)
	}
	if err != nil {
		return err
	}
	return v.to("/triggers/" + t.ID + "?fired=" + execution.String())
}

func (s *Server) deleteTriggerPage(v *visit) error {
	t, err := s.trigger(v)
	if err != nil {
		return err
	}
	if err = v.confirmed(t.Script); err == nil {
		err = s.cfg.Manager.DeleteTrigger(v.UserContext(), actor(v.p), v.app.app, mustID(t.ID), v.form.Get("force") == "true")
	}
	if message, ok := refused(err); ok {
		return s.triggerPage(v, http.StatusUnprocessableEntity, triggerForm(t), message)
	}
	if err != nil {
		return err
	}
	return v.to("/triggers?done=deleted")
}
