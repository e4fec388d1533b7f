package admin

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"picloud/handlers/edge"
	"picloud/internal/cloud"
	"picloud/internal/history"
	"picloud/internal/manager"
	"picloud/views"
)

// newApp is the dashboard without manager, orchestrator and database: a page that got past the login would
// panic.
func newApp(t *testing.T) *fiber.App {
	t.Helper()
	e := edge.New(edge.Config{
		IDs:        &cloud.IDSource{},
		Log:        slog.New(slog.DiscardHandler),
		SigningKey: []byte("key"),
	})
	app := fiber.New(fiber.Config{ErrorHandler: e.HandleError, StreamRequestBody: true, StrictRouting: true})
	New(Config{Edge: e}).Register(app)
	return app
}

func send(t *testing.T, app *fiber.App, method, path string, headers ...string) (*http.Response, string) {
	t.Helper()

	req := httptest.NewRequest(method, path, nil)
	for k := 0; k < len(headers); k += 2 {
		req.Header.Set(headers[k], headers[k+1])
	}

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

// Every page needs a session. A browser is led to the login; a piece of a page and a stream cannot show it.
func TestPagesNeedASession(t *testing.T) {
	t.Parallel()
	app := newApp(t)

	for _, route := range app.GetRoutes(true) {
		open := route.Path == "/admin/login" || route.Path == "/admin/"
		if open || !strings.HasPrefix(route.Path, "/admin") ||
			route.Method != "GET" && route.Method != "POST" {
			continue
		}

		t.Run(route.Method+" "+route.Path, func(t *testing.T) {
			t.Parallel()
			path := strings.NewReplacer(":app", "shop", ":name", "a", ":id", "1", ":collection", "c",
				":username", "u").
				Replace(route.Path)
			res, _ := send(t, newApp(t), route.Method, path)
			if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/admin/login" {
				t.Errorf("%d to %q", res.StatusCode, res.Header.Get("Location"))
			}

			res, _ = send(t, newApp(t), route.Method, path, "HX-Request", "true")
			if res.StatusCode != http.StatusNoContent || res.Header.Get("HX-Redirect") != "/admin/login" {
				t.Errorf("htmx: %d to %q", res.StatusCode, res.Header.Get("HX-Redirect"))
			}
			res, _ = send(t, newApp(t), route.Method, path, "Accept", "text/event-stream")
			if res.StatusCode != http.StatusUnauthorized {
				t.Errorf("stream: %d", res.StatusCode)
			}
		})
	}
}

// A page loads nothing but what it names by its nonce, which is another each time, and no other site may
// frame it.
func TestPageHeaders(t *testing.T) {
	t.Parallel()
	app := newApp(t)
	seen := map[string]bool{}

	for range 2 {
		res, _ := send(t, app, "GET", "/admin/profile")
		policy := res.Header.Get("Content-Security-Policy")
		_, rest, _ := strings.Cut(policy, "script-src 'nonce-")
		nonce, _, _ := strings.Cut(rest, "'")
		if len(nonce) < 20 || seen[nonce] {
			t.Errorf("nonce %q in %q", nonce, policy)
		}

		seen[nonce] = true

		for _, part := range []string{"default-src 'none'", "form-action 'self'", "frame-ancestors 'none'",
			"base-uri 'none'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%q lacks %q", policy, part)
			}
		}

		for name, want := range map[string]string{
			"X-Frame-Options":        "DENY",
			"Cache-Control":          "no-store",
			"X-Content-Type-Options": "nosniff",
			"Referrer-Policy":        "same-origin",
		} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	}
}

// A login form of another site is refused before the password is looked at.
func TestLoginOfAnotherSite(t *testing.T) {
	t.Parallel()
	res, _ := send(t, newApp(t), "POST", "/admin/login", "Sec-Fetch-Site", "cross-site")
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("status %d", res.StatusCode)
	}
}

