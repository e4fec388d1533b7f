package api

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp/fasthttputil"

	"picloud/handlers/edge"
	"picloud/internal/cloud"
)

// newApp is the API without manager, orchestrator and database: whatever gets past the checks at the door
// would panic.
func newApp(t *testing.T, change func(*edge.Config)) (*fiber.App, *Server) {
	t.Helper()
	cfg := edge.Config{
		IDs:        &cloud.IDSource{},
		Log:        slog.New(slog.DiscardHandler),
		SigningKey: []byte("key"),
	}

	if change != nil {
		change(&cfg)
	}
	e := edge.New(cfg)
	app := fiber.New(fiber.Config{ErrorHandler: e.HandleError, StreamRequestBody: true, BodyLimit: 1 << 40})
	return app, New(app, Config{Edge: e, Version: "test"})
}

func send(t *testing.T, app *fiber.App, req *http.Request) (*http.Response, string) {
	t.Helper()
	res, err := app.Test(req, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()

	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

// Nothing but the login and the description answers without a credential, and what is refused is a problem
// document.
func TestDoor(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name     string
		method   string
		path     string
		headers  []string
		status   int
		wantText string
	}{
		{"no credential", "GET", "/api/v1/apps", nil, 401, `"code":"unauthorized"`},
		{"a password", "GET", "/api/v1/apps", []string{"Authorization", "Basic eA=="}, 401,
			`"code":"unauthorized"`},
		{"the dashboard's cookie", "GET", "/api/v1/apps", []string{"Cookie", "picloud=pcs_x"}, 401,
			`"code":"unauthorized"`},
		{"an unknown address", "GET", "/api/v1/nothing", nil, 401, `"code":"unauthorized"`},
		{"the description", "GET", "/api/v1/openapi.json", nil, 200, `"openapi"`},
		{"a schema", "GET", "/api/v1/schemas/AppItem.json", nil, 200, `"slug"`},
		{"login without a body", "POST", "/api/v1/auth/login", nil, 400, `"code":"malformed"`},
		{"a browser", "GET", "/api/v1/apps", []string{"Accept", "text/html"}, 401, `"code":"unauthorized"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			app, _ := newApp(t, nil)

			req := httptest.NewRequest(c.method, c.path, nil)
			for k := 0; k < len(c.headers); k += 2 {
				req.Header.Set(c.headers[k], c.headers[k+1])
			}

			res, body := send(t, app, req)
			if res.StatusCode != c.status || !strings.Contains(body, c.wantText) {
				t.Errorf("%d %s", res.StatusCode, body)
			}
			if res.Header.Get("Cache-Control") != "no-store" ||
				res.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("headers %v", res.Header)
			}
		})
	}
}

// On the hosts of scripts the API does not exist.
func TestDoorOfAnotherHost(t *testing.T) {
	t.Parallel()
	app, _ := newApp(t, func(c *edge.Config) { c.AdminHost = "admin.example" })
	req := httptest.NewRequest("GET", "/api/v1/apps", nil)
	req.Host = "shop.example"
	if res, body := send(t, app, req); res.StatusCode != 404 {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}

// Who sends no credential is refused before the body is read, but for what comes with the headers.
func TestCredentialBeforeBody(t *testing.T) {
	t.Parallel()
	app, _ := newApp(t, nil)
	l := fasthttputil.NewInmemoryListener()
	overC := make(chan error, 1)
	go func() { overC <- app.Listener(l) }()
	defer func() {
		_ = app.Shutdown()
		<-overC
	}()

	for _, path := range []string{"/api/v1/apps", "/api/v1/nothing", "/api/v1/auth/password"} {
		conn, err := l.Dial()
		if err != nil {
			t.Fatal(err)
		}
		begin := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n", path)
		if _, err := io.WriteString(conn, begin+strings.Repeat("x", 16<<10)); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil) // the rest never comes
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		_ = conn.Close()
		if res.StatusCode != 401 {
			t.Errorf("%s: %d, want 401", path, res.StatusCode)
		}
	}
}

// Anybody may send a login, so its body is a small one.
func TestLoginThatIsTooLarge(t *testing.T) {
	t.Parallel()
	app, _ := newApp(t, nil)
	large := strings.NewReader(strings.Repeat("x", maxOpenBody+1))
	req := httptest.NewRequest("POST", "/api/v1/auth/login", large)
	if res, body := send(t, app, req); res.StatusCode != 413 ||
		!strings.Contains(body, `"code":"too-large"`) {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}

// huma's own refusals are the same documents as ours, and say where the mistake is.
func TestRefusal(t *testing.T) {
	t.Parallel()
	at := &huma.ErrorDetail{Message: "expected number", Location: "query.limit"}

	for _, c := range []struct {
		status int
		errs   []error
		code   string
		detail string
	}{
		{422, []error{at}, "invalid", "validation failed: expected number (query.limit)"},
		{422, []error{at, at}, "invalid", "validation failed: expected number (query.limit)"},
		{422, nil, "invalid", "validation failed"},
		{400, nil, "malformed", "validation failed"},
		{413, nil, "too-large", "validation failed"},
		{500, nil, "internal", "validation failed"},
	} {
		err := refusal(c.status, "validation failed", c.errs...)
		p, ok := err.(*edge.Problem)
		if !ok || p.Code != c.code || p.Detail != c.detail || p.Status != c.status {
			t.Errorf("%d: %+v", c.status, err)
			continue
		}
		listed, _ := p.Details["errors"].([]map[string]any)
		if len(listed) != len(c.errs) {
			t.Errorf("%d: %d errors are listed of %d", c.status, len(listed), len(c.errs))
		}
	}
}

// Bodies that the handlers read themselves are read strictly: a misspelt field is not ignored.
func TestDecodeBody(t *testing.T) {
	t.Parallel()

	type body struct {
		Value json.RawMessage `json:"value"`
		Count int             `json:"count"`
	}
	for _, c := range []struct {
		name, raw string
		code      cloud.Code
		text      string
	}{
		{"good", ` {"value": {"a": 1.0}, "count": 2} `, "", ""},
		{"nothing", ``, cloud.CodeMalformed, "not JSON"},
		{"no JSON", `{"value":`, cloud.CodeMalformed, "not JSON"},
		{"two values", `{} {}`, cloud.CodeMalformed, "follows"},
		{"something follows", `{}x`, cloud.CodeMalformed, "follows"},
		{"an unknown field", `{"valeu": 1}`, cloud.CodeInvalid, `unknown field "valeu"`},
		{"a wrong type", `{"count": "two"}`, cloud.CodeInvalid, `"count" must be int`},
		{"not UTF-8", "{\"value\": \"\xff\"}", cloud.CodeMalformed, "UTF-8"},
		{"too deep", `{"value": ` + strings.Repeat("[", 20000), cloud.CodeInvalid, "too deeply"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var b body
			err := decodeBody([]byte(c.raw), &b)
			if c.code == "" {
				if err != nil || string(b.Value) != `{"a": 1.0}` || b.Count != 2 {
					t.Errorf("%s %d, %v", b.Value, b.Count, err)
				}
				return
			}

			if err == nil || cloud.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v, want %q in a %q", err, c.text, c.code)
			}
		})
	}
}

// The last page has null for its cursor, and no page has null for its items.
func TestPageOf(t *testing.T) {
	t.Parallel()

	show := func(n *int) string { return strings.Repeat("x", *n) }
	for want, p := range map[string]*page[string]{
		`{"items":[],"next_cursor":null}`:        pageOf(nil, "", show),
		`{"items":["x","xx"],"next_cursor":"c"}`: pageOf([]int{1, 2}, "c", show),
	} {
		if got, err := json.Marshal(p.Body); string(got) != want || err != nil {
			t.Errorf("%s, %v; want %s", got, err, want)
		}
	}
}

func TestParseStep(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]time.Duration{
		"300": 5 * time.Minute,
		"5m":  5 * time.Minute,
		"1h":  time.Hour,
	} {
		if got, err := parseStep(text); got != want || err != nil {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}

	for _, text := range []string{"", "hour", "5 m"} {
		if _, err := parseStep(text); err == nil || cloud.CodeOf(err) != cloud.CodeInvalid {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A deployment is JSON, or the source alone: then its media type is the language.
func TestScriptChange(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name, media, body string
		language          string
		source            string
		code              cloud.Code
	}{
		{"JavaScript", "text/javascript", "export default {}", "javascript", "export default {}", ""},
		{"JavaScript with a charset", "application/javascript; charset=utf-8", "a", "javascript", "a", ""},
		{"TypeScript", "application/typescript", "a", "typescript", "a", ""},
		{"JSON", "application/json", `{"source":"a"}`, "", "a", ""},
		{"JSON without a type", "", `{"source":"a","language":"typescript"}`, "typescript", "a", ""},
		{"JSON without source", "application/json", `{}`, "", "", cloud.CodeInvalid},
		{"a form", "application/x-www-form-urlencoded", "source=a", "", "", cloud.CodeInvalid},
		{"a broken type is JSON", "text/;", `{"source":"a"}`, "", "a", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := scriptChange(&putScript{ContentType: c.media, RawBody: []byte(c.body)})
			if c.code != "" {
				if err == nil || cloud.CodeOf(err) != c.code {
					t.Errorf("%v, want %q", err, c.code)
				}
				return
			}

			if err != nil {
				t.Fatal(err)
			}
			language := ""
			if got.Language != nil {
				language = *got.Language
			}
			if got.Source != c.source || language != c.language {
				t.Errorf("%q in %q", got.Source, language)
			}
		})
	}
}

// A bulk replay names ids or a filter: neither, or both, would be everything or nothing.
func TestBulkSelection(t *testing.T) {
	t.Parallel()
	id := cloud.ID{1}
	none := []string{}
	ids := []string{id.String()}
	bad := []string{"x"}

	for _, c := range []struct {
		name   string
		ids    *[]string
		filter *bulkFilter
		want   int // ids, -1 for all that match
		bad    bool
	}{
		{"neither", nil, nil, 0, true},
		{"both", &ids, &bulkFilter{}, 0, true},
		{"ids", &ids, nil, 1, false},
		{"an empty list is nothing", &none, nil, 0, false},
		{"no id", &bad, nil, 0, true},
		{"an empty filter is all", nil, &bulkFilter{}, -1, false},
		{"a trigger that is no id", nil, &bulkFilter{Trigger: "x"}, 0, true},
		{"a time that is none", nil, &bulkFilter{From: "yesterday"}, 0, true},
		{"times", nil, &bulkFilter{From: "2026-11-29T12:00:00+01:00", To: "2026-11-30"}, -1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in := &BulkSelection{IDs: c.ids, Filter: c.filter}
			sel, _, err := in.selection()
			got := sel.IDs
			if c.bad {
				if err == nil || cloud.CodeOf(err) != cloud.CodeInvalid {
					t.Errorf("%v, want it refused", err)
				}
				return
			}

			if err != nil || (got == nil) != (c.want < 0) || got != nil && len(got) != c.want {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}
