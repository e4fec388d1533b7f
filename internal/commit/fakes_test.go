package commit

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"picloud/internal/catalog"
	"picloud/internal/cloud"
	"picloud/internal/outbox"
)

// What the tests of this package are about: one app, with a script, and some ids.
const app = cloud.AppID(1)

var (
	script = &cloud.Script{App: app, ID: cloud.ID{0x5c, 1}, Name: "orders"}
	clock  = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	cause  = Cause{Execution: cloud.ID{0xe1}, Root: cloud.ID{0xe0}, Depth: 3, Principal: "key:ann"}
)

// definitions are the apps that a test knows.
type definitions struct {
	mu   sync.Mutex
	apps map[cloud.AppID]*catalog.App
	// fresh are what Reload finds.
	fresh   map[cloud.AppID]*catalog.App
	reloads int
}

func (d *definitions) App(id cloud.AppID) *catalog.App {
	d.mu.Lock()
	defer d.mu.Unlock()

	return d.apps[id]
}

func (d *definitions) Reload(_ context.Context, id cloud.AppID) (*catalog.App, error) {
	d.mu.Lock()
	defer d.mu.Unlock()

	d.reloads++
	d.apps[id] = d.fresh[id]
	return d.apps[id], nil
}

// starter has permits and writes down what becomes of them.
type starter struct {
	mu       sync.Mutex
	permits  int
	declined int
	started  []*outbox.Row
	waiting  map[cloud.AppID]time.Time
	scans    []time.Duration
}

func (s *starter) Admit(cloud.AppID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.permits == 0 {
		return false
	}
	s.permits--
	return true
}

func (s *starter) Decline(cloud.AppID) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.permits++
	s.declined++
}

func (s *starter) Start(r *outbox.Row) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.started = append(s.started, r)
}

func (s *starter) RowsWait(app cloud.AppID, since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.waiting == nil {
		s.waiting = map[cloud.AppID]time.Time{}
	}
	s.waiting[app] = since
}

func (s *starter) ScanWithin(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.scans = append(s.scans, d)
}

// peers write down what other nodes are sent.
type peers struct {
	mu      sync.Mutex
	wakeups []cloud.AppID
	inboxes []string
}

func (p *peers) NotifyWakeup(app cloud.AppID, _ time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.wakeups = append(p.wakeups, app)
}

func (p *peers) NotifyInbox(node string) {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.inboxes = append(p.inboxes, node)
}

// fixture is a group on fakes, with their state in the tests' hands.
type fixture struct {
	*Group
	definitions *definitions
	starter     *starter
	peers       *peers
}

// newApp is the app of the tests, with one script and some triggers that raise it.
func newApp(triggers ...*cloud.Trigger) *catalog.App {
	a := &catalog.App{ID: app, Slug: "default", Revision: 7, Triggers: map[cloud.ID]*cloud.Trigger{}}
	a.AddScript(script)

	for _, t := range triggers {
		a.Triggers[t.ID] = t
	}
	return a
}

func kvTrigger(id byte, collection string, ops ...string) *cloud.Trigger {
	return &cloud.Trigger{
		App:        app,
		ID:         cloud.ID{0x71, id},
		Kind:       cloud.SourceKV,
		Script:     script.ID,
		Enabled:    true,
		Collection: collection,
		Ops:        ops,
		Retry:      cloud.Retry{MaxAttempts: int(id)},
	}
}

func deadLetterTrigger(id byte, source string) *cloud.Trigger {
	return &cloud.Trigger{
		App:     app,
		ID:      cloud.ID{0xd1, id},
		Kind:    cloud.SourceDeadLetter,
		Script:  script.ID,
		Enabled: true,
		Source:  source,
	}
}

// newFixture is a group of commits whose parts have said what they require. A nil app is one that is gone.
// There is no permit.
func newFixture(t *testing.T, definition *catalog.App, commits ...*Commit) *fixture {
	t.Helper()
	f := &fixture{
		definitions: &definitions{apps: map[cloud.AppID]*catalog.App{}},
		starter:     &starter{},
		peers:       &peers{},
	}
	if definition != nil {
		f.definitions.apps[definition.ID] = definition
	}

	f.Group = newGroup(f.config(), cloud.ID{0xc0}, commits)

	f.now = clock
	for _, x := range commits {
		for _, part := range x.Parts {
			part.require(f.Group, x)
		}
	}
	return f
}

func (f *fixture) config() *Config {
	return &Config{
		IDs:                  &cloud.IDSource{},
		Log:                  slog.New(slog.DiscardHandler),
		Node:                 "here",
		Lease:                time.Minute,
		IdempotencyRetention: time.Hour,
		Definitions:          f.definitions,
		Starter:              f.starter,
		Peers:                f.peers,
	}
}

// decideAll decides the group's commits in their order.
func (f *fixture) decideAll() []Result {
	var results []Result
	for _, x := range f.commits {
		f.decide(x)
		results = append(results, f.verdicts[len(f.verdicts)-1].result())
	}
	return results
}

// has puts a key into the state that the group has read.
func (f *fixture) has(key cloud.KeyRef, version int64, value string, expires *time.Time) {
	of[*keySection](f.Group).state[key].keyValue = keyValue{exists: true, version: version, value: value,
		expires: expires}
}

// count gives a counter of the ledger.
func (f *fixture) count(counter string) int64 {
	return of[*ledgerSection](f.Group).counts[ledgerKey{app, counter}]
}

// rows are those that the group inserts.
func (f *fixture) rows() []*outbox.NewRow { return of[*enqueueSection](f.Group).rows }

// verdictsOf says in a word what became of each commit.
func verdictsOf(results []Result) []string {
	var words []string
	for _, r := range results {
		switch {
		case r.Applied:
			words = append(words, "applied")
		case r.Lost:
			words = append(words, "lost")
		case r.Err != nil:
			words = append(words, "refused: "+r.Err.Error())
		case len(r.Conflicts) > 0:
			words = append(words, "conflict")
		default:
			words = append(words, "nothing")
		}
	}
	return words
}

// expect compares what became of the group's commits.
func (f *fixture) expect(t *testing.T, want ...string) []Result {
	t.Helper()
	results := f.decideAll()
	if got := verdictsOf(results); !slices.Equal(got, want) {
		t.Fatalf("verdicts %q, want %q", got, want)
	}
	return results
}

func commitOf(parts ...Part) *Commit { return &Commit{App: app, Cause: cause, Parts: parts} }

func keyOf(name string) cloud.KeyRef { return cloud.KeyRef{App: app, Collection: "c", Key: name} }

// set is a write of a value without expiry.
func set(name string, version int64, value string) cloud.Write {
	return cloud.Write{Key: keyOf(name), Version: version, Value: value}
}

func remove(name string) cloud.Write { return cloud.Write{Key: keyOf(name), Delete: true} }

func check(name string, version int64) cloud.Check {
	return cloud.Check{Key: keyOf(name), Version: version}
}

func writes(w ...cloud.Write) Writes { return Writes{Writes: w} }
