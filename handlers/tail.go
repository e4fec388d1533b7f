package handlers

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"picloud/internal/history"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"picloud/internal/auth"
	"picloud/internal/cloud"
)

const (
	// tailBeat is how often an idle tail says that it is alive, and its follower's rights are looked at again.
	tailBeat = 15 * time.Second
	// tailPatience is how long a follower may take to read.
	tailPatience = 30 * time.Second
)

// tailItem is a run of the live tail.
type tailItem struct {
	ExecutionID string     `json:"execution_id"`
	Script      string     `json:"script"`
	Source      string     `json:"source"`
	Request     string     `json:"request" doc:"the request, or what the event is about"`
	Status      string     `json:"status"`
	HTTPStatus  int        `json:"http_status"`
	Attempt     int        `json:"attempt"`
	StartedAt   time.Time  `json:"started_at"`
	DurationMS  float64    `json:"duration_ms"`
	Error       *errorItem `json:"error"`
	Logs        []logItem  `json:"logs" doc:"only where a status is asked for: else they came before, as log events"`
}

// tailLine is a log line of the live tail.
type tailLine struct {
	ExecutionID string    `json:"execution_id"`
	Script      string    `json:"script"`
	At          time.Time `json:"at"`
	Level       string    `json:"level"`
	Message     string    `json:"message"`
}

// tailAPI registers the stream, which huma cannot serve, and describes it.
func (s *Server) tailAPI() {
	s.app.Get("/api/v1/apps/:app/tail", func(c *fiber.Ctx) error {
		token, _ := auth.BearerToken(c.Get("Authorization"))
		return s.followTail(c, token)
	})
	o := operation("tail", http.MethodGet, "/apps/{app}/tail", "Follow runs and log lines as they happen", "executions")
	o.Description = "Server-sent events of all nodes: `log` with a line as it comes, `run` with a run that ended, `dropped` with the number of events " +
		"that a slow reader missed. With `status`, runs that ended so, with their lines. " +
		"A comment every 15 seconds keeps the connection."
	text := &huma.Schema{Type: "string"}
	o.Parameters = []*huma.Param{{Name: "app", In: "path", Required: true, Schema: text}, {Name: "script", In: "query", Schema: text},
		{Name: "status", In: "query", Schema: text}}
	schema := s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[tailItem](), true, "TailItem")
	o.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{"text/event-stream": {Schema: schema}}}}
	s.api.OpenAPI().AddOperation(&o)
}

// followTail streams an app's runs to whoever the token stands for, as long as they may see them.
func (s *Server) followTail(c *fiber.Ctx, token string) error {
	ctx := context.WithoutCancel(c.UserContext())
	slug, script, status := c.Params("app"), c.Query("script"), c.Query("status")
	may := func() (*appCaller, error) {
		p, err := s.cfg.Auth.Authenticate(ctx, token)
		if err != nil {
			return nil, err
		}
		return s.inApp(ctx, p, slug, auth.ReadExecutions)
	}
	caller, err := may()
	if err != nil {
		return err
	}
	tail, err := s.cfg.Orchestrator.Tails.Tail(caller.id())
	if err != nil {
		return err
	}
	c.Set("Content-Type", "text/event-stream")
	c.Set("Cache-Control", "no-store")
	c.Set("X-Accel-Buffering", "no")
	conn := c.Context().Conn()
	c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		defer tail.Close()
		t := &tailWriter{w: w, conn: conn, script: script, status: status}
		t.follow(tail, func() bool {
			_, err := may()
			return err == nil
		})
	})
	return nil
}

// tailWriter writes one follower's events.
type tailWriter struct {
	w              *bufio.Writer
	conn           net.Conn
	script, status string
}

func (t *tailWriter) follow(tail *history.Tail, stillMay func() bool) {
	beat := time.NewTicker(tailBeat)
	defer beat.Stop()
	if !t.send(": connected\n\n") {
		return
	}
	for {
		select {
		case <-tail.Done:
			return
		case <-beat.C:
			if !stillMay() || !t.send(": alive\n\n") {
				return
			}
		case <-tail.MissedCh:
			if !t.tellDropped(tail) {
				return
			}
		case e := <-tail.EventsCh:
			if !t.tellDropped(tail) {
				return
			}
			if t.wants(&e) && !t.send(t.encode(&e)) {
				return
			}
		}
	}
}

// tellDropped says how many events the follower missed since it last did; false: nobody reads any more.
func (t *tailWriter) tellDropped(tail *history.Tail) bool {
	n := tail.Dropped()
	return n == 0 || t.send(encodeEvent("dropped", map[string]int64{"dropped": n}))
}

// wants filters. What a run ends with is not known while it logs, so who asks for an outcome is given the lines with it.
func (t *tailWriter) wants(e *history.TailEvent) bool {
	switch {
	case t.script != "" && t.script != e.Script:
		return false
	case t.status != "":
		return e.Line == nil && t.status == string(e.Status)
	default:
		return true
	}
}

func (t *tailWriter) send(text string) bool {
	_ = t.conn.SetWriteDeadline(time.Now().Add(tailPatience))
	_, err := t.w.WriteString(text)
	return err == nil && t.w.Flush() == nil
}

func (t *tailWriter) encode(r *history.TailEvent) string {
	if l := r.Line; l != nil {
		return encodeEvent("log", tailLine{r.Execution.String(), r.Script, utc(l.At), l.Level, l.Message})
	}
	it := tailItem{ExecutionID: r.Execution.String(), Script: r.Script, Source: r.Source, Request: r.Request, Status: string(r.Status),
		HTTPStatus: r.HTTPStatus, Attempt: r.Attempt, StartedAt: utc(r.Started), DurationMS: float64(r.Duration.Microseconds()) / 1000,
		Logs: []logItem{}}
	if t.status != "" {
		it.Logs = showLogs(r.Logs)
	}
	if r.Status != cloud.Succeeded {
		it.Error = &errorItem{r.Error.Name, r.Error.Message, r.Error.Stack}
	}
	return encodeEvent("run", it)
}

// encodeEvent writes an event of a stream (HTML Living Standard, 9.2.5). JSON is one line: it escapes line ends.
func encodeEvent(kind string, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return ": an event could not be shown\n\n"
	}
	return "event: " + kind + "\ndata: " + string(b) + "\n\n"
}
