// Package testcloud runs a data plane in a test's process: a real orchestrator on a cloned database, with the
// real store of keys and the real manager, whose scripts are Go functions. There is no sandbox child, no HTTP
// server and no password: what a test asks is what the orchestrator decides and what the database holds
// afterwards. Only tests import it.
package testcloud

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
	"picloud/internal/manager"
	"picloud/internal/orchestrator"
	"picloud/internal/services/kv"
	"picloud/internal/services/secrets"
	"picloud/internal/testkit"
)

// Slug is the app that every Cloud has.
const Slug = "default"

// patience is how long a test waits for what must happen: it only bounds how long a failure takes.
const patience = 30 * time.Second

// Cloud is one node of an installation, with what a test needs to use it.
type Cloud struct {
	*orchestrator.Orchestrator
	DB      *db.DB
	IDs     *cloud.IDSource
	KV      *kv.Store
	Manager *manager.Manager
	// App is the default app, Owner the one user there is.
	App   *manager.App
	Owner manager.Actor

	t        testing.TB
	dsn      string
	node     string
	scripts  *scripts // of all nodes of the installation
	stopOnce sync.Once
}

// New starts the first node of a new installation. It is stopped when the test ends. Options change its
// configuration.
func New(t testing.TB, options ...func(*orchestrator.Config)) *Cloud {
	t.Helper()
	opened := testkit.Open(t)
	c := &Cloud{
		t: t, DB: opened.DB, IDs: &cloud.IDSource{}, dsn: opened.URL, node: "one", scripts: newScripts(),
	}
	c.firstStart()
	c.start(options)
	return c
}

// Join starts another node of the same installation, with the same scripts.
func (c *Cloud) Join(node string, options ...func(*orchestrator.Config)) *Cloud {
	c.t.Helper()
	pool, err := db.Open(c.t.Context(), c.dsn, db.MinConnections)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(pool.Close)

	other := &Cloud{
		t: c.t, DB: pool, IDs: &cloud.IDSource{}, dsn: c.dsn, node: node, scripts: c.scripts, App: c.App,
		Owner: c.Owner,
	}
	other.start(options)
	return other
}

