package api

import (
	"context"
	"net/http"
	"time"

	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/manager"
)

// appItem is an app; hosts and quotas are shown where one app is.
type appItem struct {
	Slug        string    `json:"slug"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	CreatedAt   time.Time `json:"created_at"`
	Hosts       []string  `json:"hosts,omitempty"`
	// Quotas are what the app may use, Usage what it uses of that for which it has a quota.
	Quotas *quotasItem `json:"quotas,omitempty"`
	Usage  *quotasItem `json:"usage,omitempty"`
}

type appOutput struct{ Body appItem }

type createApp struct {
	Body struct {
		Slug        string `json:"slug" maxLength:"63"`
		Name        string `json:"name,omitempty" maxLength:"200"`
		Description string `json:"description,omitempty" maxLength:"2000"`
	}
}

type patchApp struct {
	AppPath
	Body struct {
		Name        *string     `json:"name,omitempty" maxLength:"200"`
		Description *string     `json:"description,omitempty" maxLength:"2000"`
		Hosts       *[]string   `json:"hosts,omitempty" doc:"host names, or *. and a domain; instance admins only"`
		Quotas      *quotasBody `json:"quotas,omitempty" doc:"instance admins only"`
	}
}

// forceInput is the deletion of an app. One that has scripts needs force.
type forceInput struct {
	AppPath
	Force bool `query:"force"`
}

func showApp(a *manager.App) appItem {
	return appItem{Slug: a.Slug, Name: a.Name, Description: a.Description, CreatedAt: utc(a.CreatedAt)}
}

func (s *Server) appsAPI() {
	op(s, operation("list-apps", http.MethodGet, "/apps", "Apps that I may see", "apps"), s.listApps)
	op(s,
		s.adminOnly("apps:admin", operation("create-app", http.MethodPost, "/apps", "Create an app", "apps")),
		s.createApp)
	appOp(s, operation("show-app", http.MethodGet, "/apps/{app}", "An app", "apps"), auth.ReadApp, s.showApp)
	appOp(s, operation("update-app", http.MethodPatch, "/apps/{app}", "Change an app", "apps"),
		auth.AdminApp, s.updateApp)
	appOp(s,
		operation("delete-app", http.MethodDelete, "/apps/{app}",
			"Delete an app with everything in it", "apps"),
		auth.AdminApp, s.deleteApp)
}

func (s *Server) createApp(ctx context.Context, p *auth.Principal, in *createApp) (*appOutput, error) {
	a, err := s.Manager.CreateApp(ctx, edge.Actor(p), in.Body.Slug, in.Body.Name, in.Body.Description)
	if err != nil {
		return nil, err
	}
	return &appOutput{Body: showApp(a)}, nil
}

func (s *Server) showApp(ctx context.Context, c *edge.AppCaller, _ *AppPath) (*appOutput, error) {
	return s.wholeApp(ctx, c.App)
}

func (s *Server) updateApp(ctx context.Context, c *edge.AppCaller, in *patchApp) (*appOutput, error) {
	if err := in.Body.Quotas.mayChange(c); err != nil {
		return nil, err
	}

	a, err := s.Manager.UpdateApp(ctx, edge.Actor(c.Principal), c.App, manager.AppChange{
		Name:        in.Body.Name,
		Description: in.Body.Description,
		Hosts:       in.Body.Hosts,
		Quotas:      in.Body.Quotas.change(),
	})
	if err != nil {
		return nil, err
	}
	return s.wholeApp(ctx, a)
}

func (s *Server) deleteApp(ctx context.Context, c *edge.AppCaller, in *forceInput) (*none, error) {
	return nil, s.Manager.DeleteApp(ctx, edge.Actor(c.Principal), c.App, in.Force)
}

// wholeApp shows an app with the hosts that are its own, and its quotas.
func (s *Server) wholeApp(ctx context.Context, a *manager.App) (*appOutput, error) {
	hosts, err := s.Manager.Hosts(ctx, a)
	if err != nil {
		return nil, err
	}
	out := &appOutput{Body: showApp(a)}
	out.Body.Hosts = hosts
	return out, s.addQuotas(ctx, cloud.AppID(a.ID), &out.Body)
}

// listApps lists the apps of the caller, for instance admins all of them.
func (s *Server) listApps(ctx context.Context, p *auth.Principal, in *PageQuery) (*page[appItem], error) {
	list := "apps\x00" + p.Username
	after, err := s.OpenCursor(list, in.Cursor)
	if err != nil {
		return nil, err
	}

	user := p.UserID
	if p.IsAdmin() {
		user = 0 // everybody's
	}
	rows, err := s.Manager.Apps(ctx, user, after, in.Limit+1)
	if err != nil {
		return nil, err
	}

	// A key that works in one app alone sees no other.
	if p.KeyApp != 0 {
		kept := rows[:0]
		for _, a := range rows {
			if cloud.AppID(a.ID) == p.KeyApp {
				kept = append(kept, a)
			}
		}
		rows = kept
	}

	rows, next := edge.Cut(s.Edge, list, rows, in.Limit, func(a *manager.App) string { return a.Slug })
	return pageOf(rows, next, showApp), nil
}
