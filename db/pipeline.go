package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Pipeline collects statements and sends them in one round trip. Its Queries serve the statements without a
// result. Those with a result have a method here that takes a callback, which is called for each row while
// Send reads the answers. A Pipeline is used by one goroutine, and sent once.
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

// maxSent is how many bytes of texts are sent at once: pgx makes one message of what is sent, and a message
// of a hundred megabytes keeps the collector, and with it every other goroutine, waiting.
const maxSent = 4 << 20

// Send sends everything and reads every answer. The first error is returned, and ends it. Long texts may need
// several round trips.
func (p *Pipeline) Send(ctx context.Context, conn *pgx.Conn) error {
	rest := p.batch.QueuedQueries
	for len(rest) > 0 {
		n, size := 1, textBytes(rest[0])
		for n < len(rest) && size+textBytes(rest[n]) <= maxSent {
			size += textBytes(rest[n])
			n++
		}

		if err := conn.SendBatch(ctx, &pgx.Batch{QueuedQueries: rest[:n]}).Close(); err != nil {
			return err
		}
		rest = rest[n:]
	}

	return nil
}

// textBytes is how long the texts are that a statement sends.
func textBytes(q *pgx.QueuedQuery) (n int) {
	for _, arg := range q.Arguments {
		if texts, ok := arg.([]string); ok {
			for _, text := range texts {
				n += len(text)
			}
		}
	}
	return n
}

// Begin queues the start of the transaction.
func (p *Pipeline) Begin() { p.batch.Queue("begin") }

// Commit queues its end.
func (p *Pipeline) Commit() { p.batch.Queue("commit") }

// queueing is a DBTX that queues what it is told to execute. It has no results: the statements with a
// result that a caller may want are methods of Pipeline.
type queueing Pipeline

// Exec queues a statement.
func (q *queueing) Exec(_ context.Context, sql string, args ...interface{}) (pgconn.CommandTag, error) {
	q.batch.Queue(sql, args...)
	return pgconn.CommandTag{}, nil
}

var errNoResults = errors.New("a pipeline has no results before it is sent")

// Query always fails.
func (q *queueing) Query(context.Context, string, ...interface{}) (pgx.Rows, error) {
	return nil, errNoResults
}

// QueryRow returns a row that fails.
func (q *queueing) QueryRow(context.Context, string, ...interface{}) pgx.Row { return failedRow{} }

type failedRow struct{}

// Scan always fails.
func (failedRow) Scan(...any) error { return errNoResults }

// Open queues OpenCommit. The callback learns whether the id is new.
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
	var row AppRevisionsRow
	columns := []any{&row.ID, &row.Revision}
	p.forEachRow(columns, func() { f(row.ID, row.Revision) }, appRevisions, apps)
}

// Current queues CurrentKeys.
func (p *Pipeline) Current(arg CurrentKeysParams, f func(CurrentKeysRow)) {
	var row CurrentKeysRow
	columns := []any{&row.I, &row.Version, &row.ExpiresAt, &row.Bytes, &row.Expired, &row.Value}
	p.forEachRow(columns, func() { f(row) },
		currentKeys, arg.Positions, arg.Apps, arg.Collections, arg.Keys, arg.Wanted)
}

// KVUse queues LockKVUse.
func (p *Pipeline) KVUse(apps []int64, f func(LockKVUseRow)) {
	var row LockKVUseRow
	columns := []any{&row.AppID, &row.KvBytes, &row.KvUsed}
	p.forEachRow(columns, func() { f(row) }, lockKVUse, apps)
}

// Claimed queues LockClaimed.
func (p *Pipeline) Claimed(apps []int64, ids, tokens []UUID, f func(id, token UUID)) {
	var id, token UUID
	p.forEachRow([]any{&id, &token}, func() { f(id, token) }, lockClaimed, apps, ids, tokens)
}

// Waiting queues LockWaiting.
func (p *Pipeline) Waiting(apps []int64, ids []UUID, f func(id UUID)) {
	var id UUID
	p.forEachRow([]any{&id}, func() { f(id) }, lockWaiting, apps, ids)
}

// Reservations queues LockReservations.
func (p *Pipeline) Reservations(arg LockReservationsParams, f func(execution UUID)) {
	var execution UUID
	p.forEachRow([]any{&execution}, func() { f(execution) },
		lockReservations, arg.Apps, arg.Scripts, arg.Principals, arg.Keys, arg.Executions)
}

// Unresolved queues LockUnresolved.
func (p *Pipeline) Unresolved(apps []int64, ids []UUID, f func(id UUID)) {
	var id UUID
	p.forEachRow([]any{&id}, func() { f(id) }, lockUnresolved, apps, ids)
}

// Schedules queues LockSchedules.
func (p *Pipeline) Schedules(apps []int64, triggers []UUID, f func(trigger UUID, next time.Time)) {
	var row LockSchedulesRow
	columns := []any{&row.TriggerID, &row.NextSlot}
	p.forEachRow(columns, func() { f(row.TriggerID, row.NextSlot) }, lockSchedules, apps, triggers)
}

// forEachRow queues a statement. For each row of its result it sets the columns and calls f. The columns
// are given by the caller, and not found by pgx.RowToStructByPos, because that takes two more allocations a
// row, and this is the path of every commit.
func (p *Pipeline) forEachRow(columns []any, f func(), sql string, args ...any) {
	p.batch.Queue(sql, args...).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, columns, func() error {
			f()
			return nil
		})
		return err
	})
}