func TestUnknownPage(t *testing.T) {
	t.Parallel()
	res, body := send(t, newApp(t), "GET", "/admin/nothing/here", "Accept", "text/html")
	if res.StatusCode != http.StatusNotFound || !strings.Contains(body, "no such page") {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}

// A mistake of the visitor is shown beside the form; what is not theirs to mend is an error page.
func TestRefused(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name    string
		err     error
		message string
		ok      bool
	}{
		{"invalid", cloud.Errorf(cloud.CodeInvalid, "a name is missing"), "a name is missing", true},
		{"taken", cloud.Errorf(cloud.CodeConflict, "taken"), "taken", true},
		{"one of several", errors.Join(nil, cloud.Errorf(cloud.CodeInvalid, "first")), "first", true},
		{"nothing", nil, "", false},
		{"gone", cloud.Errorf(cloud.CodeNotFound, "no such app"), "", false},
		{"busy", cloud.Errorf(cloud.CodeUnavailable, "busy"), "", false},
		{"internal", errors.New("broken"), "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if message, ok := refused(c.err); message != c.message || ok != c.ok {
				t.Errorf("%q, %v", message, ok)
			}
		})
	}
}

// The next page is this one with another cursor: filters stay.
func TestNext(t *testing.T) {
	t.Parallel()
	app := fiber.New()
	var got, last string
	app.Get("/admin/x", func(c *fiber.Ctx) error {
		v := &visit{Ctx: c}
		got = v.next("new+/")
		last = v.next("")
		return nil
	})

	_, _ = send(t, app, "GET", "/admin/x?script=a%26b&cursor=old")
	if want := "/admin/x?cursor=new%2B%2F&script=a%26b"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if last != "" {
		t.Errorf("after the last page: %q", last)
	}
}

