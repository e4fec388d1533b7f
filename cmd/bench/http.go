package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/dop251/goja"
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

const connections = 64

// result is one measurement of a load.
type result struct {
	rate     float64 // answers a second
	p50, p99 time.Duration
	cpu      time.Duration // per answer, of the process tree
	pgCPU    time.Duration // per answer
	errors   int
}

// load sends requests over so many connections for so long. next gives path and body of the n-th request of a connection.
func load(addr string, conns int, d time.Duration, next func(conn, n int) (path string, body []byte)) (rate float64, lat []time.Duration, errs int) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	end := time.Now().Add(d)
	began := time.Now()
	for c := range conns {
		wg.Go(func() {
			client := &fasthttp.HostClient{Addr: addr, MaxConns: 1, ReadTimeout: 30 * time.Second}
			defer client.CloseIdleConnections()
			var mine []time.Duration
			bad := 0
			req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
			for n := 0; time.Now().Before(end); n++ {
				path, body := next(c, n)
				req.Reset()
				req.SetRequestURI("http://" + addr + path)
				if body != nil {
					req.Header.SetMethod("POST")
					req.SetBodyRaw(body)
				}
				t := time.Now()
				if err := client.Do(req, res); err != nil || res.StatusCode() >= 300 {
					bad++
					continue
				}
				mine = append(mine, time.Since(t))
			}
			mu.Lock()
			lat = append(lat, mine...)
			errs += bad
			mu.Unlock()
		})
	}
	wg.Wait()
	return float64(len(lat)) / time.Since(began).Seconds(), lat, errs
}

// measure runs a load after a warm-up; pid is the process tree whose CPU counts, 0 for none.
func (b *bench) measure(addr string, conns, pid int, next func(conn, n int) (string, []byte)) result {
	load(addr, conns, b.seconds/3, next)
	var rates, p50, p99, cpus, pg []float64
	errs := 0
	for range b.rounds {
		c0, g0 := time.Duration(0), cpu(b.pg.PID())
		if pid != 0 {
			c0 = cpu(pid)
		}
		rate, lat, bad := load(addr, conns, b.seconds, next)
		errs += bad
		n := float64(max(1, len(lat)))
		if pid != 0 {
			cpus = append(cpus, float64(cpu(pid)-c0)/n)
		} else {
			cpus = append(cpus, 0)
		}
		pg = append(pg, float64(cpu(b.pg.PID())-g0)/n)
		rates = append(rates, rate)
		p50, p99 = append(p50, float64(quantile(lat, 0.5))), append(p99, float64(quantile(lat, 0.99)))
	}
	return result{median(rates), time.Duration(median(p50)), time.Duration(median(p99)), time.Duration(median(cpus)), time.Duration(median(pg)), errs}
}

func (r result) print(name string, ceiling float64) {
	ratio := ""
	if ceiling > 0 {
		ratio = fmt.Sprintf("  %.2f of the ceiling", r.rate/ceiling)
	}
	fmt.Printf("  %-34s %8.0f/s  p50 %7s  p99 %7s  CPU %6s + PostgreSQL %6s%s", name, r.rate, short(r.p50), short(r.p99), short(r.cpu), short(r.pgCPU), ratio)
	if r.errors > 0 {
		fmt.Printf("  %d ERRORS", r.errors)
	}
	fmt.Println()
}

