package admin

import (
	"strconv"
	"strings"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
	"picloud/internal/history"
	"picloud/views"
)

// timeline is the life of the event that an execution is an attempt of, or just the execution.
func timeline(l *history.Lineage, e *history.Execution, logs []views.LogRow) []views.Step {
	this := views.Step{
		At:      e.Started,
		Status:  string(e.Status),
		Text:    "attempt " + strconv.Itoa(e.Attempt) + ", took " + took(e.Duration) + onNode(e.Node),
		Current: true,
		Logs:    logs,
	}
	if e.Outbox.IsZero() {
		this.Text = "took " + took(e.Duration) + onNode(e.Node)
		return []views.Step{this}
	}

	steps := []views.Step{{At: e.Outbox.Time(), Text: "enqueued"}}
	event := l.Event(e.Outbox)
	if event == nil {
		return append(steps, this)
	}

	ended := e.Outbox.Time() // of what came before
	for _, a := range event.Attempts {
		run := a.Row
		step := this
		if a.ID != e.ID {
			step = views.Step{
				At:     run.StartedAt,
				Status: run.Status,
				Href:   "/executions/" + a.ID.String(),
				Text: "attempt " + strconv.Itoa(int(run.Attempt)) +
					", took " + took(micros(run.DurationUs)) + onNode(run.Node),
			}
		}
		if wait := run.StartedAt.Sub(ended); wait > 0 {
			step.Text = "after " + wait.Round(time.Millisecond).String() + ": " + step.Text
		}
		ended = run.StartedAt.Add(micros(run.DurationUs))
		steps = append(steps, step)
	}
	if len(event.Attempts) == 0 {
		steps = append(steps, this)
	}

	// What became of it since.
	if w := event.Waiting; w != nil {
		steps = append(steps, views.Step{
			At:     w.WakeAt,
			Status: "waiting",
			Text:   "for the next attempt, or it is running",
			Href:   "/queue",
		})
	}
	if d := event.Letter; d != nil {
		steps = append(steps, views.Step{
			At:     d.CreatedAt,
			Status: "dead letter",
			Text:   d.Reason,
			Href:   "/dead-letters/" + cloud.ID(d.ID).String(),
		})
	}
	return steps
}

// micros is a duration as the records have it.
func micros(us int64) time.Duration { return time.Duration(us) * time.Microsecond }

// took shows a run's duration to a tenth of a millisecond.
func took(d time.Duration) string { return d.Round(100 * time.Microsecond).String() }

// onNode names the node of a run; old records have none.
func onNode(node string) string {
	if node == "" {
		return ""
	}
	return " on " + node
}

// tree draws a lineage; the execution or dead letter that the page is about is marked.
func tree(l *history.Lineage, current cloud.ID) []views.TreeNode {
	var out []views.TreeNode
	for _, r := range l.Top {
		out = append(out, runNode(r, current))
	}
	return append(out, eventNodes(l.Events, current)...)
}

// runNode is a run with what it caused.
func runNode(r *history.LineageRun, current cloud.ID) views.TreeNode {
	n := views.TreeNode{Text: "a run that was not recorded", Detail: r.ID.String()}
	if r.Row != nil {
		n = views.TreeNode{
			Text:    r.Row.Script,
			Detail:  runDetail(r.Row),
			Status:  r.Row.Status,
			Href:    "/executions/" + r.ID.String(),
			At:      &r.Row.StartedAt,
			Current: r.ID == current,
		}
	}
	n.Children = eventNodes(r.Events, current)
	return n
}

// runDetail is what a run was about, or which attempt it was, and its error.
func runDetail(r *db.ExecutionsOfRootRow) string {
	out := r.Request
	if r.OutboxID != nil {
		out = "attempt " + strconv.Itoa(int(r.Attempt))
	}
	if r.ErrorMessage != "" {
		out += ", " + r.ErrorName + ": " + cloud.Shorten(r.ErrorMessage)
	}
	return strings.TrimPrefix(out, ", ")
}

// eventNodes are events, each with its attempts and with what it waits for or became.
func eventNodes(events []*history.LineageEvent, current cloud.ID) []views.TreeNode {
	var out []views.TreeNode
	for _, e := range events {
		n := views.TreeNode{Text: eventText(e), Detail: "for " + e.Script}
		for _, a := range e.Attempts {
			n.Children = append(n.Children, runNode(a, current))
		}

		if w := e.Waiting; w != nil {
			status := "waiting"
			if w.ClaimedBy != nil {
				status = "running"
			}
			n.Children = append(n.Children, views.TreeNode{
				Text:   "in the queue",
				Status: status,
				Href:   "/queue",
				At:     &w.WakeAt,
			})
		}

		if d := e.Letter; d != nil {
			id := cloud.ID(d.ID)
			letter := views.TreeNode{
				Text:    "dead letter",
				Status:  "failed",
				Detail:  d.Reason,
				Href:    "/dead-letters/" + id.String(),
				At:      &d.CreatedAt,
				Current: id == current,
			}
			if d.Resolution != nil {
				letter.Status = *d.Resolution
			}
			n.Children = append(n.Children, letter)
		}

		out = append(out, n)
	}
	return out
}

// eventText says what an event was: what its runs recorded of it, else where it came from.
func eventText(e *history.LineageEvent) string {
	for _, a := range e.Attempts {
		if a.Row.Request != "" {
			return a.Row.Request
		}
	}
	return e.Source + " event"
}
