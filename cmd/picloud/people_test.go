package main

import (
	"fmt"
	"net/http"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// people makes an app with a member of each role, and a stranger. It returns their worlds by name.
func people(w *fixture) map[string]*fixture {
	w.api("POST", "/apps", map[string]any{"slug": "shop", "name": "Shop"}).want(201)

	out := map[string]*fixture{"owner": w}
	for _, role := range []string{"admin", "editor", "viewer"} {
		w.api("POST", "/users", map[string]any{"username": role + "1", "password": testPassword}).want(201)
		w.api("POST", "/apps/shop/members", map[string]any{"username": role + "1", "role": role}).want(201)
		out[role] = w.as(w.login(role+"1", testPassword))
	}

	w.api("POST", "/users", map[string]any{"username": "stranger", "password": testPassword}).want(201)
	out["stranger"] = w.as(w.login("stranger", testPassword))
	return out
}

// operations lists every operation of the API.
func operations(n *node) []*huma.Operation {
	var ops []*huma.Operation
	for _, item := range n.server.API().Paths {
		for _, op := range []*huma.Operation{item.Get, item.Put, item.Post, item.Patch, item.Delete} {
			if op != nil {
				ops = append(ops, op)
			}
		}
	}

	sort.Slice(ops, func(i, j int) bool { return ops[i].OperationID < ops[j].OperationID })
	return ops
}

// bodies are valid enough to get past validation to the question of who may.
var bodies = map[string]any{
	"login":                map[string]any{"username": "nobody", "password": "x"},
	"create-app":           map[string]any{"slug": "x"},
	"update-app":           map[string]any{},
	"rollback-script":      map[string]any{"version": 1},
	"create-route":         map[string]any{"script": "s", "path": "/x"},
	"update-route":         map[string]any{},
	"match-route":          map[string]any{"method": "GET", "url": "/x"},
	"create-trigger":       map[string]any{"kind": "kv", "script": "s", "collection": "c"},
	"update-trigger":       map[string]any{},
	"fire-trigger":         map[string]any{"event": 1},
	"put-entry":            map[string]any{"value": 1},
	"put-variable":         map[string]any{"value": "x"},
	"put-secret":           map[string]any{"value": "x"},
	"resolve-dead-letter":  map[string]any{"reason": "x"},
	"replay-dead-letters":  map[string]any{"ids": []string{}},
	"resolve-dead-letters": map[string]any{"ids": []string{}, "reason": "x"},
	"add-member":           map[string]any{"username": "x", "role": "viewer"},
	"update-member":        map[string]any{"role": "viewer"},
	"create-user":          map[string]any{"username": "x", "password": testPassword},
	"update-user":          map[string]any{"active": true},
	"create-api-key":       map[string]any{"name": "x", "scopes": []string{"kv:read"}},
	"put-script":           map[string]any{"source": "export default () => 1"},
	"invoke-script":        map[string]any{},
}

func fill(path string, values map[string]string) string {
	for k, v := range values {
		path = strings.ReplaceAll(path, "{"+k+"}", v)
	}
	return path
}

// Another app's ids answer 404 on every route: as a member of no app, with ids of the other app, and with its
// names.
func TestOtherAppsAre404(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	p := people(w)

	// Things in the default app, of which the members of shop know the ids.
	w.deploy("s", `import { kv } from "picloud"; export default { fetch: () => kv.collection("c").set("k", 1), kv() { throw new Error("x") } }`)
	trigger := w.trigger(map[string]any{"kind": "kv", "script": "s", "collection": "c", "retry": map[string]any{"max_attempts": 1}})
	route := w.api("POST", "/apps/default/routes", map[string]any{"script": "s", "path": "/other"}).want(201).str("id")
	execution := w.do("GET", "/f/default/s", nil).want(204).header.Get("X-Execution-Id")
	w.balanced()
	letter := w.api("GET", "/apps/default/dead-letters", nil).want(200).str("items.0.id")
	ids := map[string]string{"routes": route, "triggers": trigger, "dead-letters": letter, "executions": execution, "outbox": trigger}

	checked := 0
	for _, op := range operations(w.n) {
		if !strings.Contains(op.Path, "/apps/{app}") {
			continue
		}

		values := map[string]string{"name": "s", "collection": "c", "key": "k", "version": "1", "username": "admin"}
		for noun, id := range ids {
			if strings.Contains(op.Path, "/"+noun+"/{id}") {
				values["id"] = id
			}
		}
		path := strings.TrimPrefix(fill(op.Path, values), "/api/v1")
		names := strings.Contains(strings.TrimPrefix(op.Path, "/api/v1/apps/{app}"), "{")
		byWayOfShop := names && !strings.HasPrefix(op.OperationID, "put-") && op.OperationID != "list-entries"
		checked += 4
		if byWayOfShop {
			checked++
		}
		t.Run(op.OperationID, func(t *testing.T) {
			// Who is nobody in an app sees nothing of it, and nothing of an app that does not exist.
			for _, app := range []string{"default", "no-such-app"} {
				for _, who := range []string{"stranger", "admin"} {
					r := p[who].on(t).api(op.Method, strings.Replace(path, "{app}", app, 1), bodies[op.OperationID])
					if r.status != 404 || r.json["detail"] != "no such app" {
						t.Errorf("as %s in %s: %d %s", who, app, r.status, r.body)
					}
				}
			}

			// The admin of shop asks for the other app's things by way of shop.
			if byWayOfShop {
				path := strings.Replace(path, "{app}", "shop", 1)
				p["admin"].on(t).api(op.Method, path, bodies[op.OperationID]).want(404)
			}
		})
	}

	if checked < 150 {
		t.Errorf("only %d calls were checked", checked)
	}
	if w.kv("c", "k") != 1.0 {
		t.Error("somebody changed the other app")
	}
}

// Who may not do something is told so, whatever they send: neither the body nor the query is looked at before.
func TestRightsComeBeforeTheInput(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	p := people(w)
	least := leastRoles()
	ofAdmins := map[string]bool{"create-app": true, "list-users": true, "create-user": true, "update-user": true,
		"delete-user": true, "list-audit": true, "list-nodes": true, "doctor": true}
	ofSessions := map[string]bool{"list-api-keys": true, "create-api-key": true, "delete-api-key": true, "list-sessions": true,
		"end-sessions": true, "end-session": true}
	key := w.as(p["viewer"].api("POST", "/api-keys", map[string]any{"name": "k", "scopes": []string{"kv:read"}}).want(201).str("key"))

	for _, op := range operations(w.n) {
		values := map[string]string{"app": "shop", "name": "n", "collection": "c", "key": "k", "version": "1", "username": "admin", "id": "x"}
		path := strings.TrimPrefix(fill(op.Path, values), "/api/v1") + "?limit=0"
		inApp := strings.Contains(op.Path, "/apps/{app}")

		want := map[*fixture]int{w.as(""): 401}
		if op.OperationID == "login" {
			continue
		}
		if inApp {
			want[p["stranger"]] = 404
		}
		if least[op.OperationID] != "" || ofAdmins[op.OperationID] {
			want[p["viewer"]] = 403
		}
		if ofSessions[op.OperationID] {
			want[key] = 403
		}

		for _, body := range []any{`{"nonsense":`, map[string]any{"nonsense": 1}, nil} {
			for who, status := range want {
				r := who.on(t).api(op.Method, path, body, "Content-Type", "application/json")
				if r.status != status || r.json["detail"] == nil || r.json["status"] != float64(status) {
					t.Errorf("%s with %v: %d %s, want %d", op.OperationID, body, r.status, r.body, status)
				}
			}
		}
	}
}

// Each role may do what its column of the table says, operation by operation.
func TestRoles(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	p := people(w)
	w.api("PUT", "/apps/shop/scripts/s", map[string]any{"source": "export default { fetch: () => 1, kv() {} }"}).want(201)
	nothing := "01900000-0000-7000-8000-000000000000"
	least := leastRoles()

	rank := map[string]int{"viewer": 0, "editor": 1, "admin": 2}
	for _, op := range operations(w.n) {
		if !strings.Contains(op.Path, "/apps/{app}") || op.OperationID == "delete-app" || op.OperationID == "tail" { // TestTail: it does not end
			continue
		}

		path := strings.TrimPrefix(fill(op.Path, map[string]string{"app": "shop", "name": "nope", "collection": "c", "key": "k", "version": "1",
			"username": "nope", "id": nothing}), "/api/v1")
		for role := range rank {
			t.Run(op.OperationID+" as "+role, func(t *testing.T) {
				r := p[role].on(t).api(op.Method, path, bodies[op.OperationID])
				forbidden := rank[role] < rank[or(least[op.OperationID], "viewer")]
				if (r.status == 403) != forbidden && !(r.status == 403 && op.OperationID == "create-route") {
					t.Errorf("%d %s", r.status, r.body)
				}
			})
		}
	}

	for _, who := range []string{"admin", "editor", "viewer", "stranger"} { // none is an instance admin
		for _, c := range [][2]string{{"GET", "/users"}, {"POST", "/apps"}, {"GET", "/audit"}, {"POST", "/users"}, {"DELETE", "/users/admin"}} {
			body := bodies[map[string]string{"/apps": "create-app", "/users": "create-user"}[c[1]]]
			if c[0] != "POST" {
				body = nil
			}
			t.Run(c[0]+c[1]+" as "+who, func(t *testing.T) { p[who].on(t).api(c[0], c[1], body).want(403) })
		}
	}

	w.as("").api("GET", "/apps", nil).want(401)
	w.as("pic_nonsense").api("GET", "/apps", nil).want(401)
	w.as("garbage").api("GET", "/apps", nil).want(401)
	if r := p["stranger"].api("GET", "/apps", nil).want(200); len(r.items()) != 0 {
		t.Errorf("a stranger sees %s", r.body)
	}

	if r := p["viewer"].api("GET", "/apps", nil).want(200); len(r.items()) != 1 {
		t.Errorf("a viewer sees %s", r.body)
	}
	if h := w.as("").do("GET", "/metrics", nil); h.status != 401 {
		t.Errorf("metrics without credential: %d", h.status)
	}

	if r := w.do("GET", "/metrics", nil, "Authorization", "Bearer "+w.token).want(200); !strings.Contains(r.body, "picloud_gate_permits") {
		t.Errorf("metrics: %.200s", r.body)
	}
}

// leastRoles are those that may do an operation in an app; everything else is for viewers.
func leastRoles() map[string]string {
	byRole := map[string]string{
		"editor": `put-script rollback-script invoke-script create-route update-route delete-route put-entry delete-entry
			fire-trigger run-outbox-row-now remove-outbox-row replay-dead-letter replay-dead-letters resolve-dead-letter
			resolve-dead-letters`,
		"admin": `delete-script create-trigger update-trigger delete-trigger add-member update-member remove-member
			update-app delete-app list-app-audit put-variable delete-variable put-secret delete-secret`,
	}

	least := map[string]string{}
	for role, operations := range byRole {
		for _, operation := range strings.Fields(operations) {
			least[operation] = role
		}
	}

	return least
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// A key has its scopes and its app, never more than its user, and ends with its time, its user or its
// revocation.
func TestKeys(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	p := people(w)
	key := func(as *fixture, scopes []string, more map[string]any) *fixture {
		body := map[string]any{"name": "k", "scopes": scopes}
		for k, v := range more {
			body[k] = v
		}
		return w.as(as.api("POST", "/api-keys", body).want(201).str("key"))
	}

	reader := key(w, []string{"kv:read"}, nil)
	reader.api("GET", "/apps/default/kv", nil).want(200)
	reader.api("PUT", "/apps/default/kv/c/k", map[string]any{"value": 1}).want(403)
	reader.api("GET", "/apps/default/scripts", nil).want(403)
	reader.api("POST", "/api-keys", map[string]any{"name": "x", "scopes": []string{"kv:read"}}).want(403)
	inShop := key(w, []string{"kv:read"}, map[string]any{"app": "shop"})
	inShop.api("GET", "/apps/shop/kv", nil).want(200)
	inShop.api("GET", "/apps/default/kv", nil).want(404)
	inShop.api("GET", "/users", nil).want(403)

	// A key never has more than its user.
	viewer := key(p["viewer"], []string{"kv:write", "kv:read", "users:admin"}, nil)
	viewer.api("PUT", "/apps/shop/kv/c/k", map[string]any{"value": 1}).want(403)
	viewer.api("GET", "/users", nil).want(403)
	w.api("POST", "/api-keys", map[string]any{"name": "k", "scopes": []string{"root"}}).want(422)
	w.api("POST", "/api-keys", map[string]any{"name": "k", "scopes": []string{"kv:read"}, "expires_at": "2020-01-01T00:00:00Z"}).want(422)
	soon := key(w, []string{"kv:read"}, map[string]any{"expires_at": time.Now().Add(3 * time.Second).UTC().Format(time.RFC3339Nano)})
	soon.api("GET", "/apps/default/kv", nil).want(200)
	w.eventually("the key expires", func() bool { return soon.api("GET", "/apps/default/kv", nil).status == 401 })

	// Scripts: access key and private.
	w.deploy("open", `export default (r, env, ctx) => ctx.principal`)
	w.api("PUT", "/apps/default/scripts/locked", map[string]any{"source": "export default (r, env, ctx) => ctx.principal", "access": "key"}).want(201)
	w.api("PUT", "/apps/shop/scripts/inner", map[string]any{"source": "export default (r, env, ctx) => ctx.principal", "access": "private"}).want(201)
	runner := key(w, []string{"scripts:run"}, nil)
	call := func(as *fixture, path string, status int) string {
		t.Helper()
		headers := []string{}
		if as != nil {
			headers = append(headers, "Authorization", "Bearer "+as.token)
		}
		return w.do("GET", path, nil, headers...).want(status).body
	}

	call(nil, "/f/default/locked", 401)
	call(reader, "/f/default/locked", 403)
	call(w, "/f/default/locked", 403)
	if b := call(runner, "/f/default/locked", 200); b != `{"username":"admin","kind":"key"}` {
		t.Errorf("principal %s", b)
	}

	call(nil, "/f/shop/inner", 401)
	call(p["stranger"], "/f/shop/inner", 403)
	if b := call(p["viewer"], "/f/shop/inner", 200); b != `{"username":"viewer1","kind":"user"}` {
		t.Errorf("principal %s", b)
	}

	if b := call(nil, "/f/default/open", 200); b != "null" {
		t.Errorf("anonymous principal %s", b)
	}
	w.do("GET", "/f/default/open", nil, "Authorization", "Bearer pic_wrong").want(401)
	w.do("GET", "/f/shop/inner", nil, "Cookie", "picloud="+w.token).want(401)

	// Revoked keys and ended sessions are dead at once, on every node.
	b := joinFixture(t, w.n.cfg.DatabaseURL)
	session := b.as(w.login("editor1", testPassword))
	session.api("GET", "/apps", nil).want(200)
	w.api("PATCH", "/users/editor1", map[string]any{"active": false}).want(200)
	b.eventually("the other node hears of it", func() bool { return session.api("GET", "/apps", nil).status == 401 })
	w.as("").api("POST", "/auth/login", map[string]any{"username": "editor1", "password": testPassword}).want(401)
	id := w.api("GET", "/api-keys", nil).want(200).str("items.0.id")
	w.api("DELETE", "/api-keys/"+id, nil).want(204)
	reader.api("GET", "/apps/default/kv", nil).want(401)
}

// Users come and go by the rules of their roles; a changed password ends sessions; guessing is slowed down.
func TestUsers(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.api("POST", "/users", map[string]any{"username": "second", "password": testPassword, "role": "admin"}).want(201)

	second := w.as(w.login("second", testPassword))
	for name, c := range map[string]struct {
		as     *fixture
		method string
		path   string
		body   any
		status int
	}{
		"taken":                 {w, "POST", "/users", map[string]any{"username": "second", "password": testPassword}, 409},
		"short password":        {w, "POST", "/users", map[string]any{"username": "x", "password": "short"}, 422},
		"bad name":              {w, "POST", "/users", map[string]any{"username": "a b", "password": testPassword}, 422},
		"unknown field":         {w, "POST", "/users", map[string]any{"username": "x", "password": testPassword, "admin": true}, 422},
		"admins make no owners": {second, "POST", "/users", map[string]any{"username": "x", "password": testPassword, "role": "owner"}, 403},
		"nor change them":       {second, "PATCH", "/users/admin", map[string]any{"password": testPassword}, 403},
		"nor remove them":       {second, "DELETE", "/users/admin", nil, 403},
		"last owner steps down": {w, "PATCH", "/users/admin", map[string]any{"role": "member"}, 409},
		"last owner sleeps":     {w, "PATCH", "/users/admin", map[string]any{"active": false}, 409},
		"last owner leaves":     {w, "DELETE", "/users/admin", nil, 409},
		"unknown user":          {w, "DELETE", "/users/nobody", nil, 404},
	} {
		t.Run(name, func(t *testing.T) { c.as.on(t).api(c.method, c.path, c.body).want(c.status) })
	}

	// A password change ends the sessions.
	second.api("PATCH", "/users/second", map[string]any{"password": testPassword + "2", "current_password": testPassword}).want(200)
	second.api("GET", "/auth/me", nil).want(401)
	s := w.as(w.login("second", testPassword+"2"))
	s.api("GET", "/auth/me", nil).want(200).members(map[string]any{"username": "second", "role": "admin"})
	s.api("POST", "/auth/logout", nil).want(204)
	s.api("GET", "/auth/me", nil).want(401)

	// Guessing is slowed down, without locking out the user elsewhere: the throttle counts by client and
	// user.
	statuses := map[int]int{}
	for range 8 {
		r := w.as("").api("POST", "/auth/login", map[string]any{"username": "second", "password": "wrong guess"})
		statuses[r.status]++
		if (r.status == 429) != (r.header.Get("Retry-After") != "") {
			t.Errorf("%d with Retry-After %q", r.status, r.header.Get("Retry-After"))
		}
	}

	if statuses[401] != 5 || statuses[429] != 3 {
		t.Errorf("guessing: %v", statuses)
	}
	w.login("admin", testPassword)
	if r := w.api("GET", "/audit", nil).want(200); !strings.Contains(r.body, `"user.create"`) || strings.Contains(r.body, testPassword) {
		t.Errorf("audit %s", r.body)
	}
}

// A dispatched run acts as the trigger's registrant; one who may no longer is refused, with the reason.
func TestRegistrant(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	p := people(w)
	shop := func(as *fixture, method, path string, body any) *reply {
		return as.api(method, "/apps/shop"+path, body)
	}

	shop(w, "PUT", "/scripts/s", map[string]any{"source": `import { kv } from "picloud"; export default { async kv(e, env, ctx) { await kv.collection("by").set(e.key, ctx.principal) } }`}).want(201)
	trigger := shop(p["admin"], "POST", "/triggers", map[string]any{"kind": "kv", "script": "s", "collection": "in"}).want(201)
	if trigger.str("registered_by") != "admin1" {
		t.Errorf("trigger %s", trigger.body)
	}

	fire := func(key string) {
		shop(p["owner"], "PUT", "/kv/in/"+key, map[string]any{"value": 1}).want(200)
	}
	refused := func(n int, reason string) {
		t.Helper()
		w.eventually(reason, func() bool {
			r := shop(w, "GET", "/dead-letters", nil).want(200)
			return len(r.items()) == n && r.str("items.0.reason") == "refused" && strings.Contains(r.str("items.0.error.message"), reason)
		})
	}

	fire("a")
	w.eventually("it ran as admin1", func() bool {
		r := shop(w, "GET", "/kv/by/a", nil)
		return r.status == 200 && r.str("value.username") == "admin1" && r.str("value.kind") == "registrant"
	})

	shop(w, "PATCH", "/members/admin1", map[string]any{"role": "viewer"}).want(200)
	fire("b")
	refused(1, "no longer an editor")
	test := shop(w, "POST", "/triggers/"+trigger.str("id")+"/fire", map[string]any{"event": map[string]any{}}).want(409)
	if !strings.Contains(test.str("detail"), "take the trigger over") {
		t.Errorf("a test event: %s", test.body)
	}
	shop(w, "PATCH", "/members/admin1", map[string]any{"role": "editor"}).want(200)
	w.api("PATCH", "/users/admin1", map[string]any{"active": false}).want(200)
	fire("c")
	refused(2, "deactivated")
	w.api("DELETE", "/users/admin1", nil).want(204)
	got := shop(w, "GET", "/triggers/"+trigger.str("id"), nil).want(200)
	if got.json["enabled"] != false || got.str("registered_by") != "admin1" {
		t.Errorf("the trigger of a deleted user: %s", got.body)
	}

	fire("d")
	letter := shop(w, "GET", "/dead-letters", nil).want(200).str("items.0.id")
	shop(p["editor"], "POST", "/dead-letters/"+letter+"/replay", nil).want(200)
	refused(2, "was deleted")
}

// Definitions changed by one process are used by another within a second, and the login survives a restart.
func TestTwoNodes(t *testing.T) {
	t.Parallel()
	url := newDatabase(t)
	a := joinFixture(t, url)

	b := joinFixture(t, url)
	for k := range 3 {
		a.deploy("s", fmt.Sprintf("export default () => %d", k))
		started := time.Now()
		b.eventually("the new version", func() bool { r := b.do("GET", "/f/default/s", nil); return r.body == fmt.Sprint(k) })
		t.Logf("the change arrived after %s", time.Since(started).Round(time.Millisecond))
	}

	// An answer through the outbox comes back, whichever node runs the row.
	a.deploy("who", `export default async () => { await new Promise((r) => setTimeout(r, 30)); return "answer" }`)
	b.eventually("the script is known", func() bool { return b.do("GET", "/f/default/who", nil).status == 200 })

	got := map[string]bool{}
	for range 30 {
		r := a.do("GET", "/f/default/who", nil, "X-PiCloud-Dispatch", "outbox", "Authorization", "Bearer "+a.token).want(200)
		got[r.body] = true
	}

	if len(got) != 1 || !got["answer"] {
		t.Errorf("answers %v", got)
	}
	a.balanced()
	b.as(a.token).api("GET", "/auth/me", nil).want(http.StatusOK)
}
