package handlers

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"math"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"

	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/orchestrator"
	"picloud/static"
	"picloud/views"
)

// pagePolicy lets a page load what this server serves, and nothing run that is not a file of it.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; " +
	"frame-ancestors 'none'; base-uri 'none'"

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

// adminPages registers the dashboard. Every address under /admin/apps/{app} names the capability it needs.
func (s *Server) adminPages() {
	a := s.app.Group("/admin", s.adminHostOnly, s.pageHeaders)
	a.Get("/login", s.showLogin)
	a.Post("/login", s.submitLogin)
	a.Post("/logout", s.page(s.logout))
	a.Get("", s.page(s.showApps))
	a.Get("/", func(c *fiber.Ctx) error { return c.Redirect("/admin", http.StatusSeeOther) })
	a.Post("/apps", s.page(s.createApp))
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
	in("GET", "/scripts", auth.ReadScripts, s.showScripts)
	in("GET", "/scripts/new", auth.WriteScripts, s.newScript)
	in("GET", "/scripts/:name", auth.ReadScripts, s.showEditor)
	in("POST", "/scripts/:name", auth.WriteScripts, s.deployScript)
	in("POST", "/scripts/:name/rollback", auth.WriteScripts, s.rollbackScript)
	in("GET", "/triggers", auth.ReadTriggers, s.showTriggers)
	in("POST", "/triggers", auth.WriteTriggers, s.createTrigger)
	in("POST", "/triggers/:id", auth.WriteTriggers, s.updateTrigger)
	in("GET", "/executions", auth.ReadExecutions, s.showExecutions)
	in("GET", "/executions/:id", auth.ReadExecutions, s.showExecutionPage)
	in("GET", "/queue", auth.ReadExecutions, s.showQueue)
	in("POST", "/queue/:id/run-now", auth.OperateQueue, s.runRowNow)
	in("GET", "/dead-letters", auth.ReadDeadLetters, s.showDeadLetters)
	in("POST", "/dead-letters/replay", auth.WriteDeadLetter, s.replaySelected)
	in("GET", "/dead-letters/:id", auth.ReadDeadLetters, s.showDeadLetterPage)
	in("POST", "/dead-letters/:id/replay", auth.WriteDeadLetter, s.replayOne)
	in("POST", "/dead-letters/:id/resolve", auth.WriteDeadLetter, s.resolveOne)
	in("GET", "/kv", auth.ReadKV, s.showCollections)
	in("GET", "/kv/:collection", auth.ReadKV, s.showEntries)
	a.Use(func(*fiber.Ctx) error { return cloud.Errorf(cloud.CodeNotFound, "no such page") })
	s.app.Get("/static/:file", s.adminHostOnly, staticFile)
}

// staticFile serves an embedded asset.
func staticFile(c *fiber.Ctx) error {
	name := c.Params("file")
	body, err := fs.ReadFile(static.FS, name)
	if err != nil {
		return cloud.Errorf(cloud.CodeNotFound, "no such file")
	}
	types := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
	c.Set("Content-Type", types[path.Ext(name)])
	c.Set("X-Content-Type-Options", "nosniff")
	c.Set("Cache-Control", "public, max-age=300")
	return c.Send(body)
}

func (s *Server) pageHeaders(c *fiber.Ctx) error {
	c.Set("Content-Security-Policy", pagePolicy)
	c.Set("X-Content-Type-Options", "nosniff")
	c.Set("X-Frame-Options", "DENY")
	c.Set("Referrer-Policy", "same-origin")
	c.Set("Cross-Origin-Opener-Policy", "same-origin")
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
			return c.Redirect("/admin/login", http.StatusSeeOther)
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

// frame is what surrounds a page in an app.
func (v *visit) frame(title, tab string) (views.Page, error) {
	p := views.Page{Title: title, User: v.p.Username, CSRF: v.s.csrf(v.token), Tab: tab}
	if v.app == nil {
		return p, nil
	}
	p.App = v.app.app.Slug
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

// next is the address of the following page of a list: this one, with another cursor.
func (v *visit) next(cursor *string) string {
	if cursor == nil {
		return ""
	}
	q, err := url.ParseQuery(string(v.Context().URI().QueryString()))
	if err != nil {
		q = url.Values{}
	}
	q.Set("cursor", *cursor)
	return v.Path() + "?" + q.Encode()
}

func (s *Server) showLogin(c *fiber.Ctx) error {
	v := &visit{Ctx: c, s: s}
	if p, _, err := s.browserPrincipal(c); err == nil && p != nil {
		return c.Redirect("/admin", http.StatusSeeOther)
	}
	return v.render(http.StatusOK, views.Login(views.LoginPage{Page: views.Page{Title: "Log in"}}))
}

// submitLogin checks the form of the login page. A session is made anew at every login.
func (s *Server) submitLogin(c *fiber.Ctx) error {
	v := &visit{Ctx: c, s: s}
	form, err := readForm(c)
	if err != nil {
		return err
	}
	if !sameOrigin(c) {
		return cloud.Errorf(cloud.CodeForbidden, "this form is from another page")
	}
	username := form.Get("username")
	again := func(status int, message string) error {
		return v.render(status, views.Login(views.LoginPage{Page: views.Page{Title: "Log in", Error: message}, Username: username}))
	}
	client, now := s.client(c).String(), time.Now()
	if wait := s.throttle.Wait(client, username, now); wait > 0 {
		c.Set("Retry-After", strings.TrimSuffix(time.Duration(math.Ceil(wait.Seconds())*float64(time.Second)).String(), "s"))
		return again(http.StatusTooManyRequests, "Too many failed logins. Wait "+wait.Round(time.Second).String()+".")
	}
	token, expires, err := s.cfg.Manager.Login(c.UserContext(), username, form.Get("password"), c.Get("User-Agent"))
	if cloud.CodeOf(err) == cloud.CodeUnauthorized && err != nil {
		s.throttle.Failed(client, username, now)
		return again(http.StatusUnauthorized, "The username or the password is wrong.")
	}
	if err != nil {
		return err
	}
	s.throttle.Succeeded(client, username)
	if err := s.setSession(c, token, expires); err != nil {
		return err
	}
	return c.Redirect("/admin", http.StatusSeeOther)
}

func (s *Server) logout(v *visit) error {
	if err := s.cfg.Manager.EndSession(v.UserContext(), v.p.UserID, v.p.Session); err != nil {
		return err
	}
	if err := s.setSession(v.Ctx, "", time.Now()); err != nil {
		return err
	}
	return v.Redirect("/admin/login", http.StatusSeeOther)
}
