package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evanw/esbuild/pkg/api"

	"picloud/internal/testkit"
)

// bundle makes one ES module of a program and the packages it imports, as an author does on their machine.
func bundle(t *testing.T, entry string) string { return bundleWith(t, entry, false) }

func bundleWith(t *testing.T, entry string, minify bool) string {
	t.Helper()
	res := api.Build(api.BuildOptions{
		EntryPoints:       []string{entry},
		Bundle:            true,
		Format:            api.FormatESModule,
		Platform:          api.PlatformNeutral,
		MainFields:        []string{"module", "main"},
		Conditions:        []string{"worker", "browser", "import"},
		External:          []string{"picloud"},
		LogLevel:          api.LogLevelSilent,
		Loader:            map[string]api.Loader{".wasm": api.LoaderBinary},
		MinifyIdentifiers: minify,
		MinifySyntax:      minify,
		MinifyWhitespace:  minify,
	})

	if len(res.Errors) > 0 {
		t.Fatalf("bundle %s: %v", entry, res.Errors)
	}
	return string(res.OutputFiles[0].Contents)
}

// Real packages run as their registry has them: small programs in web/test/packages, bundled and deployed.
func TestPackages(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	dir := filepath.Join(testkit.Root(), "web", "test", "packages")
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}

	deployed := map[string]bool{}
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), ".js")
		r := w.api("PUT", "/apps/default/scripts/"+name, map[string]any{"source": bundle(t, filepath.Join(dir, f.Name()))}).want(201)
		if r.json["warning"] != nil {
			t.Errorf("%s: %s", name, r.body)
		}
		deployed[name] = true
	}

	const multipart = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x.txt\"\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b--\r\n"

	called := map[string]bool{}
	for _, c := range []struct {
		method, path, body, contentType string
		status                          int
		want                            string
	}{
		{"GET", "hono/hello/ada?q=1", "", "", 200, `{"hello":"ada","q":"1"}`},
		{"GET", "hono/cookie", "", "", 200, "before"},
		{"POST", "hono/json", `{"n":1}`, "application/json", 200, `{"n":2}`},
		{"POST", "hono/json", `{"n":"x"}`, "application/json", 400, "bad"},
		{"POST", "hono/form", "a=1&b=2", "application/x-www-form-urlencoded", 200, `{"a":"1","b":"2"}`},
		{"POST", "hono/form", multipart, "multipart/form-data; boundary=b", 200, `{"a":"1","f":{}}`},
		{"GET", "hono/boom", "", "", 418, "teapot"},
		{"GET", "hono/nowhere", "", "", 404, "404 Not Found"},
		{"GET", "itty/hello/ada?q=1", "", "", 200, `{"hello":"ada","q":"1"}`},
		{"GET", "itty/missing", "", "", 404, `{"status":404,"error":"no"}`},
		{"POST", "zod", `{"id":"x","n":-1}`, "application/json", 422, `["id: Invalid UUID","n: Too small: expected number to be >0"]`},
		{"POST", "zod", `{"id":"0190a1b2-0000-7000-8000-000000000000","n":1,"at":"2026-01-01"}`, "application/json", 200,
			`{"id":"0190a1b2-0000-7000-8000-000000000000","n":1,"tags":[],"at":"2026-01-01T00:00:00.000Z"}`},
		{"GET", "lodash", "", "", 200, `{"g":{"odd":[1,3],"even":[2,4]},"s":[{"a":1},{"a":2}],"m":{"a":{"b":1,"c":2}},"c":[[1,2],[3]],"e":true,"d":"function"}`},
		{"GET", "dayjs", "", "", 200, `{"month":"2026-04-29 12:00","ago":"2 days ago"}`},
		{"GET", "datefns", "", "", 200, `{"a":"2026-02-28","b":28,"c":"3 days"}`},
		{"GET", "uuid", "", "", 200, `{"v4":true,"v5":"9342d47a-1bab-5709-9869-c840b2eac501","v7":true,"nil":"00000000-0000-0000-0000-000000000000"}`},
		{"GET", "nanoid", "", "", 200, `{"n":21,"c":true}`},
		{"GET", "mustache", "", "", 200, "Hello ada, 1, 2 <b> &lt;i&gt;"},
		{"POST", "marked", "# Hi\n\n- a **b**\n", "text/plain", 200, "<h1>Hi</h1>\n<ul>\n<li>a <strong>b</strong></li>\n</ul>\n"},
		{"GET", "fflate", "", "", 200, `{"smaller":true,"back":6000,"zip":"inside"}`},
		{"GET", "jose", "", "", 200, `"sub":"ada","es":"eve","rsa":"rsa","bad":"ERR_JWS_SIGNATURE_VERIFICATION_FAILED"`},
		{"GET", "jose", "", "", 200, `"sealed":"ECDH-ES+A128KW ECDH-ES A128KW RSA-OAEP-256"`},
		{"GET", "hashwasm", "", "", 200, `{"hash":"$argon2id$v=19$m=1024,t=1,p=1$BwcHBwcHBwcHBwcHBwcHBw$1lpRafcMpVpKMDFfR4PI2Q","ok":true,"bad":false,"sha3":"75d527c368f2efe8","xx":"26c7827d889f6da3"}`},
		{"GET", "sqljs", "", "", 200, `{"values":[[19,2079,42,"item 99"]],"copied":100,"error":"near \"nothing\": syntax error"}`},
	} {
		name, _, _ := strings.Cut(c.path, "/")
		called[name] = true
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			r := w.on(t).do(c.method, "/f/default/"+c.path, c.body, "Content-Type", c.contentType, "Cookie", "seen=before").
				want(c.status)
			if !strings.Contains(r.body, c.want) {
				t.Errorf("%s, want %s", r.body, c.want)
			}
		})
	}

	for name := range deployed {
		if !called[name] {
			t.Errorf("%s is deployed and never called", name)
		}
	}

	// The runtimes of all of them are fit to be used again.
	for range 3 {
		for name := range deployed {
			if r := w.do("POST", "/f/default/"+name, `{}`); r.status >= 502 && name != "jose" {
				t.Errorf("%s again: %d %s", name, r.status, r.body)
			}
		}
	}
}