// firstStart makes the owner and the default app, without a password's hash, which takes longer than all the
// rest.
func (c *Cloud) firstStart() {
	c.t.Helper()
	err := c.DB.Tx(c.t.Context(), func(q *db.Queries) error {
		owner, err := q.InsertUser(c.t.Context(),
			db.InsertUserParams{Username: "owner", PasswordHash: "none", Role: "owner"})
		if err != nil {
			return err
		}
		app, err := q.InsertApp(c.t.Context(), Slug, "Default", "")
		c.App = &app
		c.Owner = manager.Actor{UserID: owner.ID, Username: owner.Username, Admin: true, Owner: true}
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

// start wires the node as cmd/picloud does, starts it, and has it stopped at the end.
func (c *Cloud) start(options []func(*orchestrator.Config)) {
	c.t.Helper()
	box, err := secrets.NewBox(make([]byte, 32))
	if err != nil {
		c.t.Fatal(err)
	}

	cfg := orchestrator.Config{
		DB:        c.DB,
		IDs:       c.IDs,
		Node:      c.node,
		Version:   "test",
		Log:       slog.New(slog.DiscardHandler),
		Executor:  &executor{node: c.node, scripts: c.scripts},
		Sessions:  func(app cloud.AppID) orchestrator.Session { return c.KV.Open(app) },
		Fetchers:  func(cloud.AppID) orchestrator.Fetcher { return noFetcher{} },
		Decrypter: box,

		Permits:       8,
		Queue:         16,
		DefaultLimits: cloud.Limits{Timeout: 5 * time.Second, MemoryMiB: 64},
		MaxDepth:      10,
		Lease:         30 * time.Second,

		ExecutionRetention:   24 * time.Hour,
		DeadLetterRetention:  24 * time.Hour,
		AbandonedRetention:   24 * time.Hour,
		IdempotencyRetention: time.Hour,

		PeopleChanged: func() {},
		Healthy:       func(bool) {},
	}
	for _, option := range options {
		option(&cfg)
	}

	c.Orchestrator = orchestrator.New(cfg)
	c.KV = kv.New(kv.Config{DB: c.DB, Triggers: c.Catalog, CursorKey: make([]byte, 32)})
	c.Manager = manager.New(manager.Config{
		DB:              c.DB,
		Compiler:        compiler{},
		IDs:             c.IDs,
		Sealer:          box,
		Env:             c.Catalog.EnvOf,
		Changed:         c.Refresh,
		PeopleChanged:   func() {},
		MaxTimeout:      time.Minute,
		MaxMemoryMiB:    256,
		SessionLifetime: time.Hour,
	})
	if err := c.Start(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(c.Stop)
}

// Stop drains the node and stops it. A second call does nothing.
func (c *Cloud) Stop() {
	c.stopOnce.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		c.Drain(ctx)
		c.Orchestrator.Stop()
	})
}

// AppID is the id of the default app.
func (c *Cloud) AppID() cloud.AppID { return cloud.AppID(c.App.ID) }

// Operator is the principal of the owner, for operators' actions.
func (c *Cloud) Operator() cloud.Principal {
	return cloud.Principal{Kind: cloud.PrincipalUser, Username: c.Owner.Username}
}

// noFetcher refuses every fetch: these tests leave the machine alone.
type noFetcher struct{}

func (noFetcher) Call(context.Context, uint64, cloud.FetchCall) (cloud.HostReply, error) {
	return cloud.HostReply{}, &cloud.HostError{
		Name:    "FetchError",
		Message: "there is no network in this test",
	}
}

// Exec changes the database behind the back of everybody.
func (c *Cloud) Exec(sql string, args ...any) {
	c.t.Helper()
	if _, err := c.DB.General.Exec(c.t.Context(), sql, args...); err != nil {
		c.t.Fatalf("%s: %v", sql, err)
	}
}

// Count gives the number that a query answers.
func (c *Cloud) Count(sql string, args ...any) (n int64) {
	c.t.Helper()
	if err := c.DB.General.QueryRow(c.t.Context(), sql, args...).Scan(&n); err != nil {
		c.t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// Text gives the text that a query answers.
func (c *Cloud) Text(sql string, args ...any) (s string) {
	c.t.Helper()
	if err := c.DB.General.QueryRow(c.t.Context(), sql, args...).Scan(&s); err != nil {
		c.t.Fatalf("%s: %v", sql, err)
	}
	return s
}

// Await waits until a query answers a number: for what nobody signals.
func (c *Cloud) Await(want int64, sql string, args ...any) {
	c.t.Helper()
	c.AwaitTrue(fmt.Sprintf("%s is %d", sql, want), func() bool { return c.Count(sql, args...) == want })
}

// AwaitTrue waits until a condition holds.
func (c *Cloud) AwaitTrue(what string, holds func() bool) {
	c.t.Helper()

	for end := time.Now().Add(patience); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("after %s it does not hold that %s", patience, what)
		}
	}
}

// AwaitEmptyOutbox waits until every event has been handled.
func (c *Cloud) AwaitEmptyOutbox() {
	c.t.Helper()
	c.Await(0, "SELECT count(*) FROM outbox")
}

// Call sends a request to a script and returns the answer. Changes are made to the call before it is sent.
func (c *Cloud) Call(script string, changes ...func(*orchestrator.HTTPCall)) *orchestrator.HTTPReply {
	c.t.Helper()
	target, err := c.Catalog.MatchScript(Slug, script)
	if err != nil {
		c.t.Fatal(err)
	}

	call := &orchestrator.HTTPCall{
		Target:    target,
		Request:   &cloud.Request{Method: http.MethodGet, URL: "http://test/f/" + Slug + "/" + script},
		Principal: cloud.Principal{Kind: cloud.PrincipalKey, Username: "caller", UserID: 7},
		Caller:    NewCaller(),
	}
	for _, change := range changes {
		change(call)
	}
	return c.Requests.ServeHTTP(context.Background(), call)
}

// Caller is whoever sent a request. It waits until HangUp.
type Caller struct {
	// Watched is closed when the orchestrator begins to look whether it hangs up.
	Watched chan struct{}

	goneCh chan struct{}
	once   sync.Once
}

// NewCaller is one that waits.
func NewCaller() *Caller { return &Caller{Watched: make(chan struct{}), goneCh: make(chan struct{})} }

// HangUp ends its waiting.
func (c *Caller) HangUp() { close(c.goneCh) }

// Watch is closed when it has hung up.
func (c *Caller) Watch() <-chan struct{} {
	c.once.Do(func() { close(c.Watched) })
	return c.goneCh
}

// HungUp says whether it has.
func (c *Caller) HungUp() bool {
	select {
	case <-c.goneCh:
		return true
	default:
		return false
	}
}
