package handlers

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"

	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/orchestrator"
	"picloud/views"
)

// pagePolicy lets a page load what it names itself, by its nonce: a script of an app that answers on this host is never
// run or used as a style, whatever finds its way into a page.
func pagePolicy(nonce string) string {
	return "default-src 'none'; script-src 'nonce-" + nonce + "'; style-src 'nonce-" + nonce + "'; img-src 'self' data:; connect-src 'self'; " +
		"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
}

// maxForm bounds a dashboard form: a source of 1 MiB, percent-encoded.
const maxForm = 4 << 20

// visit is one request of the dashboard: who asks, in which app.
type visit struct {
	*fiber.Ctx
	s     *Server
	p     *auth.Principal
	token string
	form  url.Values
	app   *appCaller // nil outside of apps
}

// adminPages registers the dashboard.
func (s *Server) adminPages() {
	a := s.app.Group("/admin", s.adminHostOnly, s.pageHeaders)
	a.Get("/login", s.showLogin)
	a.Post("/login", s.submitLogin)
	a.Get("/", func(c *fiber.Ctx) error { return c.Redirect("/admin", http.StatusSeeOther) })
	s.instancePages(a)
	s.appPages(a)
	a.Use(func(*fiber.Ctx) error { return cloud.Errorf(cloud.CodeNotFound, "no such page") })
	s.app.Get("/static/:file", s.adminHostOnly, staticFile)
}

// instancePages are those outside of apps.
func (s *Server) instancePages(a fiber.Router) {
	get := func(path string, h func(*visit) error) { a.Get(path, s.page(h)) }
	post := func(path string, h func(*visit) error) { a.Post(path, s.page(h)) }
	admin := func(scope string, h func(*visit) error) func(*visit) error {
		return func(v *visit) error {
			if err := instanceAdmin(v.p, scope); err != nil {
				return err
			}
			return h(v)
		}
	}
	post("/logout", s.logout)
	get("", s.showApps)
	post("/apps", admin("apps:admin", s.createApp))
	get("/welcome", s.showWelcome)
	get("/executions", s.findExecution)
	get("/profile", s.showProfile)
	post("/profile/password", s.changePassword)
	post("/profile/keys", s.createOwnKey)
	post("/profile/keys/:id/revoke", s.revokeOwnKey)
	post("/profile/sessions/end", s.endOwnSessions)
	post("/profile/sessions/:id/end", s.endOwnSession)
	get("/users", admin("users:admin", s.showUsers))
	post("/users", admin("users:admin", s.createUserPage))
	get("/users/:username", admin("users:admin", s.showUserPage))
	post("/users/:username", admin("users:admin", s.updateUserPage))
	post("/users/:username/password", admin("users:admin", s.setUserPassword))
	post("/users/:username/delete", admin("users:admin", s.deleteUserPage))
	get("/audit", admin("audit:read", s.showAudit))
	get("/system", admin("instance:admin", s.showSystem))
}

