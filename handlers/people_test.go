package handlers

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"picloud/db"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/history"
	"picloud/internal/manager"
	"picloud/internal/orchestrator"
	"picloud/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

const testPassword = "correct horse battery"

// fixture is a server with a database, an owner named ann and the app default, and of the orchestrator only
// what reads: what people, apps and keys may do needs no more.
type fixture struct {
	t       *testing.T
	server  *Server
	manager *manager.Manager
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	if testing.Short() {
		t.Skip("starts PostgreSQL")
	}

	ctx := context.Background()
	pool, err := db.Open(ctx, testkit.Database(t), db.MinConnections)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)

	f := &fixture{t: t}
	authenticator := auth.NewAuthenticator(pool)
	f.manager = manager.New(manager.Config{
		DB:              pool,
		IDs:             &cloud.IDSource{},
		SessionLifetime: time.Hour,
		Changed:         func(context.Context, cloud.AppID) {},
		PeopleChanged:   authenticator.Flush,
		Env:             func(cloud.AppID, string) *cloud.Env { return nil },
	})

	if _, err := f.manager.FirstStart(ctx, "ann", testPassword); err != nil {
		t.Fatal(err)
	}
	f.server, _ = newServer(t, func(c *Config) {
		c.Manager = f.manager
		c.Auth = authenticator
		c.Orchestrator = &orchestrator.Orchestrator{History: history.NewReader(pool, nil)}
	})
	return f
}

// addUser makes a user with the test's password.
func (f *fixture) addUser(name, role string) {
	f.t.Helper()
	owner := manager.Actor{Username: "ann", Admin: true, Owner: true}
	_, err := f.manager.CreateUser(context.Background(), owner, name, testPassword,
		manager.UserChange{Role: &role})
	if err != nil {
		f.t.Fatal(err)
	}
}

// send makes one request; the headers are names and values in turn.
func (f *fixture) send(method, path, body string, headers ...string) (*http.Response, string) {
	f.t.Helper()

	req := httptest.NewRequest(method, path, strings.NewReader(body))
	for k := 0; k < len(headers); k += 2 {
		req.Header.Set(headers[k], headers[k+1])
	}

	res, err := f.server.app.Test(req, -1)
	if err != nil {
		f.t.Fatal(err)
	}
	defer res.Body.Close()

	text, err := io.ReadAll(res.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return res, string(text)
}

// api calls an operation, and decodes the answer unless it is an error.
func (f *fixture) api(token, method, path, body string) (status int, answer map[string]any) {
	f.t.Helper()
	headers := []string{"Content-Type", "application/json"}
	if token != "" {
		headers = append(headers, "Authorization", "Bearer "+token)
	}

	res, text := f.send(method, "/api/v1"+path, body, headers...)
	if text != "" {
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			f.t.Fatalf("%s %s: %s", method, path, text)
		}
	}
	return res.StatusCode, answer
}

func (f *fixture) login(name string) (token string) {
	f.t.Helper()
	status, answer := f.api("", "POST", "/auth/login",
		fmt.Sprintf(`{"username":%q,"password":%q}`, name, testPassword))
	if status != 200 {
		f.t.Fatalf("login of %s: %d %v", name, status, answer)
	}
	return answer["token"].(string)
}

func (f *fixture) key(token, body string) string {
	f.t.Helper()
	status, answer := f.api(token, "POST", "/api-keys", body)
	if status != 201 {
		f.t.Fatalf("key: %d %v", status, answer)
	}
	return answer["key"].(string)
}

