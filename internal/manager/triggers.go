package manager

import (
	"context"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
	"picloud/internal/schedule"
)

// MaxTriggers is the most enabled triggers of an app.
const MaxTriggers = 1000

// TriggerChange is what a trigger can be given; nil keeps what the trigger has, or takes the default.
type TriggerChange struct {
	// Kind is kv, cron or dead_letter. It cannot change later.
	Kind *string `json:"kind,omitempty"`
	// Script is the name of an endpoint of the app that exports the kind's handler.
	Script *string `json:"script,omitempty"`
	// Enabled is true by default. It is refused while the registrant may run nothing.
	Enabled *bool `json:"enabled,omitempty"`
	// Registrant can only be RegistrantMe: whoever makes the change takes the trigger over.
	Registrant *string `json:"registrant,omitempty"`

	// Collection and Ops are for kv triggers: a collection's name, a prefix and :*, or *; and insert,
	// update and delete, none of them for all.
	Collection *string   `json:"collection,omitempty"`
	Ops        *[]string `json:"ops,omitempty"`

	// Source, Trigger (an id) and FailedScript (a name) are the filters of dead_letter triggers. An empty
	// text takes the filter away.
	Source       *string `json:"source,omitempty"`
	Trigger      *string `json:"trigger,omitempty"`
	FailedScript *string `json:"failed_script,omitempty"`

	// Retry is for triggers of all kinds.
	Retry *RetryChange `json:"retry,omitempty"`

	// Schedule and Timezone are for cron triggers, as schedule.Parse reads them.
	Schedule *string `json:"schedule,omitempty"`
	Timezone *string `json:"timezone,omitempty"`
	// CatchUp is what to do with slots that were missed: none, one (the default) or all.
	CatchUp *string `json:"catch_up,omitempty"`
	// Overlap is what to do with a slot while an earlier one runs: allow (the default) or skip.
	Overlap *string `json:"overlap,omitempty"`
	// JitterMS is the most that a slot fires after its time.
	JitterMS *int32 `json:"jitter_ms,omitempty"`
}

// RegistrantMe stands for whoever makes a change.
const RegistrantMe = "me"

// RetryChange is a retry policy; a field that is nil keeps what the trigger has, or takes the default.
type RetryChange struct {
	// MaxAttempts counts the first attempt too.
	MaxAttempts *int32 `json:"max_attempts,omitempty"`
	// Backoff is constant, linear or exponential.
	Backoff *string `json:"backoff,omitempty"`
	// BaseMS is the first delay, MaxMS the longest.
	BaseMS *int32 `json:"base_ms,omitempty"`
	MaxMS  *int32 `json:"max_ms,omitempty"`
	// Jitter is the share of a delay, from 0 to 1, that varies each way.
	Jitter *float64 `json:"jitter,omitempty"`
}

// Trigger is a trigger with the names of its scripts.
type Trigger = db.TriggerByIDRow

// CreateTrigger binds a script to events. The actor becomes the trigger's registrant, as whom its runs act.
func (m *Manager) CreateTrigger(
	ctx context.Context, actor Actor, app *App, c TriggerChange,
) (*Trigger, error) {
	if c.Kind == nil || c.Script == nil {
		return nil, invalid("a trigger needs kind and script")
	}

	trigger := newTrigger(actor, app, m.cfg.IDs.New())
	trigger.Kind = *c.Kind
	audit := change{
		actor: actor, app: app, action: "trigger.create", target: cloud.ID(trigger.ID).String(), detail: c,
	}

	err := m.apply(ctx, audit, func(q *db.Queries) error {
		edit := &triggerEdit{q: q, app: app, trigger: trigger, change: c}
		if err := edit.apply(ctx); err != nil {
			return err
		}
		if err := countTriggers(ctx, q, trigger); err != nil {
			return err
		}
		if err := insertTrigger(ctx, q, trigger); err != nil {
			return err
		}

		return edit.putSchedule(ctx)
	})

	return trigger, err
}

