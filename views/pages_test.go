package views

import (
	"time"

	"github.com/a-h/templ"
)

// golden is a page in one of its states.
type golden struct {
	name string
	vm   any
	page templ.Component
	// again renders the page with another view model of the same type.
	again func(vm any) templ.Component
}

func state[T any](name string, f func(T) templ.Component, vm T) golden {
	return golden{name, vm, f(vm), func(v any) templ.Component { return f(v.(T)) }}
}

func withError(p Page, message string) Page {
	p.Error = message
	return p
}

func withNotice(p Page, message string) Page {
	p.Notice = message
	return p
}

// fragments of the script page and others, which take more than a view model.
func testOutput(r TestRun) templ.Component { return TestOutput("shop", r) }
func progress(p BulkPage) templ.Component  { return BulkProgressCard(p.Page, p.Progress) }
func match(m RouteMatch) templ.Component   { return Match("shop", m) }

func points() []Point {
	var list []Point
	for k := range 24 {
		p := Point{At: at(time.Duration(24-k) * time.Hour)}
		if k%5 != 0 {
			p.Runs = int64(k * 100)
			p.Errors = int64(k % 3)
			p.P50 = time.Duration(k) * time.Millisecond
			p.P95 = time.Duration(3*k) * time.Millisecond
		}
		list = append(list, p)
	}
	return list
}

