package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// Bodies that are sent: 1 KiB of JSON, and 1,000 objects in no order.
var (
	echoBody = []byte(
		`{"items":[` + strings.Repeat(`{"id":12345,"name":"some name","ok":true},`, 23) + `{}]}`)
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
	node        = "Node"
	workerd     = "workerd"
	pocketBase  = "PocketBase"
	fiberStatic = "Fiber, static"
)

// works is what is measured beside the peers, and the script that does it.
var works = []struct {
	work
	script, source string
	beside         []string
}{
	{
		work:   work{name: "hello JSON", path: "/f/default/hello"},
		script: "hello",
		source: `export default { fetch: () => Response.json({ hello: "world" }) }`,
		beside: []string{node, workerd, pocketBase, fiberStatic},
	},
	{
		work:   work{name: "echo of 1 KiB of JSON", path: "/f/default/echo", body: echoBody},
		script: "echo",
		source: `export default { fetch: async (r) => Response.json(await r.json()) }`,
		beside: []string{node, workerd, pocketBase},
	},
	{
		work: work{name: "route parameter and 10 headers", path: "/items/42", headers: []string{
			"X-A: 1", "X-B: 2", "X-C: 3", "X-D: 4", "X-E: 5", "X-F: 6",
			"Accept: */*", "Accept-Language: en", "User-Agent: bench", "Cookie: a=b",
		}},
		script: "params",
		source: `export default { fetch: (r, env, ctx) =>
			({ id: ctx.params.id, ua: r.headers.get("user-agent"), x: r.headers.get("x-a") }) }`,
		beside: []string{node, workerd, pocketBase},
	},
	{
		work:   work{name: "fetch of a local upstream", path: "/f/default/fetch"},
		script: "fetch",
		source: `export default { fetch: async () =>
			Response.json(await (await fetch("http://UPSTREAM/static")).json()) }`,
		beside: []string{node, workerd, pocketBase},
	},
	{
		work:   work{name: "1,000 objects of JSON sorted", path: "/f/default/sort", body: sortBody},
		script: "sort",
		source: `export default { fetch: async (r) =>
			Response.json((await r.json()).sort((a, b) => a.n - b.n)) }`,
		beside: []string{node, workerd, pocketBase},
	},
	{
		work:   work{name: "fib(20)", path: "/f/default/fib"},
		script: "fib",
		source: `const fib = (n) => (n < 2 ? n : fib(n - 1) + fib(n - 2));
			export default { fetch: () => Response.json(fib(20)) }`,
		beside: []string{node, workerd, pocketBase},
	},
	{
		work:   work{name: "KV: read one key", path: "/f/default/read"},
		script: "read",
		source: `import { kv } from "picloud"; const c = kv.collection("bench");
			export default { fetch: async () => Response.json(await c.get("k")) }`,
		beside: []string{node, pocketBase},
	},
	{
		work:   work{name: "KV: write distinct keys", path: "/f/default/write", distinct: true},
		script: "write",
		source: `import { kv } from "picloud"; const c = kv.collection("bench");
			export default { fetch: async (r) => { await c.set(r.url.slice(-12), { n: 1 }) } }`,
		beside: []string{node, pocketBase},
	},
	{
		work:   work{name: "KV: increment one hot key", path: "/f/default/hot"},
		script: "hot",
		source: `import { kv } from "picloud"; const c = kv.collection("bench");
			export default { fetch: () => c.increment("hot") }`,
		beside: []string{node},
	},
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

	route := map[string]any{"script": "params", "path": "/items/:id"}
	if _, err := b.p.api("POST", "/apps/default/routes", route); err != nil {
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

		if err := b.compare(w.name, w.script, sides); err != nil {
			return err
		}
	}
	return nil
}

// compare measures the sides of a work, PiCloud first, and prints them.
func (b *bench) compare(name, script string, sides []side) error {
	before, err := b.hotKey()
	if err != nil {
		return err
	}
	got, err := b.interleave(sides...)
	if err != nil {
		return err
	}

	fmt.Printf(" %s\n", name)

	for k, s := range sides {
		got[k].print(s.name, &got[0])
	}
	if script != "hot" {
		return nil
	}

	after, err := b.hotKey()
	if err != nil {
		return err
	}
	fmt.Printf("  of PiCloud's %d answers each is one increment: %d were counted "+
		"(those on their way when a round ended were not answered)\n", got[0].answers, after-before)
	return nil
}

// hotKey reads the counter that the script hot increments.
func (b *bench) hotKey() (n int64, err error) {
	err = b.db.General.QueryRow(context.Background(), `SELECT coalesce(
		(SELECT value::bigint FROM kv WHERE app_id = 1 AND collection = 'bench' AND key = 'hot'), 0)`).
		Scan(&n)
	return n, err
}
