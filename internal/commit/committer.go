package commit

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"picloud/db"
	"picloud/internal/catalog"
	"picloud/internal/cloud"
	"picloud/internal/outbox"
)

// Limits of a group. A commit with more keys than maxGroupKeys goes alone and locks its app instead of its
// keys.
const (
	maxGroup     = 100
	maxGroupKeys = 1000
)

// Config is what a Committer needs.
type Config struct {
	DB  *db.DB
	IDs *cloud.IDSource
	Log *slog.Logger
	// Node is this node's name, for the rows it inserts as claimed and the executions it records.
	Node  string
	Lease time.Duration
	// IdempotencyRetention is how long an idempotent answer is kept.
	IdempotencyRetention time.Duration

	Definitions Definitions
	Starter     Starter
	Peers       Peers
}

// Definitions are the apps as this node knows them (catalog.Catalog).
type Definitions interface {
	App(id cloud.AppID) *catalog.App
	// Reload reads an app anew; nil: it is gone.
	Reload(ctx context.Context, id cloud.AppID) (*catalog.App, error)
}

// Starter starts the rows that commits insert (outbox.Dispatcher).
type Starter interface {
	// Admit takes a permit for a row, if it can start right after its commit. Start or Decline follows.
	Admit(app cloud.AppID) bool
	Decline(app cloud.AppID)
	Start(r *outbox.Row)
	// RowsWait reports rows that were inserted without a permit, none of which wakes before a time.
	RowsWait(app cloud.AppID, since time.Time)
	// ScanWithin has due rows looked for within some time.
	ScanWithin(d time.Duration)
}

// Peers are the other nodes (cluster.Cluster). Nothing is sent where there are none.
type Peers interface {
	NotifyWakeup(app cloud.AppID, since time.Time)
	NotifyInbox(node string)
}

// Errors of commits that were not applied for the platform's sake, with cloud.ErrDatabaseAway.
var (
	errUnknown = cloud.Errorf(cloud.CodeUnknown,
		"the database went away while this run was committed: whether it took effect is unknown")
	errStopped = errors.New("picloud is shutting down")
)

// Committer applies commits in groups, one group at a time. Commits that are submitted while a group is under
// way share the next one; an idle committer does not wait for others to fill a group.
type Committer struct {
	cfg Config

	// mu guards the queue. It is a leaf.
	mu      sync.Mutex
	queue   []*Commit
	stopped bool
	wakeC   chan struct{}

	groups, commits, conflicts atomic.Int64
}

// New returns a Committer that applies nothing until Run.
func New(cfg Config) *Committer {
	return &Committer{cfg: cfg, wakeC: make(chan struct{}, 1)}
}

// Counts are what a Committer has done since it was started.
type Counts struct{ Groups, Commits, Conflicts int64 }

// Counts gives the counters.
func (c *Committer) Counts() Counts {
	return Counts{Groups: c.groups.Load(), Commits: c.commits.Load(), Conflicts: c.conflicts.Load()}
}

// Submit hands a commit over. Its place in the order of commits is taken when Submit returns; Wait gives the
// result.
func (c *Committer) Submit(x *Commit) {
	x.doneCh = make(chan struct{})
	c.mu.Lock()
	stopped := c.stopped
	if !stopped {
		c.queue = append(c.queue, x)
	}
	c.mu.Unlock()

	if stopped {
		x.refuse()
		return
	}

	select {
	case c.wakeC <- struct{}{}:
	default:
	}
}

// Do submits a commit and waits for its result.
func (c *Committer) Do(x *Commit) Result {
	c.Submit(x)
	return x.Wait()
}

// Run applies what is submitted until ctx ends; what is submitted later is refused.
func (c *Committer) Run(ctx context.Context) error {
	for {
		group := c.next()
		if group == nil {
			select {
			case <-c.wakeC:
				continue
			case <-ctx.Done():
				c.refuseAll()
				return nil
			}
		}

		c.apply(ctx, group)

		for _, x := range group {
			close(x.doneCh)
		}
	}
}

// refuseAll ends what was submitted too late.
func (c *Committer) refuseAll() {
	c.mu.Lock()
	defer c.mu.Unlock()

	c.stopped = true
	for _, x := range c.queue {
		x.refuse()
	}
	c.queue = nil
}

func (x *Commit) refuse() {
	x.result = Result{Err: cloud.ErrDatabaseAway.Because(errStopped)}
	close(x.doneCh)
}

// next takes what waits, in order, within the limits of a group.
func (c *Committer) next() []*Commit {
	c.mu.Lock()
	defer c.mu.Unlock()

	keys := 0

	n := 0
	for n < len(c.queue) && n < maxGroup {
		keys += c.queue[n].keyCount()
		if n > 0 && keys > maxGroupKeys {
			break
		}
		n++
	}
	if n == 0 {
		return nil
	}

	group := c.queue[:n:n]
	c.queue = c.queue[n:]
	if len(c.queue) == 0 {
		c.queue = nil
	}

	return group
}

// apply applies a group. If a group fails, each commit is tried alone, so that one bad commit cannot fail its
// neighbours. A group whose COMMIT may have taken effect, or for which there is no database, is never tried
// under other ids: it could be applied twice.
func (c *Committer) apply(ctx context.Context, group []*Commit) {
	c.groups.Add(1)
	c.commits.Add(int64(len(group)))

	err := c.applyTogether(ctx, group)

	var final *cloud.Error
	switch {
	case err == nil:
	case len(group) == 1 || errors.As(err, &final):
		for _, x := range group {
			x.result = failed(err)
		}
	default:
		c.applyEach(ctx, group)
	}
}

func (c *Committer) applyEach(ctx context.Context, group []*Commit) {
	for _, x := range group {
		x.result = Result{}
		if err := c.applyTogether(ctx, []*Commit{x}); err != nil {
			x.result = failed(err)
		}
	}
}

func failed(err error) Result {
	unknown := cloud.CodeOf(err) == cloud.CodeUnknown
	return Result{Err: err, Unknown: unknown}
}
