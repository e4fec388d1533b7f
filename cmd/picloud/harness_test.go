package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"picloud/internal/auth"
	"picloud/internal/testkit"
)

func TestMain(m *testing.M) {
	testkit.Server()
	flag.Parse()
	runMoreAtOnce()
	code := m.Run()
	if code == 0 {
		code = checkLeaks()
	}

	testkit.Leave()
	os.Exit(code)
}

// runMoreAtOnce lets twice as many tests run as there are processors, unless -parallel says how many: they
// wait for schedules, retries and child processes for longer than they compute.
func runMoreAtOnce() {
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		_ = flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0)))
	}
}

// checkLeaks fails the run if a goroutine outlives the nodes and clients of all tests.
func checkLeaks() int {
	http.DefaultClient.CloseIdleConnections()
	// fasthttp's cleaner of idle workers sleeps for ten seconds before it sees that its server was stopped.
	cleaner := goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2")
	if err := goleak.Find(cleaner); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}

	return 0
}

const testPassword = "correct horse battery"

// testKey is the master key of every test's installation.
var testKey = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, keySize))

// cheapPasswords makes a hash in well under a millisecond. Processes that tests start hash as an operator's
// do.
func cheapPasswords() *auth.Passwords {
	return auth.NewPasswords(auth.PasswordCost{MemoryKiB: 64, Iterations: 1})
}

// unhurried is the time limit, in milliseconds, of scripts whose outcome is not about time: no machine is so
// busy that it ends one.
const unhurried = 30_000

// fixture is a node under test with the client of its owner.
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
	c := &Config{
		Listen:               "127.0.0.1:0",
		DatabaseURL:          url,
		AdminUsername:        "admin",
		AdminPassword:        testPassword,
		SecretKey:            testKey,
		ScriptTimeout:        5 * time.Second,
		ScriptMemory:         128,
		MaxBody:              10 << 20,
		MaxDepth:             8,
		Lease:                15 * time.Second,
		ShutdownGrace:        5 * time.Second,
		LogFormat:            "text",
		ExecutionRetention:   336 * time.Hour,
		DeadLetterRetention:  720 * time.Hour,
		AbandonedRetention:   168 * time.Hour,
		SessionRetention:     720 * time.Hour,
		IdempotencyRetention: 24 * time.Hour,
		DBConnections:        12,
		Concurrency:          32,
	}

	for _, o := range opts {
		o(c)
	}
	return c
}

// needsNode skips a test that starts nodes or PostgreSQL when only the quick ones are wanted.
func needsNode(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts PiCloud")
	}
}

// newDatabase gives a database of the test's own.
func newDatabase(t testing.TB) string {
	t.Helper()
	needsNode(t)
	return testkit.Database(t)
}

// newFixture starts a node on a database of its own.
func newFixture(t testing.TB, opts ...option) *fixture {
	t.Helper()
	return joinFixture(t, newDatabase(t), opts...)
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
	n := &node{cfg: cfg, log: log, command: []string{testkit.Binary(t), "sandbox"}, passwords: cheapPasswords()}
	if err := n.start(context.Background()); err != nil {
		n.Stop()
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(n.Stop)

	w := &fixture{t: t, n: n, base: n.URL(), http: newClient(t)}
	w.token = w.login("admin", testPassword)
	return w
}

// newClient gives a client that follows no redirect, and whose connections end with the test.
func newClient(t testing.TB) *http.Client {
	client := &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 100},
		Timeout:       60 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// has asserts that a text holds each of some parts.
func has(t testing.TB, what, text string, parts ...string) {
	t.Helper()

	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s: no %q in %.1500s", what, part, text)
		}
	}
}

// hasNot asserts that a text holds none of some parts.
func hasNot(t testing.TB, what, text string, parts ...string) {
	t.Helper()

	for _, part := range parts {
		if strings.Contains(text, part) {
			t.Errorf("%s: %q in %.1500s", what, part, text)
		}
	}
}

