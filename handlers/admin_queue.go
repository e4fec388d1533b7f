package handlers

import (
	"net/http"
	"time"

	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/views"
)

// payloadShown bounds what a list shows of a payload.
const payloadShown = 4 << 10

// parkedFor is beyond any retry: a row that wakes so late waits for its trigger to be enabled.
const parkedFor = 50 * 365 * day

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
	c, err := s.cfg.Orchestrator.History.Conservation(v.UserContext(), v.app.id())
	if err != nil {
		return err
	}
	list, err := s.listOutbox(v.UserContext(), v.app, &listScripts{PageQuery: *v.pageQuery()})
	if err != nil {
		return err
	}
	vm := views.QueuePage{Page: frame, Waiting: c.Waiting, Running: c.Running, MayOperate: v.may(auth.OperateQueue), Next: v.next(list.Body.NextCursor)}
	for _, r := range list.Body.Items {
		payload := indented(r.Payload)
		if len(payload) > payloadShown {
			payload = cloud.ValidPrefix(payload, payloadShown) + "\n..."
		}
		vm.Rows = append(vm.Rows, views.QueueRow{ID: r.ID, Script: r.Script, Source: r.Source, State: r.State, Reason: r.Reason, Attempt: r.Attempt,
			LastError: r.LastError, Payload: payload, MaxAttempts: r.MaxAttempts, Depth: r.Depth, DueAt: r.DueAt, CreatedAt: r.CreatedAt,
			Waiting: r.State == "waiting", Parked: time.Until(r.DueAt) > parkedFor})
	}
	return v.render(http.StatusOK, views.Queue(vm))
}

func (s *Server) runRowNow(v *visit) error {
	id, err := idParam(v.Params("id"), "row in the queue")
	if err != nil {
		return err
	}
	if err := s.cfg.Orchestrator.Operations.RunNow(v.UserContext(), v.app.id(), id, v.p.Cloud()); err != nil {
		return err
	}
	return v.to("/queue?done=now")
}

func (s *Server) removeRowPage(v *visit) error {
	id, err := idParam(v.Params("id"), "row in the queue")
	if err != nil {
		return err
	}
	if _, err := s.cfg.Orchestrator.Operations.RemoveRow(v.UserContext(), v.app.id(), id, v.p.Cloud()); err != nil {
		return err
	}
	return v.to("/queue?done=removed")
}
