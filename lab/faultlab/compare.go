package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// counts are the effects of one round, by key.
type counts map[string]map[string]string // collection, key, value

// compare holds what the database has against the ledger of the round's load.
func (r *round) compare(ctx context.Context, conn *pgx.Conn) error {
	found, err := r.countEffects(ctx, conn)
	if err != nil {
		return err
	}
	letters, err := r.countLetters(ctx, conn)
	if err != nil {
		return err
	}
	r.compareEvents(found, letters)
	r.compareKeys(found)
	r.compareOther()

	if err := r.compareTotals(ctx, conn); err != nil {
		return err
	}
	if err := r.compareFlood(ctx, conn); err != nil {
		return err
	}
	return r.compareSlots(ctx, conn)
}

// countEffects reads the keys that the round's requests and events have set.
func (r *round) countEffects(ctx context.Context, conn *pgx.Conn) (counts, error) {
	rows, err := conn.Query(ctx, `SELECT k.collection, k.key, k.value FROM kv k JOIN apps a ON a.id = k.app_id
		WHERE a.slug = 'default' AND k.collection IN ('event', 'poison', 'handled', 'paid')
			AND k.key LIKE $1`, r.prefix+"%")
	if err != nil {
		return nil, err
	}

	found := counts{}
	var collection, key, value string
	_, err = pgx.ForEachRow(rows, []any{&collection, &key, &value}, func() error {
		if found[collection] == nil {
			found[collection] = map[string]string{}
		}
		found[collection][key] = value
		return nil
	})
	return found, err
}

// countLetters counts the dead letters of the round's events, by key.
func (r *round) countLetters(ctx context.Context, conn *pgx.Conn) (map[string]int, error) {
	rows, err := conn.Query(ctx, `SELECT d.payload::jsonb ->> 'key', count(*)
		FROM dead_letters d JOIN apps a ON a.id = d.app_id
		WHERE a.slug = 'default' AND d.source = 'kv' AND d.payload::jsonb ->> 'key' LIKE $1
		GROUP BY 1`, r.prefix+"%")
	if err != nil {
		return nil, err
	}

	letters := map[string]int{}
	var key string
	var n int
	_, err = pgx.ForEachRow(rows, []any{&key, &n}, func() error {
		letters[key] = n
		return nil
	})
	return letters, err
}

// compareEvents checks that what was acknowledged is there, and that what is there was handled once or is
// one dead letter.
func (r *round) compareEvents(found counts, letters map[string]int) {
	g := &r.load.ledger
	for id, acked := range g.sent {
		collection, key, _ := strings.Cut(id, "/")
		if _, there := found[collection][key]; acked && !there {
			r.res.lost++
			r.fail("acknowledged, but lost: %s", id)
		}
	}

	for key := range found["event"] {
		switch value := found["handled"][key]; {
		case value == "" && letters[key] == 0:
			r.res.lost++
			r.fail("event %s was not handled", key)
		case value != "1" || letters[key] != 0:
			r.res.doubled++
			r.fail("event %s was handled %q times and has %d dead letters", key, value, letters[key])
		}
	}

	for key := range found["poison"] {
		if n := letters[key]; n == 0 {
			r.res.lost++
			r.fail("poison %s is no dead letter", key)
		} else if n > 1 || found["handled"][key] != "" {
			r.res.doubled++
			r.fail("poison %s has %d dead letters and left %q", key, n, found["handled"][key])
		}
	}

	r.res.requests += g.requests
	r.res.events += len(found["event"]) + len(found["poison"])

	for _, w := range slices.Compact(slices.Sorted(slices.Values(g.wrong))) {
		r.fail("%s", w)
	}
}

// compareKeys checks that what has a key was done once, and was done if it was answered.
func (r *round) compareKeys(found counts) {
	g := &r.load.ledger
	for key, answered := range g.keys {
		switch value := found["paid"][key]; {
		case value == "" && answered:
			r.res.lost++
			r.fail("key %s was answered, but nothing was done", key)
		case value != "" && value != "1":
			r.res.doubled++
			r.fail("key %s was done %s times", key, value)
		}
	}

	r.res.keys += len(g.keys)
	r.res.retries += g.retries
}

func (r *round) compareOther() {
	g := &r.load.ledger
	r.res.other += g.otherSent
	r.res.otherWrong += g.otherWrong
	r.res.slowest = max(r.res.slowest, g.slowest)
	if r.f.unharmed && g.otherWrong > 0 {
		r.fail("the other app was harmed: %d of %d requests, the last with %s",
			g.otherWrong, g.otherSent, g.otherWhy)
	}

	if g.otherSent == 0 {
		r.fail("the other app was not asked")
	}
}

