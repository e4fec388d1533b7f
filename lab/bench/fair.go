package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// fairShare measures one app's events, 10 a second, alone and while another's flood is drained.
func (b *bench) fairShare(ctx context.Context) error {
	heading(fmt.Sprintf("Fair share: 10 events/s of one app beside %d rows of another", b.events))
	if err := b.deploySet(); err != nil {
		return err
	}
	if err := b.flooder(); err != nil {
		return err
	}
	quiet, err := b.setLatency(ctx, 10, 110)
	if err != nil {
		return err
	}

	var trigger string
	err = b.db.General.QueryRow(ctx, `SELECT t.id::text FROM triggers t
		JOIN apps a ON a.id = t.app_id WHERE a.slug = 'flood'`).Scan(&trigger)
	if err != nil {
		return err
	}
	if err := b.insertRows(ctx, "flood", trigger, b.events); err != nil {
		return err
	}
	if err := b.enable("flood", trigger, true); err != nil {
		return err
	}

	flooded, err := b.setLatency(ctx, 10, 110)
	if err != nil {
		return err
	}
	var left int
	if err := b.db.General.QueryRow(ctx, "SELECT count(*) FROM outbox").Scan(&left); err != nil {
		return err
	}

	quiet99 := quantile(quiet, 0.99)
	flooded99 := quantile(flooded, 0.99)
	fmt.Printf("  quiet: p50 %s  p99 %s\n", short(quantile(quiet, 0.5)), short(quiet99))
	fmt.Printf("  beside the flood, of which %d rows were left: p50 %s  p99 %s, %.1f x the quiet p99\n",
		left, short(quantile(flooded, 0.5)), short(flooded99), flooded99/quiet99)
	return b.untilEmpty(ctx)
}

// handlerDelays reads how many handlers of the app flood started within a time, and how long after the start
// of the run that set their key: the first 48 bits of its id, a UUIDv7, are that run's start.
const handlerDelays = `SELECT count(*),
		coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY ms), 0),
		coalesce(percentile_cont(0.99) WITHIN GROUP (ORDER BY ms), 0)
	FROM (SELECT extract(epoch FROM e.started_at) * 1000 -
			('x' || substr(replace(e.root_id::text, '-', ''), 1, 12))::bit(48)::bigint AS ms
		FROM executions e JOIN apps a ON a.id = e.app_id AND a.slug = 'flood'
		WHERE e.source = 'kv' AND e.started_at >= $1 AND e.started_at < $2) x`

// heldSnapshot measures 1,000 events a second while a foreign transaction keeps its snapshot, so that no row
// that was deleted since can be vacuumed.
func (b *bench) heldSnapshot(ctx context.Context) error {
	heading(fmt.Sprintf("1,000 events/s under a foreign snapshot, %s", b.held))
	conn, err := b.db.General.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	if _, err := tx.Exec(ctx, "SELECT count(*) FROM outbox"); err != nil {
		return err
	}

	stop, err := b.events1000(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	time.Sleep(b.held)
	fmt.Printf("  %.0f events/s were sent; from the start of the run that sets the key "+
		"to the start of the handler, in tenths of the time:\n", stop())

	const windows = 10
	for k := range windows {
		from := began.Add(b.held * time.Duration(k) / windows)
		var n int
		var p50, p99 float64 // milliseconds
		row := b.db.General.QueryRow(ctx, handlerDelays, from, from.Add(b.held/windows))
		if err := row.Scan(&n, &p50, &p99); err != nil {
			return err
		}
		fmt.Printf("    %2d: %6d events  p50 %7s  p99 %7s\n", k+1, n, short(p50*1e6), short(p99*1e6))
	}
	return nil
}
