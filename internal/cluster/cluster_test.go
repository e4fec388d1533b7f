package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
	"picloud/internal/testkit"
)

// patience is how long a test waits for what must happen: it only bounds how long a failure takes.
const patience = 30 * time.Second

// node is a Cluster whose handlers write down what they are called for.
type node struct {
	*Cluster
	t     *testing.T
	calls chan string
	once  sync.Once
	stop  func()
}

// newNode starts a node of the installation that a database holds. It never polls, unless the test asks for
// it.
func newNode(t *testing.T, dsn, name string) *node {
	t.Helper()
	d, err := db.Open(t.Context(), dsn, db.MinConnections)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	n := &node{t: t, calls: make(chan string, 1000)}
	n.Cluster = New(Config{
		DB:          d,
		Node:        name,
		Version:     "test",
		Log:         slog.New(slog.DiscardHandler),
		FreePermits: func() int32 { return 3 },
	})
	n.pollEvery = time.Hour
	if err := n.Start(t.Context(), n.handlers()); err != nil {
		t.Fatal(err)
	}

	return n
}

func (n *node) handlers() Handlers {
	call := func(format string, args ...any) { n.calls <- fmt.Sprintf(format, args...) }
	return Handlers{
		Definitions: func(_ context.Context, app cloud.AppID) { call("definitions %d", app) },
		Principals:  func() { call("principals") },
		Wakeup:      func(app cloud.AppID, since time.Time) { call("wakeup %d %d", app, since.UnixMicro()) },
		Scan:        func(full bool) { call("scan %v", full) },
		Inbox:       func(context.Context) { call("inbox") },
		Cron:        func() { call("cron") },
		Tail:        func(payload string) { call("tail %s", payload) },
		Reload: func(context.Context) error {
			call("reload")
			return nil
		},
		Health: func(healthy bool) { call("healthy %v", healthy) },
	}
}

// run runs the node until the test ends, or stop is called.
func (n *node) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := n.Run(ctx); err != nil {
			n.t.Errorf("Run: %v", err)
		}
	}()
	n.stop = func() {
		n.once.Do(func() {
			cancel()
			<-done
		})
	}
	n.t.Cleanup(n.stop)
}

// next gives the next call of a handler.
func (n *node) next() string {
	n.t.Helper()

	select {
	case call := <-n.calls:
		return call
	case <-time.After(patience):
		n.t.Fatal("no handler is called")
		return ""
	}
}

// expect waits for calls in this order, with nothing between.
func (n *node) expect(calls ...string) {
	n.t.Helper()

	for _, want := range calls {
		if got := n.next(); got != want {
			n.t.Fatalf("%q is called, want %q", got, want)
		}
	}
}

// await waits for calls in this order, whatever comes between.
func (n *node) await(calls ...string) {
	n.t.Helper()

	for _, want := range calls {
		for n.next() != want {
		}
	}
}

// running starts a node and waits until its listener is healthy.
func running(t *testing.T, dsn, name string) *node {
	t.Helper()
	n := newNode(t, dsn, name)
	n.run()
	n.await("healthy true")
	return n
}

// polling does the same with a node that polls while its listener is unhealthy.
func polling(t *testing.T, dsn, name string) *node {
	t.Helper()
	n := newNode(t, dsn, name)
	n.pollEvery = 100 * time.Millisecond
	n.run()
	n.await("healthy true")
	return n
}

func (n *node) send(channel, payload string) {
	n.t.Helper()
	if err := n.Send(n.t.Context(), channel, payload); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) exec(statement string) {
	n.t.Helper()
	if _, err := n.cfg.DB.General.Exec(n.t.Context(), statement); err != nil {
		n.t.Fatal(err)
	}
}

// A node that begins to listen reads everything before it trusts what it is notified of.
func TestListenerCatchesUp(t *testing.T) {
	t.Parallel()
	n := newNode(t, testkit.Database(t), "a")
	n.run()
	n.expect("reload", "inbox", "scan true", "cron", "healthy true")
	if !n.Listening() {
		t.Error("it does not listen")
	}

	n.stop()
	n.expect("healthy false")
	if n.Listening() {
		t.Error("it listens after its end")
	}
}

