package edge

import (
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/gofiber/fiber/v2"
	"github.com/gorilla/sessions"

	"picloud/internal/auth"
)

// Names of the dashboard's cookie. With TLS the prefix binds it to this host (RFC 6265bis, 4.1.3.2).
const (
	plainCookie  = "picloud"
	secureCookie = "__Host-picloud"
)

// ownCookies are the names of PiCloud's session cookies.
var ownCookies = []string{secureCookie, plainCookie}

// IsOwnCookie reports a name of PiCloud's session cookie; scripts neither see nor set it. Browsers and
// servers differ in what they strip from a name, such as spaces and quotes: what one may take for ours, is.
func IsOwnCookie(name string) bool {
	notInNames := func(r rune) bool { return !isTokenRune(unicode.ToLower(r)) }
	return slices.Contains(ownCookies, strings.TrimFunc(name, notInNames))
}

// sessionStore is a gorilla store whose rows are the sessions table: the cookie holds a random token, the row
// its SHA-256. Rows are made by Login and ended by Logout; the store reads and writes the cookie.
type sessionStore struct{}

var _ sessions.Store = sessionStore{}

// Get gives the session of a request.
func (s sessionStore) Get(r *http.Request, name string) (*sessions.Session, error) {
	return s.New(r, name)
}

// New reads the cookie. A session without an ID is nobody's.
func (s sessionStore) New(r *http.Request, name string) (*sessions.Session, error) {
	session := sessions.NewSession(s, name)
	session.IsNew = true
	session.Options = &sessions.Options{
		Path:     "/",
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
		Secure:   name == secureCookie,
	}

	if cookie, err := r.Cookie(name); err == nil && cookie.Value != "" {
		session.ID = cookie.Value
		session.IsNew = false
	}
	return session, nil
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

// browserSession is the session of the request's cookie.
func (e *Edge) browserSession(c *fiber.Ctx) (*sessions.Session, error) {
	name := plainCookie
	if e.Secure(c) {
		name = secureCookie
	}
	return sessionStore{}.New(&http.Request{Header: http.Header{"Cookie": {c.Get("Cookie")}}}, name)
}

// SetSession sends a new token to the browser, or takes the cookie away when the token is empty.
func (e *Edge) SetSession(c *fiber.Ctx, token string, expires time.Time) error {
	session, err := e.browserSession(c)
	if err != nil {
		return err
	}

	session.ID = token
	session.Options.MaxAge = int(time.Until(expires).Seconds())
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

// BrowserPrincipal is who the cookie stands for and the session's token, nil for nobody. An API key in the
// cookie is nobody.
func (e *Edge) BrowserPrincipal(c *fiber.Ctx) (p *auth.Principal, token string, err error) {
	session, err := e.browserSession(c)
	if err != nil || session.IsNew {
		return nil, "", err
	}

	p, err = e.cfg.Auth.Authenticate(c.UserContext(), session.ID)
	if err != nil || p.Key {
		return nil, "", err
	}
	return p, session.ID, nil
}
