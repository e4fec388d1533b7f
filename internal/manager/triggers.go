package manager

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
	"picloud/internal/schedule"
)

// MaxTriggers is the most enabled triggers of an app.
const MaxTriggers = 1000

// TriggerChange is what a trigger can be given; nil keeps, or takes the default.
type TriggerChange struct {
	Kind       *string   `json:"kind,omitempty"`
	Script     *string   `json:"script,omitempty"`
	Enabled    *bool     `json:"enabled,omitempty"`
	Collection *string   `json:"collection,omitempty"`
	Ops        *[]string `json:"ops,omitempty"`
	// Filters of dead_letter triggers.
	Source       *string      `json:"source,omitempty"`
	Trigger      *string      `json:"trigger,omitempty"`
	FailedScript *string      `json:"failed_script,omitempty"`
	Retry        *RetryChange `json:"retry,omitempty"`
	// When cron triggers fire.
	Schedule *string `json:"schedule,omitempty"`
	Timezone *string `json:"timezone,omitempty"`
	CatchUp  *string `json:"catch_up,omitempty"`
	Overlap  *string `json:"overlap,omitempty"`
	JitterMS *int32  `json:"jitter_ms,omitempty"`
}

// RetryChange is a retry policy in which missing fields take the default.
type RetryChange struct {
	MaxAttempts *int32   `json:"max_attempts,omitempty"`
	Backoff     *string  `json:"backoff,omitempty"`
	BaseMS      *int32   `json:"base_ms,omitempty"`
	MaxMS       *int32   `json:"max_ms,omitempty"`
	Jitter      *float64 `json:"jitter,omitempty"`
}

// Trigger is a trigger with the names of its scripts.
type Trigger = db.TriggerByIDRow

var collectionPattern = regexp.MustCompile(`^(\*|[A-Za-z0-9:_-]{1,128}|[A-Za-z0-9:_-]{0,127}:\*)$`)

// CreateTrigger binds a script to events. The actor becomes the registrant, whom its runs act as.
func (m *Manager) CreateTrigger(ctx context.Context, actor Actor, app *App, c TriggerChange) (*Trigger, error) {
	if c.Kind == nil || c.Script == nil {
		return nil, invalid("a trigger needs kind and script")
	}
	d := cloud.DefaultRetry()
	t := &Trigger{AppID: app.ID, ID: m.cfg.IDs.New(), Kind: *c.Kind, Enabled: true, Ops: []string{}, MaxAttempts: int32(d.MaxAttempts), Backoff: d.Backoff,
		BaseMs: int32(d.Base.Milliseconds()), MaxMs: int32(d.Max.Milliseconds()), Jitter: d.Jitter,
		CatchUp: cloud.CatchUpOne, Overlap: cloud.OverlapAllow, RegisteredBy: &actor.UserID, RegisteredName: actor.Username, CreatedAt: time.Now()}
	audit := change{actor: actor, app: app, action: "trigger.create", target: cloud.ID(t.ID).String(), detail: c}
	err := m.apply(ctx, audit, func(q *db.Queries) error {
		if err := m.setTrigger(ctx, q, app, t, c); err != nil {
			return err
		}
		if err := m.countTriggers(ctx, q, app, t); err != nil {
			return err
		}
		err := q.InsertTrigger(ctx, db.InsertTriggerParams{AppID: t.AppID, ID: t.ID, Kind: t.Kind, ScriptID: t.ScriptID, Enabled: t.Enabled,
			Collection: t.Collection, Ops: t.Ops, SourceFilter: t.SourceFilter, TriggerFilter: t.TriggerFilter, ScriptFilter: t.ScriptFilter,
			MaxAttempts: t.MaxAttempts, Backoff: t.Backoff, BaseMs: t.BaseMs, MaxMs: t.MaxMs, Jitter: t.Jitter,
			Schedule: t.Schedule, Timezone: t.Timezone, CatchUp: t.CatchUp, Overlap: t.Overlap, JitterMs: t.JitterMs,
			RegisteredBy: t.RegisteredBy, RegisteredName: t.RegisteredName})
		if err != nil {
			return err
		}
		return putSchedule(ctx, q, t)
	})
	return t, err
}

