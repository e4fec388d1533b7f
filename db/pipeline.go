package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Pipeline collects statements and sends them in one round trip. Its Queries serve the statements without a result; those
// with one have a method here that takes a callback. Callbacks run while Send reads the answers.
type Pipeline struct {
	*Queries
	batch pgx.Batch
}

// NewPipeline returns an empty pipeline.
func NewPipeline() *Pipeline {
	p := &Pipeline{}
	p.Queries = New((*queueing)(p))
	return p
}

// Send sends everything and reads every answer. The first error is returned.
func (p *Pipeline) Send(ctx context.Context, conn *pgx.Conn) error {
	return conn.SendBatch(ctx, &p.batch).Close()
}

// Begin queues the start of the transaction.
func (p *Pipeline) Begin() { p.batch.Queue("begin") }

// Commit queues its end.
func (p *Pipeline) Commit() { p.batch.Queue("commit") }

// queueing is a DBTX whose Exec waits for Send.
type queueing Pipeline

func (q *queueing) Exec(_ context.Context, sql string, args ...interface{}) (pgconn.CommandTag, error) {
	q.batch.Queue(sql, args...)
	return pgconn.CommandTag{}, nil
}

var errNoResults = errors.New("a pipeline has no results before it is sent")

func (q *queueing) Query(context.Context, string, ...interface{}) (pgx.Rows, error) {
	return nil, errNoResults
}

func (q *queueing) QueryRow(context.Context, string, ...interface{}) pgx.Row { return failedRow{} }

type failedRow struct{}

func (failedRow) Scan(...any) error { return errNoResults }

// Open queues OpenCommit; the callback hears whether the id is new.
func (p *Pipeline) Open(id UUID, n int64, f func(isNew bool)) {
	p.batch.Queue(openCommit, id, n).Exec(func(tag pgconn.CommandTag) error {
		f(tag.RowsAffected() == 1)
		return nil
	})
}

// Now queues DatabaseTime.
func (p *Pipeline) Now(f func(time.Time)) {
	p.batch.Queue(databaseTime).QueryRow(func(row pgx.Row) error {
		var t time.Time
		if err := row.Scan(&t); err != nil {
			return fmt.Errorf("read database time: %w", err)
		}
		f(t)
		return nil
	})
}

// Revisions queues AppRevisions.
func (p *Pipeline) Revisions(apps []int64, f func(app, revision int64)) {
	p.batch.Queue(appRevisions, apps).Query(func(rows pgx.Rows) error {
		var app, rev int64
		_, err := pgx.ForEachRow(rows, []any{&app, &rev}, func() error {
			f(app, rev)
			return nil
		})
		return err
	})
}

// Current queues CurrentKeys.
func (p *Pipeline) Current(arg CurrentKeysParams, f func(CurrentKeysRow)) {
	p.batch.Queue(currentKeys, arg.Positions, arg.Apps, arg.Collections, arg.Keys, arg.Wanted).Query(func(rows pgx.Rows) error {
		var r CurrentKeysRow
		_, err := pgx.ForEachRow(rows, []any{&r.I, &r.Version, &r.ExpiresAt, &r.Expired, &r.Value}, func() error {
			f(r)
			return nil
		})
		return err
	})
}

// Claimed queues LockClaimed.
func (p *Pipeline) Claimed(apps []int64, ids, tokens []UUID, f func(id, token UUID)) {
	p.batch.Queue(lockClaimed, apps, ids, tokens).Query(func(rows pgx.Rows) error {
		var id, token UUID
		_, err := pgx.ForEachRow(rows, []any{&id, &token}, func() error {
			f(id, token)
			return nil
		})
		return err
	})
}

// Reservations queues LockReservations.
func (p *Pipeline) Reservations(arg LockReservationsParams, f func(execution UUID)) {
	p.ids(lockReservations, f, arg.Apps, arg.Scripts, arg.Principals, arg.Keys, arg.Executions)
}

// Unresolved queues LockUnresolved.
func (p *Pipeline) Unresolved(apps []int64, ids []UUID, f func(id UUID)) {
	p.ids(lockUnresolved, f, apps, ids)
}

// Schedules queues LockSchedules.
func (p *Pipeline) Schedules(apps []int64, triggers []UUID, f func(trigger UUID, next time.Time)) {
	p.batch.Queue(lockSchedules, apps, triggers).Query(func(rows pgx.Rows) error {
		var id UUID
		var next time.Time
		_, err := pgx.ForEachRow(rows, []any{&id, &next}, func() error {
			f(id, next)
			return nil
		})
		return err
	})
}

func (p *Pipeline) ids(sql string, f func(UUID), args ...any) {
	p.batch.Queue(sql, args...).Query(func(rows pgx.Rows) error {
		var id UUID
		_, err := pgx.ForEachRow(rows, []any{&id}, func() error {
			f(id)
			return nil
		})
		return err
	})
}
