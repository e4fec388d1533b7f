package manager

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
	"picloud/internal/schedule"
)

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

var collectionPattern = regexp.MustCompile(`^(\*|[A-Za-z0-9:_-]{1,128}|[A-Za-z0-9:_-]{0,127}:\*)$`)

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