// UpdateTrigger changes a trigger; its kind and registrant stay.
func (m *Manager) UpdateTrigger(ctx context.Context, actor Actor, app *App, id cloud.ID, c TriggerChange) (*Trigger, error) {
	var t Trigger
	audit := change{actor: actor, app: app, action: "trigger.update", target: id.String(), detail: c}
	err := m.apply(ctx, audit, func(q *db.Queries) error {
		var err error
		if t, err = q.TriggerByID(ctx, app.ID, id); err != nil {
			return found(err, "trigger")
		}
		if c.Kind != nil && *c.Kind != t.Kind {
			return invalid("the kind of a trigger cannot change: delete it and make another")
		}
		before := t
		if err := m.setTrigger(ctx, q, app, &t, c); err != nil {
			return err
		}
		if !before.Enabled {
			if err := m.countTriggers(ctx, q, app, &t); err != nil {
				return err
			}
		}
		if err := moveRows(ctx, q, &t, before.Enabled); err != nil {
			return err
		}
		err = q.UpdateTrigger(ctx, db.UpdateTriggerParams{AppID: t.AppID, ID: t.ID, ScriptID: t.ScriptID, Enabled: t.Enabled,
			Collection: t.Collection, Ops: t.Ops, SourceFilter: t.SourceFilter, TriggerFilter: t.TriggerFilter, ScriptFilter: t.ScriptFilter,
			MaxAttempts: t.MaxAttempts, Backoff: t.Backoff, BaseMs: t.BaseMs, MaxMs: t.MaxMs, Jitter: t.Jitter,
			Schedule: t.Schedule, Timezone: t.Timezone, CatchUp: t.CatchUp, Overlap: t.Overlap, JitterMs: t.JitterMs})
		if err != nil || before.Enabled == t.Enabled && before.Schedule == t.Schedule && before.Timezone == t.Timezone && before.JitterMs == t.JitterMs {
			return err // what goes on keeps its place
		}
		return putSchedule(ctx, q, &t)
	})
	return &t, err
}

// putSchedule lets an enabled cron trigger fire from now on, by the database's clock, and stops a disabled one.
func putSchedule(ctx context.Context, q *db.Queries, t *Trigger) error {
	if t.Kind != cloud.SourceCron {
		return nil
	}
	if !t.Enabled {
		return q.DropSchedule(ctx, t.AppID, t.ID)
	}
	s, _, err := schedule.Parse(t.Schedule, t.Timezone)
	if err != nil {
		return err
	}
	from, err := q.DatabaseTime(ctx)
	if err != nil {
		return err
	}
	last, err := q.LastSlot(ctx, t.AppID, t.ID)
	if err != nil && !errors.Is(db.Translate(err), db.ErrNotFound) {
		return err
	}
	if last.After(from) { // the clock was put back
		from = last
	}
	next := s.Next(from)
	return q.PutSchedule(ctx, db.PutScheduleParams{AppID: t.AppID, TriggerID: t.ID, NextSlot: next,
		FireAt: next.Add(schedule.Jitter(t.ID, next, time.Duration(t.JitterMs)*time.Millisecond))})
}

// moveRows parks what waits for a trigger that is disabled, and wakes it when the trigger is enabled again.
func moveRows(ctx context.Context, q *db.Queries, t *Trigger, wasEnabled bool) error {
	switch {
	case wasEnabled && !t.Enabled:
		return q.ParkRows(ctx, t.AppID, &t.ID)
	case !wasEnabled && t.Enabled:
		return q.UnparkRows(ctx, t.AppID, &t.ID)
	default:
		return nil
	}
}

func (m *Manager) countTriggers(ctx context.Context, q *db.Queries, app *App, t *Trigger) error {
	if !t.Enabled {
		return nil
	}
	if err := q.LockApp(ctx, int32(app.ID)); err != nil {
		return err
	}
	n, err := q.CountEnabledTriggers(ctx, app.ID)
	if err == nil && n >= MaxTriggers {
		return invalid("an app can have %d enabled triggers", MaxTriggers)
	}
	return err
}