// compareTotals checks that the counter which every producer increments is the number of events, over all
// rounds, and that no event has two executions that succeeded.
func (r *round) compareTotals(ctx context.Context, conn *pgx.Conn) error {
	var events, twice int64
	var total string
	err := conn.QueryRow(ctx, `SELECT
			(SELECT count(*) FROM kv WHERE app_id = a.id AND collection IN ('event', 'poison')),
			coalesce((SELECT value FROM kv WHERE app_id = a.id AND collection = 'total' AND key = 'n'), '0'),
			(SELECT count(*) FROM (SELECT 1 FROM executions
				WHERE app_id = a.id AND outbox_id IS NOT NULL AND status = 'succeeded'
				GROUP BY outbox_id HAVING count(*) > 1) d)
		FROM apps a WHERE slug = 'default'`).Scan(&events, &total, &twice)
	if err != nil {
		return err
	}

	if total != fmt.Sprint(events) {
		r.res.lost++
		r.fail("the counter is %s, but there are %d events: updates were lost", total, events)
	}

	if twice > 0 {
		r.res.doubled += int(twice)
		r.fail("%d events have two executions that succeeded", twice)
	}
	return nil
}

// compareFlood checks that each event of the flood was handled once, and removes them for the next round.
func (r *round) compareFlood(ctx context.Context, conn *pgx.Conn) error {
	if r.floods == 0 {
		return nil
	}

	var raised, once, all int
	err := conn.QueryRow(ctx, `SELECT
			count(*) FILTER (WHERE collection = 'flood'),
			count(*) FILTER (WHERE collection = 'flooded' AND value = '1'),
			count(*) FILTER (WHERE collection = 'flooded')
		FROM kv WHERE collection IN ('flood', 'flooded')`).Scan(&raised, &once, &all)
	if err != nil {
		return err
	}

	if raised != r.floods || once != r.floods || all != r.floods {
		r.fail("of a flood of %d, %d were raised, %d handled, %d of them once", r.floods, raised, all, once)
	}

	r.res.events += raised
	_, err = conn.Exec(ctx, `DELETE FROM kv WHERE collection IN ('flood', 'flooded')`)
	return err
}

// compareSlots checks that every second since the clock was made is a row which was decided once, that what
// fired was handled once, and that the schedule goes on.
func (r *round) compareSlots(ctx context.Context, conn *pgx.Conn) error {
	behind, err := untilPunctual(ctx, conn)
	if err != nil {
		return err
	}
	if behind > 0 {
		r.fail("the schedule is %.0f s behind", behind.Seconds())
		return nil
	}
	if !r.settle(ctx) {
		return nil
	}

	var holes, wrong, fired int64
	err = conn.QueryRow(ctx, `WITH s AS (
			SELECT s.app_id, s.slot, s.state, lag(s.slot) OVER (ORDER BY s.slot) AS before FROM slots s
			WHERE s.trigger_id = $1 AND s.decided_at < clock_timestamp() - interval '3 seconds')
		SELECT count(*) FILTER (WHERE before IS NOT NULL AND slot <> before + interval '1 second'),
			count(*) FILTER (WHERE state NOT IN ('fired', 'late') OR k.value IS DISTINCT FROM '1'), count(*)
		FROM s LEFT JOIN kv k ON k.app_id = s.app_id AND k.collection = 'ticks'
			AND k.key = to_char(s.slot AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`, r.clock).
		Scan(&holes, &wrong, &fired)
	if err != nil {
		return err
	}
	if holes > 0 || wrong > 0 {
		r.fail("of %d slots of the schedule, %d are missing and %d were not handled once",
			fired, holes, wrong)
	}
	r.res.slots = int(fired)
	return nil
}

// untilPunctual waits until the schedule is less than 3 s behind; after 20 s it gives up and says how far
// behind it is.
func untilPunctual(ctx context.Context, conn *pgx.Conn) (behind time.Duration, err error) {
	const age = "SELECT extract(epoch FROM clock_timestamp() - max(slot))::float8 FROM slots"

	for end := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		var seconds float64
		err := conn.QueryRow(ctx, age).Scan(&seconds)
		if err != nil || seconds < 3 {
			return 0, err
		}
		if time.Now().After(end) {
			return time.Duration(seconds * float64(time.Second)), nil
		}
	}
}
