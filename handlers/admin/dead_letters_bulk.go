package admin

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"picloud/handlers/edge"
	"picloud/internal/cloud"
	"picloud/internal/orchestrator"
	"picloud/views"
)

// maxReason is how much of a reason is kept, in bytes.
const maxReason = 1000

// ticked are the dead letters that were ticked. None is nothing, not all.
func (v *visit) ticked() orchestrator.LetterSelection {
	ids := []cloud.ID{}
	for _, text := range v.form["id"] {
		if id, ok := cloud.ParseID(text); ok && len(ids) < orchestrator.MaxBulk {
			ids = append(ids, id)
		}
	}
	return orchestrator.LetterSelection{IDs: ids}
}

// rate is how many letters of a replay shall become due in a second; an empty field is all at once.
func (v *visit) rate() (float64, error) {
	text := v.form.Get("rate")
	if text == "" {
		return 0, nil
	}

	rate, err := strconv.ParseFloat(text, 64)
	if err != nil || rate == 0 {
		return 0, cloud.Errorf(cloud.CodeInvalid, "the rate must be a number of dead letters a second")
	}
	return rate, nil
}

// replaySelected replays those that were ticked.
func (s *Server) replaySelected(v *visit) error {
	sel := v.ticked()
	var err error
	if sel.Pace.PerSecond, err = v.rate(); err != nil {
		return err
	}

	r, err := s.Orchestrator.Operations.ReplayMany(v.UserContext(), v.app.ID(), sel, v.p.Cloud())
	if err != nil {
		return err
	}

	done := url.Values{"replayed": {strconv.Itoa(r.Done)}}
	if !r.LastDue.IsZero() {
		done.Set("due", r.LastDue.UTC().Format(time.RFC3339))
	}
	return v.to("/dead-letters?" + done.Encode())
}

// resolveSelected marks those that were ticked as ignored.
func (s *Server) resolveSelected(v *visit) error {
	reason := cloud.ValidPrefix(v.form.Get("reason"), maxReason)
	r, err := s.Orchestrator.Operations.ResolveMany(
		v.UserContext(), v.app.ID(), v.ticked(), reason, v.p.Cloud())
	if err != nil {
		return err
	}
	return v.to("/dead-letters?resolved=" + strconv.Itoa(r.Done))
}

// bulkStep is how many dead letters a step of a bulk action takes, so that its progress is seen.
const bulkStep = 250

func (s *Server) replayAll(v *visit) error { return s.allStep(v, views.BulkReplay) }

func (s *Server) resolveAll(v *visit) error { return s.allStep(v, views.BulkResolve) }

// allStep does one step of a bulk action and shows how far it is; the page sends for the next. Nothing is
// kept between the steps but what the form carries, so a broken one is simply begun again.
func (s *Server) allStep(v *visit, action string) error {
	progress := v.bulkProgress(action)
	query := edge.LetterQuery(progress.Filter)
	query.State = "unresolved"
	filter, err := query.Filter()
	if err != nil {
		return err
	}

	list := query.List(v.app, "bulk-"+action)
	sel := orchestrator.LetterSelection{Filter: filter, Limit: bulkStep}
	sel.Before, sel.Pace.After, err = s.OpenBulkCursor(list, v.form.Get("cursor"))
	if err != nil {
		return err
	}
	if sel.Pace.PerSecond, err = v.rate(); err != nil {
		return err
	}
	if sel.Before.IsZero() {
		progress.Total, err = s.Orchestrator.History.CountMatching(v.UserContext(), v.app.ID(), filter)
		if err != nil {
			return err
		}
	}

	step, err := s.bulkStep(v, &progress, sel)
	if err != nil {
		return err
	}

	progress.Seen += int64(step.Matched)
	progress.Done += int64(step.Done)
	progress.LastDue = step.LastDue
	progress.Cursor = s.BulkCursor(list, step.Last, step.LastDue)
	return v.showProgress(progress)
}

// bulkStep replays or resolves some.
func (s *Server) bulkStep(
	v *visit, progress *views.BulkProgress, sel orchestrator.LetterSelection,
) (orchestrator.BulkResult, error) {
	operations := s.Orchestrator.Operations
	if progress.Action == views.BulkResolve {
		return operations.ResolveMany(v.UserContext(), v.app.ID(), sel, progress.Reason, v.p.Cloud())
	}
	return operations.ReplayMany(v.UserContext(), v.app.ID(), sel, v.p.Cloud())
}

func (v *visit) showProgress(progress views.BulkProgress) error {
	frame, err := v.frame(progress.Title(), "dead-letters")
	if err != nil {
		return err
	}
	if v.wantsFragment() {
		return v.render(http.StatusOK, views.BulkProgressCard(frame, progress))
	}
	return v.render(http.StatusOK, views.BulkAll(views.BulkPage{Page: frame, Progress: progress}))
}

// bulkProgress is how far the form of a bulk action says that it is. The form carries what narrows the list;
// all of them are unresolved.
func (v *visit) bulkProgress(action string) views.BulkProgress {
	progress := views.BulkProgress{
		Action: action,
		Filter: views.LetterFilter{
			Script:  v.form.Get("script"),
			Source:  v.form.Get("source"),
			Trigger: v.form.Get("trigger"),
			Group:   v.form.Get("error"),
			From:    v.form.Get("from"),
			To:      v.form.Get("to"),
			Search:  v.form.Get("q"),
		},
		Reason: cloud.ValidPrefix(v.form.Get("reason"), maxReason),
		Rate:   v.form.Get("rate"),
	}

	for _, n := range []struct {
		name string
		to   *int64
	}{
		{"total", &progress.Total},
		{"seen", &progress.Seen},
		{"done", &progress.Done},
	} {
		*n.to, _ = strconv.ParseInt(v.form.Get(n.name), 10, 64) // 0 if somebody broke it
	}
	return progress
}