func TestNormalizeLines(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]string{
		"a\r\nb\r\n": "a\nb\n",
		"a\nb":       "a\nb",
		"a\rb":       "a\rb", // a lone CR is the text's own
		"a\r\r\nb":   "a\r\nb",
		"":           "",
	} {
		if got := normalizeLines(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// A compile error is shown at its place in the editor, unless it is in another module.
func TestPlaceOf(t *testing.T) {
	t.Parallel()
	at := func(file string) error {
		return cloud.Errorf(cloud.CodeInvalid, "bad").With("file", file).With("line", 3).With("column", 7)
	}

	for _, c := range []struct {
		name         string
		err          error
		line, column int
	}{
		{"in the script", at("orders.ts"), 3, 7},
		{"without a file", at(""), 3, 7},
		{"in a module", at("lib.js"), 0, 0},
		{"no place", cloud.Errorf(cloud.CodeInvalid, "bad"), 0, 0},
		{"another error", errors.New("bad"), 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if line, column := placeOf(c.err, "orders"); line != c.line || column != c.column {
				t.Errorf("%d:%d, want %d:%d", line, column, c.line, c.column)
			}
		})
	}
}

func TestFormNumber(t *testing.T) {
	t.Parallel()
	var n *int32
	if err := formNumber("", "timeout", &n); err != nil || n != nil {
		t.Errorf("empty: %v, %v", n, err)
	}
	if err := formNumber("250", "timeout", &n); err != nil || n == nil || *n != 250 {
		t.Errorf("a number: %v, %v", n, err)
	}

	for _, text := range []string{"1.5", "many", "99999999999"} {
		if err := formNumber(text, "timeout", &n); err == nil || !strings.Contains(err.Error(), "timeout") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Line numbers count in each text by itself; unchanged lines have both.
func TestCompare(t *testing.T) {
	t.Parallel()
	got, err := compare("a\nb\nc\n", "a\nx\nc\n")
	want := []views.DiffLine{
		{Op: ' ', Old: 1, New: 1, Text: "a"},
		{Op: '-', Old: 2, Text: "b"},
		{Op: '+', New: 2, Text: "x"},
		{Op: ' ', Old: 3, New: 3, Text: "c"},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v", got, err)
	}

	if got, err := compare("same\n", "same\n"); len(got) != 0 || err != nil {
		t.Errorf("of equal texts: %+v, %v", got, err)
	}
	long := strings.Repeat("x\n", 2*maxDiffLines+1)
	if got, err := compare("", long); len(got) != 1 || got[0].Op != '@' || err != nil {
		t.Errorf("of long texts: %d lines, %v", len(got), err)
	}
}

func TestWhatFires(t *testing.T) {
	t.Parallel()
	queue := "kv"

	for _, c := range []struct {
		trigger manager.Trigger
		want    string
	}{
		{manager.Trigger{Kind: cloud.SourceKV, Collection: "orders"}, "changes in orders"},
		{manager.Trigger{
			Kind:       cloud.SourceKV,
			Collection: "*",
			Ops:        []string{"insert", "delete"},
		}, "insert or delete in any collection"},
		{manager.Trigger{Kind: cloud.SourceCron, Schedule: "0 3 * * *", Timezone: "UTC"}, "0 3 * * * in UTC"},
		{manager.Trigger{Kind: cloud.SourceDeadLetter}, "an event became a dead letter"},
		{manager.Trigger{Kind: cloud.SourceDeadLetter, FailedScript: "pay", SourceFilter: &queue},
			"an event became a dead letter in pay, from kv"},
	} {
		if got := whatFires(&c.trigger); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// The event that a test starts with is one that the trigger would raise.
func TestEventTemplate(t *testing.T) {
	t.Parallel()
	trigger := [16]byte{1}

	for _, c := range []struct {
		name    string
		trigger manager.Trigger
		handler string
		parts   []string
	}{
		{"KV insert", manager.Trigger{
			Kind:       cloud.SourceKV,
			Collection: "orders:*",
			Ops:        []string{"insert"},
		}, "kv",
			[]string{`"op": "insert"`, `"collection": "orders"`, `"value"`}},
		{"KV delete", manager.Trigger{Kind: cloud.SourceKV, Collection: "*", Ops: []string{"delete"}}, "kv",
			[]string{`"op": "delete"`, `"oldValue"`}},
		{"schedule", manager.Trigger{
			Kind:     cloud.SourceCron,
			Schedule: "* * * * *",
			Timezone: "UTC",
		}, "scheduled",
			[]string{`"cron": "* * * * *"`, `"timezone": "UTC"`}},
		{"dead letter", manager.Trigger{
			Kind:          cloud.SourceDeadLetter,
			FailedScript:  "pay",
			TriggerFilter: &trigger,
		}, "deadLetter",
			[]string{`"script": "pay"`, `"trigger": "` + cloud.ID(trigger).String() + `"`}},
		{"dead letter of no trigger", manager.Trigger{Kind: cloud.SourceDeadLetter}, "deadLetter",
			[]string{`"trigger": null`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := eventTemplate(&c.trigger)
			if got.Handler != c.handler {
				t.Errorf("handler %q", got.Handler)
			}

			for _, part := range c.parts {
				if !strings.Contains(got.JSON, part) {
					t.Errorf("%s\nlacks %s", got.JSON, part)
				}
			}
		})
	}
}

// A form changes the fields of its kind alone: what another kind would use is left as it is.
func TestTriggerChange(t *testing.T) {
	t.Parallel()
	form := views.TriggerForm{
		Script:      "a",
		Collection:  "c",
		Ops:         []string{"insert"},
		Schedule:    "* * * * *",
		CronJitter:  "5",
		Source:      "kv",
		MaxAttempts: "3",
		Jitter:      "0.5",
	}

	form.Kind = cloud.SourceCron
	got, err := triggerChange(&form)
	if err != nil || got.Schedule == nil || *got.JitterMS != 5 || got.Collection != nil || got.Source != nil {
		t.Errorf("cron: %+v, %v", got, err)
	}
	if *got.Retry.MaxAttempts != 3 || *got.Retry.Jitter != 0.5 ||
		got.Retry.Backoff != nil || got.Retry.BaseMS != nil {
		t.Errorf("retry: %+v", got.Retry)
	}

	form.Kind = cloud.SourceKV
	if got, err = triggerChange(&form); err != nil || *got.Collection != "c" || got.Schedule != nil {
		t.Errorf("kv: %+v, %v", got, err)
	}
	form.Ops = nil
	if got, err = triggerChange(&form); err != nil || got.Ops == nil || len(*got.Ops) != 0 {
		t.Errorf("no operations are all: %+v, %v", got, err)
	}

	for name, change := range map[string]func(*views.TriggerForm){
		"attempts": func(f *views.TriggerForm) { f.MaxAttempts = "many" },
		"spread": func(f *views.TriggerForm) {
			f.Kind = cloud.SourceCron
			f.CronJitter = "x"
		},
		"jitter": func(f *views.TriggerForm) { f.Jitter = "x" },
	} {
		bad := form
		change(&bad)
		if _, err := triggerChange(&bad); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTotalDelay(t *testing.T) {
	t.Parallel()
	constant := manager.Trigger{MaxAttempts: 4, Backoff: "constant", BaseMs: 1000, MaxMs: 60_000}
	if got := totalDelay(&constant); got != 3*time.Second {
		t.Errorf("three pauses of a second are %v", got)
	}
	once := manager.Trigger{MaxAttempts: 1, Backoff: "constant", BaseMs: 1000, MaxMs: 60_000}
	if got := totalDelay(&once); got != 0 {
		t.Errorf("one attempt waits %v", got)
	}
}

// Failures of one cause are one line, the most frequent first, with the latest of each.
func TestGroupFailures(t *testing.T) {
	t.Parallel()
	failure := func(id byte, script, message string) history.Failure {
		return history.Failure{
			ID:           [16]byte{id},
			Script:       script,
			Status:       "failed",
			ErrorName:    "Error",
			ErrorMessage: message,
		}
	}

	got := groupFailures([]history.Failure{failure(5, "a", "x"), failure(4, "b", "x"),
		failure(3, "b", "x"), failure(2, "a", "y")})
	if len(got) != 3 || got[0].Script != "b" || got[0].Count != 2 ||
		got[0].Latest != cloud.ID([16]byte{4}).String() {
		t.Errorf("%+v", got)
	}

	if got := groupFailures(nil); len(got) != 0 {
		t.Errorf("of none: %+v", got)
	}

	var many []history.Failure
	for k := range byte(20) {
		many = append(many, failure(k, string('a'+rune(k)), "x"))
	}

	if got := groupFailures(many); len(got) != groupsShown {
		t.Errorf("%d groups of 20", len(got))
	}
}

func TestShownBody(t *testing.T) {
	t.Parallel()

	for _, c := range []struct{ name, body, want string }{
		{"text", "hello", "hello"},
		{"bytes", "\xff\xfe", "(2 bytes that are not text)"},
		{"long", strings.Repeat("x", bodyShown+1), "\n... (65537 bytes in all)"},
	} {
		if got := shownBody([]byte(c.body)); !strings.HasSuffix(got, c.want) || len(got) > bodyShown+100 {
			t.Errorf("%s: %d bytes", c.name, len(got))
		}
	}
}

// A record without lines, and one that cannot be read, is a page without lines.
func TestRecordedLogs(t *testing.T) {
	t.Parallel()
	record := &history.Execution{LogText: `[{"at":"2026-01-02T03:04:05Z","level":"info","message":"hello"}]`}
	got := logRows(record.Lines())
	want := []views.LogRow{{At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Level: "info", Message: "hello"}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}

	for _, text := range []string{"", "[]", "{"} {
		if got := (&history.Execution{LogText: text}).Lines(); len(got) != 0 {
			t.Errorf("%q: %+v", text, got)
		}
	}
}
