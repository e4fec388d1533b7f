package commit

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"picloud/db"
	"picloud/internal/catalog"
	"picloud/internal/cloud"
	"picloud/internal/testkit"
)

// What is submitted after the end is refused, with what waited: nobody waits for ever, and nothing takes
// effect.
func TestSubmitAfterStop(t *testing.T) {
	t.Parallel()
	c := New(Config{})
	waiting := commitOf()
	c.Submit(waiting)
	c.refuseAll()
	late := commitOf()
	c.Submit(late)

	for _, x := range []*Commit{waiting, late} {
		r := x.Wait()
		if r.Applied || r.Unknown || !errors.Is(r.Err, errStopped) ||
			cloud.CodeOf(r.Err) != cloud.CodeUnavailable {
			t.Errorf("result %+v", r)
		}
	}
}

// harness is a committer on a real database.
type harness struct {
	*Committer
	db          *db.DB
	definitions *definitions
	starter     *starter
	peers       *peers
}

// newHarness makes a committer that does nothing until run. The app of the tests is in the database.
func newHarness(t *testing.T) *harness {
	t.Helper()
	return newHarnessOf(t, testkit.Open(t).DB)
}

// newHarnessAt is newHarness for a database of the test's own.
func newHarnessAt(t *testing.T, dsn string) *harness {
	t.Helper()
	pool, err := db.Open(t.Context(), dsn, db.MinConnections)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return newHarnessOf(t, pool)
}

func newHarnessOf(t *testing.T, pool *db.DB) *harness {
	t.Helper()
	const insert = "INSERT INTO apps (slug, name) VALUES ('default', 'Default') ON CONFLICT DO NOTHING"
	if _, err := pool.General.Exec(t.Context(), insert); err != nil {
		t.Fatal(err)
	}

	h := &harness{
		db:          pool,
		definitions: &definitions{apps: map[cloud.AppID]*catalog.App{app: newApp(kvTrigger(1, "raise"))}},
		starter:     &starter{},
		peers:       &peers{},
	}
	cfg := (&fixture{definitions: h.definitions, starter: h.starter, peers: h.peers}).config()
	cfg.DB = pool
	h.Committer = New(*cfg)
	return h
}

// run applies what is submitted until the test ends or stop is called.
func (h *harness) run(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = h.Run(ctx) })
	stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// ask gives one number of the database.