// Who may do what outside of apps, and that an app that is none of the caller's business is not there.
func TestWhoMay(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.addUser("bob", auth.RoleMember)
	f.addUser("eve", auth.RoleAdmin)
	owner := f.login("ann")
	member := f.login("bob")
	admin := f.login("eve")

	tokens := map[string]string{
		"nobody":           "",
		"a stranger":       "pcs_" + strings.Repeat("x", 43),
		"the owner":        owner,
		"a member":         member,
		"an admin":         admin,
		"a key for users":  f.key(owner, `{"name":"k","scopes":["users:admin"]}`),
		"a key for KV":     f.key(owner, `{"name":"k","scopes":["kv:read"]}`),
		"a key of one app": f.key(owner, `{"name":"k","scopes":["users:admin","apps:admin"],"app":"default"}`),
		"a member's key":   f.key(member, `{"name":"k","scopes":["users:admin"]}`),
	}

	for _, c := range []struct {
		who, method, path, body string
		status                  int
	}{
		{"nobody", "GET", "/users", "", 401},
		{"a stranger", "GET", "/users", "", 401},
		{"the owner", "GET", "/users", "", 200},
		{"an admin", "GET", "/users", "", 200},
		{"a member", "GET", "/users", "", 403},
		{"a key for users", "GET", "/users", "", 200},
		{"a key for KV", "GET", "/users", "", 403},
		{"a key of one app", "GET", "/users", "", 403},
		{"a member's key", "GET", "/users", "", 403},
		{"an admin", "POST", "/users", `{"username":"max","password":"correct horse battery","role":"owner"}`, 403},
		{"a member", "PATCH", "/users/bob", `{"email":"bob@example.com"}`, 200},
		{"a member", "PATCH", "/users/bob", `{"role":"owner"}`, 403},
		{"a member", "PATCH", "/users/bob", `{"role":"admin"}`, 403},
		{"a member", "PATCH", "/users/bob", `{"active":true}`, 403},
		{"a member", "PATCH", "/users/ann", `{"password":"another password"}`, 403},
		{"a member's key", "PATCH", "/users/bob", `{"email":"bob@example.com"}`, 403},
		{"the owner", "GET", "/audit", "", 200},
		{"a member", "GET", "/audit", "", 403},
		{"the owner", "GET", "/apps/default", "", 200},
		{"an admin", "GET", "/apps/default", "", 200},
		{"a member", "GET", "/apps/default", "", 404},
		{"a member", "GET", "/apps/nothing", "", 404},
		{"a key of one app", "GET", "/apps/default", "", 200},
		{"a key for KV", "PATCH", "/apps/default", `{"name":"x"}`, 403},
		{"a member", "POST", "/apps", `{"slug":"mine"}`, 403},
		{"a member", "POST", "/api-keys", `{"name":"k","scopes":["kv:read"],"app":"default"}`, 404},
		{"a key for users", "GET", "/api-keys", "", 403},
		{"a key for users", "POST", "/api-keys", `{"name":"k","scopes":["users:admin"]}`, 403},
		{"a key for users", "DELETE", "/api-keys/x", "", 403},
		{"the owner", "GET", "/api-keys", "", 200},
		{"a key for users", "PATCH", "/users/bob", `{"email":"bob@example.com"}`, 200},
		{"a key for users", "PATCH", "/users/bob", `{"role":"owner"}`, 403},
		{"a key for users", "POST", "/users", `{"username":"max","password":"correct horse battery","role":"owner"}`,
			403},
		{"a key for users", "PATCH", "/users/ann", `{"password":"another password"}`, 422},
		{"a key for users", "PATCH", "/users/ann",
			`{"password":"another password","current_password":"correct horse battery"}`, 403},
		{"a key for users", "DELETE", "/users/ann", "", 403},
		{"a key for users", "GET", "/auth/sessions", "", 403},
		{"a key for users", "POST", "/auth/logout", "", 422},
		{"the owner", "GET", "/auth/sessions", "", 200},
		{"the owner", "GET", "/nothing", "", 404},
	} {
		t.Run(c.who+" "+c.method+" "+c.path, func(t *testing.T) {
			if status, answer := f.api(tokens[c.who], c.method, c.path, c.body); status != c.status {
				t.Errorf("%d, want %d: %v", status, c.status, answer)
			}
		})
	}
}

// A wrong password and an unknown user are one answer; who fails too often must wait, and is told how long.
func TestLoginIsThrottled(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, wrong := f.api("", "POST", "/auth/login", `{"username":"ann","password":"wrong"}`)
	_, unknown := f.api("", "POST", "/auth/login", `{"username":"nobody","password":"wrong"}`)
	if fmt.Sprint(wrong) != fmt.Sprint(unknown) || wrong["status"] != 401.0 {
		t.Errorf("%v and %v tell users apart", wrong, unknown)
	}

	viaAPI := func(name string) int {
		body := fmt.Sprintf(`{"username":%q,"password":"wrong"}`, name)
		res, text := f.send("POST", "/api/v1/auth/login", body, "Content-Type", "application/json")
		if res.StatusCode == 429 && (res.Header.Get("Retry-After") == "" || !strings.Contains(text, "wait")) {
			t.Errorf("%v %s", res.Header, text)
		}
		return res.StatusCode
	}
	viaPage := func(name string) int {
		form := url.Values{"username": {name}, "password": {"wrong"}}.Encode()
		res, text := f.send("POST", "/admin/login", form)
		if res.StatusCode == 429 && (res.Header.Get("Retry-After") == "" || !strings.Contains(text, "wait ")) {
			t.Errorf("%v %s", res.Header, text)
		}
		return res.StatusCode
	}

	// They count together: whoever must wait at one must wait at the other.
	for name, c := range map[string]struct{ try, other func(string) int }{
		"max": {viaAPI, viaPage},
		"eva": {viaPage, viaAPI},
	} {
		status := 401
		for n := 0; n < 100 && status == 401; n++ {
			status = c.try(name)
		}
		if status != 429 {
			t.Errorf("a hundred wrong passwords of %s and no wait: %d", name, status)
		}
		if status := c.other(name); status != 429 {
			t.Errorf("the other way in is open to %s: %d", name, status)
		}
	}
}

