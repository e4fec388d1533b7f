// Package auth decides who calls and what they may do: principals, roles, capabilities, passwords, sessions
// and API keys. It does not know HTTP: handlers pass it tokens, and handlers and manager ask it for
// permission. It writes no definitions; the manager does.
package auth

import (
	"slices"
	"time"

	"picloud/internal/cloud"
)

// Instance roles.
const (
	RoleOwner  = "owner"
	RoleAdmin  = "admin"
	RoleMember = "member"
)

// App roles, weakest first.
const (
	AppViewer = "viewer"
	AppEditor = "editor"
	AppAdmin  = "admin"
)

// Principal is an authenticated caller.
type Principal struct {
	UserID   int64
	Username string
	// Role is the instance role.
	Role string
	// Session is the session's id, zero for API keys.
	Session cloud.ID
	// Key is set for callers who use an API key.
	Key bool
	// Scopes limit what the user's role allows. They count for keys only.
	Scopes []string
	// KeyApp, if not 0, is the only app in which the key works.
	KeyApp cloud.AppID
	// Expires is when the session or the key comes to its end, by the database's clock; zero for a key
	// without one. An idle session may end before.
	Expires time.Time
}

// IsAdmin reports an instance admin, who is admin in every app.
func (p *Principal) IsAdmin() bool { return p.Role == RoleOwner || p.Role == RoleAdmin }

// Cloud returns the principal as runs and records show it. A nil principal is anonymous.
func (p *Principal) Cloud() cloud.Principal {
	if p == nil {
		return cloud.Principal{}
	}

	kind := cloud.PrincipalUser
	if p.Key {
		kind = cloud.PrincipalKey
	}

	return cloud.Principal{Username: p.Username, Kind: kind, UserID: p.UserID}
}

// HasScope reports whether the principal's key carries one of the scopes. A principal without a key has
// them all.
func (p *Principal) HasScope(scopes ...string) bool {
	if !p.Key {
		return true
	}

	for _, s := range scopes {
		if slices.Contains(p.Scopes, s) {
			return true
		}
	}

	return false
}

// Scopes lists what a key can be given.
var Scopes = []string{
	"apps:admin", "scripts:read", "scripts:write", "scripts:run", "routes:write", "triggers:write",
	"kv:read", "kv:write", "executions:read", "deadletters:read", "deadletters:write", "secrets:write",
	"users:admin", "audit:read", "instance:admin",
}

// Capability is one thing that can be done in an app: the least app role that may do it, and the scopes of
// which a key needs one. The first scope is the one that an error names.
type Capability struct {
	Role   string
	Scopes []string
}

// Capabilities in an app.
var (
	ReadApp = Capability{AppViewer, []string{
		"scripts:read", "apps:admin", "scripts:write", "executions:read", "kv:read", "deadletters:read",
	}}
	ReadScripts     = Capability{AppViewer, []string{"scripts:read", "scripts:write"}}
	WriteScripts    = Capability{AppEditor, []string{"scripts:write"}}
	TestScripts     = Capability{AppEditor, []string{"scripts:run"}}
	RunScripts      = Capability{AppViewer, []string{"scripts:run"}}
	DeleteScripts   = Capability{AppAdmin, []string{"scripts:write"}}
	ReadRoutes      = Capability{AppViewer, []string{"scripts:read", "routes:write"}}
	WriteRoutes     = Capability{AppEditor, []string{"routes:write"}}
	ReadTriggers    = Capability{AppViewer, []string{"scripts:read", "triggers:write"}}
	WriteTriggers   = Capability{AppAdmin, []string{"triggers:write"}}
	FireTriggers    = Capability{AppEditor, []string{"triggers:write", "scripts:run"}}
	ReadKV          = Capability{AppViewer, []string{"kv:read"}}
	WriteKV         = Capability{AppEditor, []string{"kv:write"}}
	ReadExecutions  = Capability{AppViewer, []string{"executions:read"}}
	OperateQueue    = Capability{AppEditor, []string{"deadletters:write"}}
	ReadDeadLetters = Capability{AppViewer, []string{"deadletters:read", "deadletters:write"}}
	WriteDeadLetter = Capability{AppEditor, []string{"deadletters:write"}}
	AdminApp        = Capability{AppAdmin, []string{"apps:admin"}}
	ReadMembers     = Capability{AppViewer, []string{"apps:admin"}}
	ReadVariables   = Capability{AppViewer, []string{"secrets:write"}}
	WriteVariables  = Capability{AppAdmin, []string{"secrets:write"}}
	ReadAudit       = Capability{AppAdmin, []string{"audit:read"}}
)

// rank orders app roles; an unknown role ranks below all.
func rank(role string) int { return slices.Index([]string{AppViewer, AppEditor, AppAdmin}, role) }

// AtLeast reports whether an app role includes another. An unknown role includes none.
func AtLeast(role, least string) bool { return rank(role) >= rank(least) && rank(role) >= 0 }

// May decides on a capability, given the principal's role in the app ("" for none). Errors: ErrNoApp for an
// app that the principal must not know of, forbidden for anything else.
func (p *Principal) May(c Capability, appRole string, app cloud.AppID) error {
	if p.KeyApp != 0 && p.KeyApp != app || !AtLeast(appRole, AppViewer) {
		return ErrNoApp
	}
	if !p.HasScope(c.Scopes...) {
		return cloud.Errorf(cloud.CodeForbidden, "this API key lacks the scope %s", c.Scopes[0])
	}
	if !AtLeast(appRole, c.Role) {
		return cloud.Errorf(cloud.CodeForbidden,
			"this needs the role %s in the app; yours is %s", c.Role, appRole)
	}

	return nil
}

// ErrNoApp is the answer for an app that does not exist, and for one that is none of the caller's business:
// the two must look the same.
var ErrNoApp = cloud.Errorf(cloud.CodeNotFound, "no such app")
