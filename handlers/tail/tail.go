// Package tail streams an app's runs and log lines as server-sent events, to followers of the API and of the
// dashboard alike. It is given the follower's token, whoever found that; it does not record runs and does not
// know pages.
package tail

import (
	"bufio"
	"context"
	"encoding/json"
	"time"

	"github.com/gofiber/fiber/v2"

	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/history"
	"picloud/internal/orchestrator"
)

const (
	// beatEvery is how often an idle stream shows that it is alive, and its follower's rights are checked
	// again although nothing about people changed: a session may have been idle for too long.
	beatEvery = 15 * time.Second
	// expiryMargin and expiryPause are how long after the end of a follower's session or key it is asked
	// about, and the least time between two such questions: the database decides, and its clock may be
	// behind.
	expiryMargin = 20 * time.Millisecond
	expiryPause  = 500 * time.Millisecond
)

// Item is a run of the live tail.
type Item struct {
	ExecutionID string     `json:"execution_id"`
	Script      string     `json:"script"`
	Source      string     `json:"source"`
	Request     string     `json:"request" doc:"the request, or what the event is about"`
	Status      string     `json:"status"`
	HTTPStatus  int        `json:"http_status"`
	Attempt     int        `json:"attempt"`
	StartedAt   time.Time  `json:"started_at"`
	DurationMS  float64    `json:"duration_ms"`
	Error       *ErrorItem `json:"error"`
	Logs        []LogItem  `json:"logs" doc:"only where a status is asked for: else they came before, as log events"`
}

// ErrorItem is the error of a run.
type ErrorItem struct {
	Name    string `json:"name"`
	Message string `json:"message"`
	Stack   string `json:"stack"`
}

// LogItem is a log line of a run.
type LogItem struct {
	At      time.Time `json:"at"`
	Level   string    `json:"level"`
	Message string    `json:"message"`
}

// ShowLogs gives the lines of a run, an empty list for none.
func ShowLogs(lines []cloud.LogLine) []LogItem {
	out := make([]LogItem, len(lines))
	for k, l := range lines {
		out[k] = LogItem{l.At.UTC(), l.Level, l.Message}
	}
	return out
}

// line is a log line of the live tail.
type line struct {
	ExecutionID string    `json:"execution_id"`
	Script      string    `json:"script"`
	At          time.Time `json:"at"`
	Level       string    `json:"level"`
	Message     string    `json:"message"`
}

// Stream serves followers.
type Stream struct {
	Edge         *edge.Edge
	Auth         *auth.Authenticator
	Orchestrator *orchestrator.Orchestrator
}

// Follow streams the runs of the path's app to whoever the token stands for, as long as they may see them.
// The query may ask for one script or one status.
func (s Stream) Follow(c *fiber.Ctx, token string) error {
	ctx := context.WithoutCancel(c.UserContext()) // the stream outlives this handler
	slug := c.Params("app")
	follower := func() (*edge.AppCaller, error) {
		p, err := s.Auth.Authenticate(ctx, token)
		if err != nil {
			return nil, err
		}
		return s.Edge.InApp(ctx, p, slug, auth.ReadExecutions)
	}

	changedC := s.Auth.Flushed()
	caller, err := follower()
	if err != nil {
		return err
	}

	tail, err := s.Orchestrator.Tails.Tail(caller.ID(), caller.UserID)
	if err != nil {
		return err
	}

	c.Set("Content-Type", "text/event-stream")
	c.Set("Cache-Control", "no-store")
	c.Set("X-Accel-Buffering", "no")
	w := &writer{
		script:   c.Query("script"),
		status:   c.Query("status"),
		expires:  caller.Expires,
		changedC: changedC,
		changes:  s.Auth.Flushed,
	}

	c.Context().SetBodyStreamWriter(func(body *bufio.Writer) {
		defer tail.Close()
		w.body = body
		w.follow(tail, func() (expires time.Time, may bool) {
			caller, err := follower()
			if err != nil {
				return expires, false
			}
			return caller.Expires, true
		})
	})
	return nil
}