// object asserts members of an object that came as JSON.
func object(t testing.TB, what string, got any, want map[string]any) {
	t.Helper()
	members, ok := got.(map[string]any)
	if !ok {
		t.Errorf("%s is %v", what, got)
		return
	}

	for name, value := range want {
		if members[name] != value {
			t.Errorf("%s: %s is %v, want %v", what, name, members[name], value)
		}
	}
}

// checkpoint is a server that scripts fetch to say how far they have come, with a name as the path. A script
// that asks for a path below /wait/ goes on when the test calls release. Its node needs
// PICLOUD_FETCH_ALLOW_PRIVATE.
type checkpoint struct {
	t        testing.TB
	url      string
	reached  chan string
	released chan struct{}
}

func newCheckpoint(t testing.TB) *checkpoint {
	t.Helper()
	c := &checkpoint{t: t, reached: make(chan string, 100), released: make(chan struct{})}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		c.reached <- r.URL.Path
		if strings.HasPrefix(r.URL.Path, "/wait/") {
			select {
			case <-c.released:
			case <-r.Context().Done():
			}
		}
	}))

	c.url = server.URL
	t.Cleanup(server.Close)
	return c
}

// await waits until a script has come to a path; other paths are passed over.
func (c *checkpoint) await(path string) {
	c.t.Helper()

	for timeout := time.After(30 * time.Second); ; {
		select {
		case p := <-c.reached:
			if p == path {
				return
			}
		case <-timeout:
			c.t.Fatalf("no script came to %s", path)
		}
	}
}

// release lets every script go on, those that come later as well.
func (c *checkpoint) release() { close(c.released) }

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
	return r.want(200).str("token")
}

// as is the same node seen by another credential.
func (w *fixture) as(token string) *fixture {
	c := *w
	c.token = token
	return &c
}

// on is the same fixture for a subtest: what fails there is the subtest's failure.
func (w *fixture) on(t testing.TB) *fixture {
	c := *w
	c.t = t
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

func (r *reply) number(path string) float64 {
	r.t.Helper()
	n, ok := r.get(path).(float64)
	if !ok {
		r.t.Fatalf("%s: %s is %v in %s", r.what, path, r.get(path), r.body)
	}

	return n
}

// members asserts members of an object, or of what a path leads to, one by one; numbers are float64.
func (r *reply) members(want map[string]any) {
	r.t.Helper()

	for path, value := range want {
		if got := r.get(path); got != value {
			r.t.Errorf("%s: %s is %v, want %v", r.what, path, got, value)
		}
	}
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
	req := w.request(method, path, body, headers...)
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

// request makes what do sends. A string or bytes are the body as they are, anything else is sent as JSON.
func (w *fixture) request(method, path string, body any, headers ...string) *http.Request {
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
		rd = bytes.NewReader(enc)
		contentType = "application/json"
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

	return req
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

// patience is how long eventually waits. It bounds a hang, and says nothing about how fast PiCloud is.
const patience = 60 * time.Second

// eventually polls until f is true; the outcome it waits for has no signal that a client could take.
func (w *fixture) eventually(what string, f func() bool) {
	w.t.Helper()

	deadline := time.Now().Add(patience)
	for !f() {
		if time.Now().After(deadline) {
			w.t.Fatalf("never happened: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// putScript puts a script with limits into the default app.
func (w *fixture) putScript(name, source string, timeoutMS int) {
	w.t.Helper()
	limits := map[string]any{"timeout_ms": timeoutMS, "memory_mib": 64}
	w.api("PUT", "/apps/default/scripts/"+name, map[string]any{"source": source, "limits": limits}).want(201)
}

// record waits until an execution of the default app is recorded, which happens off the hot path.
func (w *fixture) record(id string) *reply {
	w.t.Helper()
	var r *reply
	w.eventually("execution "+id+" is recorded", func() bool {
		r = w.api("GET", "/apps/default/executions/"+id, nil)
		return r.status == 200
	})

	return r
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
