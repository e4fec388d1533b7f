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

var (
	triggerKinds = []string{cloud.SourceKV, cloud.SourceCron, cloud.SourceDeadLetter}
	kvOps        = []string{"insert", "update", "delete"}
	catchUps     = []string{cloud.CatchUpNone, cloud.CatchUpOne, cloud.CatchUpAll}
	overlaps     = []string{cloud.OverlapAllow, cloud.OverlapSkip}
	backoffs     = []string{"constant", "linear", "exponential"}
)

const (
	// maxCronJitter bounds how much later than its time a slot may fire.
	maxCronJitter = time.Hour
	// maxAttempts bounds the attempts of a retry policy, the first included.
	maxAttempts = 100
	// maxDelay bounds the delay of a retry policy.
	maxDelay = 24 * time.Hour
	// maxSourceFilter is the most bytes of a dead_letter trigger's source filter.
	maxSourceFilter = 64
)

// triggerEdit applies one change to one trigger inside a transaction.
type triggerEdit struct {
	q   *db.Queries
	app *App
	// trigger is changed in place.
	trigger *Trigger
	change  TriggerChange
	// schedule is the parsed schedule of a cron trigger, set by setCron.
	schedule *schedule.Schedule
}

// apply changes the trigger in memory and checks the result. The caller writes it.
func (e *triggerEdit) apply(ctx context.Context) error {
	if !slices.Contains(triggerKinds, e.trigger.Kind) {
		return invalid("kind must be kv, cron or dead_letter")
	}
	if e.change.Script != nil {
		if err := e.setScript(ctx, *e.change.Script); err != nil {
			return err
		}
	}

	e.trigger.Enabled = or(e.change.Enabled, e.trigger.Enabled)

	// Each of the three refuses its fields on a trigger of another kind: they would be dropped silently.
	if err := e.setKV(); err != nil {
		return err
	}
	if err := e.setDeadLetter(ctx); err != nil {
		return err
	}
	if err := e.setCron(); err != nil {
		return err
	}
	if e.change.Retry != nil {
		return setRetry(e.trigger, e.change.Retry)
	}

	return nil
}

// setScript sets the script that the trigger calls. It must export the handler of the trigger's kind.
func (e *triggerEdit) setScript(ctx context.Context, name string) error {
	script, err := endpoint(ctx, e.q, e.app, name)
	if err != nil {
		return err
	}
	e.trigger.ScriptID = script.ID
	e.trigger.Script = script.Name
	return exports(script, e.trigger.Kind)
}

// exports refuses a script without the handler that the kind of trigger calls.
func exports(s *Script, kind string) error {
	handler := cloud.HandlerOf(kind)
	if slices.Contains(s.Handlers, handler) {
		return nil
	}
	if s.HandlersError != "" {
		return invalid("what the script %q exports is not known: %s", s.Name, s.HandlersError)
	}

	return invalid("the script %q exports no handler %s: "+
		"add \"async %s(event, env, ctx) { ... }\" to its default export", s.Name, handler, handler)
}

// collectionPattern matches a collection's name, a prefix and :*, or * alone.
var collectionPattern = regexp.MustCompile(`^(\*|[A-Za-z0-9:_-]{1,128}|[A-Za-z0-9:_-]{0,127}:\*)$`)

// setKV sets the collections and the operations that a kv trigger watches.
func (e *triggerEdit) setKV() error {
	trigger := e.trigger
	if trigger.Kind != cloud.SourceKV {
		if e.change.Collection != nil || e.change.Ops != nil {
			return invalid("collection and ops belong to kv triggers")
		}
		return nil
	}

	trigger.Collection = or(e.change.Collection, trigger.Collection)
	if !collectionPattern.MatchString(trigger.Collection) {
		return invalid("collection must be a collection's name, a prefix and :*, or *")
	}

	if e.change.Ops != nil {
		trigger.Ops = notNil(*e.change.Ops)
	}

	for _, op := range trigger.Ops {
		if !slices.Contains(kvOps, op) {
			return invalid("ops may have insert, update and delete")
		}
	}

	// One form for one meaning: clients compare what they sent with what they read.
	slices.Sort(trigger.Ops)
	trigger.Ops = slices.Compact(trigger.Ops)
	return nil
}