// Each channel has its handler, and what cannot be read does no harm.
func TestNotificationsReachHandlers(t *testing.T) {
	t.Parallel()

	n := running(t, testkit.Database(t), "a")
	for _, c := range []struct {
		channel, payload string
		want             []string
	}{
		{ChannelDefinitions, "7", []string{"definitions 7"}},
		{ChannelDefinitions, "0", []string{"definitions 0"}},
		{ChannelDefinitions, "x", nil},
		{ChannelPrincipals, "", []string{"principals"}},
		{ChannelOutbox, "7 5\n8 6\n", []string{"wakeup 7 5", "wakeup 8 6"}},
		{ChannelOutbox, "", []string{"scan false"}},
		{ChannelOutbox, "7 5\nx", []string{"wakeup 7 5", "scan false"}},
		{ChannelInbox, "a", []string{"inbox"}},
		{ChannelInbox, "b", nil},
		{ChannelNodes, "echo b", nil},
		{ChannelNodes, "echo a", nil},
		{ChannelCron, "", []string{"cron"}},
		{ChannelTail, "{}", []string{"tail {}"}},
	} {
		n.send(c.channel, c.payload)
		n.send(ChannelTail, "end") // what was sent before has been handled when this arrives
		n.expect(append(c.want, "tail end")...)
	}
}

// A connection that breaks makes the node poll until it listens again, and then it reads everything anew.
func TestListenerComesBack(t *testing.T) {
	t.Parallel()
	wire, dsn := testkit.Wire(t, testkit.Database(t))
	n := polling(t, dsn, "a")
	wire.CutAll()
	n.await("healthy false", "scan true", "healthy true")
	if !n.Listening() {
		t.Error("it does not listen")
	}
}

// A connection on which nothing arrives, without any error, is found by the echo that is lost. Meanwhile the
// node polls, and it is healthy again when the network is.
func TestListenerLosesEcho(t *testing.T) {
	t.Parallel()
	wire, dsn := testkit.Wire(t, testkit.Database(t))
	n := polling(t, dsn, "a")
	wire.Block("picloud listener")
	n.health.check(t.Context())
	n.await("healthy false", "reload", "inbox", "scan false", "cron", "reload")
	if n.Listening() {
		t.Error("it listens to a connection that is silent")
	}
	if !n.Others() {
		t.Error("a node that cannot count the others says that it is alone")
	}

	wire.Release()
	n.await("scan true", "healthy true")
}

// Two nodes find each other: each notifies only while the other is there.
func TestNodesFindEachOther(t *testing.T) {
	t.Parallel()
	dsn := testkit.Database(t)
	a := running(t, dsn, "a")
	if a.Others() || a.OthersFree(t.Context()) {
		t.Error("a node that is alone has others")
	}

	b := running(t, dsn, "b")
	// Both were notified of b's listener before b's own echo; a handles this after it.
	a.send(ChannelTail, "counted")
	a.await("tail counted")
	if !a.Others() || !b.Others() {
		t.Fatalf("others of a: %v, of b: %v", a.Others(), b.Others())
	}
	if !a.OthersFree(t.Context()) {
		t.Error("b has free permits")
	}
	a.Notify(ChannelCron, "")
	b.await("cron")
	b.NotifyWakeup(7, time.UnixMicro(5))
	a.await("wakeup 7 5")
	b.NotifyInbox("a")
	a.await("inbox")

	b.stop()
	b.Leave()
	if a.OthersFree(t.Context()) {
		t.Error("a node that left has free permits")
	}
	nodes, err := a.cfg.DB.Queries().ListNodes(t.Context())
	if err != nil || len(nodes) != 1 || nodes[0].Name != "a" || nodes[0].ListenerPid == nil {
		t.Errorf("nodes: %+v (%v)", nodes, err)
	}
}

// A node that thinks it is alone notifies nobody of its rows. When it learns of another one, which may have
// scanned before, it asks for another scan.
func TestNewcomerScansAgain(t *testing.T) {
	t.Parallel()
	dsn := testkit.Database(t)
	a := running(t, dsn, "a")
	a.NotifyWakeup(7, time.UnixMicro(5)) // to nobody
	b := newNode(t, dsn, "b")
	b.run()
	b.await("scan true", "scan false")
	if !a.Others() {
		t.Error("a asked for a scan before it counted b")
	}
}

