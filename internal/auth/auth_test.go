package auth

import (
	"slices"
	"strings"
	"testing"

	"picloud/internal/cloud"
)

// A role includes the weaker ones; an app that is none of the caller's business looks as if it did not exist.
func TestMay(t *testing.T) {
	t.Parallel()
	user := &Principal{Username: "u", Role: RoleMember}
	key := &Principal{Username: "u", Key: true, Scopes: []string{"kv:read"}, KeyApp: 1}

	for _, c := range []struct {
		name string
		p    *Principal
		need Capability
		role string
		app  cloud.AppID
		code cloud.Code
		text string
	}{
		{"viewer reads", user, ReadKV, AppViewer, 1, "", ""},
		{
			"viewer writes", user, WriteKV, AppViewer, 1, cloud.CodeForbidden,
			"this needs the role editor in the app; yours is viewer",
		},
		{"editor writes", user, WriteKV, AppEditor, 1, "", ""},
		{"editor makes triggers", user, WriteTriggers, AppEditor, 1, cloud.CodeForbidden, "yours is editor"},
		{"admin makes triggers", user, WriteTriggers, AppAdmin, 1, "", ""},
		{"stranger", user, ReadKV, "", 1, cloud.CodeNotFound, "no such app"},
		{"unknown role", user, ReadKV, "emperor", 1, cloud.CodeNotFound, "no such app"},
		{"key within its scope", key, ReadKV, AppAdmin, 1, "", ""},
		{
			"key beyond its scope", key, WriteKV, AppAdmin, 1, cloud.CodeForbidden,
			"this API key lacks the scope kv:write",
		},
		{"key beyond its user", key, ReadKV, "", 1, cloud.CodeNotFound, "no such app"},
		{"key in another app", key, ReadKV, AppAdmin, 2, cloud.CodeNotFound, "no such app"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := c.p.May(c.need, c.role, c.app)
			if c.code == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if cloud.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Every capability can be given to a key, and to a role.
func TestCapabilities(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]Capability{
		"ReadApp": ReadApp, "ReadScripts": ReadScripts, "WriteScripts": WriteScripts,
		"TestScripts": TestScripts,
		"RunScripts":  RunScripts, "DeleteScripts": DeleteScripts, "ReadRoutes": ReadRoutes,
		"WriteRoutes":  WriteRoutes,
		"ReadTriggers": ReadTriggers, "WriteTriggers": WriteTriggers, "FireTriggers": FireTriggers,
		"ReadKV":  ReadKV,
		"WriteKV": WriteKV, "ReadExecutions": ReadExecutions, "OperateQueue": OperateQueue,
		"ReadDeadLetters": ReadDeadLetters, "WriteDeadLetter": WriteDeadLetter, "AdminApp": AdminApp,
		"ReadMembers": ReadMembers, "ReadVariables": ReadVariables, "WriteVariables": WriteVariables,
		"ReadAudit": ReadAudit,
	} {
		if rank(c.Role) < 0 || len(c.Scopes) == 0 {
			t.Errorf("%s is %+v", name, c)
		}

		for _, scope := range c.Scopes {
			if !slices.Contains(Scopes, scope) {
				t.Errorf("%s needs the scope %s, which no key can have", name, scope)
			}
		}
	}
}

func TestPrincipal(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name  string
		p     *Principal
		admin bool
		cloud cloud.Principal
		runs  bool // has the scope scripts:run
	}{
		{
			"owner", &Principal{Username: "u", Role: RoleOwner}, true,
			cloud.Principal{Username: "u", Kind: "user"}, true,
		},
		{
			"admin", &Principal{Username: "u", Role: RoleAdmin}, true,
			cloud.Principal{Username: "u", Kind: "user"}, true,
		},
		{
			"member", &Principal{Username: "u", Role: RoleMember}, false,
			cloud.Principal{Username: "u", Kind: "user"}, true,
		},
		{
			"key", &Principal{Username: "u", Key: true}, false, cloud.Principal{Username: "u", Kind: "key"},
			false,
		},
		{
			"key with the scope", &Principal{Username: "u", Key: true, Scopes: []string{"scripts:run"}},
			false, cloud.Principal{Username: "u", Kind: "key"}, true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.p.IsAdmin() != c.admin || c.p.HasScope("kv:read", "scripts:run") != c.runs {
				t.Errorf("admin %v, has the scope %v", c.p.IsAdmin(), c.p.HasScope("kv:read", "scripts:run"))
			}
			if got := c.p.Cloud(); got != c.cloud {
				t.Errorf("runs as %+v", got)
			}
		})
	}

	if anonymous := (*Principal)(nil).Cloud(); !anonymous.IsZero() {
		t.Errorf("nobody runs as %+v", anonymous)
	}
}
