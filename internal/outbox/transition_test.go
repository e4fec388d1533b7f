package outbox

import (
	"testing"
	"time"

	"picloud/internal/cloud"
)

// Every rule of what an outcome makes of a row.
func TestEndOf(t *testing.T) {
	t.Parallel()

	base := Row{Source: cloud.SourceKV, Retry: cloud.Retry{MaxAttempts: 3, Backoff: "constant", Base: time.Second, Max: time.Second}}

	with := func(f func(*Row)) *Row {
		r := base
		f(&r)
		return &r
	}
	for name, c := range map[string]struct {
		row           *Row
		status        cloud.Status
		kind          EndKind
		reason        string
		attempts      int
		interruptions int
	}{
		"success":                     {with(func(*Row) {}), cloud.Succeeded, EndDone, "", 0, 0},
		"failure with attempts left":  {with(func(*Row) {}), cloud.Failed, EndRetry, "", 1, 0},
		"the child's death":           {with(func(*Row) {}), cloud.OutOfMemory, EndRetry, "", 1, 0},
		"timeout":                     {with(func(*Row) {}), cloud.TimedOut, EndRetry, "", 1, 0},
		"crash":                       {with(func(*Row) {}), cloud.Crashed, EndRetry, "", 1, 0},
		"last attempt":                {with(func(r *Row) { r.Attempts = 2 }), cloud.Failed, EndBury, "failed", 3, 0},
		"conflict":                    {with(func(r *Row) { r.Attempts = 2 }), cloud.Conflicted, EndRetry, "", 2, 1},
		"interruption":                {with(func(r *Row) { r.Interruptions = 8 }), cloud.Interrupted, EndRetry, "", 0, 9},
		"the tenth interruption":      {with(func(r *Row) { r.Interruptions = 9 }), cloud.Interrupted, EndBury, "infrastructure", 0, 0},
		"refused":                     {with(func(*Row) {}), cloud.Refused, EndBury, "refused", 0, 0},
		"skipped":                     {with(func(*Row) {}), cloud.Skipped, EndSkip, "", 0, 0},
		"client waits, success":       {with(func(r *Row) { r.ReplyTo = cloud.ID{1} }), cloud.Succeeded, EndDone, "", 0, 0},
		"client waits, failure":       {with(func(r *Row) { r.ReplyTo = cloud.ID{1} }), cloud.Failed, EndDone, "", 0, 0},
		"client waits, interruption":  {with(func(r *Row) { r.ReplyTo = cloud.ID{1} }), cloud.Interrupted, EndDone, "", 0, 0},
		"dead letter handler fails":   {with(func(r *Row) { r.Source = cloud.SourceDeadLetter }), cloud.Failed, EndDone, "", 0, 0},
		"dead letter handler refused": {with(func(r *Row) { r.Source = cloud.SourceDeadLetter }), cloud.Refused, EndDone, "", 0, 0},
		"dead letter handler waits":   {with(func(r *Row) { r.Source = cloud.SourceDeadLetter }), cloud.Interrupted, EndRetry, "", 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			got := EndOf(c.row, &cloud.Outcome{Status: c.status}, "s", 0.5)
			attempts := got.Retry.Attempts + got.Bury.Attempts
			if got.Kind != c.kind || got.Bury.Reason != c.reason || attempts != c.attempts || got.Retry.Interruptions != c.interruptions {
				t.Errorf("got %+v", got)
			}
			if got.Kind == EndRetry && got.Retry.Delay <= 0 {
				t.Error("no delay")
			}
		})
	}
}

func TestHandledBy(t *testing.T) {
	t.Parallel()

	r := &Row{Source: cloud.SourceDeadLetter, DeadLetter: cloud.ID{1}}
	if h := HandledBy(r, &cloud.Outcome{Status: cloud.Succeeded}, End{Kind: EndDone}); h.Resolution != cloud.DeadLetterHandled {
		t.Errorf("success: %+v", h)
	}
	if h := HandledBy(r, &cloud.Outcome{Status: cloud.Refused}, End{Kind: EndDone}); h.Resolution != cloud.DeadLetterHandlerFailed {
		t.Errorf("refused: %+v", h)
	}
	if h := HandledBy(r, &cloud.Outcome{Status: cloud.Interrupted}, End{Kind: EndRetry}); h != nil {
		t.Errorf("not over yet: %+v", h)
	}
	if h := HandledBy(&Row{Source: cloud.SourceKV}, &cloud.Outcome{Status: cloud.Failed}, End{Kind: EndDone}); h != nil {
		t.Errorf("no handler: %+v", h)
	}
}
