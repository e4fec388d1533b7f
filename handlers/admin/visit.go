package admin

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"

	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/views"
)

// pageSize is the items of a page of a list.
const pageSize = 50

// namesOffered bounds the scripts that a form offers.
const namesOffered = 500

// day is what the overview is about, and the unit of a key's life.
const day = 24 * time.Hour

// visit is one request of the dashboard: who asks, in which app.
type visit struct {
	*fiber.Ctx
	s *Server
	// p and token are the session's; p is nil on the login page.
	p     *auth.Principal
	token string
	// form is set for every POST, once it is known to come from a page of this session.
	form url.Values
	// app is nil outside of apps.
	app *edge.AppCaller
}

// page wraps a handler of the dashboard: a session is needed, and for every POST a form of ours.
func (s *Server) page(h func(*visit) error) fiber.Handler {
	return func(c *fiber.Ctx) error {
		p, token, err := s.BrowserPrincipal(c)
		if err != nil && cloud.CodeOf(err) != cloud.CodeUnauthorized {
			return err
		}

		if p == nil {
			return toLogin(c)
		}

		v := &visit{Ctx: c, s: s, p: p, token: token}
		if c.Method() == http.MethodPost {
			if v.form, err = s.ReadForm(c, edge.MaxForm); err != nil {
				return err
			}
			if err := s.CheckForm(c, v.form, token); err != nil {
				return err
			}
		}
		return h(v)
	}
}

// pageHeaders gives every page its policy and a nonce for what the page itself loads.
func pageHeaders(c *fiber.Ctx) error {
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

// pagePolicy lets a page load what it names itself, by its nonce: a script of an app that answers on this
// host is never run or used as a style, whatever finds its way into a page.
func pagePolicy(nonce string) string {
	return "default-src 'none'; script-src 'nonce-" + nonce + "'; style-src 'nonce-" + nonce + "'; " +
		"img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; " +
		"base-uri 'none'"
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
	p := views.Page{
		Title:  title,
		User:   v.p.Username,
		Admin:  v.p.IsAdmin(),
		CSRF:   v.s.CSRF(v.token),
		Tab:    tab,
		Assets: v.s.Assets,
	}
	if v.app == nil {
		return p, nil
	}

	p.App = v.app.App.Slug
	p.MayAudit = v.may(auth.ReadAudit)
	var err error
	p.Unresolved, err = v.s.Orchestrator.History.CountDeadLetters(v.UserContext(), v.app.ID())
	return p, err
}

// refused says whether an error is the visitor's to mend: then the form is shown again with it.
func refused(err error) (message string, ok bool) {
	code := cloud.CodeOf(err)
	isOurs := cloud.StatusOf(code) >= http.StatusInternalServerError && code != cloud.CodeQuota
	if err == nil || isOurs || code == cloud.CodeNotFound || code == cloud.CodeNotRecorded {
		return "", false
	}

	var known *cloud.Error
	if errors.As(err, &known) {
		return known.Message, true
	}
	return "", false
}

// to sends the browser to a page of the app.
func (v *visit) to(rest string) error {
	return v.Redirect("/admin/apps/"+v.app.App.Slug+rest, http.StatusSeeOther)
}

// may reports whether the visitor has a capability, for what is shown.
func (v *visit) may(need auth.Capability) bool { return v.p.May(need, v.app.Role, v.app.ID()) == nil }

// next is the address of the following page of a list (this one, with another cursor), "" after the last
// page.
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

// scriptNames are the names of the app's endpoint scripts, for forms; of very many only the first.
func (v *visit) scriptNames() ([]string, error) {
	return v.s.Manager.EndpointNames(v.UserContext(), v.app.App, namesOffered)
}
