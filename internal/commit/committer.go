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
// way share the next one; an idle committer does not wait for others to fill a group. Large commits go alone,
// one at a time, beside the groups of other apps.
type Committer struct {
	cfg   Config
	queue *queue

	groups, commits, conflicts atomic.Int64
}

// New returns a Committer that applies nothing until Run.
func New(cfg Config) *Committer {
	return &Committer{cfg: cfg, queue: newQueue()}
}

// Counts are what a Committer has done since it was started.
type Counts struct{ Groups, Commits, Conflicts int64 }

// Counts gives the counters.
func (c *Committer) Counts() Counts {
	return Counts{Groups: c.groups.Load(), Commits: c.commits.Load(), Conflicts: c.conflicts.Load()}
}

// Submit hands a commit over. Its place in the order of its app's commits is taken when Submit returns; Wait
// gives the result.
func (c *Committer) Submit(x *Commit) {
	x.doneCh = make(chan struct{})
	if !c.queue.add(x) {
		x.refuse()
	}
}

// Do submits a commit and waits for its result.
func (c *Committer) Do(x *Commit) Result {
	c.Submit(x)
	return x.Wait()
}

// Run applies what is submitted until ctx ends; what is submitted later is refused.
func (c *Committer) Run(ctx context.Context) error {
	var lanes sync.WaitGroup
	lanes.Go(func() { c.serve(ctx, c.queue.nextGroup, c.queue.groupC) })
	lanes.Go(func() { c.serve(ctx, c.queue.nextLarge, c.queue.largeC) })
	lanes.Wait()
	c.refuseAll()

	return nil
}

// refuseAll ends what was submitted too late.
func (c *Committer) refuseAll() {
	for _, x := range c.queue.stop() {
		x.refuse()
	}
}

// serve applies what next gives until ctx ends; wakeC has an element when next may have more to give.
func (c *Committer) serve(ctx context.Context, next func() []*Commit, wakeC <-chan struct{}) {
	for {
		group := next()
		if group == nil {
			select {
			case <-wakeC:
				continue
			case <-ctx.Done():
				return
			}
		}

		c.apply(ctx, group)

		c.queue.done(group)

		for _, x := range group {
			close(x.doneCh)
		}
	}
}

func (x *Commit) refuse() {
	x.result = Result{Err: cloud.ErrDatabaseAway.Because(errStopped)}
	close(x.doneCh)
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
