package orchestrator

import (
	"sync"
	"testing"
	"time"

	"picloud/internal/cloud"
)

// Every rule of what an outcome makes of a row.
func TestEndOf(t *testing.T) {
	base := row{source: cloud.SourceKV, retry: cloud.Retry{MaxAttempts: 3, Backoff: "constant", Base: time.Second, Max: time.Second}}
	with := func(f func(*row)) *row {
		r := base
		f(&r)
		return &r
	}
	for name, c := range map[string]struct {
		row           *row
		status        cloud.Status
		kind          endKind
		reason        string
		attempts      int
		interruptions int
	}{
		"success":                     {with(func(*row) {}), cloud.Succeeded, endDone, "", 0, 0},
		"failure with attempts left":  {with(func(*row) {}), cloud.Failed, endRetry, "", 1, 0},
		"the child's death":           {with(func(*row) {}), cloud.OutOfMemory, endRetry, "", 1, 0},
		"timeout":                     {with(func(*row) {}), cloud.TimedOut, endRetry, "", 1, 0},
		"crash":                       {with(func(*row) {}), cloud.Crashed, endRetry, "", 1, 0},
		"last attempt":                {with(func(r *row) { r.attempts = 2 }), cloud.Failed, endBury, "failed", 3, 0},
		"conflict":                    {with(func(r *row) { r.attempts = 2 }), cloud.Conflicted, endRetry, "", 2, 1},
		"interruption":                {with(func(r *row) { r.interruptions = 8 }), cloud.Interrupted, endRetry, "", 0, 9},
		"the tenth interruption":      {with(func(r *row) { r.interruptions = 9 }), cloud.Interrupted, endBury, "infrastructure", 0, 0},
		"refused":                     {with(func(*row) {}), cloud.Refused, endBury, "refused", 0, 0},
		"skipped":                     {with(func(*row) {}), cloud.Skipped, endSkip, "", 0, 0},
		"client waits, success":       {with(func(r *row) { r.replyTo = cloud.ID{1} }), cloud.Succeeded, endDone, "", 0, 0},
		"client waits, failure":       {with(func(r *row) { r.replyTo = cloud.ID{1} }), cloud.Failed, endDone, "", 0, 0},
		"client waits, interruption":  {with(func(r *row) { r.replyTo = cloud.ID{1} }), cloud.Interrupted, endDone, "", 0, 0},
		"dead letter handler fails":   {with(func(r *row) { r.source = cloud.SourceDeadLetter }), cloud.Failed, endDone, "", 0, 0},
		"dead letter handler refused": {with(func(r *row) { r.source = cloud.SourceDeadLetter }), cloud.Refused, endDone, "", 0, 0},
		"dead letter handler waits":   {with(func(r *row) { r.source = cloud.SourceDeadLetter }), cloud.Interrupted, endRetry, "", 0, 1},
	} {
		got := endOf(c.row, &cloud.Outcome{Status: c.status}, "s", 0.5)
		attempts := got.retry.attempts + got.bury.attempts
		if got.kind != c.kind || got.bury.reason != c.reason || attempts != c.attempts || got.retry.interruptions != c.interruptions {
			t.Errorf("%s: %+v", name, got)
		}
		if got.kind == endRetry && got.retry.delay <= 0 {
			t.Errorf("%s: no delay", name)
		}
	}
}

func TestHandledBy(t *testing.T) {
	r := &row{source: cloud.SourceDeadLetter, deadLetter: cloud.ID{1}}
	if h := handledBy(r, &cloud.Outcome{Status: cloud.Succeeded}, rowEnd{kind: endDone}); h.resolution != resolvedHandled {
		t.Errorf("success: %+v", h)
	}
	if h := handledBy(r, &cloud.Outcome{Status: cloud.Refused}, rowEnd{kind: endDone}); h.resolution != resolvedHandlerFailed {
		t.Errorf("refused: %+v", h)
	}
	if h := handledBy(r, &cloud.Outcome{Status: cloud.Interrupted}, rowEnd{kind: endRetry}); h != nil {
		t.Errorf("not over yet: %+v", h)
	}
	if h := handledBy(&row{source: cloud.SourceKV}, &cloud.Outcome{Status: cloud.Failed}, rowEnd{kind: endDone}); h != nil {
		t.Errorf("no handler: %+v", h)
	}
}