func short(d time.Duration) string {
	if d >= 10*time.Millisecond {
		return fmt.Sprintf("%.1fms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.0fus", d.Seconds()*1e6)
}

func same(path string, body []byte) func(int, int) (string, []byte) {
	return func(int, int) (string, []byte) { return path, body }
}

// ceilings serves what a script would answer: a static handler, and the script in this process.
func ceilings() (addr string, err error) {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Get("/static", func(c *fiber.Ctx) error {
		c.Set("Content-Type", "application/json")
		return c.SendString(`{"hello":"world"}`)
	})
	prg := goja.MustCompile("hello.js", `(function (request) { return JSON.stringify({ hello: "world" }) })`, true)
	pool := sync.Pool{New: func() any {
		vm := goja.New()
		v, err := vm.RunProgram(prg)
		if err != nil {
			return nil
		}
		fn, _ := goja.AssertFunction(v)
		return fn
	}}
	app.Get("/goja", func(c *fiber.Ctx) error {
		fn, ok := pool.Get().(goja.Callable)
		if !ok {
			return fiber.ErrInternalServerError
		}
		v, err := fn(goja.Undefined(), goja.Undefined())
		if err != nil {
			return err
		}
		pool.Put(fn)
		c.Set("Content-Type", "application/json")
		return c.SendString(v.String())
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() { _ = app.Listener(l) }()
	return l.Addr().String(), nil
}

func (b *bench) startUp(context.Context) error {
	heading("Start, database there")
	var starts []float64
	for range b.rounds {
		env := b.p
		env.stop()
		p, err := startPicloud(env.cmd.Path, b.pg.URL())
		if err != nil {
			return err
		}
		b.p = p
		starts = append(starts, float64(p.start))
	}
	fmt.Printf("  to the first answer: %s\n", short(time.Duration(median(starts))))
	return nil
}

// echoBody is 1 KiB of JSON.
var echoBody = []byte(`{"items":[` + strings.Repeat(`{"id":12345,"name":"some name","ok":true},`, 23) + `{}]}`)

// deployRequests deploys what the steps that measure requests call.
func (b *bench) deployRequests() error {
	for name, src := range map[string]string{
		"hello":  `export default { fetch: () => Response.json({ hello: "world" }) }`,
		"echo":   `export default { fetch: async (r) => Response.json(await r.json()) }`,
		"params": `export default { fetch: (r, env, ctx) => ({ id: ctx.params.id, ua: r.headers.get("user-agent"), x: r.headers.get("x-a") }) }`,
	} {
		if err := b.p.deploy(name, src); err != nil {
			return err
		}
	}
	if b.routed {
		return nil
	}
	b.routed = true
	_, err := b.p.api("POST", "/apps/default/routes", map[string]any{"script": "params", "path": "/items/:id"})
	return err
}

func (b *bench) requests(context.Context) error {
	heading(fmt.Sprintf("Requests, %d connections", connections))
	if err := b.deployRequests(); err != nil {
		return err
	}
	own, err := ceilings()
	if err != nil {
		return err
	}
	addr := b.p.addr()
	pid := b.p.cmd.Process.Pid
	static := b.measure(own, connections, 0, same("/static", nil))
	static.print("static Fiber handler (ceiling)", 0)
	in := b.measure(own, connections, 0, same("/goja", nil))
	in.print("the script in process, bare goja", static.rate)
	hello := b.measure(addr, connections, pid, same("/f/default/hello", nil))
	hello.print("hello JSON", static.rate)
	b.measure(addr, connections, pid, same("/f/default/echo", echoBody)).print(fmt.Sprintf("echo of %d bytes of JSON", len(echoBody)), static.rate)
	b.measure(addr, connections, pid, same("/items/42", nil)).print("route parameter and headers", static.rate)
	b.measure(addr, 512, pid, same("/f/default/hello", nil)).print("hello, 512 connections", static.rate)
	fmt.Printf("  a request's way through the child costs %.1f times the script in process\n", in.rate/hello.rate)
	fmt.Fprintf(os.Stdout, "  memory: %.0f MiB resident (proportional), PiCloud and its children\n", resident(pid))
	return nil
}

func (b *bench) kv(context.Context) error {
	heading(fmt.Sprintf("KV, %d connections, durable", connections))
	for name, src := range map[string]string{
		"read":  `import { kv } from "picloud"; const c = kv.collection("bench"); export default { fetch: async () => Response.json(await c.get("k")) }`,
		"write": `import { kv } from "picloud"; const c = kv.collection("bench"); export default { fetch: async (r) => { await c.set(r.url.slice(-12), { n: 1 }) } }`,
		"hot":   `import { kv } from "picloud"; const c = kv.collection("bench"); export default { fetch: () => c.increment("hot") }`,
	} {
		if err := b.p.deploy(name, src); err != nil {
			return err
		}
	}
	if _, err := b.p.api("PUT", "/apps/default/kv/bench/k", map[string]any{"value": map[string]any{"n": 1}}); err != nil {
		return err
	}
	addr := b.p.addr()
	pid := b.p.cmd.Process.Pid
	b.measure(addr, connections, pid, same("/f/default/read", nil)).print("read one key", 0)
	b.measure(addr, connections, pid, func(c, n int) (string, []byte) { return fmt.Sprintf("/f/default/write?k=%05d-%06d", c, n), nil }).
		print("write one key, distinct", 0)
	b.measure(addr, connections, pid, same("/f/default/hot", nil)).print("increment one hot key", 0)
	return nil
}
