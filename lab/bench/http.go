package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
)

// Bodies that are sent: 1 KiB of JSON, and 1,000 objects in no order.
var (
	echoBody = []byte(`{"items":[` + strings.Repeat(`{"id":12345,"name":"some name","ok":true},`, 23) + `{}]}`)
	sortBody = func() []byte {
		r := rand.New(rand.NewPCG(1, 2)) // the same list each time

		var list []string
		for _, n := range r.Perm(1000) {
			list = append(list, fmt.Sprintf(`{"n":%d,"name":"item %d","ok":true}`, n, n))
		}
		return []byte("[" + strings.Join(list, ",") + "]")
	}()
)

// The peers, by name.
const (
	node, workerd, pocketBase, fiberStatic = "Node", "workerd", "PocketBase", "Fiber, static"
)

// works is what is measured beside the peers, and the script that does it.
var works = []struct {
	work
	script, source string
	beside         []string
}{
	{work{name: "hello JSON", path: "/f/default/hello"}, "hello",
		`export default { fetch: () => Response.json({ hello: "world" }) }`, []string{node, workerd, pocketBase, fiberStatic}},
	{work{name: "echo of 1 KiB of JSON", path: "/f/default/echo", body: echoBody}, "echo",
		`export default { fetch: async (r) => Response.json(await r.json()) }`, []string{node, workerd, pocketBase}},
	{work{name: "route parameter and 10 headers", path: "/items/42", headers: []string{"X-A: 1", "X-B: 2", "X-C: 3", "X-D: 4", "X-E: 5", "X-F: 6", "Accept: */*",
		"Accept-Language: en", "User-Agent: bench", "Cookie: a=b"}}, "params",
		`export default { fetch: (r, env, ctx) => ({ id: ctx.params.id, ua: r.headers.get("user-agent"), x: r.headers.get("x-a") }) }`, []string{node, workerd, pocketBase}},
	{work{name: "fetch of a local upstream", path: "/f/default/fetch"}, "fetch",
		`export default { fetch: async () => Response.json(await (await fetch("http://UPSTREAM/static")).json()) }`, []string{node, workerd, pocketBase}},
	{work{name: "1,000 objects of JSON sorted", path: "/f/default/sort", body: sortBody}, "sort",
		`export default { fetch: async (r) => Response.json((await r.json()).sort((a, b) => a.n - b.n)) }`, []string{node, workerd, pocketBase}},
	{work{name: "fib(20)", path: "/f/default/fib"}, "fib",
		`const fib = (n) => (n < 2 ? n : fib(n - 1) + fib(n - 2)); export default { fetch: () => Response.json(fib(20)) }`, []string{node, workerd, pocketBase}},
	{work{name: "KV: read one key", path: "/f/default/read"}, "read",
		`import { kv } from "picloud"; const c = kv.collection("bench"); export default { fetch: async () => Response.json(await c.get("k")) }`, []string{node, pocketBase}},
	{work{name: "KV: write distinct keys", path: "/f/default/write", distinct: true}, "write",
		`import { kv } from "picloud"; const c = kv.collection("bench"); export default { fetch: async (r) => { await c.set(r.url.slice(-12), { n: 1 }) } }`, []string{node, pocketBase}},
	{work{name: "KV: increment one hot key", path: "/f/default/hot"}, "hot",
		`import { kv } from "picloud"; const c = kv.collection("bench"); export default { fetch: () => c.increment("hot") }`, []string{node}},
}

// workNamed is one of works.
func workNamed(script string) *work {
	for k := range works {
		if works[k].script == script {
			return &works[k].work
		}
	}
	panic("no such work: " + script)
}

// deployWorks deploys the scripts of works.
func (b *bench) deployWorks() error {
	if b.deployed {
		return nil
	}

	b.deployed = true
	for _, w := range works {
		if err := b.p.deploy(w.script, strings.ReplaceAll(w.source, "UPSTREAM", b.upstream)); err != nil {
			return err
		}
	}

	if _, err := b.p.api("POST", "/apps/default/routes", map[string]any{"script": "params", "path": "/items/:id"}); err != nil {
		return err
	}
	_, err := b.p.api("PUT", "/apps/default/kv/bench/k", map[string]any{"value": map[string]any{"n": 1}})
	return err
}

// serveStatic answers at an address: the upstream that is fetched, and the ceiling.
func serveStatic(listen string) (addr string, err error) {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Use(func(c *fiber.Ctx) error {
		c.Set("Content-Type", "application/json")
		return c.SendString(`{"hello":"world"}`)
	})

	l, err := net.Listen("tcp", listen)
	if err != nil {
		return "", err
	}

	go func() { _ = app.Listener(l) }()
	return l.Addr().String(), nil
}

// requests measures PiCloud beside its peers.
func (b *bench) requests(context.Context) error {
	heading(fmt.Sprintf("Requests, %d connections, in turn with the peers", connections))
	if err := b.deployWorks(); err != nil {
		return err
	}

	peers := b.peers()
	defer func() {
		for _, p := range peers {
			p.stop()
		}
	}()

	for k := range works {
		w := &works[k]
		if b.script != "" && b.script != w.script {
			continue
		}

		sides := []side{{b.self(), &w.work, connections}}
		for _, name := range w.beside {
			if p, ok := peers[name]; ok {
				sides = append(sides, side{p, &w.work, connections})
			}
		}

		hot, err := b.hotKey()
		if err != nil {
			return err
		}

		got, err := b.interleave(sides...)
		if err != nil {
			return err
		}

		fmt.Printf(" %s\n", w.name)

		for k, s := range sides {
			got[k].print(s.name, &got[0])
		}

		if w.script == "hot" {
			now, err := b.hotKey()
			if err != nil {
				return err
			}
			fmt.Printf("  of PiCloud's %d answers each is one increment: %d were counted (those on their way when a round ended were not answered)\n", got[0].answers, now-hot)
		}
	}

	return nil
}

