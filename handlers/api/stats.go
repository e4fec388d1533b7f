package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/history"
)

// statsItem is one step of the statistics.
type statsItem struct {
	At       time.Time        `json:"at" doc:"begin of the step"`
	Runs     int64            `json:"runs"`
	Errors   int64            `json:"errors" doc:"runs that did not succeed"`
	Outcomes map[string]int64 `json:"outcomes"`
	P50MS    *float64         `json:"p50_ms" doc:"null without runs; quantiles are right to about a third"`
	P95MS    *float64         `json:"p95_ms"`
	P99MS    *float64         `json:"p99_ms"`
}

type statsInput struct {
	AppPath
	From   time.Time `query:"from" doc:"default: 24 hours before to"`
	To     time.Time `query:"to" doc:"default: now"`
	Step   string    `query:"step" default:"1h" doc:"whole minutes, as a duration (5m, 1h) or in seconds"`
	Script string    `query:"script"`
}

type statsOutput struct {
	Body struct {
		From        time.Time   `json:"from"`
		StepSeconds int         `json:"step_seconds"`
		Items       []statsItem `json:"items"`
	}
}

func (s *Server) statsAPI() {
	appOp(s, operation("stats", http.MethodGet, "/apps/{app}/stats", "Runs over time", "executions"),
		auth.ReadExecutions, s.stats)
}

// day is what statistics and charts are about unless something else is asked for.
const day = 24 * time.Hour

// stats counts runs in steps of time, empty steps included.
func (s *Server) stats(ctx context.Context, c *edge.AppCaller, in *statsInput) (*statsOutput, error) {
	q := history.StatsQuery{From: in.From, Until: in.To}
	var err error
	if q.Step, err = parseStep(in.Step); err != nil {
		return nil, err
	}

	if q.Until.IsZero() {
		q.Until = time.Now()
	}
	if q.From.IsZero() {
		q.From = q.Until.Add(-day)
	}

	if in.Script != "" {
		script, err := s.Manager.Script(ctx, c.App, in.Script)
		if err != nil {
			return nil, err
		}
		q.Script = script.ID
	}

	points, err := s.Orchestrator.History.RunStats(ctx, c.ID(), q)
	if err != nil {
		return nil, err
	}

	out := &statsOutput{}
	out.Body.StepSeconds = int(q.Step.Seconds())
	out.Body.Items = make([]statsItem, len(points))

	out.Body.From = points[0].At // from, rounded down to a step
	for k := range points {
		p := &points[k]

		it := statsItem{At: p.At, Runs: p.Runs, Errors: p.Errors, Outcomes: map[string]int64{}}
		for outcome, n := range p.Outcomes {
			it.Outcomes[string(outcome)] = n
		}

		if p.Runs > 0 {
			it.P50MS = quantile(p.P50)
			it.P95MS = quantile(p.P95)
			it.P99MS = quantile(p.P99)
		}
		out.Body.Items[k] = it
	}
	return out, nil
}

// quantile is shown in milliseconds.
func quantile(d time.Duration) *float64 {
	ms := millis(d)
	return &ms
}

// parseStep reads a duration, or a number of seconds.
func parseStep(text string) (time.Duration, error) {
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		return time.Duration(n) * time.Second, nil
	}

	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, cloud.Errorf(cloud.CodeInvalid,
			"step must be a duration such as 5m or 1h, or a number of seconds")
	}
	return d, nil
}
