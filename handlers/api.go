package handlers

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"github.com/gofiber/fiber/v2"

	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/manager"
)

// ctxKey is the type of this package's context keys.
type ctxKey int

const (
	callerKey ctxKey = iota
	clientKey
)

// newAPI registers every operation. Their literal list is routes below, one function a noun.
func (s *Server) newAPI() huma.API {
	problemsOnce()
	cfg := huma.DefaultConfig("PiCloud", s.cfg.Version)
	cfg.OpenAPIPath = "/api/v1/openapi"
	cfg.DocsPath = ""
	cfg.SchemasPath = "/api/v1/schemas"
	cfg.CreateHooks = nil // no $schema members in answers
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", Description: "An API key (pic_...) or a session token (pcs_...)."},
	}
	cfg.Security = []map[string][]string{{"bearer": {}}}
	s.api = humafiber.New(s.app, cfg)
	for _, noun := range []func(){
		s.authAPI, s.appsAPI, s.scriptsAPI, s.routesAPI, s.triggersAPI, s.kvAPI, s.variablesAPI, s.outboxAPI, s.deadLettersAPI, s.executionsAPI,
		s.statsAPI, s.tailAPI, s.membersAPI, s.usersAPI, s.keysAPI, s.auditAPI, s.nodesAPI, s.doctorAPI,
	} {
		noun()
	}
	s.app.Use("/api", func(c *fiber.Ctx) error { return cloud.Errorf(cloud.CodeNotFound, "no such API address") })
	return s.api
}

// authenticate finds out who calls, for every address of the API but login and the description.
func (s *Server) authenticate(c *fiber.Ctx) error {
	ctx := context.WithValue(c.UserContext(), clientKey, s.client(c).String())
	c.SetUserContext(ctx)
	c.Set("Cache-Control", "no-store")
	c.Set("X-Content-Type-Options", "nosniff")
	path := c.Path()
	if path == "/api/v1/auth/login" || strings.HasPrefix(path, "/api/v1/openapi") || strings.HasPrefix(path, "/api/v1/schemas") {
		return c.Next()
	}
	token, ok := auth.BearerToken(c.Get("Authorization"))
	if !ok {
		return cloud.Errorf(cloud.CodeUnauthorized, "log in at /api/v1/auth/login, or use an API key: Authorization: Bearer <token or key>")
	}
	p, err := s.cfg.Auth.Authenticate(ctx, token)
	if err != nil {
		return err
	}
	c.SetUserContext(context.WithValue(ctx, callerKey, p))
	return c.Next()
}

func callerOf(ctx context.Context) *auth.Principal {
	p, _ := ctx.Value(callerKey).(*auth.Principal)
	if p == nil {
		panic("API operation without a caller") // authenticate comes first
	}
	return p
}

// actor is the principal as the manager's audit sees it.
func actor(p *auth.Principal) manager.Actor {
	return manager.Actor{UserID: p.UserID, Username: p.Username, Admin: p.IsAdmin(), Owner: p.Role == auth.RoleOwner}
}

// instanceAdmin asks for an instance admin, and for keys a scope.
func instanceAdmin(p *auth.Principal, scope string) error {
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

// AppPath is the input of every operation in an app.
type AppPath struct {
	App string `path:"app" doc:"slug of the app" example:"default"`
}

func (p *AppPath) slug() string { return p.App }

// appCaller is a caller who may do what is asked, in an app.
type appCaller struct {
	*auth.Principal
	app  *manager.App
	role string
}

func (c *appCaller) id() cloud.AppID { return cloud.AppID(c.app.ID) }

// sluggy is the pointer of an input with an app.
type sluggy[T any] interface {
	*T
	slug() string
}

// op registers an operation outside of apps.
func op[I, O any](s *Server, o huma.Operation, h func(ctx context.Context, p *auth.Principal, in *I) (*O, error)) {
	huma.Register(s.api, o, func(ctx context.Context, in *I) (*O, error) {
		out, err := h(ctx, callerOf(ctx), in)
		if err != nil {
			return nil, s.problemOf(err)
		}
		return out, nil
	})
	if o.RequestBody != nil { // rawBody: the handler says what is missing, and the description knows better than "bytes"
		o.RequestBody.Required = false
		delete(o.RequestBody.Content, "application/octet-stream")
	}
}

// problemsOnce makes huma's own refusals the same problem documents as ours. huma keeps this in a package variable.
var problemsOnce = sync.OnceFunc(func() {
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		p := &problem{Status: status, Detail: msg, Code: "invalid"}
		switch {
		case status == http.StatusRequestEntityTooLarge:
			p.Code = string(cloud.CodeTooLarge)
		case status >= http.StatusInternalServerError:
			p.Code = string(cloud.CodeInternal)
		case status != http.StatusUnprocessableEntity:
			p.Code = string(cloud.CodeMalformed)
		}
		var details []map[string]any
		for _, e := range errs {
			var d huma.ErrorDetailer
			if !errors.As(e, &d) {
				continue
			}
			ed := d.ErrorDetail()
			details = append(details, map[string]any{"message": ed.Message, "location": ed.Location})
			if len(details) == 1 {
				p.Detail += ": " + ed.Message + " (" + ed.Location + ")"
			}
		}
		if len(details) > 0 {
			p.Details = map[string]any{"errors": details}
		}
		return p
	}
})

