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

// latency measures from the sending of a request that sets a key, or the insert of a peer's job, to the start of its handler.
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
		p50s, p99s := map[string][]float64{}, map[string][]float64{}

		for range b.rounds {
			lat, err := b.setLatency(ctx, rate, rate*latencySeconds)
			if err != nil {
				return err
			}

			p50s["PiCloud"], p99s["PiCloud"] = append(p50s["PiCloud"], quantile(lat, 0.5)), append(p99s["PiCloud"], quantile(lat, 0.99))
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
				p50s[p.name], p99s[p.name] = append(p50s[p.name], p50), append(p99s[p.name], p99)
			}
		}

		for _, name := range slices.Sorted(maps.Keys(p50s)) {
			fmt.Printf("  %3d a second: %-30s p50 %7s  p99 %7s\n", rate, name, short(median(p50s[name])), short(median(p99s[name])))
		}
	}
	return nil
}

// commitTime is what one durable commit takes.
func (b *bench) commitTime(ctx context.Context) (float64, error) {
	if _, err := b.db.General.Exec(ctx, "CREATE TABLE IF NOT EXISTS commits (id bigint GENERATED ALWAYS AS IDENTITY, v text)"); err != nil {
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
	if err := b.p.deploy("set", `import { kv } from "picloud"; const c = kv.collection("latency"); export default { fetch: () => c.set("k", 1), kv() {} }`); err != nil {
		return err
	}

	_, err := b.p.api("POST", "/apps/default/triggers", map[string]any{"kind": "kv", "script": "set", "collection": "latency"})
	return err
}

// latencySeconds is how long events are sent at a rate; the first second is a warm-up.
const latencySeconds = 11

// setLatency calls the script set of the app default n times at a rate, and measures all calls but those of the first second.
func (b *bench) setLatency(ctx context.Context, rate, n int) ([]time.Duration, error) {
	type pair struct {
		id  string
		at  time.Time
		err error
	}

	doneC := make(chan pair, n)
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
				doneC <- pair{err: err}
				return
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			if k < rate {
				doneC <- pair{}
				return
			}
			doneC <- pair{id: res.Header.Get("X-Execution-Id"), at: at}
		}()
	}

	sent := map[string]time.Time{}
	for range n {
		p := <-doneC
		if p.err != nil {
			return nil, p.err
		}
		if p.id != "" {
			sent[p.id] = p.at
		}
	}

	var lat []time.Duration
	for began := time.Now(); len(lat) < len(sent); time.Sleep(100 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			return nil, fmt.Errorf("%d of %d events were run", len(lat), len(sent))
		}

		lat = lat[:0]
		rows, err := b.db.General.Query(ctx, `SELECT e.root_id::text, e.started_at FROM executions e JOIN scripts s ON s.app_id = e.app_id AND s.id = e.script_id
			WHERE e.app_id = 1 AND s.name = 'set' AND e.source = 'kv'`)
		if err != nil {
			return nil, err
		}

		var id string
		var at time.Time
		if _, err := pgx.ForEachRow(rows, []any{&id, &at}, func() error {
			if t, ok := sent[id]; ok {
				lat = append(lat, at.Sub(t))
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}

	return lat, nil
}
