package admin

import (
	"net/http"

	"picloud/db"
	"picloud/handlers/edge"
	"picloud/internal/cloud"
	"picloud/internal/manager"
	"picloud/views"
)

func (s *Server) showAudit(v *visit) error { return s.auditPage(v, 0, "audit") }

// showAppAudit is the trail of one app, which its admins may read.
func (s *Server) showAppAudit(v *visit) error {
	return s.auditPage(v, v.app.ID(), edge.ListName(v.app, "audit"))
}

// auditPage lists the audit trail of an app, of all for 0.
func (s *Server) auditPage(v *visit, app cloud.AppID, list string) error {
	frame, err := v.frame("Audit", "audit")
	if err != nil {
		return err
	}

	filter := manager.AuditFilter{App: app, Actor: v.Query("actor"), Action: v.Query("action")}
	list += "\x00" + filter.Actor + "\x00" + filter.Action
	before, err := s.OpenIDCursor(list, v.Query("cursor"))
	if err != nil {
		return err
	}

	rows, err := s.Manager.Audit(v.UserContext(), filter, before, pageSize+1)
	if err != nil {
		return err
	}

	rows, next := edge.Cut(s.Edge, list, rows, pageSize,
		func(a *db.Audit) string { return cloud.ID(a.ID).String() })

	vm := views.AuditPage{Page: frame, Actor: filter.Actor, Action: filter.Action, Next: v.next(next)}
	for k := range rows {
		vm.Rows = append(vm.Rows, auditRow(&rows[k]))
	}
	return v.render(http.StatusOK, views.Audit(vm))
}

// auditRow shows an entry of the audit trail, without a detail that says nothing.
func auditRow(a *db.Audit) views.AuditRow {
	row := views.AuditRow{At: a.At, Actor: a.Actor, App: orEmpty(a.App), Action: a.Action, Target: a.Target}
	if a.Detail != "{}" && a.Detail != "null" {
		row.Detail = a.Detail
	}
	return row
}