// hotKey reads the counter that the script hot increments.
func (b *bench) hotKey() (n int64, err error) {
	err = b.db.General.QueryRow(context.Background(), "SELECT coalesce((SELECT value::bigint FROM kv WHERE app_id = 1 AND collection = 'bench' AND key = 'hot'), 0)").Scan(&n)
	return n, err
}

// crowds measures what many connections, many scripts and a busy event system do to hello.
func (b *bench) crowds(ctx context.Context) error {
	heading("hello in a crowd")
	if err := b.deployWorks(); err != nil {
		return err
	}

	hello := workNamed("hello")
	if err := b.restart("PICLOUD_QUEUE=512"); err != nil { // 16 x CPUs run and 8 times as many wait by default: on two CPUs that is 288
		return err
	}

	got, err := b.interleave(side{b.self(), hello, connections}, side{b.self(), hello, 512})
	if err != nil {
		return err
	}

	got[0].print("64 connections", nil)
	got[1].print("512 connections, PICLOUD_QUEUE=512", nil)
	fmt.Printf("  512 have %.2f of the rate of 64; p99 is %.1f x p50\n", got[1].rate/got[0].rate, got[1].p99/got[1].p50)

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
	fmt.Printf("  p99 is %.2f x the quiet one; %.0f events/s were sent\n", busy[0].p99/got[0].p99, sent)
	return b.manyScripts(ctx, hello)
}

// events1000 makes 1,000 events a second in an app of their own until stop, which tells how many a second it came to.
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

// flooder deploys, in an app of its own, a script that sets keys and one that each of them triggers.
func (b *bench) flooder() error {
	if b.flooding {
		return nil
	}

	b.flooding = true
	if _, err := b.p.api("POST", "/apps", map[string]any{"slug": "flood", "name": "flood"}); err != nil {
		return err
	}
	if _, err := b.p.api("PUT", "/apps/flood/scripts/flood", map[string]any{"source": fmt.Sprintf(`import { kv } from "picloud"; const c = kv.collection("flood");
export default { async fetch(r) { const from = Number(r.url.split("=")[1]); for (let n = 0; n < %d; n++) await c.set("k" + (from + n), n) }, kv() {} }`, floodSize)}); err != nil {
		return err
	}

	_, err := b.p.api("POST", "/apps/flood/triggers", map[string]any{"kind": "kv", "script": "flood", "collection": "flood"})
	return err
}

func (b *bench) flood(from int) error {
	return b.p.get(fmt.Sprintf("/f/flood/flood?from=%d", from%10_000))
}

// manyScripts compares one script with 10,000 in 100 apps that are called as Zipf's law has it.
func (b *bench) manyScripts(ctx context.Context, hello *work) error {
	const apps, each = 100, 100
	if _, err := b.db.General.Exec(ctx, `INSERT INTO apps (slug, name) SELECT 'many-' || g, 'many' FROM generate_series(1, $1) g`, apps); err != nil {
		return err
	}
	if _, err := b.db.General.Exec(ctx, `INSERT INTO scripts (app_id, id, name, kind, access, version)
		SELECT a.id, gen_random_uuid(), 's' || g, 'endpoint', 'public', 1 FROM apps a, generate_series(1, $1) g WHERE a.slug LIKE 'many-%'`, each); err != nil {
		return err
	}
	if _, err := b.db.General.Exec(ctx, `INSERT INTO script_versions (app_id, script_id, version, language, source, source_sha256, build_id, code, handlers, created_by)
		SELECT s.app_id, s.id, 1, v.language, v.source, v.source_sha256, gen_random_uuid(), v.code, v.handlers, v.created_by
		FROM scripts s JOIN apps a ON a.id = s.app_id AND a.slug LIKE 'many-%', script_versions v JOIN scripts h ON h.app_id = v.app_id AND h.id = v.script_id AND h.name = 'hello'
		WHERE v.app_id = 1 AND v.version = h.version`); err != nil {
		return err
	}

	before := resident(b.p.cmd.Process.Pid)
	if err := b.restart(); err != nil { // it knows what came behind its back
		return err
	}

	fmt.Printf("  10,000 idle scripts: %.0f MiB resident after a start; before, with children, %.0f\n", resident(b.p.cmd.Process.Pid), before)
	r := rand.New(rand.NewPCG(3, 4)) // the same calls each time
	zipf, order := rand.NewZipf(r, 1.1, 1, apps*each-1), r.Perm(apps*each)
	many := &work{name: "zipf"}

	for range 50_000 {
		s := order[zipf.Uint64()]
		many.paths = append(many.paths, fmt.Sprintf("/f/many-%d/s%d", s/each+1, s%each+1))
	}

	for asked := int64(0); asked < 2*int64(len(many.paths)); { // most have been called before it counts
		l, err := b.wrk(b.p.addr(), connections, b.seconds, many)
		if err != nil {
			return err
		}
		if asked == 0 {
			fmt.Printf("  the first %s, nearly each call a script's or a process's first: %.0f/s\n", b.seconds, l.rate)
		}
		asked += l.answers
	}

	got, err := b.interleave(side{b.self(), hello, connections}, side{b.self(), many, connections})
	if err != nil {
		return err
	}

	got[0].print("one script", nil)
	got[1].print("10,000 scripts in 100 apps, Zipf 1.1", nil)
	fmt.Printf("  the many have %.2f of the rate of one; %.0f MiB resident, children included\n", got[1].rate/got[0].rate, resident(b.p.cmd.Process.Pid))
	return nil
}
