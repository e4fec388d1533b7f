package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// latencies are the quantiles of each round, by who was measured, in nanoseconds.
type latencies struct {
	p50s, p99s map[string][]float64
}

func (l *latencies) add(name string, p50, p99 float64) {
	l.p50s[name] = append(l.p50s[name], p50)
	l.p99s[name] = append(l.p99s[name], p99)
}

// latency measures from the sending of a request that sets a key, or the insert of a peer's job, to the start
// of its handler.
func (b *bench) latency(ctx context.Context) error {
	heading("KV set to handler started, durable commit included; of the peers insert to handler started")
	commit, err := b.commitTime(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("  one durable commit: p50 %s\n", short(commit))
	if err := b.deploySet(); err != nil {
		return err
	}

	for _, rate := range []int{50, 500} {
		all := latencies{p50s: map[string][]float64{}, p99s: map[string][]float64{}}
		for range b.rounds {
			if err := b.latencyRound(ctx, rate, &all); err != nil {
				return err
			}
		}

		for _, name := range slices.Sorted(maps.Keys(all.p50s)) {
			fmt.Printf("  %3d a second: %-30s p50 %7s  p99 %7s\n",
				rate, name, short(median(all.p50s[name])), short(median(all.p99s[name])))
		}
	}
	return nil
}

// latencyRound measures PiCloud and each peer that is installed once.
func (b *bench) latencyRound(ctx context.Context, rate int, all *latencies) error {
	own, err := b.setLatency(ctx, rate, rate*latencySeconds)
	if err != nil {
		return err
	}
	all.add("PiCloud", quantile(own, 0.5), quantile(own, 0.99))

	for _, p := range eventPeers() {
		if p.writes {
			continue
		}
		p50, p99, err := b.peerLatency(&p, rate)
		if errors.Is(err, errMissing) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		all.add(p.name, p50, p99)
	}
	return nil
}

// commitTime is what one durable commit takes, in nanoseconds.
func (b *bench) commitTime(ctx context.Context) (float64, error) {
	const table = "CREATE TABLE IF NOT EXISTS commits (id bigint GENERATED ALWAYS AS IDENTITY, v text)"
	if _, err := b.db.General.Exec(ctx, table); err != nil {
		return 0, err
	}

	var took []time.Duration
	for range 1000 {
		began := time.Now()
		if _, err := b.db.General.Exec(ctx, "INSERT INTO commits (v) VALUES ('x')"); err != nil {
			return 0, err
		}
		took = append(took, time.Since(began))
	}
	return quantile(took, 0.5), nil
}

// deploySet deploys a script that sets a key and is triggered by it.
func (b *bench) deploySet() error {
	if b.setting {
		return nil
	}
	b.setting = true
	err := b.p.deploy("set", `import { kv } from "picloud"; const c = kv.collection("latency");
export default { fetch: () => c.set("k", 1), kv() {} }`)
	if err != nil {
		return err
	}

	trigger := map[string]any{"kind": "kv", "script": "set", "collection": "latency"}
	_, err = b.p.api("POST", "/apps/default/triggers", trigger)
	return err
}

// latencySeconds is how long events are sent at a rate; the first second is a warm-up.
const latencySeconds = 11

// setLatency calls the script set of the app default n times at a rate, and measures all calls but those of
// the first second.
func (b *bench) setLatency(ctx context.Context, rate, n int) ([]time.Duration, error) {
	sent, err := b.callSet(rate, n)
	if err != nil {
		return nil, err
	}

	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		lat, err := b.handlerStarts(ctx, sent)
		if err != nil || len(lat) == len(sent) {
			return lat, err
		}
		if time.Since(began) > time.Minute {
			return nil, fmt.Errorf("%d of %d events were run", len(lat), len(sent))
		}
	}
}

// callSet calls the script set n times at a rate. It gives when each call was sent, by the id of its
// execution, without the calls of the first second.
func (b *bench) callSet(rate, n int) (map[string]time.Time, error) {
	type call struct {
		id  string
		at  time.Time
		err error
	}
	doneC := make(chan call, n)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 512}}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()

	for k := range n {
		<-tick.C
		go func() {
			at := time.Now()
			res, err := client.Get(b.p.url + "/f/default/set")
			if err != nil {
				doneC <- call{err: err}
				return
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()

			if k < rate { // warm-up
				doneC <- call{}
				return
			}
			doneC <- call{id: res.Header.Get("X-Execution-Id"), at: at}
		}()
	}

	sent := map[string]time.Time{}
	for range n {
		c := <-doneC
		if c.err != nil {
			return nil, c.err
		}
		if c.id != "" {
			sent[c.id] = c.at
		}
	}
	return sent, nil
}

// handlerStarts reads from the executions how long after its call each handler started, of those that have.
func (b *bench) handlerStarts(ctx context.Context, sent map[string]time.Time) ([]time.Duration, error) {
	rows, err := b.db.General.Query(ctx, `SELECT e.root_id::text, e.started_at
		FROM executions e JOIN scripts s ON s.app_id = e.app_id AND s.id = e.script_id
		WHERE e.app_id = 1 AND s.name = 'set' AND e.source = 'kv'`)
	if err != nil {
		return nil, err
	}

	var lat []time.Duration
	var id string
	var started time.Time
	_, err = pgx.ForEachRow(rows, []any{&id, &started}, func() error {
		if at, ok := sent[id]; ok {
			lat = append(lat, started.Sub(at))
		}
		return nil
	})
	return lat, err
}
