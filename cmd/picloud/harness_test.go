package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"picloud/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

const testPassword = "correct horse battery"

// world is a node under test with the client of its owner.
type fixture struct {
	t     testing.TB
	n     *node
	base  string
	token string
	http  *http.Client
}

func defaultClient() *http.Client { return &http.Client{Timeout: 30 * time.Second} }

type option func(*Config)

func testConfig(url string, opts ...option) *Config {
	c := &Config{Listen: "127.0.0.1:0", DatabaseURL: url, AdminUsername: "admin", AdminPassword: testPassword,
		SecretKey: base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, keySize)), ScriptTimeout: 5 * time.Second, ScriptMemory: 128,
		MaxBody: 10 << 20, MaxDepth: 8, Lease: 15 * time.Second, ShutdownGrace: 5 * time.Second, LogFormat: "text",
		ExecutionRetention: 336 * time.Hour, DeadLetterRetention: 720 * time.Hour, AbandonedRetention: 168 * time.Hour,
		SessionRetention: 720 * time.Hour, IdempotencyRetention: 24 * time.Hour, DBConnections: 12, Concurrency: 32}
	for _, o := range opts {
		o(c)
	}
	return c
}

// newFixture starts a node on a database of its own.
func newFixture(t testing.TB, opts ...option) *fixture {
	t.Helper()
	return joinFixture(t, testkit.Database(t), opts...)
}

// joinFixture starts a node on a database that others may share.
func joinFixture(t testing.TB, url string, opts ...option) *fixture {
	t.Helper()
	cfg := testConfig(url, opts...)
	if cfg.NodeName == "" {
		cfg.NodeName = fmt.Sprintf("%s-%d", strings.ReplaceAll(t.Name(), "/", "-"), time.Now().UnixNano())
	}
	if err := cfg.complete(); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	n := &node{cfg: cfg, log: log, command: []string{testkit.Binary(t), "sandbox"}}
	if err := n.start(context.Background()); err != nil {
		n.Stop()
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(n.Stop)
	w := &fixture{t: t, n: n, base: n.URL(), http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}, Timeout: 60 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	t.Cleanup(w.http.CloseIdleConnections)
	w.token = w.login("admin", testPassword)
	return w
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	if os.Getenv("VERBOSE") != "" {
		_, _ = os.Stderr.Write(p)
	}
	return len(p), nil
}

func (w *fixture) login(username, password string) string {
	w.t.Helper()
	r := w.as("").api("POST", "/auth/login", map[string]any{"username": username, "password": password})
	r.want(200)
	return r.json["token"].(string)
}

// as is the same node seen by another credential.
func (w *fixture) as(token string) *fixture {
	c := *w
	c.token = token
	return &c
}

type reply struct {
	t      testing.TB
	what   string
	status int
	header http.Header
	body   string
	json   map[string]any
}

func (r *reply) want(status int) *reply {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("%s: status %d, want %d: %s", r.what, r.status, status, r.body)
	}
	return r
}

func (r *reply) str(path string) string {
	r.t.Helper()
	v := r.get(path)
	s, ok := v.(string)
	if !ok {
		r.t.Fatalf("%s: %s is %v in %s", r.what, path, v, r.body)
	}
	return s
}

// get follows a path of members and indices, as in "items.0.id".
func (r *reply) get(path string) any {
	var v any = r.json
	for _, p := range strings.Split(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[p]
		case []any:
			var i int
			if _, err := fmt.Sscan(p, &i); err != nil || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

func (r *reply) items() []any {
	items, _ := r.json["items"].([]any)
	return items
}

// do sends a request; headers are name, value pairs.
func (w *fixture) do(method, path string, body any, headers ...string) *reply {
	w.t.Helper()
	var rd io.Reader
	contentType := ""
	switch b := body.(type) {
	case nil:
	case string:
		rd = strings.NewReader(b)
	case []byte:
		rd = bytes.NewReader(b)
	default:
		enc, err := json.Marshal(b)
		if err != nil {
			w.t.Fatal(err)
		}
		rd, contentType = bytes.NewReader(enc), "application/json"
	}
	url := path
	if !strings.HasPrefix(path, "http") {
		url = w.base + path
	}
	req, err := http.NewRequest(method, url, rd)
	if err != nil {
		w.t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for k := 0; k+1 < len(headers); k += 2 {
		if headers[k] == "Host" {
			req.Host = headers[k+1]
		}
		req.Header.Set(headers[k], headers[k+1])
	}
	res, err := w.http.Do(req)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	r := &reply{t: w.t, what: method + " " + path, status: res.StatusCode, header: res.Header, body: string(raw)}
	_ = json.Unmarshal(raw, &r.json)
	return r
}

// begin makes a request in the background; the function it gives waits for the answer.
func (w *fixture) begin(method, path string, body any, headers ...string) func() *reply {
	answer := make(chan *reply, 1)
	go func() {
		defer close(answer) // do has ended the goroutine, if there was no answer
		answer <- w.do(method, path, body, headers...)
	}()
	return func() *reply {
		w.t.Helper()
		r, ok := <-answer
		if !ok {
			w.t.FailNow()
		}
		return r
	}
}

func (w *fixture) api(method, path string, body any, headers ...string) *reply {
	w.t.Helper()
	if w.token != "" {
		headers = append(headers, "Authorization", "Bearer "+w.token)
	}
	return w.do(method, "/api/v1"+path, body, headers...)
}

// deploy puts a JavaScript script into the default app.
func (w *fixture) deploy(name, source string) {
	w.t.Helper()
	r := w.api("PUT", "/apps/default/scripts/"+name, source, "Content-Type", "text/javascript")
	if r.status != 200 && r.status != 201 {
		w.t.Fatalf("deploy %s: %d %s", name, r.status, r.body)
	}
}

func (w *fixture) trigger(body map[string]any) string {
	w.t.Helper()
	return w.api("POST", "/apps/default/triggers", body).want(201).str("id")
}

// eventually polls until f is true; the outcome it waits for has no signal that a client could take.
func (w *fixture) eventually(what string, f func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !f() {
		if time.Now().After(deadline) {
			w.t.Fatalf("never happened: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// kv reads a value of the default app, nil when absent.
func (w *fixture) kv(collection, key string) any {
	w.t.Helper()
	r := w.api("GET", "/apps/default/kv/"+collection+"/"+key, nil)
	if r.status == 404 {
		return nil
	}
	return r.want(200).json["value"]
}

// balanced waits until nothing waits or runs and checks the ledger.
func (w *fixture) balanced() map[string]any {
	w.t.Helper()
	var c map[string]any
	w.eventually("queue empty", func() bool {
		c = w.api("GET", "/apps/default/conservation", nil).want(200).json
		return c["waiting"] == 0.0 && c["running"] == 0.0
	})
	if c["balanced"] != true {
		w.t.Fatalf("the ledger does not balance: %v", c)
	}
	return c
}