// Every outcome that has no response of its own has a status, and the codes of errors have theirs.
func TestStatuses(t *testing.T) {
	for status, want := range map[cloud.Status]int{cloud.Failed: 502, cloud.Crashed: 502, cloud.Conflicted: 503, cloud.Interrupted: 503,
		cloud.TimedOut: 504, cloud.OutOfMemory: 507} {
		if got := cloud.HTTPStatus[status]; got != want {
			t.Errorf("%s: %d, want %d", status, got, want)
		}
	}
	for code, want := range map[cloud.Code]int{cloud.CodeInvalid: 422, cloud.CodeMalformed: 400, cloud.CodeUnauthorized: 401, cloud.CodeForbidden: 403,
		cloud.CodeNotFound: 404, cloud.CodeNotRecorded: 404, cloud.CodeMethod: 405, cloud.CodeConflict: 409, cloud.CodePrecondition: 412,
		cloud.CodeTooLarge: 413, cloud.CodeTooMany: 429, cloud.CodeQueueFull: 503, cloud.CodeUnavailable: 503, cloud.CodeTimeout: 504,
		cloud.CodeUnknown: 500, cloud.CodeInternal: 500, "anything": 500} {
		if got := StatusOf(code); got != want {
			t.Errorf("%s: %d, want %d", code, got, want)
		}
	}
}

// An app that has taken all it can get, and filled the queue as well, keeps no other from starting or from waiting.
func TestGateKeepsRoom(t *testing.T) {
	g := newGate(8, 4)
	for range 7 {
		if err := g.acquire(1); err != nil {
			t.Fatal(err)
		}
	}
	got := make(chan error, 10)
	wait := func(app cloud.AppID) { go func() { got <- g.acquire(app) }() }
	for n := range 4 {
		wait(1)
		for g.waitingNow() <= n {
			time.Sleep(time.Millisecond)
		}
	}
	if g.tryAcquire(1) || g.reserve(8) != 0 {
		t.Error("the last permit is for those who have none")
	}
	if err := g.acquire(1); err == nil {
		t.Error("the queue is full")
	}
	if err := g.acquire(2); err != nil {
		t.Errorf("an app that has no permit: %v", err)
	}
	wait(2) // no permit is left: it waits, and the last of the others is refused
	if err := <-got; err == nil {
		t.Error("somebody got a permit that nobody gave back")
	}
	g.release(1) // for those who have none
	g.release(1) // for the dispatcher, which found none
	g.release(1)
	if err := <-got; err != nil {
		t.Errorf("the app with fewer permits must be next: %v", err)
	}
	if n := g.waitingNow(); n != 3 {
		t.Errorf("%d wait", n)
	}
	g.close()
	for range 3 {
		<-got
	}
}

// A permit that becomes free goes to the app that has the fewest.
func TestGateIsFair(t *testing.T) {
	g := newGate(2, 100)
	for range 2 {
		if err := g.acquire(1); err != nil {
			t.Fatal(err)
		}
	}
	order := make(chan cloud.AppID, 10)
	var wg sync.WaitGroup
	wait := func(app cloud.AppID, n int) {
		for range n {
			before := g.waitingNow()
			wg.Go(func() {
				if g.acquire(app) == nil {
					order <- app
				}
			})
			for g.waitingNow() == before {
				time.Sleep(time.Millisecond)
			}
		}
	}
	wait(1, 3) // the flood came first
	wait(2, 2)
	var got []cloud.AppID
	for range 4 {
		g.release(1)
		got = append(got, <-order)
	}
	if got[0] != 2 {
		t.Errorf("the app with no permit must be next: %v", got)
	}
	g.release(2)
	wg.Wait()
	<-order
	if g.tryAcquire(1) || g.reserve(5) != 0 {
		t.Error("more permits than there are")
	}
	// However many requests wait, the dispatcher has its quarter, and gives way beyond it.
	wait(1, 4)
	if g.reserve(5) != 0 {
		t.Error("a permit from nowhere")
	}
	g.release(1)
	if n := g.reserve(5); n != 1 {
		t.Errorf("the dispatcher got %d permits, want its one", n)
	}
	g.assign(9)
	g.release(2)
	if n := g.reserve(5); n != 0 {
		t.Errorf("the dispatcher got %d permits beyond its quarter", n)
	}
	<-order
	g.releaseDispatched(9)
	for range 2 {
		g.release(1)
	}
	g.close()
	wg.Wait()
	if g.acquire(1) == nil {
		t.Error("a closed gate lets in")
	}
}

func (g *gate) waitingNow() int {
	_, n := g.state()
	return n
}