// setCron parses the schedule, and keeps it for putSchedule. The trigger gets the time zone's canonical name.
func (e *triggerEdit) setCron() error {
	trigger := e.trigger
	if trigger.Kind != cloud.SourceCron {
		if e.change.changesTimes() {
			return invalid("schedule, timezone, catch_up, overlap and jitter_ms belong to cron triggers")
		}
		return nil
	}

	trigger.CatchUp = or(e.change.CatchUp, trigger.CatchUp)
	trigger.Overlap = or(e.change.Overlap, trigger.Overlap)

	trigger.JitterMs = or(e.change.JitterMS, trigger.JitterMs)
	switch {
	case e.change.Schedule == nil && trigger.Schedule == "":
		return invalid("a cron trigger needs a schedule, like \"30 2 * * MON-FRI\"")
	case !slices.Contains(catchUps, trigger.CatchUp):
		return invalid("catch_up must be none, one or all")
	case !slices.Contains(overlaps, trigger.Overlap):
		return invalid("overlap must be allow or skip")
	case trigger.JitterMs < 0 || int64(trigger.JitterMs) > maxCronJitter.Milliseconds():
		return invalid("jitter_ms must be from 0 to %d", maxCronJitter.Milliseconds())
	}

	expression := strings.TrimSpace(or(e.change.Schedule, trigger.Schedule))
	parsed, zone, err := schedule.Parse(expression, or(e.change.Timezone, trigger.Timezone))
	if err != nil {
		return err
	}

	e.schedule = parsed
	trigger.Schedule = expression
	trigger.Timezone = zone
	return nil
}

// changesTimes reports whether the change has a field of cron triggers.
func (c *TriggerChange) changesTimes() bool {
	return c.Schedule != nil || c.Timezone != nil || c.CatchUp != nil || c.Overlap != nil || c.JitterMS != nil
}

// setDeadLetter sets the filters. An empty text takes a filter away.
func (e *triggerEdit) setDeadLetter(ctx context.Context) error {
	if e.trigger.Kind != cloud.SourceDeadLetter {
		if e.change.Source != nil || e.change.Trigger != nil || e.change.FailedScript != nil {
			return invalid("source, trigger and failed_script belong to dead_letter triggers")
		}
		return nil
	}

	if source := e.change.Source; source != nil {
		e.trigger.SourceFilter = nil
		if *source != "" {
			if err := checkText("source", *source, maxSourceFilter); err != nil {
				return err
			}
			e.trigger.SourceFilter = source
		}
	}
	if err := e.setTriggerFilter(ctx); err != nil {
		return err
	}

	if name := e.change.FailedScript; name != nil {
		e.trigger.ScriptFilter = nil
		e.trigger.FailedScript = ""
		if *name != "" {
			script, err := endpoint(ctx, e.q, e.app, *name)
			if err != nil {
				return err
			}
			e.trigger.ScriptFilter = &script.ID
			e.trigger.FailedScript = script.Name
		}
	}

	return nil
}

// setTriggerFilter makes the trigger take the dead letters of one other trigger of its app only.
func (e *triggerEdit) setTriggerFilter(ctx context.Context) error {
	text := e.change.Trigger
	if text == nil {
		return nil
	}

	e.trigger.TriggerFilter = nil
	if *text == "" {
		return nil
	}

	id, ok := cloud.ParseID(*text)
	if !ok {
		return invalid("trigger must be the id of a trigger of this app")
	}
	if _, err := e.q.TriggerByID(ctx, e.app.ID, id); err != nil {
		// The id comes from the request's body, so a trigger that does not exist is invalid, not not-found.
		if err = found(err, "trigger"); cloud.CodeOf(err) == cloud.CodeNotFound {
			return invalid("this app has no trigger %s", id)
		}
		return err
	}

	e.trigger.TriggerFilter = (*db.UUID)(&id)
	return nil
}

// setRetry sets the retry policy. It is checked as a whole, because max_ms depends on base_ms.
func setRetry(t *Trigger, r *RetryChange) error {
	t.MaxAttempts = or(r.MaxAttempts, t.MaxAttempts)
	t.Backoff = or(r.Backoff, t.Backoff)
	t.BaseMs = or(r.BaseMS, t.BaseMs)
	t.MaxMs = or(r.MaxMS, t.MaxMs)
	t.Jitter = or(r.Jitter, t.Jitter)

	limit := int32(maxDelay.Milliseconds())
	switch {
	case t.MaxAttempts < 1 || t.MaxAttempts > maxAttempts:
		return invalid("retry.max_attempts must be from 1 to %d", maxAttempts)
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
