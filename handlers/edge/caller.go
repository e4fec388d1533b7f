package edge

import (
	"context"

	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/manager"
)

// AppCaller is a caller who may do what is asked, in an app.
type AppCaller struct {
	*auth.Principal
	App *manager.App
	// Role is the caller's role in the app.
	Role string
}

// ID is the app's id.
func (c *AppCaller) ID() cloud.AppID { return cloud.AppID(c.App.ID) }

// Actor is the caller as the manager's audit sees it, for a change of the app.
func (c *AppCaller) Actor() manager.Actor {
	a := Actor(c.Principal)
	a.SetsSecrets = c.May(auth.WriteVariables, c.Role, c.ID()) == nil
	return a
}

// InApp finds the app of a slug and asks whether the principal has a capability in it. An app that is none of
// the caller's business, and one that does not exist, are the same 404.
func (e *Edge) InApp(
	ctx context.Context, p *auth.Principal, slug string, need auth.Capability,
) (*AppCaller, error) {
	app, err := e.cfg.Manager.App(ctx, slug)
	if cloud.CodeOf(err) == cloud.CodeNotFound && err != nil {
		return nil, auth.ErrNoApp
	}

	if err != nil {
		return nil, err
	}

	role, err := e.cfg.Auth.AppRole(ctx, p, cloud.AppID(app.ID))
	if err != nil {
		return nil, err
	}

	if err := p.May(need, role, cloud.AppID(app.ID)); err != nil {
		return nil, err
	}
	return &AppCaller{Principal: p, App: app, Role: role}, nil
}

// KeyApp is the app that a new API key shall be bound to, nil without a slug. Whoever sees an app may have a
// key for it: the key can do no more than its user.
func (e *Edge) KeyApp(ctx context.Context, p *auth.Principal, slug string) (*manager.App, error) {
	if slug == "" {
		return nil, nil
	}

	c, err := e.InApp(ctx, p, slug, auth.Capability{Role: auth.AppViewer, Scopes: auth.Scopes})
	if err != nil {
		return nil, err
	}
	return c.App, nil
}

// Actor is the principal as the manager's audit sees it. The key of an owner is no owner: it makes none, and
// changes none.
func Actor(p *auth.Principal) manager.Actor {
	return manager.Actor{
		UserID:   p.UserID,
		Username: p.Username,
		Admin:    p.IsAdmin(),
		Owner:    p.Role == auth.RoleOwner && !p.Key,
	}
}

// InstanceAdmin asks for an instance admin, and for keys a scope.
func InstanceAdmin(p *auth.Principal, scope string) error {
	switch {
	case !p.HasScope(scope):
		return cloud.Errorf(cloud.CodeForbidden, "this API key lacks the scope %s", scope)
	case p.KeyApp != 0:
		return cloud.Errorf(cloud.CodeForbidden, "this API key works in one app alone")
	case !p.IsAdmin():
		return cloud.Errorf(cloud.CodeForbidden, "this needs an instance admin")
	default:
		return nil
	}
}