// Small real applications made of several packages: every part of them is used, by a client that keeps its
// cookies.
func TestApplications(t *testing.T) {
	t.Parallel()
	w := newFixture(t, func(c *Config) { c.AdminHost = "127.0.0.1" }) // cookies of scripts need a host of their own
	w.api("PUT", "/apps/default/secrets/SHOP_KEY", map[string]any{"value": "a secret of at least thirty-two bytes"}).want(200)

	for _, name := range []string{"shop", "links"} {
		source := bundleWith(t, filepath.Join(testkit.Root(), "web", "test", "apps", name+".js"), true)
		// Evaluating the module has two seconds, which a busy machine may need for other things.
		w.eventually(name+" is deployed without a warning", func() bool {
			r := w.api("PUT", "/apps/default/scripts/"+name, map[string]any{"source": source})
			if r.status != 200 && r.status != 201 {
				t.Fatalf("%s: %d %s", name, r.status, r.body)
			}
			return r.json["warning"] == nil
		})
	}

	w.trigger(map[string]any{"kind": "kv", "script": "shop", "collection": "orders"})
	cookie := ""
	call := func(method, path, body, contentType string, status int, want string) *reply {
		t.Helper()
		r := w.do(method, "/f/default/"+path, body, "Content-Type", contentType, "Cookie", cookie, "Host", "shop.test")
		if r.status != status || !strings.Contains(r.body, want) {
			t.Errorf("%s %s: %d %s, want %d %s", method, path, r.status, r.body, status, want)
		}
		if c := r.header.Get("Set-Cookie"); c != "" {
			cookie, _, _ = strings.Cut(c, ";")
		}
		return r
	}

	const asJSON, asForm = "application/json", "application/x-www-form-urlencoded"
	call("GET", "shop/orders/report", "", "", 401, "sign in first")
	call("POST", "shop/login", "name=x", asForm, 422, `{"error":"user is missing"}`)
	r := call("POST", "shop/login", "user=ada", asForm, 200, `{"user":"ada"}`)
	if c := r.header.Get("Set-Cookie"); !strings.Contains(c, "HttpOnly; SameSite=Lax") || r.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers %v", r.header)
	}

	call("POST", "shop/orders/", `{"items":[{"sku":"x","price":-1,"count":1}]}`, asJSON, 422, `items.0.sku: Invalid string`)
	r = call("POST", "shop/orders/", `{"items":[{"sku":"AB123","price":1250.5,"count":2},{"sku":"CD456","price":3,"count":1}]}`, asJSON, 201, `"total":"2.504,00`+"\u00a0"+`€","receipt":36`)
	id := r.str("id")
	path := strings.TrimPrefix(r.header.Get("Location"), "/f/default/")
	call("GET", path, "", "", 200, `"ordered":"2026-03-29 01:59 +01:00","later":"03:59 +02:00","long":"Sunday, 29 March 2026 at 00:59"`)
	call("GET", "shop/orders/report", "", "", 200, "<h1>Report</h1>\n<ul>\n<li><strong>AB123</strong> 2 x €2,501.00</li>\n<li><strong>CD456</strong> 1 x €3.00</li>\n</ul>")
	zip := call("GET", "shop/orders/archive.zip", "", "", 200, id+".json")
	if !strings.HasPrefix(zip.body, "PK\x03\x04") {
		t.Errorf("archive %q", zip.body[:4])
	}

	w.eventually("confirmation", func() bool {
		m, _ := w.kv("confirmations", id).(map[string]any)
		return m["to"] == "ada" && m["text"] == "Order of 2.504,00\u00a0€" && m["depth"] == 1.0
	})
	signedIn := cookie
	cookie = strings.Replace(cookie, "session=e", "session=f", 1) // a forged one
	call("GET", path, "", "", 401, "sign in first")
	cookie = signedIn
	call("POST", "shop/logout", "", "", 204, "")
	if cookie != "session=" {
		t.Errorf("cookie after logging out: %s", cookie)
	}

	call("GET", "shop/nowhere", "", "", 404, `{"error":"nothing here","path":"/f/default/shop/nowhere"}`)
	token := call("GET", "shop/token", "", "", 200, ".").body
	r = w.do("GET", "/f/default/shop/machine/whoami", nil, "Authorization", "Bearer "+token, "Host", "shop.test").want(200)
	if r.body != `"machine"` {
		t.Errorf("whoami %s", r.body)
	}

	w.do("GET", "/f/default/shop/machine/whoami", nil, "Authorization", "Bearer "+token[:len(token)-3]+"AAA", "Host", "shop.test").want(401)

	call("POST", "links/", `{"url":"https://example.com/x?y=1","slug":"docs"}`, asJSON, 200, `{"slug":"docs"}`)
	call("POST", "links/", `{"url":"https://example.com/","slug":"docs"}`, asJSON, 409, "docs is taken")
	call("POST", "links/", `{"url":"javascript:alert(1)"}`, asJSON, 422, `"url":["Invalid URL"]`)
	call("POST", "links/", `{"url":"https://example.com/","more":1}`, asJSON, 422, `Unrecognized key`)

	for range 3 {
		if r := call("GET", "links/docs", "", "", 302, ""); r.header.Get("Location") != "https://example.com/x?y=1" {
			t.Errorf("location %v", r.header)
		}
	}

	if n := w.kv("hits", "docs"); n != 3.0 {
		t.Errorf("hits %v", n)
	}
	call("GET", "links/nothing", "", "", 404, "no such link")
	call("GET", "links/stale?at=2026-03-01T00:00:00Z", "", "", 200, `[{"slug":"docs","age":"2 months"}]`)
	call("GET", "links/about", "", "", 200, "<h1>function</h1>")
	w.balanced()
}
