package catalog

import (
	"context"
	"time"

	"picloud/db"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/schedule"
)

// loadInto reads what an app consists of. Scripts come after the variables, which each of them carries.
func (c *Catalog) loadInto(ctx context.Context, q *db.Queries, app *App) error {
	if err := c.loadEnv(ctx, q, app); err != nil {
		return err
	}
	if err := loadQuotas(ctx, q, app); err != nil {
		return err
	}
	if err := c.loadScripts(ctx, q, app); err != nil {
		return err
	}
	if err := c.loadTriggers(ctx, q, app); err != nil {
		return err
	}

	return loadRoutes(ctx, q, app)
}

// loadQuotas reads what the app may use. Most apps have no quota.
func loadQuotas(ctx context.Context, q *db.Queries, app *App) error {
	row, err := q.QuotasOfApp(ctx, int64(app.ID))
	if db.IsNotFound(err) {
		return nil
	}

	app.Quotas = cloud.Quotas{
		KVBytes:           row.KvBytes,
		LogBytes:          row.LogBytes,
		Executions:        row.Executions,
		Scripts:           row.Scripts,
		RequestsPerSecond: row.RequestsPerSecond,
	}
	return err
}

func (c *Catalog) loadScripts(ctx context.Context, q *db.Queries, app *App) error {
	rows, err := q.DefinedScripts(ctx, int64(app.ID))
	if err != nil {
		return err
	}

	for _, r := range rows {
		script := &cloud.Script{
			App:       app.ID,
			ID:        r.ID,
			Name:      r.Name,
			Kind:      r.Kind,
			Access:    r.Access,
			Version:   int(r.Version),
			Language:  r.Language,
			Build:     r.BuildID,
			Handlers:  r.Handlers,
			Env:       app.EnvFor(r.Name),
			Limits:    c.cfg.DefaultLimits,
			RateLimit: cloud.ParseRateLimit(r.RateLimit),
		}
		if r.TimeoutMs != nil {
			script.Limits.Timeout = time.Duration(*r.TimeoutMs) * time.Millisecond
		}
		if r.MemoryMib != nil {
			script.Limits.MemoryMiB = int(*r.MemoryMib)
		}
		app.AddScript(script)
	}

	return nil
}

func (c *Catalog) loadTriggers(ctx context.Context, q *db.Queries, app *App) error {
	rows, err := q.DefinedTriggers(ctx, int64(app.ID))
	if err != nil {
		return err
	}

	for k := range rows {
		trigger := triggerOf(app.ID, &rows[k])
		app.Triggers[trigger.ID] = trigger
		if trigger.Kind != cloud.SourceCron {
			continue
		}
		// The manager accepted the schedule; a time zone may be unknown to this machine all the same.
		parsed, _, err := schedule.Parse(trigger.Schedule, trigger.Timezone)
		if err != nil {
			c.cfg.Log.Error("read a schedule", "trigger", trigger.ID.String(), "error", err)
			continue
		}
		app.Schedules[trigger.ID] = parsed
	}

	return nil
}

func triggerOf(app cloud.AppID, r *db.DefinedTriggersRow) *cloud.Trigger {
	return &cloud.Trigger{
		App:          app,
		ID:           r.ID,
		Kind:         r.Kind,
		Script:       r.ScriptID,
		Enabled:      r.Enabled,
		Collection:   r.Collection,
		Ops:          r.Ops,
		Schedule:     r.Schedule,
		Timezone:     r.Timezone,
		CatchUp:      r.CatchUp,
		Overlap:      r.Overlap,
		CronJitter:   time.Duration(r.JitterMs) * time.Millisecond,
		Source:       db.OrZero(r.SourceFilter),
		Trigger:      db.OrZero(r.TriggerFilter),
		FailedScript: db.OrZero(r.ScriptFilter),
		Registrant:   r.RegisteredName,
		Refusal:      refusal(r),
		Retry: cloud.Retry{
			MaxAttempts: int(r.MaxAttempts),
			Backoff:     r.Backoff,
			Base:        time.Duration(r.BaseMs) * time.Millisecond,
			Max:         time.Duration(r.MaxMs) * time.Millisecond,
			Jitter:      r.Jitter,
		},
	}
}

// refusal says why a trigger's registrant may not run anything, "" when they may.
func refusal(r *db.DefinedTriggersRow) string {
	registrant := auth.Registrant{
		Registered: r.RegisteredName,
		Username:   r.Username,
		Active:     r.UserActive,
		Role:       r.UserRole,
		AppRole:    r.MemberRole,
	}
	return registrant.Refusal()
}

func loadRoutes(ctx context.Context, q *db.Queries, app *App) error {
	const all = 1 << 30
	rows, err := q.ListRoutes(ctx, int64(app.ID), db.UUID{}, all)
	if err != nil {
		return err
	}

	for _, r := range rows {
		app.routes = append(app.routes, &cloud.Route{
			App:       app.ID,
			ID:        r.ID,
			Script:    r.ScriptID,
			Name:      r.Script,
			Method:    r.Method,
			Host:      r.Host,
			Path:      r.Path,
			Dispatch:  r.Dispatch,
			RateLimit: cloud.ParseRateLimit(r.RateLimit),
		})
	}

	return nil
}