// writer writes one follower's events. It belongs to the goroutine that sends the answer.
type writer struct {
	body *bufio.Writer
	// script and status, unless empty, are the only ones that the follower wants.
	script, status string
	// expires is when the follower's session or key ends, zero for never.
	expires time.Time
	// changedC is closed when rights may have changed, and changes gives the channel of the next time.
	changedC <-chan struct{}
	changes  func() <-chan struct{}
}

// follow writes until the tail ends, the follower is gone or may not see the runs any more. stillMay asks for
// that, and until when it will be so.
func (w *writer) follow(tail *history.Tail, stillMay func() (expires time.Time, may bool)) {
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	end := time.NewTimer(w.untilExpiry())
	defer end.Stop()

	ask := func() (may bool) {
		w.expires, may = stillMay()
		end.Reset(w.untilExpiry())
		return may
	}

	if !w.send(": connected\n\n") {
		return
	}

	for {
		select {
		case <-tail.Done:
			return
		case <-w.changedC:
			w.changedC = w.changes() // before the question: what changes behind it is not missed
			if !ask() {
				return
			}
		case <-end.C:
			if !ask() {
				return
			}
		case <-beat.C:
			if !ask() || !w.send(": alive\n\n") {
				return
			}
		case <-tail.MissedCh:
			if !w.sendDropped(tail) {
				return
			}

		case e := <-tail.EventsCh:
			if !w.sendDropped(tail) {
				return
			}
			if w.wants(&e) && !w.send(w.encode(&e)) {
				return
			}
		}
	}
}

// untilExpiry is when the follower's session or key will have ended. One that has no end is asked about with
// the beats alone.
func (w *writer) untilExpiry() time.Duration {
	if w.expires.IsZero() {
		return 2 * beatEvery
	}
	return max(time.Until(w.expires)+expiryMargin, expiryPause)
}

// sendDropped writes how many events the follower missed since the last time, unless none. It reports whether
// the follower still reads.
func (w *writer) sendDropped(tail *history.Tail) bool {
	n := tail.Dropped()
	return n == 0 || w.send(encodeEvent("dropped", map[string]int64{"dropped": n}))
}

// wants filters. A run's status is not known while it logs, so a follower who asks for a status gets the
// lines with the run.
func (w *writer) wants(e *history.TailEvent) bool {
	switch {
	case w.script != "" && w.script != e.Script:
		return false
	case w.status != "":
		return e.Line == nil && w.status == string(e.Status)
	default:
		return true
	}
}

// send writes a piece of the stream. It reports whether the follower still reads.
func (w *writer) send(text string) bool {
	_, err := w.body.WriteString(text)
	return err == nil && w.body.Flush() == nil
}

func (w *writer) encode(e *history.TailEvent) string {
	if l := e.Line; l != nil {
		return encodeEvent("log", line{e.Execution.String(), e.Script, l.At.UTC(), l.Level, l.Message})
	}

	it := Item{
		ExecutionID: e.Execution.String(),
		Script:      e.Script,
		Source:      e.Source,
		Request:     e.Request,
		Status:      string(e.Status),
		HTTPStatus:  e.HTTPStatus,
		Attempt:     e.Attempt,
		StartedAt:   e.Started.UTC(),
		DurationMS:  float64(e.Duration.Microseconds()) / 1000,
		Logs:        []LogItem{},
	}

	if w.status != "" {
		it.Logs = ShowLogs(e.Logs)
	}
	if e.Status != cloud.Succeeded {
		it.Error = &ErrorItem{e.Error.Name, e.Error.Message, e.Error.Stack}
	}
	return encodeEvent("run", it)
}

// encodeEvent writes an event of a stream (HTML Living Standard, 9.2.5). JSON is one line: it escapes line
// ends.
func encodeEvent(kind string, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return ": an event could not be shown\n\n"
	}
	return "event: " + kind + "\ndata: " + string(b) + "\n\n"
}