var (
	failedRun = ExecutionRow{ID: someID, Script: "orders", Source: "kv", Status: "failed", Error: "Error: no customer", Subject: "insert orders/o1", Attempt: 2,
		StartedAt: at(time.Minute), Duration: 1500 * time.Microsecond}
	requestRun = ExecutionRow{ID: someID, Script: "orders", Source: "http", Status: "succeeded", Subject: "GET https://shop.test/orders", Attempt: 1, HTTPStatus: 200,
		StartedAt: at(2 * time.Hour), Duration: 12 * time.Second}
	logs       = []LogRow{{at(time.Minute), "info", "checking o1"}, {at(time.Minute), "error", "two\nlines"}}
	kvTrigger  = TriggerRow{ID: someID, Kind: "kv", Script: "orders", What: "changes in orders", Registrant: "ada", Retry: "5 tries within about 15 s", Enabled: true}
	offTrigger = TriggerRow{ID: someID, Kind: "dead_letter", Script: "alarm", What: "an event became a dead letter in orders", Registrant: "bob", Retry: "one try"}
	quotas     = []Quota{
		{Name: "kv_bytes", Label: "KV", Unit: "bytes", Limit: "1000000", Used: 1_000_000},
		{Name: "executions", Label: "Executions", Limit: "5000", Used: 1234},
		{Name: "scripts", Label: "Scripts", Used: -1},
		{Name: "requests_per_second", Label: "Requests a second", Limit: "50", Used: -1},
	}
	route     = RouteRow{ID: someID, Script: "orders", Method: "GET", Host: "any", Path: "/orders/:id", Dispatch: "sync"}
	hostRoute = RouteRow{ID: someID, Script: "orders", Method: "ANY", Host: "*.shop.test", Path: "/files/*", Dispatch: "async",
		Limit: RateLimit{Requests: "100", Seconds: "60", By: "header", Header: "X-Api-Key"}}
	letter   = DeadLetterRow{ID: someID, Script: "orders", Source: "kv", Reason: "failed", Error: "Error: no customer", Attempts: 5, CreatedAt: at(time.Hour)}
	resolved = DeadLetterRow{ID: someID, Script: "orders", Source: "kv", Reason: "failed", Error: "Error: no customer", Attempts: 5, CreatedAt: at(time.Hour), Resolution: "replayed"}
	form     = TriggerForm{ID: someID, Kind: "kv", Script: "orders", Enabled: true, Collection: "orders", Ops: []string{"insert"}, MaxAttempts: "5", Backoff: "exponential",
		BaseMS: "1000", MaxMS: "300000", Jitter: "0.2"}.About("ada", "5 tries within about 15 s", "insert in orders", at(time.Hour))
	cronForm = TriggerForm{ID: someID, Kind: "cron", Script: "report", Enabled: true, Schedule: "30 2 * * MON-FRI", Timezone: "Europe/Berlin", CatchUp: "one", Overlap: "skip",
		CronJitter: "0", MaxAttempts: "5", Backoff: "exponential"}.About("ada", "5 tries within about 15 s", "30 2 * * MON-FRI in Europe/Berlin", at(time.Hour))
	story = []TreeNode{{Text: "orders", Detail: "POST /f/shop/orders", Status: "succeeded", Href: "/executions/" + someID, At: ptr(at(time.Hour)), Children: []TreeNode{
		{Text: "insert orders/o1", Detail: "for orders", Children: []TreeNode{{Text: "orders", Detail: "attempt 1", Status: "failed", Href: "/executions/" + someID, Current: true},
			{Text: "in the queue", Status: "waiting", Href: "/queue"}}}}}, {Text: "a run that was not recorded", Detail: someID}}
	versions = []VersionRow{{Version: 2, CreatedBy: "ada", CreatedAt: at(time.Minute), Size: 2048, Current: true}, {Version: 1, CreatedBy: "bob", CreatedAt: at(time.Hour), Size: 12}}
	result   = TestResult{Execution: someID, Status: "succeeded", HTTPStatus: 201, Headers: [][2]string{{"content-type", "text/html"}}, Body: "<b>bold</b>",
		Duration: 3 * time.Millisecond, Logs: logs, Events: []string{`{"op": "set"}`}, DryRun: true}
	failedTest = TestResult{Execution: someID, Status: "failed", HTTPStatus: 502, Duration: 3 * time.Millisecond, Error: "Error: no", Stack: "at fetch (orders.js:1:1)"}
	editorPage = ScriptPage{Page: frame("orders", "scripts"), Name: "orders", Source: "export default () => \"</textarea>\";\n", Language: "typescript", Kind: "endpoint", Access: "key",
		TimeoutMS: "500", DefaultTimeout: "10000", DefaultMemory: "128", Version: 2, Deploy: Deploy{Version: 2}, Curl: "curl https://shop.test/f/shop/orders",
		Handlers: []string{"fetch", "kv"}, Imports: []string{"lib"}, Versions: versions, Routes: []RouteRow{route}, Triggers: []TriggerRow{kvTrigger},
		Executions: []ExecutionRow{failedRun}, MayEdit: true, MayDelete: true, MayTriggers: true,
		Test: TestRun{Method: "GET", DryRun: true, Event: "{}", Templates: []EventTemplate{{"changes in orders", "kv", `{"op":"insert"}`}}}}
	deadLetter = DeadLetterPage{Page: frame("Dead letter of orders", "dead-letters"), DeadLetterRow: letter, Payload: "{\n  \"n\": 1\n}", Stack: "at kv (orders.js:2:1)", RootID: someID,
		Execution: someID, Op: "insert", Trigger: someID, Principal: "user:ada", ReplayOf: someID, First: ptr(at(2 * time.Hour)), Last: ptr(at(time.Hour)),
		Steps: []ExecutionRow{failedRun}, Tree: story, MayReplay: true}
)

func resolvedLetter() DeadLetterPage {
	p := deadLetter
	p.DeadLetterRow = resolved
	p.ResolvedBy = "ada"
	p.ResolveReason = "was a test"
	p.ResolvedAt = ptr(at(time.Minute))
	return p
}

func newScript() ScriptPage {
	return ScriptPage{Page: frame("hello", "scripts"), Name: "hello", Source: "export default () => 1;\n", Language: "javascript", Kind: "endpoint", Access: "public",
		DefaultTimeout: "10000", DefaultMemory: "128", MayEdit: true}
}

func viewedScript() ScriptPage {
	p := editorPage
	p.MayEdit = false
	p.MayDelete = false
	p.MayTriggers = false
	p.Kind = "endpoint"
	p.Access = "public"
	p.Routes = nil
	p.Triggers = nil
	p.Executions = nil
	return p
}

func module() ScriptPage {
	p := editorPage
	p.Kind = "module"
	p.Name = "lib"
	p.Deploy = Deploy{Version: 2, Warning: "it throws when it is loaded"}
	return p
}