func (m *Manager) setTrigger(ctx context.Context, q *db.Queries, app *App, t *Trigger, c TriggerChange) error {
	if !slices.Contains([]string{cloud.SourceKV, cloud.SourceCron, cloud.SourceDeadLetter}, t.Kind) {
		return invalid("kind must be kv, cron or dead_letter")
	}
	if c.Script != nil {
		s, err := m.endpoint(ctx, q, app, *c.Script)
		if err != nil {
			return err
		}
		t.ScriptID, t.Script = s.ID, s.Name
		if err := exports(s, t.Kind); err != nil {
			return err
		}
	}
	t.Enabled = or(c.Enabled, t.Enabled)
	var err error
	if t.Kind == cloud.SourceKV {
		err = setKV(t, c)
	} else if c.Collection != nil || c.Ops != nil {
		err = invalid("collection and ops belong to kv triggers")
	}
	if err == nil && t.Kind == cloud.SourceDeadLetter {
		err = m.setDeadLetter(ctx, q, app, t, c)
	} else if err == nil && (c.Source != nil || c.Trigger != nil || c.FailedScript != nil) {
		err = invalid("source, trigger and failed_script belong to dead_letter triggers")
	}
	if err == nil && t.Kind == cloud.SourceCron {
		err = setCron(t, c)
	} else if err == nil && (c.Schedule != nil || c.Timezone != nil || c.CatchUp != nil || c.Overlap != nil || c.JitterMS != nil) {
		err = invalid("schedule, timezone, catch_up, overlap and jitter_ms belong to cron triggers")
	}
	if err != nil {
		return err
	}
	if c.Retry != nil {
		return setRetry(t, c.Retry)
	}
	return nil
}

// handlerOf names the handler that a kind of trigger calls.
func handlerOf(kind string) string {
	switch kind {
	case cloud.SourceDeadLetter:
		return "deadLetter"
	case cloud.SourceCron:
		return "scheduled"
	default:
		return kind
	}
}

func exports(s *Script, kind string) error {
	handler := handlerOf(kind)
	if slices.Contains(s.Handlers, handler) {
		return nil
	}
	if s.HandlersError != "" {
		return invalid("what the script %q exports is not known: %s", s.Name, s.HandlersError)
	}
	return invalid("the script %q exports no handler %s: add \"async %s(event, env, ctx) { ... }\" to its default export", s.Name, handler, handler)
}

func setKV(t *Trigger, c TriggerChange) error {
	t.Collection = or(c.Collection, t.Collection)
	if !collectionPattern.MatchString(t.Collection) {
		return invalid("collection must be a collection's name, a prefix and :*, or *")
	}
	if c.Ops != nil {
		t.Ops = notNil(*c.Ops)
	}
	for _, op := range t.Ops {
		if !slices.Contains([]string{"insert", "update", "delete"}, op) {
			return invalid("ops may have insert, update and delete")
		}
	}
	slices.Sort(t.Ops)
	t.Ops = slices.Compact(t.Ops)
	return nil
}

// maxCronJitter bounds how much later than its time a slot may fire.
const maxCronJitter = time.Hour

func setCron(t *Trigger, c TriggerChange) error {
	t.CatchUp, t.Overlap, t.JitterMs = or(c.CatchUp, t.CatchUp), or(c.Overlap, t.Overlap), or(c.JitterMS, t.JitterMs)
	switch {
	case c.Schedule == nil && t.Schedule == "":
		return invalid("a cron trigger needs a schedule, like \"30 2 * * MON-FRI\"")
	case !slices.Contains([]string{cloud.CatchUpNone, cloud.CatchUpOne, cloud.CatchUpAll}, t.CatchUp):
		return invalid("catch_up must be none, one or all")
	case t.Overlap != cloud.OverlapAllow && t.Overlap != cloud.OverlapSkip:
		return invalid("overlap must be allow or skip")
	case t.JitterMs < 0 || int64(t.JitterMs) > maxCronJitter.Milliseconds():
		return invalid("jitter_ms must be from 0 to %d", maxCronJitter.Milliseconds())
	}
	expression, zone := strings.TrimSpace(or(c.Schedule, t.Schedule)), or(c.Timezone, t.Timezone)
	_, name, err := schedule.Parse(expression, zone)
	if err != nil {
		return err
	}
	t.Schedule, t.Timezone = expression, name
	return nil
}