// newTrigger is a trigger with every default, without kind and script.
func newTrigger(actor Actor, app *App, id cloud.ID) *Trigger {
	retry := cloud.DefaultRetry()
	return &Trigger{
		AppID:          app.ID,
		ID:             id,
		Enabled:        true,
		Ops:            []string{},
		MaxAttempts:    int32(retry.MaxAttempts),
		Backoff:        retry.Backoff,
		BaseMs:         int32(retry.Base.Milliseconds()),
		MaxMs:          int32(retry.Max.Milliseconds()),
		Jitter:         retry.Jitter,
		CatchUp:        cloud.CatchUpOne,
		Overlap:        cloud.OverlapAllow,
		RegisteredBy:   &actor.UserID,
		RegisteredName: actor.Username,
		CreatedAt:      time.Now(),
	}
}

// insertTrigger stores a new trigger.
func insertTrigger(ctx context.Context, q *db.Queries, t *Trigger) error {
	row := db.InsertTriggerParams{
		AppID:          t.AppID,
		ID:             t.ID,
		Kind:           t.Kind,
		ScriptID:       t.ScriptID,
		Enabled:        t.Enabled,
		Collection:     t.Collection,
		Ops:            t.Ops,
		SourceFilter:   t.SourceFilter,
		TriggerFilter:  t.TriggerFilter,
		ScriptFilter:   t.ScriptFilter,
		MaxAttempts:    t.MaxAttempts,
		Backoff:        t.Backoff,
		BaseMs:         t.BaseMs,
		MaxMs:          t.MaxMs,
		Jitter:         t.Jitter,
		Schedule:       t.Schedule,
		Timezone:       t.Timezone,
		CatchUp:        t.CatchUp,
		Overlap:        t.Overlap,
		JitterMs:       t.JitterMs,
		RegisteredBy:   t.RegisteredBy,
		RegisteredName: t.RegisteredName,
	}

	return q.InsertTrigger(ctx, row)
}

// UpdateTrigger changes a trigger; its kind and its registrant stay. Events that wait for it are parked
// while it is disabled. A schedule that does not change keeps its next slot.
func (m *Manager) UpdateTrigger(
	ctx context.Context, actor Actor, app *App, id cloud.ID, c TriggerChange,
) (*Trigger, error) {
	var trigger Trigger
	audit := change{actor: actor, app: app, action: "trigger.update", target: id.String(), detail: c}
	err := m.apply(ctx, audit, func(q *db.Queries) error {
		var err error
		if trigger, err = q.TriggerByID(ctx, app.ID, id); err != nil {
			return found(err, "trigger")
		}
		if c.Kind != nil && *c.Kind != trigger.Kind {
			return invalid("the kind of a trigger cannot change: delete it and make another")
		}

		before := trigger
		if err := takeOver(&trigger, actor, c.Registrant); err != nil {
			return err
		}
		edit := &triggerEdit{q: q, app: app, trigger: &trigger, change: c}
		if err := edit.apply(ctx); err != nil {
			return err
		}
		if or(c.Enabled, false) {
			if err := checkRegistrant(ctx, q, &trigger); err != nil {
				return err
			}
		}
		if !before.Enabled {
			if err := countTriggers(ctx, q, &trigger); err != nil {
				return err
			}
		}
		if err := moveRows(ctx, q, &trigger, before.Enabled); err != nil {
			return err
		}
		if err := updateTrigger(ctx, q, &trigger); err != nil {
			return err
		}

		if sameTimes(&before, &trigger) {
			return nil
		}

		return edit.putSchedule(ctx)
	})

	return &trigger, err
}

// updateTrigger stores what may change of a trigger.
func updateTrigger(ctx context.Context, q *db.Queries, t *Trigger) error {
	row := db.UpdateTriggerParams{
		AppID:         t.AppID,
		ID:            t.ID,
		ScriptID:      t.ScriptID,
		Enabled:       t.Enabled,
		Collection:    t.Collection,
		Ops:           t.Ops,
		SourceFilter:  t.SourceFilter,
		TriggerFilter: t.TriggerFilter,
		ScriptFilter:  t.ScriptFilter,
		MaxAttempts:   t.MaxAttempts,
		Backoff:       t.Backoff,
		BaseMs:        t.BaseMs,
		MaxMs:         t.MaxMs,
		Jitter:        t.Jitter,
		Schedule:      t.Schedule,
		Timezone:      t.Timezone,
		CatchUp:       t.CatchUp,
		Overlap:       t.Overlap,
		JitterMs:      t.JitterMs,

		RegisteredBy:   t.RegisteredBy,
		RegisteredName: t.RegisteredName,
	}

	return q.UpdateTrigger(ctx, row)
}