func (h *harness) ask(t *testing.T, sql string, args ...any) (n int64) {
	t.Helper()
	if err := h.db.General.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

func (h *harness) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := h.db.General.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// A commit that the database refuses fails alone: the neighbours that share its group are applied, in their
// order, and the rows that they raised have their permits.
func TestOneBadCommit(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.starter.permits = 10

	raise := func(key, value string) *Commit {
		w := cloud.Write{Key: cloud.KeyRef{App: app, Collection: "raise", Key: key}, Version: 1, Value: value}
		return commitOf(writes(w))
	}

	commits := []*Commit{raise("a", "1"), raise("bad", "\x00"), raise("b", "2"), raise("a", "3")}
	for _, x := range commits {
		h.Submit(x)
	}
	h.run(t)

	for k, x := range commits {
		r := x.Wait()
		if r.Applied != (k != 1) || (r.Err != nil) != (k == 1) || r.Unknown {
			t.Errorf("commit %d: %+v", k, r)
		}
	}
	if n := h.ask(t, "SELECT count(*) FROM kv WHERE value IN ('2', '3')"); n != 2 {
		t.Errorf("%d of the neighbours' keys are written", n)
	}
	if n := h.ask(t, "SELECT count(*) FROM kv"); n != 2 {
		t.Errorf("%d keys are written", n)
	}
	if n := h.ask(t, "SELECT count(*) FROM outbox WHERE claimed_by = 'here'"); n != 3 {
		t.Errorf("%d rows are claimed", n)
	}
	if counts := h.Counts(); counts.Groups != 1 || counts.Commits != 4 {
		t.Errorf("counts %+v", counts)
	}
	if len(h.starter.started) != 3 || h.starter.permits != 7 {
		t.Errorf("%d rows started, %d permits left", len(h.starter.started), h.starter.permits)
	}
}

// A large commit that takes its time holds up the commits of its app, which may build on it, and no other's.
func TestLargeCommitIsHeld(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.exec(t, "INSERT INTO apps (id, slug, name) OVERRIDING SYSTEM VALUE VALUES (2, 'other', 'Other')")
	h.definitions.apps[2] = &catalog.App{ID: 2, Slug: "other", Revision: 1 << 40}
	h.run(t)

	// A large commit locks its app exclusively, so whoever shares the lock holds it up.
	tx, err := h.db.General.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if err := db.New(tx).LockAppsShared(t.Context(), []int32{int32(app)}); err != nil {
		t.Fatal(err)
	}

	many := make([]cloud.Write, maxGroupKeys+1)
	for k := range many {
		many[k] = set("k"+strconv.Itoa(k), 1, "1")
	}
	large, behind := commitOf(writes(many...)), commitOf(writes(set("k0", 2, "2")))
	h.Submit(large)
	h.Submit(behind)

	foreign := set("k", 1, "1")
	foreign.Key.App = 2
	other := commitOf(writes(foreign))
	other.App = 2
	if r := h.Do(other); !r.Applied {
		t.Fatalf("another app's: %+v", r)
	}

	for name, x := range map[string]*Commit{"the large commit": large, "one behind it": behind} {
		select {
		case <-x.doneCh:
			t.Errorf("%s passed the lock", name)
		default:
		}
	}

	_ = tx.Rollback(t.Context())
	if r := large.Wait(); !r.Applied {
		t.Errorf("the large commit: %+v", r)
	}
	if r := behind.Wait(); !r.Applied {
		t.Errorf("the one behind it: %+v", r)
	}
	if n := h.ask(t, "SELECT count(*) FROM kv WHERE key = 'k0' AND value = '2'"); n != 1 {
		t.Error("the large commit overwrote what came after it")
	}
}

// An attempt under an id that was applied before settles what the first one decided, and has no effect of its
// own.
func TestAppliedBefore(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	w := cloud.Write{Key: cloud.KeyRef{App: app, Collection: "raise", Key: "k"}, Version: 1, Value: "1"}
	commits := []*Commit{commitOf(writes(w), Audit{Actor: "ann", Action: "kv.set"}, Record{execution()})}
	id := cloud.ID{0xc0}

	for n := range 2 {
		a := &attempt{committer: h.Committer, group: newGroup(&h.cfg, id, commits)}
		if err := a.run(); err != nil {
			t.Fatal(err)
		}
		if a.appliedBefore != (n == 1) || a.sent != (n == 0) {
			t.Errorf("attempt %d: applied before %v, sent %v", n, a.appliedBefore, a.sent)
		}
	}

	for _, table := range []string{"kv", "outbox", "audit", "executions", "ledger WHERE what = 'commit'"} {
		if n := h.ask(t, "SELECT count(*) FROM "+table); n != 1 {
			t.Errorf("%d rows in %s", n, table)
		}
	}
}

// A COMMIT whose answer is lost is sent again under its id: the caller is told that it applied, it took
// effect once, and what it inserted as claimed is started once.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	wire, dsn := testkit.Wire(t, testkit.Database(t))
	h := newHarnessAt(t, dsn)
	h.starter.permits = 5
	h.run(t)

	raise := func() *Commit {
		w := cloud.Write{Key: cloud.KeyRef{App: app, Collection: "raise", Key: "k"}, Version: 1, Value: "1"}
		return commitOf(writes(w))
	}
	if r := h.Do(raise()); !r.Applied {
		t.Fatalf("result %+v", r)
	}

	wire.Spare.Store(0)
	wire.After.Store(100)
	x := raise()
	h.Submit(x)

	for wire.CutAfter.Load() == 0 {
		select {
		case <-x.doneCh:
			t.Fatal("no answer was lost")
		default:
			runtime.Gosched()
		}
	}
	wire.After.Store(0)
	if r := x.Wait(); !r.Applied || r.Unknown {
		t.Fatalf("result %+v", r)
	}

	if n := h.ask(t, "SELECT count(*) FROM ledger WHERE what = 'commit'"); n != 2 {
		t.Errorf("%d commits took effect", n)
	}
	if n := h.ask(t, "SELECT count(*) FROM outbox"); n != 2 {
		t.Errorf("%d rows", n)
	}
	if len(h.starter.started) != 2 || h.starter.permits != 3 {
		t.Errorf("%d rows started, %d permits left", len(h.starter.started), h.starter.permits)
	}
}