// appOp registers an operation in an app that needs a capability. An app that is none of the caller's business, and one
// that does not exist, are the same 404.
func appOp[I any, P sluggy[I], O any](s *Server, o huma.Operation, need auth.Capability, h func(ctx context.Context, c *appCaller, in *I) (*O, error)) {
	op(s, o, func(ctx context.Context, p *auth.Principal, in *I) (*O, error) {
		c, err := s.inApp(ctx, p, P(in).slug(), need)
		if err != nil {
			return nil, err
		}
		return h(ctx, c, in)
	})
}

func (s *Server) inApp(ctx context.Context, p *auth.Principal, slug string, need auth.Capability) (*appCaller, error) {
	app, err := s.cfg.Manager.App(ctx, slug)
	if cloud.CodeOf(err) == cloud.CodeNotFound && err != nil {
		return nil, auth.ErrNoApp
	}
	if err != nil {
		return nil, err
	}
	role, err := s.cfg.Auth.AppRole(ctx, p, cloud.AppID(app.ID))
	if err != nil {
		return nil, err
	}
	if err := p.May(need, role, cloud.AppID(app.ID)); err != nil {
		return nil, err
	}
	return &appCaller{Principal: p, app: app, role: role}, nil
}

// keyApp is the app that a new API key shall be bound to, nil without a slug. Whoever sees an app may have a key for it: the
// key can do no more than its user.
func (s *Server) keyApp(ctx context.Context, p *auth.Principal, slug string) (*manager.App, error) {
	if slug == "" {
		return nil, nil
	}
	c, err := s.inApp(ctx, p, slug, auth.Capability{Role: auth.AppViewer, Scopes: auth.Scopes})
	if err != nil {
		return nil, err
	}
	return c.app, nil
}

func operation(id, method, path, summary, tag string) huma.Operation {
	o := huma.Operation{OperationID: id, Method: method, Path: "/api/v1" + path, Summary: summary, Tags: []string{tag}, MaxBodyBytes: maxAPIBody,
		BodyReadTimeout: -1}
	switch method {
	case http.MethodPost:
		o.DefaultStatus = http.StatusCreated
	case http.MethodDelete:
		o.DefaultStatus = http.StatusNoContent
	}
	return o
}

// status sets the answer's status where it is not the method's usual one.
func status(o huma.Operation, code int) huma.Operation {
	o.DefaultStatus = code
	return o
}