// sameTimes reports whether two states of a trigger fire at the same times.
func sameTimes(a, b *Trigger) bool {
	return a.Enabled == b.Enabled && a.Schedule == b.Schedule &&
		a.Timezone == b.Timezone && a.JitterMs == b.JitterMs
}

// putSchedule makes an enabled cron trigger fire from now on, and stops a disabled one. Now is the
// database's time, so that all nodes agree. Triggers of other kinds have no schedule.
func (e *triggerEdit) putSchedule(ctx context.Context) error {
	trigger := e.trigger
	if trigger.Kind != cloud.SourceCron {
		return nil
	}
	if !trigger.Enabled {
		return e.q.DropSchedule(ctx, trigger.AppID, trigger.ID)
	}

	from, err := e.q.DatabaseTime(ctx)
	if err != nil {
		return err
	}

	last, err := e.q.LastSlot(ctx, trigger.AppID, trigger.ID)
	if err != nil && !db.IsNotFound(err) {
		return err
	}

	// A slot in the future was decided before somebody put the clock back. Each slot fires once.
	if last.After(from) {
		from = last
	}

	next := e.schedule.Next(from)
	jitter := schedule.Jitter(trigger.ID, next, time.Duration(trigger.JitterMs)*time.Millisecond)
	return e.q.PutSchedule(ctx, db.PutScheduleParams{
		AppID:     trigger.AppID,
		TriggerID: trigger.ID,
		NextSlot:  next,
		FireAt:    next.Add(jitter),
	})
}

// countTriggers refuses an enabled trigger beyond MaxTriggers.
func countTriggers(ctx context.Context, q *db.Queries, t *Trigger) error {
	if !t.Enabled {
		return nil
	}

	// Held until the commit, so that two requests cannot both take the last place.
	if err := q.LockApp(ctx, int32(t.AppID)); err != nil {
		return err
	}

	enabled, err := q.CountEnabledTriggers(ctx, t.AppID)
	if err == nil && enabled >= MaxTriggers {
		return invalid("an app can have %d enabled triggers", MaxTriggers)
	}

	return err
}

// DeleteTrigger removes a trigger. Events that wait for it are a conflict; with force they become dead
// letters.
func (m *Manager) DeleteTrigger(ctx context.Context, actor Actor, app *App, id cloud.ID, force bool) error {
	audit := change{actor: actor, app: app, action: "trigger.delete", target: id.String()}
	return m.apply(ctx, audit, func(q *db.Queries) error {
		// Held against commits, which could otherwise raise events for the trigger.
		if err := q.LockApp(ctx, int32(app.ID)); err != nil {
			return err
		}

		trigger, err := q.TriggerByID(ctx, app.ID, id)
		if err != nil {
			return found(err, "trigger")
		}

		waiting, err := q.WaitingOfTrigger(ctx, app.ID, (*db.UUID)(&id))
		if err != nil {
			return err
		}

		rows := make([]db.UUID, len(waiting))
		for k, row := range waiting {
			rows[k] = row.ID
		}

		err = m.bury(ctx, q, burial{
			app: app, rows: rows, script: trigger.Script, reason: "trigger deleted", force: force,
		})
		if err != nil {
			return err
		}

		return q.DeleteTrigger(ctx, app.ID, id)
	})
}

// Triggers lists at most limit of an app's triggers by id, those after an id.
func (m *Manager) Triggers(
	ctx context.Context, app *App, after cloud.ID, limit int,
) ([]db.ListTriggersRow, error) {
	list, err := m.cfg.DB.Queries().ListTriggers(ctx, app.ID, after, int32(limit))
	return list, explain(db.Translate(err))
}

// Trigger finds a trigger by its id.
func (m *Manager) Trigger(ctx context.Context, app *App, id cloud.ID) (*Trigger, error) {
	trigger, err := m.cfg.DB.Queries().TriggerByID(ctx, app.ID, id)
	if err != nil {
		return nil, found(err, "trigger")
	}
	return &trigger, nil
}
