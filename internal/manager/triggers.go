package manager

import (
	"context"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
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
