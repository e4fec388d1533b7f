package edge

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/history"
	"picloud/internal/orchestrator"
)

// What a filter cannot be is said, and not ignored: a list that shows too much looks like one that is
// complete.
func TestLetterQuery(t *testing.T) {
	t.Parallel()
	id := cloud.ID{1}

	for _, c := range []struct {
		name  string
		query LetterQuery
		want  history.LetterFilter
		bad   bool
	}{
		{"all of them", LetterQuery{State: "all"}, history.LetterFilter{State: "all"}, false},
		{"narrowed", LetterQuery{
			State:   "unresolved",
			Script:  "a",
			Source:  "kv",
			Trigger: id.String(),
			Group:   "g",
		},
			history.LetterFilter{
				State:      "unresolved",
				Script:     "a",
				Source:     "kv",
				Trigger:    id,
				ErrorGroup: "g",
			}, false},
		{"a time and a text", LetterQuery{
			State: "all", From: "2026-11-29T13:00:00+01:00", To: "2026-11-30T12:30", Search: "o1",
		}, history.LetterFilter{
			State:  "all",
			From:   time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC),
			To:     time.Date(2026, 11, 30, 12, 30, 0, 0, time.UTC),
			Search: "o1",
		}, false},
		{"a time that is none", LetterQuery{State: "all", To: "tomorrow"}, history.LetterFilter{}, true},
		{"no state", LetterQuery{}, history.LetterFilter{}, true},
		{"an unknown state", LetterQuery{State: "open"}, history.LetterFilter{}, true},
		{"a trigger that is no id", LetterQuery{State: "all", Trigger: "x"}, history.LetterFilter{},
			true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := c.query.Filter()
			if c.bad {
				wantCode(t, err, cloud.CodeInvalid)
				return
			}

			if err != nil || got != c.want {
				t.Errorf("%+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

func TestExecutionQuery(t *testing.T) {
	t.Parallel()
	id := cloud.ID{2}
	got, err := (&ExecutionQuery{Script: "a", Trigger: id.String(), Root: id.String(), Search: "x"}).Filter()
	want := history.ExecutionFilter{Script: "a", Trigger: id, Root: id, Search: "x"}
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = (&ExecutionQuery{Trigger: "x"}).Filter()
	wantCode(t, err, cloud.CodeInvalid)
	_, err = (&ExecutionQuery{Root: "x"}).Filter()
	wantCode(t, err, cloud.CodeInvalid)
}

// Every value of a filter is part of the list's name, so that no cursor goes from one filter to another.
func TestQueriesNameTheirLists(t *testing.T) {
	t.Parallel()
	c := callerIn(1)

	seen := map[string]bool{}
	for _, q := range []LetterQuery{{}, {State: "x"}, {Script: "x"}, {Source: "x"}, {Trigger: "x"},
		{Group: "x"}, {From: "x"}, {To: "x"}, {Search: "x"}} {
		seen[q.List(c, "dead-letters")] = true
		seen[q.List(c, "bulk-replay")] = true
	}

	if len(seen) != 18 {
		t.Errorf("%d names of 9 filters of two lists of dead letters", len(seen))
	}
	clear(seen)

	for _, q := range []ExecutionQuery{{}, {Script: "x"}, {Status: "x"}, {Source: "x"}, {Trigger: "x"},
		{Root: "x"}, {Search: "x"}} {
		seen[q.List(c)] = true
	}

	if len(seen) != 7 {
		t.Errorf("%d names of 7 filters of executions", len(seen))
	}
}

func TestAskRoute(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		method, url string
		want        RouteQuestion
		bad         bool
	}{
		{"get", "/a/b", RouteQuestion{"GET", "", "/a/b"}, false},
		{"POST", "https://Shop.Example:8443/a%2Fb?x=1", RouteQuestion{"POST", "shop.example", "/a%2Fb"}, false},
		{"GET", "a/b", RouteQuestion{}, true},
		{"GET", "https://shop.example", RouteQuestion{}, true},
		{"GET", "", RouteQuestion{}, true},
		{"GET", "http://%zz/", RouteQuestion{}, true},
	} {
		t.Run(c.url, func(t *testing.T) {
			t.Parallel()
			got, err := AskRoute(c.method, c.url)
			if c.bad {
				wantCode(t, err, cloud.CodeInvalid)
				return
			}

			if err != nil || got != c.want {
				t.Errorf("%+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

// "Nothing answers" is an answer; a failure is not.
func TestAnsweredIn(t *testing.T) {
	t.Parallel()

	for _, code := range []cloud.Code{cloud.CodeNotFound, cloud.CodeMethod} {
		if matched, err := AnsweredIn(callerIn(1), nil, cloud.Errorf(code, "none")); matched || err != nil {
			t.Errorf("%s: %v, %v", code, matched, err)
		}
	}
	_, err := AnsweredIn(callerIn(1), nil, cloud.Errorf(cloud.CodeUnavailable, "busy"))
	wantCode(t, err, cloud.CodeUnavailable)
}

func TestCheckEntries(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		collection, prefix string
		bad                bool
	}{
		{"orders", "", false},
		{"orders", "2026-", false},
		{"orders", ".", false}, // many keys begin so
		{"orders", "a\x00", true},
		{"orders", strings.Repeat("x", 5000), true},
		{"", "", true},
	} {
		err := CheckEntries(c.collection, c.prefix)
		if (err != nil) != c.bad {
			t.Errorf("%q, %q: %v", c.collection, c.prefix, err)
		}
	}
}

// Without a name the event decides which handler a test run calls.
func TestInvokeHandler(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name, handler, event string
		want                 string
		bad                  bool
	}{
		{"a schedule", "", `{"cron":"* * * * *"}`, "scheduled", false},
		{"a schedule by its time", "", `{"scheduledTime":1}`, "scheduled", false},
		{"a dead letter", "", `{"original":{}}`, "deadLetter", false},
		{"a KV event", "", `{"op":"insert"}`, "kv", false},
		{"no object", "", `[1]`, "kv", false},
		{"named", "kv", `{"cron":"x"}`, "kv", false},
		{"no JSON", "kv", `{`, "", true},
		{"nothing", "kv", ``, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var run orchestrator.Invocation
			err := InvokeHandler(&run, c.handler, json.RawMessage(c.event))
			if (err != nil) != c.bad || run.Handler != c.want {
				t.Errorf("handler %q, %v; want %q", run.Handler, err, c.want)
			}
			if !c.bad && !json.Valid([]byte(run.Event)) {
				t.Errorf("event %q", run.Event)
			}
		})
	}
}

func TestInvokeFetch(t *testing.T) {
	t.Parallel()
	run := orchestrator.Invocation{Script: "hello"}
	InvokeFetch(&run, callerIn(1))
	if run.Handler != "fetch" || run.Request.Method != "GET" || run.Request.URL != "http://localhost/f/shop/hello" {
		t.Errorf("%+v %+v", run, run.Request)
	}
}

// Instance pages and operations need an admin; a key also the scope, and no key of one app does.
func TestInstanceAdmin(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name string
		p    auth.Principal
		ok   bool
	}{
		{"owner", auth.Principal{Role: auth.RoleOwner}, true},
		{"admin", auth.Principal{Role: auth.RoleAdmin}, true},
		{"member", auth.Principal{Role: auth.RoleMember}, false},
		{"admin's key with the scope", auth.Principal{
			Role:   auth.RoleAdmin,
			Key:    true,
			Scopes: []string{"audit:read"},
		}, true},
		{"admin's key without it", auth.Principal{
			Role:   auth.RoleAdmin,
			Key:    true,
			Scopes: []string{"kv:read"},
		}, false},
		{"admin's key of one app", auth.Principal{
			Role:   auth.RoleAdmin,
			Key:    true,
			Scopes: []string{"audit:read"},
			KeyApp: 3,
		}, false},
		{"member's key", auth.Principal{
			Role:   auth.RoleMember,
			Key:    true,
			Scopes: []string{"audit:read"},
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := InstanceAdmin(&c.p, "audit:read")
			if c.ok && err != nil {
				t.Errorf("refused: %v", err)
			}
			if !c.ok {
				wantCode(t, err, cloud.CodeForbidden)
			}
		})
	}
}

func TestPathParameters(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]string{"a%20b": "a b", "%C3%A4": "ä", "plain": "plain", "%2F": "/"} {
		if got, err := Unescape(text); got != want || err != nil {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}

	for _, text := range []string{"%zz", "%ff", "%"} {
		_, err := Unescape(text)
		wantCode(t, err, cloud.CodeInvalid)
	}

	id := cloud.ID{7}
	if got, err := IDParam(id.String(), "route"); got != id || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	_, err := IDParam("7", "route")
	wantCode(t, err, cloud.CodeNotFound)
}

// A header that would split an answer in two is none.
func TestValidHeader(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name, value string
		want        bool
	}{
		{"x-test", "value", true},
		{"x-test", "", true},
		{"!#$%&'*+-.^_`|~09", "v", true},
		{"x-test", "ä", true},
		{"", "v", false},
		{"x test", "v", false},
		{"x:test", "v", false},
		{"X-Test", "v", false}, // names are lower case here
		{"x-täst", "v", false},
		{"x-test", "a\r\nset-cookie: b", false},
		{"x-test", "a\nb", false},
		{"x-test", "a\x00", false},
	} {
		if got := ValidHeader(c.name, c.value); got != c.want {
			t.Errorf("%q: %q: %v", c.name, c.value, got)
		}
	}
}

func TestMemoryMiB(t *testing.T) {
	t.Parallel()

	for kib, want := range map[int64]float64{0: 0, 1024: 1, 1536: 1.5, 1100: 1.1} {
		if got := MemoryMiB(kib); got != want {
			t.Errorf("%d KiB: %v, want %v", kib, got, want)
		}
	}
}
