package admin

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"picloud/db"
	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/manager"
	"picloud/internal/services/kv"
	"picloud/views"
)

// triggerRow shows a trigger in a list.
func triggerRow(t *manager.Trigger) views.TriggerRow {
	return views.TriggerRow{
		ID:         cloud.ID(t.ID).String(),
		Kind:       t.Kind,
		Script:     t.Script,
		What:       whatFires(t),
		Registrant: t.RegisteredName,
		Retry:      retryInWords(t),
		Enabled:    t.Enabled,
	}
}

// retryInWords says how often and for how long a trigger's event is tried.
func retryInWords(t *manager.Trigger) string {
	return views.InWords(int(t.MaxAttempts), totalDelay(t))
}

// whatFires puts a trigger's condition into words.
func whatFires(t *manager.Trigger) string {
	switch t.Kind {
	case cloud.SourceDeadLetter:
		out := "an event became a dead letter"
		if t.FailedScript != "" {
			out += " in " + t.FailedScript
		}
		if t.SourceFilter != nil {
			out += ", from " + *t.SourceFilter
		}
		return out

	case cloud.SourceCron:
		return t.Schedule + " in " + t.Timezone
	default:
		ops := "changes"
		if len(t.Ops) > 0 {
			ops = strings.Join(t.Ops, " or ")
		}
		if t.Collection == "*" {
			return ops + " in any collection"
		}
		return ops + " in " + t.Collection
	}
}