// A node that did not announce itself leaves nobody's row.
func TestLeaveUnannounced(t *testing.T) {
	t.Parallel()
	dsn := testkit.Database(t)
	a := newNode(t, dsn, "a")
	New(Config{DB: a.cfg.DB, Node: "a", Log: a.cfg.Log}).Leave()
	nodes, err := a.cfg.DB.Queries().ListNodes(t.Context())
	if err != nil || len(nodes) != 1 {
		t.Errorf("nodes: %+v (%v)", nodes, err)
	}
}

// The hold is what the database says, and stays as it was while the database says nothing.
func TestHold(t *testing.T) {
	t.Parallel()
	wire, dsn := testkit.Wire(t, testkit.Database(t))
	n := newNode(t, dsn, "a")
	if n.Hold() != "" || !n.Released().IsZero() {
		t.Errorf("hold %q, released %s", n.Hold(), n.Released())
	}

	ctx := t.Context()
	n.exec("UPDATE installation SET hold = 'restored'")
	if err := n.LoadHold(ctx); err != nil || n.Hold() != "restored" {
		t.Errorf("hold %q (%v)", n.Hold(), err)
	}
	wire.Connect("/nowhere")
	wire.CutAll()
	if err := n.LoadHold(ctx); cloud.CodeOf(err) != cloud.CodeUnavailable || n.Hold() != "restored" {
		t.Errorf("without the database: hold %q (%v)", n.Hold(), err)
	}
}

// After a hold it is known when it ended.
func TestReleased(t *testing.T) {
	t.Parallel()
	n := newNode(t, testkit.Database(t), "a")
	n.exec("UPDATE installation SET released = '2026-11-29 12:00:00Z'")
	if err := n.LoadHold(t.Context()); err != nil {
		t.Fatal(err)
	}
	if at := n.Released(); !at.Equal(time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)) {
		t.Errorf("released %s", at)
	}
}

// Of two nodes one holds a lease, until it drops it or the database's clock has passed its end.
func TestLeases(t *testing.T) {
	t.Parallel()
	dsn := testkit.Database(t)
	a := newNode(t, dsn, "a")
	b := newNode(t, dsn, "b")
	take := func(n *node, want bool) {
		t.Helper()
		leads, err := n.TakeLease(t.Context(), "cron", time.Hour)
		if err != nil || leads != want {
			t.Errorf("node %s leads: %v, want %v (%v)", n.cfg.Node, leads, want, err)
		}
	}

	take(a, true)
	take(b, false)
	take(a, true)
	if leads, err := b.TakeLease(t.Context(), "sweep", time.Hour); err != nil || !leads {
		t.Errorf("another lease: %v (%v)", leads, err)
	}

	b.DropLease("cron") // of another node
	take(b, false)
	a.DropLease("cron")
	take(b, true)
	take(a, false)

	// Another node's clock plays no part: the lease ends when the database says so.
	a.exec("UPDATE leases SET until = clock_timestamp() - interval '1 microsecond' WHERE name = 'cron'")
	take(a, true)
	take(b, false)

	// It was taken while that clock was ahead, by a node that is gone. One without end was made by hand.
	a.exec("UPDATE leases SET holder = 'gone', until = clock_timestamp() + interval '2 hours' WHERE name = 'cron'")
	take(b, true)
	take(a, false)
	a.exec("UPDATE leases SET holder = 'somebody', until = 'infinity' WHERE name = 'cron'")
	take(b, false)
}

// A lease that the database does not answer for is nobody's.
func TestLeaseWithoutDatabase(t *testing.T) {
	t.Parallel()
	wire, dsn := testkit.Wire(t, testkit.Database(t))
	n := newNode(t, dsn, "a")
	wire.Connect("/nowhere")
	wire.CutAll()
	if leads, err := n.TakeLease(t.Context(), "cron", time.Hour); err == nil || leads {
		t.Errorf("leads: %v (%v)", leads, err)
	}
	n.DropLease("cron") // returns without an answer
}
