package admin

import (
	"encoding/json"
	"net/http"
	"time"

	"picloud/db"
	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/history"
	"picloud/views"
)

// payloadShown bounds what a list shows of a payload.
const payloadShown = 4 << 10

// parkedFor is beyond any retry: a row that wakes so late waits for its trigger to be enabled.
const parkedFor = 50 * 365 * day

// showQueue lists what waits and what runs, oldest first, and says of each row why it stands there.
func (s *Server) showQueue(v *visit) error {
	frame, err := v.frame("Queue", "queue")
	if err != nil {
		return err
	}

	switch v.Query("done") {
	case "now":
		frame.Notice = "It is due now."
	case "removed":
		frame.Notice = "Taken out: it is a dead letter now."
	}

	c, err := s.Orchestrator.History.Conservation(v.UserContext(), v.app.ID())
	if err != nil {
		return err
	}

	list := edge.ListName(v.app, "outbox")
	after, err := s.OpenIDCursor(list, v.Query("cursor"))
	if err != nil {
		return err
	}

	rows, more, err := s.Orchestrator.History.Outbox(v.UserContext(), v.app.ID(), after, pageSize)
	if err != nil {
		return err
	}

	next := edge.NextAfter(s.Edge, list, rows, more,
		func(r *db.ListOutboxRow) string { return cloud.ID(r.ID).String() })
	vm := views.QueuePage{
		Page:       frame,
		Waiting:    c.Waiting,
		Running:    c.Running,
		MayOperate: v.may(auth.OperateQueue),
		Next:       v.next(next),
	}

	now := time.Now()
	for k := range rows {
		row := queueRow(&rows[k])
		row.Reason = history.WhyWaiting(&rows[k], s.Orchestrator.OnHold(), now)
		row.Parked = row.DueAt.Sub(now) > parkedFor
		vm.Rows = append(vm.Rows, row)
	}
	return v.render(http.StatusOK, views.Queue(vm))
}

// queueRow shows a row of the outbox, without what depends on the moment.
func queueRow(r *db.ListOutboxRow) views.QueueRow {
	row := views.QueueRow{
		ID:          cloud.ID(r.ID).String(),
		Script:      r.Script,
		Source:      r.Source,
		State:       "running",
		Attempt:     int(r.AttemptCount),
		LastError:   r.LastError,
		Payload:     indented(json.RawMessage(r.Payload)),
		MaxAttempts: int(r.MaxAttempts),
		Depth:       int(r.Depth),
		DueAt:       r.WakeAt,
		CreatedAt:   r.CreatedAt,
	}

	if r.ClaimedBy == nil {
		row.State = "waiting"
		row.Waiting = true
	}
	if len(row.Payload) > payloadShown {
		row.Payload = cloud.ValidPrefix(row.Payload, payloadShown) + "\n..."
	}
	return row
}

// runRowNow makes a waiting row due, without the rest of its pause.
func (s *Server) runRowNow(v *visit) error {
	id, err := edge.IDParam(v.Params("id"), "row in the queue")
	if err != nil {
		return err
	}

	if err := s.Orchestrator.Operations.RunNow(v.UserContext(), v.app.ID(), id, v.p.Cloud()); err != nil {
		return err
	}

	return v.to("/queue?done=now")
}

// removeRowPage takes a waiting row out: it becomes a dead letter, which can be replayed.
func (s *Server) removeRowPage(v *visit) error {
	id, err := edge.IDParam(v.Params("id"), "row in the queue")
	if err != nil {
		return err
	}

	_, err = s.Orchestrator.Operations.RemoveRow(v.UserContext(), v.app.ID(), id, v.p.Cloud())
	if err != nil {
		return err
	}

	return v.to("/queue?done=removed")
}