// Two committers on one database, whose commits have the same keys in opposite order, both make progress:
// locks are taken in one order, so that no deadlock has to be found and repeated.
func TestTwoCommitters(t *testing.T) {
	t.Parallel()
	dsn := testkit.Database(t)
	names := []string{"a", "b", "c", "d", "e", "f"}
	backwards := []string{"f", "e", "d", "c", "b", "a"}

	var writers sync.WaitGroup

	deadlocks := func() int64 { return 0 }
	for _, order := range [][]string{names, backwards} {
		h := newHarnessAt(t, dsn)
		h.run(t)
		deadlocks = func() int64 {
			return h.ask(t, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
		}

		for range 2 {
			writers.Go(func() {
				for n := range 20 {
					x := commitOf()
					for _, name := range order {
						x.Parts = append(x.Parts, writes(set(name, int64(n+1), "1")))
					}
					if r := h.Do(x); !r.Applied {
						t.Errorf("commit %d: %+v", n, r)
						return
					}
				}
			})
		}
	}
	writers.Wait()
	if n := deadlocks(); n != 0 {
		t.Errorf("%d deadlocks", n)
	}
}

// A key whose time is over is absent at once, though it is not swept yet: it is not conflicted with, and no
// event has its value.
func TestExpiredKey(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.run(t)
	h.exec(t, `INSERT INTO kv (app_id, collection, key, value, version, expires_at) VALUES
		(1, 'raise', 'over', '"old"', 5, clock_timestamp() - interval '1 second'),
		(1, 'raise', 'kept', '"old"', 5, clock_timestamp() + interval '1 hour')`)

	for _, c := range []struct {
		key     string
		version int64
		applied bool
	}{{"over", 5, false}, {"over", 0, true}, {"kept", 0, false}, {"kept", 5, true}} {
		key := cloud.KeyRef{App: app, Collection: "raise", Key: c.key}
		r := h.Do(commitOf(Writes{
			Checks: []cloud.Check{{Key: key, Version: c.version}},
			Writes: []cloud.Write{{Key: key, Version: 9, Value: `"new"`, TTLMillis: -1}},
		}))
		if r.Applied != c.applied {
			t.Errorf("%s at version %d: %+v", c.key, c.version, r)
		}
	}

	for _, event := range []string{
		`{"op":"insert","collection":"raise","key":"over","value":"new"}`,
		`{"op":"update","collection":"raise","key":"kept","value":"new","oldValue":"old"}`,
	} {
		if n := h.ask(t, "SELECT count(*) FROM outbox WHERE payload = $1", event); n != 1 {
			t.Errorf("%d events %s", n, event)
		}
	}
	const kept = "SELECT count(*) FROM kv WHERE key = 'kept' AND expires_at > now() AND version = 9"
	if n := h.ask(t, kept); n != 1 {
		t.Error("the expiry was not kept")
	}
	if n := h.ask(t, "SELECT count(*) FROM kv WHERE key = 'over' AND expires_at IS NULL"); n != 1 {
		t.Error("the expiry that was over was kept")
	}
}

// Definitions that are older than the database's are read anew before the decision, with the old values that
// a trigger which this node did not know needs.
func TestStaleDefinitions(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.run(t)
	h.exec(t, "INSERT INTO kv (app_id, collection, key, value, version) VALUES (1, 'c', 'k', '\"old\"', 5)")
	h.exec(t, "UPDATE apps SET revision = 8")
	fresh := newApp(kvTrigger(2, "c"))
	fresh.Revision = 8
	h.definitions.fresh = map[cloud.AppID]*catalog.App{app: fresh}

	if r := h.Do(commitOf(writes(set("k", 9, "1")))); !r.Applied {
		t.Fatalf("result %+v", r)
	}
	if n := h.ask(t, `SELECT count(*) FROM outbox WHERE payload LIKE '%"oldValue":"old"}'`); n != 1 ||
		h.definitions.reloads != 1 {
		t.Errorf("%d events with the old value, %d reloads", n, h.definitions.reloads)
	}

	h.exec(t, "DELETE FROM apps")
	if r := h.Do(commitOf(writes(set("k", 10, "1")))); !errors.Is(r.Err, errAppGone) {
		t.Errorf("in an app that is gone: %+v", r)
	}
}

// A commit with very many keys takes its app for itself, and is applied like any other.
func TestCommitOfManyKeys(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.run(t)

	var w Writes
	for n := range maxGroupKeys + 1 {
		key := cloud.KeyRef{App: app, Collection: "c", Key: string(rune(0x4e00 + n))}
		w.Writes = append(w.Writes, cloud.Write{Key: key, Version: 1, Value: "1"})
	}
	if r := h.Do(commitOf(w)); !r.Applied {
		t.Fatalf("result %+v", r)
	}
	if n := h.ask(t, "SELECT count(*) FROM kv"); n != maxGroupKeys+1 {
		t.Errorf("%d keys", n)
	}
}

// Everything that a commit can do is done in one transaction, and what ends a row needs its claim in the
// database.
func TestEveryPartIsWritten(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	stop := h.run(t)
	row := claimed(1)
	row.Source = cloud.SourceHTTP
	if r := h.Do(commitOf(Enqueue{Row: newRow(row)})); !r.Applied {
		t.Fatalf("enqueue: %+v", r)
	}

	parts := []Part{
		buries(row),
		writes(set("k", 1, "1")),
		Reply{ID: cloud.ID{1}, Node: "there", Response: "{}"},
		Abandoned{ID: cloud.ID{1}},
		Record{execution()},
		Audit{Actor: "ann", Action: "outbox.remove"},
	}
	if r := h.Do(commitOf(parts...)); !r.Lost {
		t.Fatalf("without a claim: %+v", r)
	}
	h.exec(t, "UPDATE outbox SET claimed_by = 'here', claim_token = $1", db.UUID(row.Token))
	if r := h.Do(commitOf(parts...)); !r.Applied {
		t.Fatalf("result %+v", r)
	}
	if r := h.Do(commitOf(ResolveLetter{ID: cloud.ID{0xdd}, Reason: "known", By: "ann"})); !r.Applied {
		t.Fatalf("resolve: %+v", r)
	}
	if r := h.Do(commitOf(ResolveLetter{ID: cloud.ID{0xdd}, Reason: "again",
		By: "bob"})); len(r.Conflicts) != 1 {
		t.Fatalf("resolve again: %+v", r)
	}

	for table, want := range map[string]int64{
		"outbox":               0,
		"dead_letters":         1,
		"kv":                   1,
		"inbox":                1,
		"abandoned_executions": 1,
		"executions":           1,
		"audit":                1,
		"dead_letters WHERE resolved_by = 'ann' AND resolve_reason = 'known'": 1,
		"dead_letters WHERE payload = '{\"n\":1}' AND depth = 4":              1,
		"ledger WHERE what = 'dead_lettered' AND n = 1":                       1,
		"ledger WHERE what = 'enqueued' AND n = 1":                            1,
	} {
		if n := h.ask(t, "SELECT count(*) FROM "+table); n != want {
			t.Errorf("%d rows in %s", n, table)
		}
	}
	stop()
	if r := h.Do(commitOf(writes(set("late", 1, "1")))); !errors.Is(r.Err, errStopped) {
		t.Errorf("after the end: %+v", r)
	}
}