// appPages are those of an app; each names the capability it needs.
func (s *Server) appPages(a fiber.Router) {
	in := func(method, path string, need auth.Capability, h func(*visit) error) {
		a.Add(method, "/apps/:app"+path, s.page(func(v *visit) error {
			var err error
			if v.app, err = s.inApp(v.UserContext(), v.p, v.Params("app"), need); err != nil {
				return err
			}
			return h(v)
		}))
	}
	in("GET", "", auth.ReadExecutions, s.showOverview)
	in("GET", "/settings", auth.ReadApp, s.showSettings)
	in("POST", "/settings", auth.AdminApp, s.updateAppPage)
	in("POST", "/delete", auth.AdminApp, s.deleteAppPage)
	in("GET", "/scripts", auth.ReadScripts, s.showScripts)
	in("GET", "/scripts/new", auth.WriteScripts, s.newScript)
	in("GET", "/scripts/:name", auth.ReadScripts, s.showEditor)
	in("POST", "/scripts/:name", auth.WriteScripts, s.deployScript)
	in("POST", "/scripts/:name/run", auth.TestScripts, s.testScript)
	in("GET", "/scripts/:name/versions", auth.ReadScripts, s.showVersions)
	in("POST", "/scripts/:name/rollback", auth.WriteScripts, s.rollbackScript)
	in("POST", "/scripts/:name/delete", auth.DeleteScripts, s.deleteScriptPage)
	in("GET", "/routes", auth.ReadRoutes, s.showRoutes)
	in("POST", "/routes", auth.WriteRoutes, s.createRoutePage)
	in("GET", "/routes/match", auth.ReadRoutes, s.matchFragment)
	in("GET", "/routes/:id", auth.ReadRoutes, s.showRoutePage)
	in("POST", "/routes/:id", auth.WriteRoutes, s.updateRoutePage)
	in("POST", "/routes/:id/delete", auth.WriteRoutes, s.deleteRoutePage)
	in("GET", "/triggers", auth.ReadTriggers, s.showTriggers)
	in("GET", "/triggers/new", auth.WriteTriggers, s.newTrigger)
	in("POST", "/triggers", auth.WriteTriggers, s.createTriggerPage)
	in("GET", "/triggers/:id", auth.ReadTriggers, s.showTriggerPage)
	in("POST", "/triggers/:id", auth.WriteTriggers, s.updateTriggerPage)
	in("POST", "/triggers/:id/enable", auth.WriteTriggers, s.enableTrigger)
	in("POST", "/triggers/:id/fire", auth.FireTriggers, s.fireTriggerPage)
	in("POST", "/triggers/:id/delete", auth.WriteTriggers, s.deleteTriggerPage)
	in("GET", "/executions", auth.ReadExecutions, s.showExecutions)
	in("GET", "/executions/:id", auth.ReadExecutions, s.showExecutionPage)
	in("GET", "/tail", auth.ReadExecutions, s.showTail)
	in("GET", "/tail/events", auth.ReadExecutions, func(v *visit) error { return s.followTail(v.Ctx, v.token) })
	in("GET", "/queue", auth.ReadExecutions, s.showQueue)
	in("POST", "/queue/:id/run-now", auth.OperateQueue, s.runRowNow)
	in("POST", "/queue/:id/remove", auth.OperateQueue, s.removeRowPage)
	in("GET", "/dead-letters", auth.ReadDeadLetters, s.showDeadLetters)
	in("POST", "/dead-letters/replay", auth.WriteDeadLetter, s.replaySelected)
	in("POST", "/dead-letters/replay-all", auth.WriteDeadLetter, s.replayAll)
	in("GET", "/dead-letters/:id", auth.ReadDeadLetters, s.showDeadLetterPage)
	in("POST", "/dead-letters/:id/replay", auth.WriteDeadLetter, s.replayOne)
	in("POST", "/dead-letters/:id/resolve", auth.WriteDeadLetter, s.resolveOne)
	in("GET", "/abandoned", auth.ReadExecutions, s.showAbandoned)
	in("GET", "/kv", auth.ReadKV, s.showCollections)
	in("GET", "/kv/new", auth.WriteKV, s.newEntry)
	in("GET", "/kv/:collection", auth.ReadKV, s.showEntries)
	in("GET", "/kv/:collection/entry", auth.ReadKV, s.showEntryPage)
	in("POST", "/kv/:collection/entry", auth.WriteKV, s.saveEntry)
	in("POST", "/kv/:collection/delete", auth.WriteKV, s.deleteEntry)
	in("GET", "/variables", auth.ReadVariables, s.showVariables)
	in("POST", "/variables", auth.WriteVariables, s.setVariablePage)
	in("POST", "/variables/delete", auth.WriteVariables, s.deleteVariablePage)
	in("GET", "/members", auth.ReadMembers, s.showMembers)
	in("POST", "/members", auth.AdminApp, s.addMemberPage)
	in("POST", "/members/set", auth.AdminApp, s.setMemberPage)
	in("POST", "/members/remove", auth.AdminApp, s.removeMemberPage)
	in("GET", "/audit", auth.ReadAudit, s.showAppAudit)
}

func (s *Server) pageHeaders(c *fiber.Ctx) error {
	var random [16]byte
	_, _ = rand.Read(random[:])
	nonce := base64.RawURLEncoding.EncodeToString(random[:])
	c.SetUserContext(templ.WithNonce(c.UserContext(), nonce))
	c.Set("Content-Security-Policy", pagePolicy(nonce))
	c.Set("X-Content-Type-Options", "nosniff")
	c.Set("X-Frame-Options", "DENY")
	c.Set("Referrer-Policy", "same-origin")
	c.Set("Cross-Origin-Opener-Policy", "same-origin")
	c.Set("Cross-Origin-Resource-Policy", "same-origin")
	c.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()")
	c.Set("Cache-Control", "no-store")
	return c.Next()
}

// page wraps a handler of the dashboard: a session is needed, and for every POST a form of ours.
func (s *Server) page(h func(*visit) error) fiber.Handler {
	return func(c *fiber.Ctx) error {
		p, token, err := s.browserPrincipal(c)
		if err != nil && cloud.CodeOf(err) != cloud.CodeUnauthorized {
			return err
		}
		if p == nil {
			return toLogin(c)
		}
		v := &visit{Ctx: c, s: s, p: p, token: token}
		if c.Method() == http.MethodPost {
			if v.form, err = readForm(c); err != nil {
				return err
			}
			if !sameOrigin(c) || !hmac.Equal([]byte(v.form.Get("csrf")), []byte(s.csrf(token))) {
				return cloud.Errorf(cloud.CodeForbidden, "this form is from another page or session: go back, reload and try again")
			}
		}
		return h(v)
	}
}

