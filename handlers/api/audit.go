package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"picloud/db"
	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/manager"
)

// auditItem is an entry of the audit trail.
type auditItem struct {
	ID     string          `json:"id"`
	At     time.Time       `json:"at"`
	Actor  string          `json:"actor"`
	App    *string         `json:"app"`
	Action string          `json:"action"`
	Target string          `json:"target"`
	Detail json.RawMessage `json:"detail"`
}

// AuditQuery is a page of the audit trail, of one actor or action if they are given.
type AuditQuery struct {
	PageQuery
	Actor  string `query:"actor"`
	Action string `query:"action"`
}

type listAppAudit struct {
	AppPath
	AuditQuery
}

func (s *Server) auditAPI() {
	op(s,
		s.adminOnly("audit:read",
			operation("list-audit", http.MethodGet, "/audit", "The audit trail, newest first", "people")),
		s.listAudit)
	appOp(s,
		operation("list-app-audit", http.MethodGet, "/apps/{app}/audit",
			"The app's audit trail, newest first", "people"),
		auth.ReadAudit, s.listAppAudit)
}

func (s *Server) listAudit(ctx context.Context, _ *auth.Principal, in *AuditQuery) (*page[auditItem], error) {
	return s.audit(ctx, 0, "audit", in)
}

func (s *Server) listAppAudit(
	ctx context.Context, c *edge.AppCaller, in *listAppAudit,
) (*page[auditItem], error) {
	return s.audit(ctx, c.ID(), edge.ListName(c, "audit"), &in.AuditQuery)
}

// audit lists the entries of an app, of all for 0.
func (s *Server) audit(
	ctx context.Context, app cloud.AppID, list string, in *AuditQuery,
) (*page[auditItem], error) {
	list += "\x00" + in.Actor + "\x00" + in.Action
	before, err := s.OpenIDCursor(list, in.Cursor)
	if err != nil {
		return nil, err
	}

	filter := manager.AuditFilter{App: app, Actor: in.Actor, Action: in.Action}
	rows, err := s.Manager.Audit(ctx, filter, before, in.Limit+1)
	if err != nil {
		return nil, err
	}

	rows, next := edge.CutBySize(s.Edge, list, rows, in.Limit,
		func(a *db.Audit) int { return len(a.Target) + len(a.Detail) },
		func(a *db.Audit) string { return cloud.ID(a.ID).String() })
	return pageOf(rows, next, func(a *db.Audit) auditItem {
		return auditItem{
			ID:     cloud.ID(a.ID).String(),
			At:     utc(a.At),
			Actor:  a.Actor,
			App:    a.App,
			Action: a.Action,
			Target: a.Target,
			Detail: json.RawMessage(a.Detail),
		}
	}), nil
}
