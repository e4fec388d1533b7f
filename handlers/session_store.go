package handlers

import (
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gorilla/sessions"

	"picloud/internal/auth"
)

// Names of the dashboard's cookie. With TLS the prefix binds it to this host (RFC 6265bis, 4.1.3.2).
const (
	plainCookie  = "picloud"
	secureCookie = "__Host-picloud"
)

// sessionStore is a gorilla store whose rows are the sessions table: the cookie holds a random token, the row its SHA-256.
// Rows are made by Login and ended by Logout; the store reads and writes the cookie.
type sessionStore struct{}

var _ sessions.Store = sessionStore{}

// Get gives the session of a request.
func (s sessionStore) Get(r *http.Request, name string) (*sessions.Session, error) {
	return s.New(r, name)
}

// New reads the cookie. A session without an ID is nobody's.
func (s sessionStore) New(r *http.Request, name string) (*sessions.Session, error) {
	out := sessions.NewSession(s, name)
	out.IsNew = true
	out.Options = &sessions.Options{Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: name == secureCookie}
	if c, err := r.Cookie(name); err == nil && c.Value != "" {
		out.ID, out.IsNew = c.Value, false
	}
	return out, nil
}

// Save writes the cookie, or takes it away when MaxAge is negative.
func (s sessionStore) Save(_ *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	http.SetCookie(w, sessions.NewCookie(session.Name(), session.ID, session.Options))
	return nil
}

// cookieBridge carries one header each way between Fiber and the store, which speaks net/http.
type cookieBridge struct{ header http.Header }

// Header, Write and WriteHeader make it a ResponseWriter of which only the headers count.
func (b *cookieBridge) Header() http.Header         { return b.header }
func (b *cookieBridge) Write(p []byte) (int, error) { return len(p), nil }
func (b *cookieBridge) WriteHeader(int)             {}

func (s *Server) secure(c *fiber.Ctx) bool {
	return c.Context().IsTLS() || s.fromTrustedProxy(c) && c.Get("X-Forwarded-Proto") == "https"
}

// browserSession is the session of the request's cookie.
func (s *Server) browserSession(c *fiber.Ctx) (*sessions.Session, error) {
	name := plainCookie
	if s.secure(c) {
		name = secureCookie
	}
	return sessionStore{}.New(&http.Request{Header: http.Header{"Cookie": {c.Get("Cookie")}}}, name)
}

// setSession sends a new token to the browser, or takes the cookie away when the token is empty.
func (s *Server) setSession(c *fiber.Ctx, token string, expires time.Time) error {
	session, err := s.browserSession(c)
	if err != nil {
		return err
	}
	session.ID, session.Options.MaxAge = token, int(time.Until(expires).Seconds())
	if token == "" {
		session.Options.MaxAge = -1
	}
	b := &cookieBridge{header: http.Header{}}
	if err := session.Save(nil, b); err != nil {
		return err
	}
	for _, v := range b.header["Set-Cookie"] {
		c.Context().Response.Header.Add("Set-Cookie", v)
	}
	return nil
}

// browserPrincipal is who the cookie stands for, nil for nobody.
func (s *Server) browserPrincipal(c *fiber.Ctx) (*auth.Principal, string, error) {
	session, err := s.browserSession(c)
	if err != nil || session.IsNew {
		return nil, "", err
	}
	p, err := s.cfg.Auth.Authenticate(c.UserContext(), session.ID)
	if err != nil || p.Key {
		return nil, "", err
	}
	return p, session.ID, nil
}