// toLogin sends a visitor without session away; a piece of a page or a stream cannot show the login page.
func toLogin(c *fiber.Ctx) error {
	if c.Get("HX-Request") == "true" {
		c.Set("HX-Redirect", "/admin/login")
		return c.SendStatus(http.StatusNoContent)
	}
	if c.Get("Accept") == "text/event-stream" {
		return cloud.Errorf(cloud.CodeUnauthorized, "the session has ended: log in again")
	}
	return c.Redirect("/admin/login", http.StatusSeeOther)
}

func readForm(c *fiber.Ctx) (url.Values, error) {
	body, err := readBody(c, maxForm)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, cloud.Errorf(cloud.CodeMalformed, "the form cannot be read")
	}
	return form, nil
}

// sameOrigin refuses what a browser says comes from elsewhere (Fetch Metadata; Origin for those without).
func sameOrigin(c *fiber.Ctx) bool {
	switch c.Get("Sec-Fetch-Site") {
	case "same-origin":
		return true
	case "":
		origin, err := url.Parse(c.Get("Origin"))
		return err == nil && (origin.Host == "" || origin.Host == string(c.Context().Host()))
	default:
		return false
	}
}

// csrf is the token of a session's forms.
func (s *Server) csrf(session string) string {
	h := hmac.New(sha256.New, s.cfg.CursorKey)
	_, _ = h.Write([]byte("csrf\x00" + session))
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// render sends a page, from a buffer: an error while rendering is an error page, not half a page.
func (v *visit) render(status int, page templ.Component) error {
	var b bytes.Buffer
	if err := page.Render(v.UserContext(), &b); err != nil {
		return err
	}
	v.Status(status)
	v.Set("Content-Type", "text/html; charset=utf-8")
	return v.Send(b.Bytes())
}

// frame is what surrounds a page.
func (v *visit) frame(title, tab string) (views.Page, error) {
	p := views.Page{Title: title, User: v.p.Username, Admin: v.p.IsAdmin(), CSRF: v.s.csrf(v.token), Tab: tab, Assets: v.s.assets}
	if v.app == nil {
		return p, nil
	}
	p.App, p.MayAudit = v.app.app.Slug, v.may(auth.ReadAudit)
	var err error
	p.Unresolved, err = v.s.cfg.Orchestrator.CountDeadLetters(v.UserContext(), v.app.id())
	return p, err
}

// refused says whether an error is the visitor's to mend: then the form is shown again with it.
func refused(err error) (message string, ok bool) {
	code := cloud.CodeOf(err)
	status := orchestrator.StatusOf(code)
	if err == nil || status >= 500 || status == http.StatusNotFound {
		return "", false
	}
	var ce *cloud.Error
	if errors.As(err, &ce) {
		return ce.Message, true
	}
	return "", false
}

// to sends the browser to a page of the app.
func (v *visit) to(rest string) error {
	return v.Redirect("/admin/apps/"+v.app.app.Slug+rest, http.StatusSeeOther)
}

// may reports whether the visitor has a capability, for what is shown.
func (v *visit) may(need auth.Capability) bool { return v.p.May(need, v.app.role, v.app.id()) == nil }

// next is the address of the following page of a list: this one, with another cursor,
// "" after the last page.
func (v *visit) next(cursor string) string {
	if cursor == "" {
		return ""
	}
	q, err := url.ParseQuery(string(v.Context().URI().QueryString()))
	if err != nil {
		q = url.Values{}
	}
	q.Set("cursor", cursor)
	return v.Path() + "?" + q.Encode()
}

// wantsFragment reports a request of htmx, which wants a piece of a page.
func (v *visit) wantsFragment() bool { return v.Get("HX-Request") == "true" }

// confirmed asks that a name was typed, for what cannot be undone.
func (v *visit) confirmed(name string) error {
	if v.form.Get("confirm") != name {
		return cloud.Errorf(cloud.CodeInvalid, "type %s to confirm; nothing was deleted", name)
	}
	return nil
}

// audited records an operator's action in the app.
func (v *visit) audited(action, target string, detail any) error {
	return v.s.cfg.Manager.Record(v.UserContext(), actor(v.p), v.app.app, action, target, detail)
}

// pageSize is the items of a page of the dashboard.
const pageSize = 50

// scriptNames are the names of the app's endpoint scripts, for forms; of very many only the first.
func (v *visit) scriptNames() ([]string, error) {
	return v.s.cfg.Manager.EndpointNames(v.UserContext(), v.app.app, 500)
}
