package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// crowds measures what many connections, many scripts and a busy event system do to hello.
func (b *bench) crowds(ctx context.Context) error {
	heading("hello in a crowd")
	if err := b.deployWorks(); err != nil {
		return err
	}
	hello := workNamed("hello")

	// By default 16 x CPUs run and 8 times as many wait: on two CPUs that is 288, too few for 512
	// connections.
	if err := b.restart("PICLOUD_QUEUE=512"); err != nil {
		return err
	}
	got, err := b.interleave(side{b.self(), hello, connections}, side{b.self(), hello, 512})
	if err != nil {
		return err
	}
	few := &got[0]
	many := &got[1]
	few.print("64 connections", nil)
	many.print("512 connections, PICLOUD_QUEUE=512", nil)
	fmt.Printf("  512 have %.2f of the rate of 64; p99 is %.1f x p50\n",
		many.rate/few.rate, many.p99/many.p50)

	if err := b.restart(); err != nil {
		return err
	}
	stop, err := b.events1000(ctx)
	if err != nil {
		return err
	}
	busy, err := b.interleave(side{b.self(), hello, connections})
	sent := stop()
	if err != nil {
		return err
	}
	busy[0].print("with 1,000 events/s of another app", nil)
	fmt.Printf("  p99 is %.2f x the quiet one; %.0f events/s were sent\n", busy[0].p99/few.p99, sent)

	return b.manyScripts(ctx, hello)
}

// events1000 makes 1,000 events a second in an app of their own until stop, which gives how many a second it
// came to.
func (b *bench) events1000(ctx context.Context) (stop func() float64, err error) {
	if err := b.flooder(); err != nil {
		return nil, err
	}

	ctx, cancel := context.WithCancel(ctx)
	doneC := make(chan float64)
	go func() {
		began := time.Now()
		n := 0
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()

		for ctx.Err() == nil {
			if b.flood(n) == nil {
				n += floodSize
			}
			<-tick.C
		}
		doneC <- float64(n) / time.Since(began).Seconds()
	}()
	return func() float64 { cancel(); return <-doneC }, nil
}

// floodSize is how many keys, and so events, one call of the flooder sets.
const floodSize = 100

// floodScript sets floodSize keys, and is triggered by each of them.
const floodScript = `import { kv } from "picloud"; const c = kv.collection("flood");
export default { async fetch(r) {
	const from = Number(r.url.split("=")[1]);
	for (let n = 0; n < %d; n++) await c.set("k" + (from + n), n)
}, kv() {} }`

// flooder deploys the flood's script in an app of its own.
func (b *bench) flooder() error {
	if b.flooding {
		return nil
	}
	b.flooding = true
	if _, err := b.p.api("POST", "/apps", map[string]any{"slug": "flood", "name": "flood"}); err != nil {
		return err
	}

	script := map[string]any{"source": fmt.Sprintf(floodScript, floodSize)}
	if _, err := b.p.api("PUT", "/apps/flood/scripts/flood", script); err != nil {
		return err
	}
	trigger := map[string]any{"kind": "kv", "script": "flood", "collection": "flood"}
	_, err := b.p.api("POST", "/apps/flood/triggers", trigger)
	return err
}

func (b *bench) flood(from int) error {
	return b.p.get(fmt.Sprintf("/f/flood/flood?from=%d", from%10_000))
}

// manyApps apps with scriptsEach scripts each are the crowd of scripts.
const (
	manyApps    = 100
	scriptsEach = 100
)

// seedScripts makes the crowd behind PiCloud's back: apps, scripts, and their versions, which are hello's.
var seedScripts = []string{
	fmt.Sprintf(`INSERT INTO apps (slug, name)
		SELECT 'many-' || g, 'many' FROM generate_series(1, %d) g`, manyApps),
	fmt.Sprintf(`INSERT INTO scripts (app_id, id, name, kind, access, version)
		SELECT a.id, gen_random_uuid(), 's' || g, 'endpoint', 'public', 1
		FROM apps a, generate_series(1, %d) g WHERE a.slug LIKE 'many-%%'`, scriptsEach),
	`INSERT INTO script_versions (app_id, script_id, version, language, source, source_sha256, build_id, code,
			handlers, created_by)
		SELECT s.app_id, s.id, 1, v.language, v.source, v.source_sha256, gen_random_uuid(), v.code,
			v.handlers, v.created_by
		FROM scripts s JOIN apps a ON a.id = s.app_id AND a.slug LIKE 'many-%',
			script_versions v
			JOIN scripts h ON h.app_id = v.app_id AND h.id = v.script_id AND h.name = 'hello'
		WHERE v.app_id = 1 AND v.version = h.version`,
}

// zipfCalls are 50,000 paths of the crowd's scripts, as often as Zipf's law has it; the same calls each time.
func zipfCalls() *work {
	r := rand.New(rand.NewPCG(3, 4))
	zipf := rand.NewZipf(r, 1.1, 1, manyApps*scriptsEach-1)
	order := r.Perm(manyApps * scriptsEach)

	calls := &work{name: "zipf"}
	for range 50_000 {
		s := order[zipf.Uint64()]
		calls.paths = append(calls.paths, fmt.Sprintf("/f/many-%d/s%d", s/scriptsEach+1, s%scriptsEach+1))
	}
	return calls
}

// manyScripts compares one script with 10,000 in 100 apps.
func (b *bench) manyScripts(ctx context.Context, hello *work) error {
	for _, sql := range seedScripts {
		if _, err := b.db.General.Exec(ctx, sql); err != nil {
			return err
		}
	}

	before := resident(b.p.cmd.Process.Pid)
	if err := b.restart(); err != nil { // it knows what came behind its back
		return err
	}
	fmt.Printf("  10,000 idle scripts: %.0f MiB resident after a start; before, with children, %.0f\n",
		resident(b.p.cmd.Process.Pid), before)

	many := zipfCalls()
	for asked := int64(0); asked < 2*int64(len(many.paths)); { // most have been called before it counts
		l, err := b.wrk(b.p.addr(), connections, b.seconds, many)
		if err != nil {
			return err
		}
		if asked == 0 {
			fmt.Printf("  the first %s, nearly each call a script's or a process's first: %.0f/s\n",
				b.seconds, l.rate)
		}
		asked += l.answers
	}

	got, err := b.interleave(side{b.self(), hello, connections}, side{b.self(), many, connections})
	if err != nil {
		return err
	}
	got[0].print("one script", nil)
	got[1].print("10,000 scripts in 100 apps, Zipf 1.1", nil)
	fmt.Printf("  the many have %.2f of the rate of one; %.0f MiB resident, children included\n",
		got[1].rate/got[0].rate, resident(b.p.cmd.Process.Pid))
	return nil
}