func brokenScript() ScriptPage {
	p := editorPage
	p.Deploy = Deploy{Version: 2, Error: "orders.js:1:3: unexpected }", Line: 1, Column: 3}
	return p
}

// pages are all pages in all their states.
func pages() []golden {
	return []golden{
		state("login", Login, LoginPage{Page: Page{Title: "Log in", Assets: assets()}}),
		state("login-first", Login, LoginPage{Page: Page{Title: "Log in", Assets: assets()}, First: true}),
		state("login-wrong", Login, LoginPage{Page: withError(Page{Title: "Log in", Assets: assets()}, "The username or the password is wrong."), Username: "ada"}),
		state("welcome", Welcome, WelcomePage{Page: out("Welcome", ""), HasScript: true}),
		state("error", Error, ErrorPage{Status: 404, Title: "Not Found", Detail: "no such page", Home: "/admin"}),
		state("error-script", Error, ErrorPage{Status: 502, Title: "Bad Gateway", Detail: "the script failed", Execution: someID}),

		state("apps", Apps, AppsPage{Page: out("Apps", "apps"), MayCreate: true, Next: "/admin?cursor=x", Apps: []AppRow{
			{Slug: "shop", Name: "The Shop", Description: "sells things", Runs: 12345, Errors: 12, Waiting: 3, Running: 1, Unresolved: 2, Balanced: true},
			{Slug: "idle", Name: "Idle"}}}),
		state("apps-none", Apps, AppsPage{Page: out("Apps", "apps")}),
		state("apps-refused", Apps, AppsPage{Page: withError(out("Apps", "apps"), "the slug is reserved"), MayCreate: true, Slug: "admin", Name: "X"}),
		state("overview", Overview, OverviewPage{Page: frame("Overview", "overview"), Name: "The Shop", Description: "sells things", Quotas: quotas, Runs: 1000, Errors: 30, P50: 2 * time.Millisecond,
			P95: 15 * time.Millisecond, Enqueued: 10, Waiting: 1, Running: 2, Done: 3, DeadLettered: 4, Balanced: true, Oldest: time.Hour, Points: points(), Capped: true,
			Failures: []FailureGroup{{Script: "orders", Status: "failed", Error: "Error: order #", Count: 7, Latest: someID, LatestAt: at(time.Minute)}}}),
		state("overview-empty", Overview, OverviewPage{Page: frame("Overview", "overview"), Name: "New", Balanced: true, Empty: true}),
		state("overview-unbalanced", Overview, OverviewPage{Page: frame("Overview", "overview"), Name: "Lost", Enqueued: 5, Done: 4}),
		state("settings", Settings, SettingsPage{Page: withNotice(frame("Settings", "settings"), "Saved."), Name: "The Shop", Hosts: "shop.test", MayEdit: true, MayHosts: true, Quotas: quotas, CreatedAt: at(time.Hour)}),
		state("settings-viewer", Settings, SettingsPage{Page: frame("Settings", "settings"), Name: "The Shop", Quotas: quotas, CreatedAt: at(time.Hour)}),

		state("scripts", Scripts, ScriptsPage{Page: frame("Scripts", "scripts"), MayEdit: true, Next: "?cursor=x", Scripts: []ScriptRow{
			{Name: "orders", Kind: "endpoint", Access: "public", Language: "typescript", Version: 3, UpdatedAt: at(time.Hour)},
			{Name: "lib", Kind: "module", Access: "private", Language: "javascript", Version: 1, UpdatedAt: at(time.Minute), Warning: "it throws"}}}),
		state("scripts-none", Scripts, ScriptsPage{Page: frame("Scripts", "scripts"), Curl: "curl -X PUT ..."}),
		state("script", Script, editorPage),
		state("script-new", Script, newScript()),
		state("script-viewer", Script, viewedScript()),
		state("script-module", Script, module()),
		state("script-broken", Script, brokenScript()),
		state("deploy-done", DeployResult, Deploy{Version: 3, Notice: "Version 3 answers now."}),
		state("deploy-refused", DeployResult, Deploy{Version: 2, Error: "orders.js:2:5: unexpected", Line: 2, Column: 5}),
		state("test-run", testOutput, TestRun{Result: &result}),
		state("test-run-failed", testOutput, TestRun{Result: &failedTest}),
		state("test-run-refused", testOutput, TestRun{Problem: "the value is not JSON"}),
		state("versions", Versions, VersionsPage{Page: frame("orders versions", "scripts"), Name: "orders", Versions: versions, From: 1, To: 2, MayEdit: true, Next: "?cursor=x", Diff: []DiffLine{
			{' ', 1, 1, "same"}, {'-', 2, 0, "old </code>"}, {'+', 0, 2, "new"}, {Op: '@', Text: "..."}}}),
		state("versions-same", Versions, VersionsPage{Page: frame("orders versions", "scripts"), Name: "orders", Versions: versions, From: 1, To: 2}),

		state("routes", Routes, RoutesPage{Page: frame("Routes", "routes"), Rows: []RouteRow{route, hostRoute}, MayEdit: true, Scripts: []string{"orders"}, Hosts: []string{"shop.test"}, Next: "?cursor=x",
			Match: RouteMatch{Method: "GET", URL: "/orders/7", Asked: true, Route: &route, Params: [][2]string{{"id", "7"}}}}),
		state("routes-none", Routes, RoutesPage{Page: frame("Routes", "routes")}),
		state("route", Route, RoutePage{Page: frame("Route", "routes"), Route: route, MayEdit: true, Scripts: []string{"orders"}}),
		state("route-viewer", Route, RoutePage{Page: frame("Route", "routes"), Route: hostRoute}),
		state("match", match, RouteMatch{Asked: true, Route: &hostRoute}),
		state("match-none", match, RouteMatch{Asked: true}),
		state("match-bad", match, RouteMatch{Asked: true, Problem: "url must be absolute"}),

		state("triggers", Triggers, TriggersPage{Page: frame("Triggers", "triggers"), Rows: []TriggerRow{kvTrigger, offTrigger}, MayEdit: true, Next: "?cursor=x"}),
		state("triggers-none", Triggers, TriggersPage{Page: frame("Triggers", "triggers")}),
		state("trigger-new", Trigger, TriggerPage{Page: frame("Trigger", "triggers"), Form: TriggerForm{Kind: "kv", MaxAttempts: "5"}, Scripts: []string{"orders"}, MayEdit: true}),
		state("trigger-refused", Trigger, TriggerPage{Page: withError(frame("Trigger", "triggers"), "this app has no script nope"), Form: TriggerForm{Kind: "dead_letter", Script: "nope"}, MayEdit: true}),
		state("trigger", Trigger, TriggerPage{Page: frame("Trigger", "triggers"), Form: form, Event: "{}", MayEdit: true, MayFire: true, Fired: someID}),
		state("trigger-cron", Trigger, TriggerPage{Page: frame("Trigger", "triggers"), Form: cronForm, MayEdit: true, NextSlots: "?cursor=x", Upcoming: []Slot{{At: at(-time.Hour), Local: "Wed 6 Mar 2024 02:30:00 +01:00"}},
			Slots: []Slot{{At: at(time.Hour), Local: "Tue 5 Mar 2024 10:00:00 +01:00", State: "fired", Execution: someID, Drift: 12 * time.Millisecond},
				{At: at(25 * time.Hour), Local: "Mon 4 Mar 2024 10:00:00 +01:00", State: "skipped", Reason: "the run before was not over", Drift: 90 * time.Second}}}),
		state("trigger-cron-overdue", Trigger, TriggerPage{Page: frame("Trigger", "triggers"), Form: cronForm, Overdue: []Overdue{{someID, "report", "30 2 * * MON-FRI", 2 * time.Hour}}}),
		state("trigger-viewer", Trigger, TriggerPage{Page: frame("Trigger", "triggers"), Form: TriggerForm{ID: someID, Kind: "dead_letter", Script: "alarm", Source: "kv", FailedScript: "orders"}}),

		state("executions", Executions, ExecutionsPage{Page: frame("Executions", "executions"), Rows: []ExecutionRow{failedRun, requestRun}, Scripts: []string{"orders"}, Next: "?cursor=x",
			Filter: ExecutionFilter{Script: "orders", Status: "failed", Trigger: someID, Search: "customer", From: "2026-01-31T00:00"}}),
		state("executions-none", Executions, ExecutionsPage{Page: frame("Executions", "executions"), First: true}),
		state("executions-searched", Executions, ExecutionsPage{Page: frame("Executions", "executions"), Filter: ExecutionFilter{Search: "x"}, Searched: 5000, Next: "?cursor=x"}),
		state("execution", Execution, ExecutionPage{Page: frame("Execution of orders", "executions"), ExecutionRow: failedRun, Version: 3, CPU: 1200 * time.Microsecond, MemoryMiB: 24.5, Node: "n1", Stack: "at kv (orders.js:2:1)", RootID: someID,
			Parent: someID, Outbox: someID, Trigger: someID, Principal: "registrant:ada", Depth: 1, Logs: logs, Tree: story, TreeTruncated: true,
			Steps: []Step{{At: at(time.Hour), Text: "enqueued"}, {At: at(time.Hour), Text: "attempt 1", Status: "failed", Href: "/executions/" + someID},
				{At: at(time.Minute), Text: "attempt 2", Status: "failed", Current: true, Logs: logs}}}),
		state("execution-request", Execution, ExecutionPage{Page: frame("Execution of orders", "executions"), ExecutionRow: requestRun, Version: 3, After: "failed",
			Abandoned: []string{"client-closed: 200"}, Steps: []Step{{At: at(time.Hour), Text: "took 12s", Status: "succeeded", Current: true}}}),
		state("find", Find, FindPage{Page: out("Find an execution", ""), ID: someID}),
		state("abandoned", Abandoned, AbandonedPage{Page: frame("Abandoned executions", "abandoned"), Rows: []AbandonedRow{{someID, "orders", someID, "200 text/plain: ok", "client-closed", 200, at(time.Hour)}}}),
		state("abandoned-none", Abandoned, AbandonedPage{Page: frame("Abandoned executions", "abandoned")}),
		state("tail", Tail, TailPage{Page: frame("Live tail", "tail"), Script: "orders", Scripts: []string{"orders"}}),
		state("queue", Queue, QueuePage{Page: frame("Queue", "queue"), Waiting: 2, Running: 1, MayOperate: true, Next: "?cursor=x", Rows: []QueueRow{
			{ID: someID, Script: "orders", Source: "kv", State: "waiting", Reason: "attempt 1 of 5 failed", Attempt: 1, MaxAttempts: 5, Depth: 1, DueAt: at(-time.Minute), CreatedAt: at(time.Minute), Waiting: true, Payload: "{}"},
			{ID: someID, Script: "orders", Source: "kv", State: "running", Reason: "running on node n1", MaxAttempts: 5, DueAt: at(-time.Second), CreatedAt: at(time.Minute)},
			{ID: someID, Script: "orders", Source: "kv", State: "waiting", Reason: "trigger disabled", MaxAttempts: 5, DueAt: at(-time.Second), CreatedAt: at(time.Minute), Waiting: true, Parked: true}}}),
		state("queue-none", Queue, QueuePage{Page: frame("Queue", "queue")}),

		state("dead-letters", DeadLetters, DeadLettersPage{Page: frame("Dead letters", "dead-letters"), MayReplay: true, Rows: []DeadLetterRow{letter, resolved}, Next: "?cursor=x", Matching: 7,
			Filter: LetterFilter{State: "unresolved", Script: "orders", Group: "Error: no customer"},
			Groups: []LetterGroup{{"orders", "Error: no customer", 1234, at(time.Hour)}, {"orders", "", 1, at(time.Hour)}}}),
		state("dead-letters-none", DeadLetters, DeadLettersPage{Page: frame("Dead letters", "dead-letters"), Filter: LetterFilter{State: "unresolved"}}),
		state("dead-letters-viewer", DeadLetters, DeadLettersPage{Page: frame("Dead letters", "dead-letters"), Rows: []DeadLetterRow{letter}, Filter: LetterFilter{State: "unresolved"},
			Groups: []LetterGroup{{"orders", "Error: no customer", 1234, at(time.Hour)}}}),
		state("dead-letter", DeadLetter, deadLetter),
		state("dead-letter-resolved", DeadLetter, resolvedLetter()),
		state("replaying", BulkAll, BulkPage{Page: frame("Replay", "dead-letters"), Progress: BulkProgress{Action: BulkReplay, Filter: LetterFilter{Script: "orders"}, Total: 1000, Seen: 250, Done: 249, Cursor: "x"}}),
		state("replaying-paced", BulkAll, BulkPage{Page: frame("Replay", "dead-letters"), Progress: BulkProgress{Action: BulkReplay, Rate: "0.5", Filter: LetterFilter{Script: "orders"}, Total: 1000, Seen: 250, Done: 249, Cursor: "x", LastDue: at(-8 * time.Minute)}}),
		state("replayed", progress, BulkPage{Page: frame("Replay", "dead-letters"), Progress: BulkProgress{Action: BulkReplay, Total: 250, Seen: 250, Done: 249}}),
		state("resolving", BulkAll, BulkPage{Page: frame("Ignore", "dead-letters"), Progress: BulkProgress{Action: BulkResolve, Reason: "obsolete", Filter: LetterFilter{Search: "o1"}, Total: 1000, Seen: 250, Done: 250, Cursor: "x"}}),
		state("resolved", progress, BulkPage{Page: frame("Ignore", "dead-letters"), Progress: BulkProgress{Action: BulkResolve, Total: 250, Seen: 250, Done: 249}}),

		state("collections", KV, KVPage{Page: frame("KV", "kv"), MayEdit: true, Next: "?cursor=x", Rows: []KVRow{{Collection: "orders", Keys: 7}, {Collection: "big", Keys: 10001}}}),
		state("collections-none", KV, KVPage{Page: frame("KV", "kv")}),
		state("entries", KV, KVPage{Page: frame("orders", "kv"), Collection: "orders", Prefix: "o", MayEdit: true, Next: "?cursor=x", Rows: []KVRow{
			{Collection: "orders", Key: "o/1?&#", Value: `{"n":1}`, Version: 7, ExpiresAt: ptr(at(-time.Hour)), UpdatedAt: at(time.Hour)}}}),
		state("entries-none", KV, KVPage{Page: frame("orders", "kv"), Collection: "orders", Prefix: "x"}),
		state("entry", Entry, EntryPage{Page: frame("o1", "kv"), Collection: "orders", Key: "o1", Value: "{}", Version: 7, ExpiresAt: ptr(at(-time.Hour)), UpdatedAt: at(time.Hour), Triggers: 2, MayEdit: true}),
		state("entry-new", Entry, EntryPage{Page: frame("o1", "kv"), Collection: "orders", Key: "o1", Value: "{}", MayEdit: true}),
		state("entry-viewer", Entry, EntryPage{Page: frame("o1", "kv"), Collection: "orders", Key: "o1", Value: "{}", Version: 7, UpdatedAt: at(time.Hour), Triggers: 1}),

		state("variables", Variables, VariablesPage{Page: frame("Variables", "variables"), MayEdit: true, Variables: []VariableRow{{Name: "REGION", Value: "eu", UpdatedBy: "ada", UpdatedAt: at(time.Hour)}},
			Secrets: []VariableRow{{Name: "API_TOKEN", UpdatedBy: "bob", UpdatedAt: at(time.Minute)},
				{Name: "CARD_KEY", Scripts: []string{"pay", "refund"}, UpdatedBy: "bob", UpdatedAt: at(time.Minute)}}}),
		state("variables-viewer", Variables, VariablesPage{Page: frame("Variables", "variables"), Variables: []VariableRow{{Name: "REGION", UpdatedBy: "ada", UpdatedAt: at(time.Hour)}}}),
		state("variables-none", Variables, VariablesPage{Page: withError(frame("Variables", "variables"), "the name must match"), MayEdit: true, Name: "bad name", Secret: true}),

		state("users", Users, UsersPage{Page: out("Users", "users"), Owner: true, Next: "?cursor=x", Rows: []UserRow{
			{Username: "ada", Role: "owner", Active: true, Self: true, CreatedAt: at(time.Hour)}, {Username: "bob", Role: "member", Email: "bob@test", CreatedAt: at(time.Hour)}}}),
		state("users-refused", Users, UsersPage{Page: withError(out("Users", "users"), "the password is too short"), Username: "eve", Role: "admin", Email: "e@test"}),
		state("user", User, UserPage{Page: out("bob", "users"), Owner: true, Row: UserRow{Username: "bob", Role: "member", Active: true}}),
		state("user-self", User, UserPage{Page: out("ada", "users"), Row: UserRow{Username: "ada", Role: "owner", Active: true, Self: true}}),
		state("members", Members, MembersPage{Page: frame("Members", "members"), MayEdit: true, Rows: []MemberRow{{"bob", "editor", true}, {"eve", "viewer", false}}, Next: "?cursor=x"}),
		state("members-viewer", Members, MembersPage{Page: frame("Members", "members"), Rows: []MemberRow{{"bob", "editor", true}}}),
		state("members-none", Members, MembersPage{Page: withError(frame("Members", "members"), "There is no such user."), MayEdit: true, Username: "nobody", Role: "admin"}),
		state("audit", Audit, AuditPage{Page: frame("Audit", "audit"), Actor: "ada", Next: "?cursor=x", Rows: []AuditRow{{at(time.Hour), "ada", "shop", "script.deploy", "orders", `{"version":3}`}}}),
		state("audit-all", Audit, AuditPage{Page: out("Audit", "audit"), Rows: []AuditRow{{at(time.Hour), "ada", "shop", "app.create", "shop", ""}}}),
		state("audit-none", Audit, AuditPage{Page: frame("Audit", "audit"), Action: "nothing"}),

		state("profile", Profile, ProfilePage{Page: out("Profile", "profile"), Role: "owner", AllScopes: []string{"kv:read", "kv:write"},
			Sessions: []SessionRow{{someID, "Mozilla/5.0", at(time.Hour), at(time.Minute), true}, {someID, "", at(time.Hour), at(time.Hour), false}},
			Keys:     []KeyRow{{someID, "laptop", "", []string{"kv:read"}, nil, at(time.Hour), nil}, {someID, "ci", "shop", []string{"scripts:write"}, ptr(at(-time.Hour)), at(time.Hour), ptr(moment)}}}),
		state("profile-key", Profile, ProfilePage{Page: out("Profile", "profile"), Role: "member", NewKey: "pic_secret", NewKeyName: "laptop"}),
		state("profile-refused", Profile, ProfilePage{Page: withError(out("Profile", "profile"), "a key needs scopes"), Role: "member", AllScopes: []string{"kv:read"}, Form: KeyForm{Name: "x", App: "shop", Days: "3", Scopes: []string{"kv:read"}}}),
		state("system", System, SystemPage{Page: out("System", "system"), Version: "1.0", Go: "go1.26", Node: "n1", Started: at(time.Hour), Memory: 50 << 20, Database: "15.1", DatabaseSize: 3 << 30,
			Connections: 5, MaxConnections: "22", Apps: 2, Scripts: 7, PermitsFree: 30, PermitsAll: 32, Children: 2, ChildrenStarted: 1234, Commits: 10, Groups: 3, Unbalanced: []string{"shop"},
			Checked: at(3 * time.Second), Findings: []Finding{{"clock", "ok", "all agree"}, {"schedules", "bad", "2 should have fired"}, {"nodes", "warn", "one is silent"}},
			Nodes:  []NodeRow{{Name: "n1", Version: "1.0", Free: 30, Started: at(time.Hour), Seen: moment, Self: true}, {Name: "n2", Version: "0.9", Started: at(time.Hour), Seen: at(time.Hour), Quiet: true}},
			Leases: []LeaseRow{{"n2", 3, 1, at(-10 * time.Second)}}}),
		state("system-idle", System, SystemPage{Page: out("System", "system"), Node: "n1", Checked: moment, Started: at(time.Hour), Nodes: []NodeRow{{Name: "n1", Self: true, Started: at(time.Hour), Seen: moment}}}),
	}
}