// Attempts made together are throttled as those one after the other are: no more are checked than may fail.
func TestGuessesTogether(t *testing.T) {
	t.Parallel()
	f := newFixture(t)

	started := time.Now()
	var wrong, throttled atomic.Int64
	var guesses sync.WaitGroup

	for range 50 {
		guesses.Go(func() {
			req := httptest.NewRequest("POST", "/api/v1/auth/login",
				strings.NewReader(`{"username":"ann","password":"wrong"}`))
			req.Header.Set("Content-Type", "application/json")
			res, err := f.server.app.Test(req, -1)
			if err != nil {
				t.Error(err)
				return
			}

			_ = res.Body.Close()
			switch res.StatusCode {
			case 401:
				wrong.Add(1)
			case 429:
				throttled.Add(1)
			}
		})
	}

	guesses.Wait()
	forgiven := int64(time.Since(started) / (12 * time.Second))
	if wrong.Load() > 5+forgiven || wrong.Load()+throttled.Load() != 50 {
		t.Errorf("%d guesses were checked, %d throttled", wrong.Load(), throttled.Load())
	}
}

// Whoever has a session and not the password cannot make the account their own: not by the API, and not by
// the page on which admins change others.
func TestOwnPassword(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.addUser("eve", auth.RoleAdmin)
	token := f.login("eve")
	key := f.key(token, `{"name":"k","scopes":["users:admin"]}`)
	b := f.browse("eve")

	form := url.Values{"csrf": {b.csrf()}, "password": {"another password"}}.Encode()
	res, text := f.send("POST", "/admin/users/eve/password", form, "Cookie", b.cookie)
	if res.StatusCode != 422 || !strings.Contains(text, "your present password is needed") {
		t.Errorf("the page of users: %d %s", res.StatusCode, text)
	}

	patch := func(current string) (int, map[string]any) {
		return f.api(token, "PATCH", "/users/eve",
			fmt.Sprintf(`{"password":"another password","current_password":%q}`, current))
	}
	for _, c := range []struct {
		name, current string
		status        int
	}{
		{"without the present one", "", 422},
		{"with a wrong one", "a wrong password", 403},
		{"with the right one", testPassword, 200},
	} {
		if status, answer := patch(c.current); status != c.status {
			t.Errorf("%s: %d %v", c.name, status, answer)
		}
	}

	// All sessions end, keys do not.
	if status, _ := f.api(token, "GET", "/auth/me", ""); status != 401 {
		t.Errorf("the session goes on: %d", status)
	}
	if status, _ := f.api(key, "GET", "/auth/me", ""); status != 200 {
		t.Errorf("the key ended: %d", status)
	}
}

// The present password is guessed no faster with a session than at the login.
func TestOwnPasswordIsThrottled(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	token := f.login("ann")

	status := 403
	for n := 0; n < 100 && status == 403; n++ {
		status, _ = f.api(token, "PATCH", "/users/ann", `{"password":"another password","current_password":"wrong"}`)
	}
	if status != 429 {
		t.Errorf("a hundred wrong passwords and no wait: %d", status)
	}
	if status, _ := f.api("", "POST", "/auth/login", `{"username":"ann","password":"wrong"}`); status != 429 {
		t.Errorf("the login is open: %d", status)
	}
}

// browser is a visitor of the dashboard with its cookie.
type browser struct {
	*fixture
	cookie string
}

func (f *fixture) browse(name string) *browser {
	f.t.Helper()
	form := url.Values{"username": {name}, "password": {testPassword}}.Encode()
	res, text := f.send("POST", "/admin/login", form, "Sec-Fetch-Site", "same-origin")
	if cookies := res.Cookies(); res.StatusCode == 303 && len(cookies) == 1 {
		return &browser{f, cookies[0].Name + "=" + cookies[0].Value}
	}
	f.t.Fatalf("login of %s: %d %s", name, res.StatusCode, text)
	return nil
}

func (b *browser) get(path string) (*http.Response, string) {
	b.t.Helper()
	return b.send("GET", path, "", "Cookie", b.cookie)
}

var csrfField = regexp.MustCompile(`name="csrf" value="([0-9a-f]+)"`)

// csrf is the token of the visitor's forms.
func (b *browser) csrf() string {
	b.t.Helper()
	_, text := b.get("/admin/profile")
	m := csrfField.FindStringSubmatch(text)
	if m == nil {
		b.t.Fatalf("no token in %s", text)
	}
	return m[1]
}