// PageQuery is what lists take.
type PageQuery struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"items of a page"`
	Cursor string `query:"cursor" doc:"next_cursor of the page before"`
}

// page is a list's answer.
type page[T any] struct {
	Body struct {
		Items      []T     `json:"items"`
		NextCursor *string `json:"next_cursor" doc:"null on the last page"`
	}
}

// none is an answer without a body.
type none struct{}

var errCursor = cloud.Errorf(cloud.CodeInvalid, "the cursor does not belong to this list")

// openCursor gives what a cursor holds; it is signed for one list.
func (s *Server) openCursor(list, cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(raw) < 12 || !hmac.Equal(raw[:12], s.cursorMAC(list, raw[12:])) {
		return "", errCursor
	}
	return string(raw[12:]), nil
}

// cursor signs a place in a list.
func (s *Server) cursor(list, value string) string {
	return base64.RawURLEncoding.EncodeToString(append(s.cursorMAC(list, []byte(value)), value...))
}

func (s *Server) cursorMAC(list string, value []byte) []byte {
	h := hmac.New(sha256.New, s.cfg.CursorKey)
	fmt.Fprintf(h, "%s\x00", list)
	_, _ = h.Write(value)
	return h.Sum(nil)[:12]
}

func (s *Server) openIDCursor(list, cursor string) (cloud.ID, error) {
	v, err := s.openCursor(list, cursor)
	if err != nil || v == "" {
		return cloud.ID{}, err
	}
	id, ok := cloud.ParseID(v)
	if !ok {
		return id, errCursor
	}
	return id, nil
}

// paged makes a list's answer of its rows, of which there is one more than limit if there is another page.
func paged[R, T any](s *Server, list string, rows []R, limit int, show func(*R) T, key func(*R) string) *page[T] {
	rows, next := cut(s, list, rows, limit, key)
	out := &page[T]{}
	out.Body.Items = make([]T, len(rows))
	for k := range rows {
		out.Body.Items[k] = show(&rows[k])
	}
	out.Body.NextCursor = nonEmpty(next)
	return out
}

// cut gives the rows of one page and the cursor of the next one, "" on the last. rows has one more than limit if there is
// another page.
func cut[R any](s *Server, list string, rows []R, limit int, key func(*R) string) (page []R, next string) {
	if len(rows) <= limit {
		return rows, ""
	}
	rows = rows[:limit]
	return rows, s.cursor(list, key(&rows[limit-1]))
}

// openTimeCursor gives the moment that a cursor holds, start without a cursor.
func (s *Server) openTimeCursor(list, cursor string, start time.Time) (time.Time, error) {
	text, err := s.openCursor(list, cursor)
	if err != nil || text == "" {
		return start, err
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return start, errCursor
	}
	return at, nil
}

// openNumberCursor gives the number that a cursor holds, start without a cursor.
func (s *Server) openNumberCursor(list, cursor string, start int32) (int32, error) {
	text, err := s.openCursor(list, cursor)
	if err != nil || text == "" {
		return start, err
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return start, errCursor
	}
	return int32(n), nil
}

// listName binds a cursor to a list: its name, the app, and whatever filters it.
func listName(c *appCaller, parts ...string) string {
	return fmt.Sprintf("%d\x00%s", c.app.ID, strings.Join(parts, "\x00"))
}

// rawBody documents a JSON body that the handler decodes itself, because JSON values in it must be kept as they came.
func rawBody[T any](s *Server, o huma.Operation, more ...string) huma.Operation {
	schema := s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, reflect.TypeFor[T]().Name())
	o.RequestBody = &huma.RequestBody{Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
	for _, m := range more {
		o.RequestBody.Content[m] = &huma.MediaType{Schema: &huma.Schema{Type: "string"}}
	}
	o.SkipValidateBody = true
	return o
}

// decodeBody reads JSON strictly: unknown fields and whatever follows are errors.
func decodeBody(raw []byte, into any) error {
	if !utf8.Valid(raw) {
		return cloud.Errorf(cloud.CodeMalformed, "the body is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			return nil
		}
		return cloud.Errorf(cloud.CodeMalformed, "something follows the JSON body")
	}
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax) && strings.Contains(syntax.Error(), "max depth"):
		return cloud.Errorf(cloud.CodeInvalid, "the JSON nests too deeply")
	case errors.As(err, &typ):
		return cloud.Errorf(cloud.CodeInvalid, "the field %q must be %s", typ.Field, typ.Type)
	case strings.HasPrefix(err.Error(), "json: unknown field"):
		return cloud.Errorf(cloud.CodeInvalid, "unknown field %s", strings.TrimPrefix(err.Error(), "json: unknown field "))
	default:
		return cloud.Errorf(cloud.CodeMalformed, "the body is not JSON")
	}
}

// unescape decodes a path parameter, which the router gives as it came.
func unescape(v string) (string, error) {
	s, err := url.PathUnescape(v)
	if err != nil || !utf8.ValidString(s) {
		return "", cloud.Errorf(cloud.CodeInvalid, "the path is not percent-encoded UTF-8")
	}
	return s, nil
}

// idParam reads an id of a path: what is no id names nothing.
func idParam(v, what string) (cloud.ID, error) {
	id, ok := cloud.ParseID(v)
	if !ok {
		return id, cloud.Errorf(cloud.CodeNotFound, "no such %s", what)
	}
	return id, nil
}

func utc(t time.Time) time.Time { return t.UTC() }

func utcPtr(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

func idPtr(id *[16]byte) *string {
	if id == nil {
		return nil
	}
	s := cloud.ID(*id).String()
	return &s
}

func nonEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