func (m *Manager) setDeadLetter(ctx context.Context, q *db.Queries, app *App, t *Trigger, c TriggerChange) error {
	if c.Source != nil {
		t.SourceFilter = nil
		if *c.Source != "" {
			if err := checkText("source", *c.Source, 64); err != nil {
				return err
			}
			t.SourceFilter = c.Source
		}
	}
	if c.Trigger != nil {
		t.TriggerFilter = nil
		if *c.Trigger != "" {
			id, ok := cloud.ParseID(*c.Trigger)
			if !ok {
				return invalid("trigger must be the id of a trigger of this app")
			}
			if _, err := q.TriggerByID(ctx, app.ID, id); err != nil {
				if err = found(err, "trigger"); cloud.CodeOf(err) == cloud.CodeNotFound {
					return invalid("this app has no trigger %s", id)
				}
				return err
			}
			t.TriggerFilter = (*db.UUID)(&id)
		}
	}
	if c.FailedScript != nil {
		t.ScriptFilter, t.FailedScript = nil, ""
		if *c.FailedScript != "" {
			s, err := m.endpoint(ctx, q, app, *c.FailedScript)
			if err != nil {
				return err
			}
			t.ScriptFilter, t.FailedScript = &s.ID, s.Name
		}
	}
	return nil
}

// maxDelay bounds the delay of a retry policy.
const maxDelay = 24 * time.Hour

func setRetry(t *Trigger, r *RetryChange) error {
	t.MaxAttempts, t.Backoff, t.BaseMs = or(r.MaxAttempts, t.MaxAttempts), or(r.Backoff, t.Backoff), or(r.BaseMS, t.BaseMs)
	t.MaxMs, t.Jitter = or(r.MaxMS, t.MaxMs), or(r.Jitter, t.Jitter)
	backoffs := []string{"constant", "linear", "exponential"}
	limit := int32(maxDelay.Milliseconds())
	switch {
	case t.MaxAttempts < 1 || t.MaxAttempts > 100:
		return invalid("retry.max_attempts must be from 1 to 100")
	case !slices.Contains(backoffs, t.Backoff):
		return invalid("retry.backoff must be one of %s", strings.Join(backoffs, ", "))
	case t.BaseMs < 0 || t.BaseMs > limit:
		return invalid("retry.base_ms must be from 0 to %d", limit)
	case t.MaxMs < t.BaseMs || t.MaxMs > limit:
		return invalid("retry.max_ms must be from base_ms to %d", limit)
	case t.Jitter < 0 || t.Jitter > 1:
		return invalid("retry.jitter must be from 0 to 1")
	}
	return nil
}

// DeleteTrigger removes a trigger. Waiting rows make it a 409, unless forced: then they become dead letters.
func (m *Manager) DeleteTrigger(ctx context.Context, actor Actor, app *App, id cloud.ID, force bool) error {
	return m.apply(ctx, change{actor: actor, app: app, action: "trigger.delete", target: id.String()}, func(q *db.Queries) error {
		if err := q.LockApp(ctx, int32(app.ID)); err != nil {
			return err
		}
		t, err := q.TriggerByID(ctx, app.ID, id)
		if err != nil {
			return found(err, "trigger")
		}
		waiting, err := q.WaitingOfTrigger(ctx, app.ID, (*db.UUID)(&id))
		if err != nil {
			return err
		}
		ids := make([]db.UUID, len(waiting))
		for k, w := range waiting {
			ids[k] = w.ID
		}
		if err := m.bury(ctx, q, app, ids, t.Script, "trigger deleted", force); err != nil {
			return err
		}
		return q.DeleteTrigger(ctx, app.ID, id)
	})
}

// Triggers lists an app's triggers.
func (m *Manager) Triggers(ctx context.Context, app *App, after cloud.ID, limit int) ([]db.ListTriggersRow, error) {
	list, err := m.cfg.DB.Queries().ListTriggers(ctx, app.ID, after, int32(limit))
	return list, explain(db.Translate(err))
}

// Trigger finds a trigger.
func (m *Manager) Trigger(ctx context.Context, app *App, id cloud.ID) (*Trigger, error) {
	t, err := m.cfg.DB.Queries().TriggerByID(ctx, app.ID, id)
	if err != nil {
		return nil, found(err, "trigger")
	}
	return &t, nil
}