// totalDelay is how long all retries take together, without jitter.
func totalDelay(t *manager.Trigger) time.Duration {
	policy := cloud.Retry{
		Backoff: t.Backoff,
		Base:    time.Duration(t.BaseMs) * time.Millisecond,
		Max:     time.Duration(t.MaxMs) * time.Millisecond,
	}

	var total time.Duration
	for n := 1; n < int(t.MaxAttempts); n++ {
		total += policy.Delay(n, 0.5) // the middle of the jitter
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

// pretty is JSON for a person to edit.
func pretty(v any) string {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return "{}"
	}
	return string(b)
}

// eventTemplate is an event that a trigger would raise.
func eventTemplate(t *manager.Trigger) views.EventTemplate {
	e := views.EventTemplate{Name: whatFires(t), Handler: "kv"}
	if t.Kind == cloud.SourceKV {
		e.JSON = sampleKV(t.Collection, t.Ops)
		return e
	}

	if t.Kind == cloud.SourceCron {
		e.Handler = "scheduled"
		e.JSON = pretty(struct {
			Cron          string `json:"cron"`
			ScheduledTime int64  `json:"scheduledTime"`
			Timezone      string `json:"timezone"`
		}{t.Schedule, time.Now().Truncate(time.Minute).UnixMilli(), t.Timezone})
		return e
	}

	e.Handler = "deadLetter"
	script := cmp.Or(t.FailedScript, "orders")
	var filter *string // null in the event of a row that no trigger made
	if id := idText(t.TriggerFilter); id != "" {
		filter = &id
	}

	e.JSON = pretty(struct {
		ID       string            `json:"id"`
		Original json.RawMessage   `json:"original"`
		Attempts int               `json:"attempts"`
		Error    map[string]string `json:"error"`
		Trigger  *string           `json:"trigger"`
		Script   string            `json:"script"`
	}{
		ID:       "00000000-0000-7000-8000-000000000000",
		Original: json.RawMessage(sampleKV("", nil)),
		Attempts: 5,
		Error:    map[string]string{"name": "Error", "message": "test", "stack": ""},
		Trigger:  filter,
		Script:   script,
	})
	return e
}

// showTriggers lists the triggers, and warns of schedules that are late.
func (s *Server) showTriggers(v *visit) error {
	frame, err := v.frame("Triggers", "triggers")
	if err != nil {
		return err
	}

	if v.Query("done") == "deleted" {
		frame.Notice = "The trigger is gone."
	}

	list := edge.ListName(v.app, "triggers")
	after, err := s.OpenIDCursor(list, v.Query("cursor"))
	if err != nil {
		return err
	}

	rows, err := s.Manager.Triggers(v.UserContext(), v.app.App, after, pageSize+1)
	if err != nil {
		return err
	}

	rows, next := edge.Cut(s.Edge, list, rows, pageSize,
		func(r *db.ListTriggersRow) string { return cloud.ID(r.ID).String() })

	vm := views.TriggersPage{Page: frame, MayEdit: v.may(auth.WriteTriggers), Next: v.next(next)}
	for k := range rows {
		vm.Rows = append(vm.Rows, triggerRow((*manager.Trigger)(&rows[k])))
	}

	if vm.Overdue, err = v.overdue(); err != nil {
		return err
	}
	return v.render(http.StatusOK, views.Triggers(vm))
}

// newTrigger is the form of a trigger with the usual retries.
func (s *Server) newTrigger(v *visit) error {
	d := cloud.DefaultRetry()
	form := views.TriggerForm{
		Kind:        cmp.Or(v.Query("kind"), cloud.SourceKV),
		Script:      v.Query("script"),
		MaxAttempts: strconv.Itoa(d.MaxAttempts),
		Backoff:     d.Backoff,
		BaseMS:      strconv.FormatInt(d.Base.Milliseconds(), 10),
		MaxMS:       strconv.FormatInt(d.Max.Milliseconds(), 10),
		Jitter:      strconv.FormatFloat(d.Jitter, 'f', -1, 64),
	}
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

	vm := views.TriggerPage{
		Page:    frame,
		Form:    form,
		MayEdit: v.may(auth.WriteTriggers),
		MayFire: v.may(auth.FireTriggers) && form.Enabled,
	}

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

// upcomingShown is how many slots to come the page of a schedule shows.
const upcomingShown = 10

// addSlots shows what became of a schedule's slots, and the next ones.
func (s *Server) addSlots(v *visit, t *manager.Trigger, vm *views.TriggerPage) error {
	id := cloud.ID(t.ID)
	list := edge.ListName(v.app, "slots", id.String())
	before, err := s.OpenTimeCursor(list, v.Query("cursor"), edge.EndOfTime)
	if err != nil {
		return err
	}

	slots, err := s.Orchestrator.History.Slots(v.UserContext(), v.app.ID(), id, before, pageSize+1)
	if err != nil {
		return err
	}

	slots, next := edge.Cut(s.Edge, list, slots, pageSize, edge.SlotKey)
	upcoming, overdue, err := s.Orchestrator.Schedules.Upcoming(
		v.UserContext(),
		v.app.ID(),
		id,
		upcomingShown,
	)
	if err != nil {
		return err
	}

	// Schedules are read in their own zone; one whose zone is gone is read in UTC.
	_, loc := cloud.Zone(t.Timezone)
	if loc == nil {
		loc = time.UTC
	}

	local := func(at time.Time) string { return at.In(loc).Format("Mon 2 Jan 2006 15:04:05 -07:00") }
	for _, at := range upcoming {
		vm.Upcoming = append(vm.Upcoming, views.Slot{At: at, Local: local(at)})
	}

	for _, slot := range slots {
		vm.Slots = append(vm.Slots, views.Slot{
			At:        slot.Slot,
			Local:     local(slot.Slot),
			State:     slot.State,
			Reason:    slot.Reason,
			Drift:     slot.DecidedAt.Sub(slot.Slot).Truncate(time.Millisecond),
			Execution: idText(slot.ExecutionID),
		})
	}

	if overdue.Truncate(time.Millisecond) > cloud.LateAfter {
		vm.Overdue = []views.Overdue{{
			Trigger:  id.String(),
			Script:   t.Script,
			Schedule: t.Schedule,
			By:       overdue.Truncate(time.Millisecond),
		}}
	}
	vm.NextSlots = v.next(next)
	return nil
}

// overdue are the schedules of the app to warn of.
func (v *visit) overdue() ([]views.Overdue, error) {
	list, err := v.s.Orchestrator.History.OverdueSchedules(v.UserContext(), v.app.ID())

	out := make([]views.Overdue, len(list))
	for k, o := range list {
		out[k] = views.Overdue{Trigger: o.Trigger.String(), Script: o.Script, Schedule: o.Schedule, By: o.By}
	}
	return out, err
}

// trigger is the one that the address names.
func (s *Server) trigger(v *visit) (*manager.Trigger, error) {
	id, err := edge.IDParam(v.Params("id"), "trigger")
	if err != nil {
		return nil, err
	}
	return s.Manager.Trigger(v.UserContext(), v.app.App, id)
}

// triggerForm is the form of a trigger; it has the fields of its kind alone.
func triggerForm(t *manager.Trigger) views.TriggerForm {
	f := views.TriggerForm{
		ID:          cloud.ID(t.ID).String(),
		Kind:        t.Kind,
		Script:      t.Script,
		Enabled:     t.Enabled,
		MaxAttempts: strconv.Itoa(int(t.MaxAttempts)),
		Backoff:     t.Backoff,
		BaseMS:      strconv.Itoa(int(t.BaseMs)),
		MaxMS:       strconv.Itoa(int(t.MaxMs)),
		Jitter:      strconv.FormatFloat(t.Jitter, 'f', -1, 64),
	}

	switch t.Kind {
	case cloud.SourceKV:
		f.Collection = t.Collection
		f.Ops = t.Ops
	case cloud.SourceCron:
		f.Schedule = t.Schedule
		f.Timezone = t.Timezone
		f.CatchUp = t.CatchUp
		f.Overlap = t.Overlap
		f.CronJitter = strconv.Itoa(int(t.JitterMs))
	default:
		f.Source = orEmpty(t.SourceFilter)
		f.Trigger = idText(t.TriggerFilter)
		f.FailedScript = t.FailedScript
	}
	return about(f, t)
}

// about adds to a form what a trigger's page says of it in words.
func about(f views.TriggerForm, t *manager.Trigger) views.TriggerForm {
	return f.About(t.RegisteredName, retryInWords(t), whatFires(t), t.CreatedAt)
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
	return views.TriggerForm{
		Kind:         f.Get("kind"),
		Script:       f.Get("script"),
		Collection:   f.Get("collection"),
		Ops:          f["ops"],
		Source:       f.Get("source"),
		Trigger:      f.Get("trigger"),
		FailedScript: f.Get("failed_script"),
		Schedule:     f.Get("schedule"),
		Timezone:     f.Get("timezone"),
		CatchUp:      f.Get("catch_up"),
		Overlap:      f.Get("overlap"),
		CronJitter:   f.Get("jitter_ms"),
		MaxAttempts:  f.Get("max_attempts"),
		Backoff:      f.Get("backoff"),
		BaseMS:       f.Get("base_ms"),
		MaxMS:        f.Get("max_ms"),
		Jitter:       f.Get("jitter"),
	}
}

// triggerChange reads a form; only the fields of the kind count.
func triggerChange(f *views.TriggerForm) (manager.TriggerChange, error) {
	c := manager.TriggerChange{Kind: &f.Kind, Script: &f.Script, Retry: &manager.RetryChange{}}
	switch f.Kind {
	case cloud.SourceDeadLetter:
		c.Source = &f.Source
		c.Trigger = &f.Trigger
		c.FailedScript = &f.FailedScript

	case cloud.SourceCron:
		c.Schedule = &f.Schedule
		c.Timezone = &f.Timezone
		c.CatchUp = &f.CatchUp
		c.Overlap = &f.Overlap
		if err := formNumber(f.CronJitter, "spread", &c.JitterMS); err != nil {
			return c, err
		}

	default:
		ops := append([]string{}, f.Ops...)
		c.Collection = &f.Collection
		c.Ops = &ops
	}

	r := c.Retry
	if f.Backoff != "" {
		r.Backoff = &f.Backoff
	}

	for _, n := range []struct {
		text, what string
		to         **int32
	}{
		{f.MaxAttempts, "attempts", &r.MaxAttempts},
		{f.BaseMS, "first pause", &r.BaseMS},
		{f.MaxMS, "longest pause", &r.MaxMS},
	} {
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

// createTriggerPage makes a trigger, which fires from now on; a refusal is the form again.
func (s *Server) createTriggerPage(v *visit) error {
	form := v.typedTrigger()
	change, err := triggerChange(&form)
	var t *manager.Trigger
	if err == nil {
		t, err = s.Manager.CreateTrigger(v.UserContext(), edge.Actor(v.p), v.app.App, change)
	}

	if message, ok := refused(err); ok {
		return s.triggerPage(v, http.StatusUnprocessableEntity, form, message)
	}
	if err != nil {
		return err
	}
	return v.to("/triggers/" + cloud.ID(t.ID).String() + "?done=created")
}

// updateTriggerPage saves a trigger. Its kind stays: another kind is another trigger.
func (s *Server) updateTriggerPage(v *visit) error {
	t, err := s.trigger(v)
	if err != nil {
		return err
	}

	form := v.typedTrigger()
	form.Kind = t.Kind
	change, err := triggerChange(&form)
	if err == nil {
		_, err = s.Manager.UpdateTrigger(v.UserContext(), edge.Actor(v.p), v.app.App, t.ID, change)
	}

	if message, ok := refused(err); ok {
		form.ID = cloud.ID(t.ID).String()
		form.Enabled = t.Enabled
		return s.triggerPage(v, http.StatusUnprocessableEntity, about(form, t), message)
	}
	if err != nil {
		return err
	}
	return v.to("/triggers/" + cloud.ID(t.ID).String() + "?done=saved")
}

// enableTrigger switches a trigger on or off. Its rows in the queue wait while it is off.
func (s *Server) enableTrigger(v *visit) error {
	id, err := edge.IDParam(v.Params("id"), "trigger")
	if err != nil {
		return err
	}

	enabled := v.form.Get("enabled") == "true"
	change := manager.TriggerChange{Enabled: &enabled}
	_, err = s.Manager.UpdateTrigger(v.UserContext(), edge.Actor(v.p), v.app.App, id, change)
	if err != nil {
		return err
	}
	return v.to("/triggers")
}

// takeOverTrigger makes who asks for it the registrant, as whom the trigger's runs act.
func (s *Server) takeOverTrigger(v *visit) error {
	id, err := edge.IDParam(v.Params("id"), "trigger")
	if err != nil {
		return err
	}

	me := manager.RegistrantMe
	change := manager.TriggerChange{Registrant: &me}
	_, err = s.Manager.UpdateTrigger(v.UserContext(), edge.Actor(v.p), v.app.App, id, change)
	if err != nil {
		return err
	}
	return v.to("/triggers/" + id.String() + "?done=saved")
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
		_, execution, err = s.Orchestrator.Operations.Fire(
			v.UserContext(),
			v.app.ID(),
			t.ID,
			event,
			v.p.Cloud(),
		)
	}
	if message, ok := refused(err); ok {
		return s.triggerPage(v, http.StatusUnprocessableEntity, triggerForm(t), message)
	}
	if err != nil {
		return err
	}

	return v.to("/triggers/" + cloud.ID(t.ID).String() + "?fired=" + execution.String())
}

// deleteTriggerPage deletes a trigger when the name of its script was typed. With rows in the queue it
// needs force: they become dead letters.
func (s *Server) deleteTriggerPage(v *visit) error {
	t, err := s.trigger(v)
	if err != nil {
		return err
	}

	if err = v.confirmed(t.Script); err == nil {
		err = s.Manager.DeleteTrigger(v.UserContext(), edge.Actor(v.p), v.app.App, t.ID,
			v.form.Get("force") == "true")
	}
	if message, ok := refused(err); ok {
		return s.triggerPage(v, http.StatusUnprocessableEntity, triggerForm(t), message)
	}
	if err != nil {
		return err
	}
	return v.to("/triggers?done=deleted")
}
