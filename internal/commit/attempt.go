package commit

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"picloud/db"
	"picloud/internal/cloud"
)

const (
	// giveUpAfter is how long a commit is tried again while the database does not answer.
	giveUpAfter = 8 * time.Second
	// attemptTimeout bounds one attempt; a lock that is held longer makes it a failure that is repeated.
	attemptTimeout = 20 * time.Second
	// probeTimeout bounds the question whether a commit took effect.
	probeTimeout = 3 * time.Second
	// maxRepeats bounds the repeats of a single commit that lost a deadlock or waited too long for a lock.
	maxRepeats = 5
)

// applyTogether makes one transaction of a group, and makes it again under the same id when its answer is
// lost. It returns a *cloud.Error if the group must not be tried again, in whole or in part.
func (c *Committer) applyTogether(ctx context.Context, commits []*Commit) error {
	id := c.cfg.IDs.New()
	giveUpAt := time.Now().Add(giveUpAfter)

	var sent *Group // of an attempt whose COMMIT may have reached the server
	for repeat := 0; ; repeat++ {
		a := &attempt{committer: c, group: newGroup(&c.cfg, id, commits)}
		err := a.run()
		if err == nil {
			if a.appliedBefore {
				sent.settle(c)
			} else {
				a.group.settle(c)
				sent.drop()
			}
			return nil
		}

		// What an attempt had taken is given back, unless its COMMIT may have taken effect: then the rows
		// that it started as claimed may be there, with the permits they need.
		if a.sent && db.IsConnectionError(err) {
			sent.drop()
			sent = a.group
		} else {
			a.group.drop()
		}

		switch {
		case sent == nil && db.IsSQLError(err):
			// The database refused it, and nothing was applied. A single commit that lost a race is repeated;
			// a group is split by the caller.
			if len(commits) > 1 || repeat >= maxRepeats || !isRepeatable(err) {
				return err
			}
		case time.Now().After(giveUpAt) || ctx.Err() != nil:
			c.cfg.Log.Error(
				"commit given up",
				"executions",
				executionsOf(commits),
				"sent",
				sent != nil,
				"error",
				err,
			)
			return c.giveUp(id, sent, err)
		}
		time.Sleep(min(time.Duration(repeat+1)*20*time.Millisecond, 500*time.Millisecond))
	}
}

// giveUp ends a group that could not be applied in time; sent is the attempt whose COMMIT may have taken
// effect.
func (c *Committer) giveUp(id cloud.ID, sent *Group, cause error) error {
	if sent == nil {
		return cloud.ErrDatabaseAway.Because(cause)
	}

	applied, err := c.probe(id)
	switch {
	case err != nil:
		sent.drop()
		return errUnknown.Because(cause)
	case applied:
		sent.settle(c)
		return nil
	default:
		sent.drop()
		return cloud.ErrDatabaseAway.Because(cause)
	}
}

// executionsOf names the runs of a group, for the log.
func executionsOf(commits []*Commit) []string {
	ids := make([]string, len(commits))
	for k, x := range commits {
		ids[k] = x.Cause.Execution.String()
	}
	return ids
}

// probe asks once more whether a commit took effect, without sending it again. The insert of its id waits for
// a transaction of the same id that is still under way.
func (c *Committer) probe(id cloud.ID) (applied bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()

	err = c.cfg.DB.Commits.AcquireFunc(ctx, func(pooled *pgxpool.Conn) error {
		// Closing the connection makes the server roll back.
		defer func() { _ = pooled.Conn().Close(ctx) }()

		p := db.NewPipeline()
		p.Begin()
		p.Open(id, 0, func(isNew bool) { applied = !isNew })
		if err := p.Send(ctx, pooled.Conn()); err != nil || !applied {
			return err
		}
		return confirm(ctx, pooled.Conn())
	})

	return applied, err
}

// confirm ends the transaction that found an earlier attempt applied. What it saw may not have reached a
// synchronous standby: the attempt's connection broke while it waited for that. A commit with something to
// write waits for all before it.
func confirm(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, "SELECT pg_logical_emit_message(true, 'picloud', 'applied before')")
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "commit")
	return err
}

// isRepeatable reports a deadlock_detected, lock_not_available or serialization_failure.
func isRepeatable(err error) bool {
	return db.HasCode(err, "40P01", "55P03", "40001")
}

// attempt is one transaction of a group.
type attempt struct {
	committer *Committer
	group     *Group

	// sent says that COMMIT was on its way.
	sent bool
	// appliedBefore says that an earlier attempt of the same id had taken effect.
	appliedBefore bool
}

// run makes the transaction: lock and read, decide, write and COMMIT. The group is settled by the caller.
func (a *attempt) run() error {
	ctx, cancel := context.WithTimeout(context.Background(), attemptTimeout)
	defer cancel()

	pooled, err := a.committer.cfg.DB.Commits.Acquire(ctx)
	if err != nil {
		return err
	}
	conn := pooled.Conn()
	defer func() {
		// A transaction that is still open is rolled back by the server when its connection closes.
		if conn.PgConn().TxStatus() != 'I' {
			_ = conn.Close(ctx)
		}
		pooled.Release()
	}()

	isNew, err := a.group.read(ctx, conn)
	if err != nil {
		return err
	}
	if !isNew {
		a.appliedBefore = true
		return confirm(ctx, conn)
	}

	if err := a.group.refreshDefinitions(ctx, conn); err != nil {
		return err
	}
	if err := a.group.makeRoom(ctx, conn); err != nil {
		return err
	}

	for _, x := range a.group.commits {
		a.group.decide(x)
	}

	a.sent = true

	return a.group.write(ctx, conn)
}
