package main

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

func (b *bench) enable(app, trigger string, on bool) error {
	_, err := b.p.api("PATCH", "/apps/"+app+"/triggers/"+trigger, map[string]any{"enabled": on})
	return err
}

// Rows as PiCloud would have raised them, which wait until their trigger is enabled, and their entry in the
// ledger.
const (
	waitingRows = `INSERT INTO outbox (app_id, id, source, op, trigger_id, script_id, payload, root_id, depth,
			execution_id, max_attempts, backoff, base_ms, max_ms, jitter, wake_at)
		SELECT t.app_id, gen_random_uuid(), 'kv', 'insert', t.id, t.script_id,
			'{"op":"insert","collection":"c","key":"k' || g || '","value":1}',
			x.id, 1, x.id, 5, 'exponential', 1000, 300000, 0.2, clock_timestamp() + interval '200 years'
		FROM triggers t, generate_series(1, $2::int) g,
			LATERAL (SELECT (
				lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7' ||
				substr(md5(g::text || clock_timestamp()::text), 1, 3) || '8' ||
				substr(md5(random()::text), 1, 15))::uuid AS id) x
		WHERE t.id = $1::uuid`
	waitingEntry = `INSERT INTO ledger (commit_id, app_id, what, n)
		SELECT gen_random_uuid(), app_id, 'enqueued', $2 FROM triggers WHERE id = $1::uuid`
)

// insertRows disables a trigger and makes n rows that wait until it is enabled.
func (b *bench) insertRows(ctx context.Context, app, trigger string, n int) error {
	if err := b.enable(app, trigger, false); err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, b.db.General, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, waitingRows, trigger, n); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, waitingEntry, trigger, n)
		return err
	})
}

// untilEmpty waits until the outbox has no row.
func (b *bench) untilEmpty(ctx context.Context) error {
	for {
		var some bool
		if err := b.db.General.QueryRow(ctx, "SELECT EXISTS (SELECT FROM outbox)").Scan(&some); err != nil {
			return err
		}
		if !some {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
}