// A form does something only if it comes from a page of the same session.
func TestFormsOfOtherPages(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.addUser("bob", auth.RoleAdmin)
	ann := f.browse("ann")
	bob := f.browse("bob")
	own := ann.csrf()
	others := bob.csrf()

	for _, c := range []struct {
		name, csrf, site string
		status           int
	}{
		{"without a token", "", "same-origin", 403},
		{"with another session's token", others, "same-origin", 403},
		{"from another site", own, "cross-site", 403},
		{"from its own page", own, "same-origin", 303},
	} {
		t.Run(c.name, func(t *testing.T) {
			slug := "app" + fmt.Sprint(c.status)
			form := url.Values{"slug": {slug}, "name": {"x"}, "csrf": {c.csrf}}.Encode()
			res, text := f.send("POST", "/admin/apps", form, "Cookie", ann.cookie, "Sec-Fetch-Site", c.site)
			if res.StatusCode != c.status {
				t.Errorf("%d, want %d: %s", res.StatusCode, c.status, text)
			}
			_, err := f.manager.App(context.Background(), slug)
			if made := err == nil; made != (c.status == 303) {
				t.Errorf("the app was made: %v", made)
			}
		})
	}
}

// A cookie is a session, nothing else, and no longer than it lasts.
func TestCookies(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.browse("ann")
	key := f.key(f.login("ann"), `{"name":"k","scopes":["users:admin"]}`)
	if res, _ := b.get("/admin/profile"); res.StatusCode != 200 {
		t.Fatalf("with the session: %d", res.StatusCode)
	}

	for name, cookie := range map[string]string{"an API key": "picloud=" + key,
		"a made-up token": "picloud=pcs_x"} {
		if res, _ := f.send("GET", "/admin/profile", "", "Cookie", cookie); res.StatusCode != 303 {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}

	form := url.Values{"csrf": {b.csrf()}}.Encode()
	if res, _ := f.send("POST", "/admin/logout", form, "Cookie", b.cookie); res.StatusCode != 303 {
		t.Fatalf("logout: %d", res.StatusCode)
	}
	if res, _ := b.get("/admin/profile"); res.StatusCode != 303 {
		t.Errorf("after the logout: %d", res.StatusCode)
	}
}

// Pages outside of apps ask for the same rights as the operations of the API.
func TestPagesOfAdmins(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.addUser("bob", auth.RoleMember)

	for path, status := range map[string]int{
		"/admin/users":     403,
		"/admin/users/ann": 403,
		"/admin/audit":     403,
		"/admin/profile":   200,
	} {
		if res, _ := f.browse("bob").get(path); res.StatusCode != status {
			t.Errorf("a member at %s: %d, want %d", path, res.StatusCode, status)
		}
		if res, _ := f.browse("ann").get(path); res.StatusCode != 200 {
			t.Errorf("the owner at %s: %d", path, res.StatusCode)
		}
	}
}

// A key is shown in the answer to its form, and never again.
func TestKeyIsShownOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.browse("ann")
	form := url.Values{"csrf": {b.csrf()}, "name": {"deploy"}, "scopes": {"scripts:write"}}.Encode()
	res, text := f.send("POST", "/admin/profile/keys", form, "Cookie", b.cookie)
	key := regexp.MustCompile(`pic_[\w-]{20,}`).FindString(text)
	if res.StatusCode != 200 || key == "" {
		t.Fatalf("%d %s", res.StatusCode, text)
	}

	if _, text := b.get("/admin/profile"); strings.Contains(text, key) || !strings.Contains(text, "deploy") {
		t.Error("the page shows the key again, or not its name")
	}
}

// A list goes on where its page ended, and its cursor is of no use elsewhere.
func TestListsGoOn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)

	token := f.login("ann")
	for _, slug := range []string{"a1", "a2", "a3"} {
		if status, answer := f.api(token, "POST", "/apps", `{"slug":"`+slug+`"}`); status != 201 {
			t.Fatalf("%d %v", status, answer)
		}
	}

	var slugs []string
	path := "/apps?limit=3"

	for path != "" {
		status, answer := f.api(token, "GET", path, "")
		if status != 200 {
			t.Fatalf("%d %v", status, answer)
		}

		for _, item := range answer["items"].([]any) {
			slugs = append(slugs, item.(map[string]any)["slug"].(string))
		}

		path = ""
		if next, ok := answer["next_cursor"].(string); ok {
			path = "/apps?limit=3&cursor=" + next
			if status, _ := f.api(token, "GET", "/users?cursor="+next, ""); status != 422 {
				t.Errorf("the cursor opens another list: %d", status)
			}
		}
	}

	if got := strings.Join(slugs, " "); got != "a1 a2 a3 default" {
		t.Errorf("listed %s", got)
	}
}
