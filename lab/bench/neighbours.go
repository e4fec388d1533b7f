package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// roundTrip is what an attacker from elsewhere waits for at least. Without it, the work of those who are
// refused at once would be measured: they are on the same machine.
const roundTrip = 20 * time.Millisecond

// elsewhere is where attackers come from: the same address would make them the same caller as the victim.
var elsewhere = net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 66)}}

// attack is what one app, or somebody without a credential, does to a node for as long as it is let.
type attack struct {
	name string
	// workers do it at once, again and again.
	workers int
	do      func(ctx context.Context, a *attacker)
}

// attacks are what another app's requests are measured beside.
var attacks = []attack{
	{"nothing", 0, nil},
	{"CPU: 40 scripts that compute without end", 40, call("/f/mallory/compute")},
	{"sleep: 60 scripts that wait for 5 s", 60, call("/f/mallory/sleep")},
	{"fetch: 17 scripts with 16 requests each that hang", 17, call("/f/mallory/hang")},
	{"commits: 8 scripts that write 60 MiB each", 8, call("/f/mallory/write")},
	{"memory: 40 scripts that keep 90 MiB for 2 s", 40, call("/f/mallory/keep")},
	{"answers: 40 callers that do not read 10 MiB", 40, unread},
	{"bodies: 100 callers that send 9 of 10 MiB", 100, unfinished},
	{"keys: 8 callers with an Idempotency-Key anew for each MB", 8, freshKeys},
	{"deploys: 8 editors who deploy an endless module", 8, deployEndless},
	{"lists: 6 viewers of 400 values of 250 KiB", 6, listMuch},
	{"logins: 60 guesses of a password at once", 60, guessPassword},
}

// attackScripts are those of the app mallory.
var attackScripts = map[string]string{
	"compute": `export default () => { for (;;); }`,
	"sleep":   `export default () => new Promise(done => setTimeout(done, 5000))`,
	"hang": `export default () =>
		Promise.allSettled(Array.from({ length: 16 }, () => fetch("http://TARPIT/")))`,
	"write": `import { kv } from "picloud"; const c = kv.collection("fat"), v = "x".repeat(250_000);
		export default async r => { for (let k = 0; k < 240; k++) await c.set(r.url.split("=")[1] + k, v) }`,
	"keep": `export default async () => { const kept = new Uint8Array(90 << 20).fill(1);
		await new Promise(done => setTimeout(done, 2000)); return String(kept[5]) }`,
	"big":  `export default () => "x".repeat(10_000_000)`,
	"mega": `export default () => "x".repeat(1_000_000)`,
	"echo": `export default async r => String((await r.text()).length)`,
}

// victimScript reads, asks another server and writes, as the scripts of a peaceful app do.
const victimScript = `import { kv } from "picloud"; const c = kv.collection("c");
	export default async () => {
		const n = await c.get("k") ?? 0;
		await fetch("http://UPSTREAM/");
		await c.set("k", n + 1);
	}`

// attacker is one worker.
type attacker struct {
	p      *picloud
	number int64
	client *http.Client
}

// neighbours measures the requests of one app, 25 a second, alone and beside what another does. The goal is a
// p99 of at most three times the quiet one.
func (b *bench) neighbours(ctx context.Context) error {
	heading("One app's requests, 25 a second, beside another that")
	if err := b.restart("PICLOUD_FETCH_ALLOW_PRIVATE=true"); err != nil {
		return err
	}
	if err := b.deployNeighbours(); err != nil {
		return err
	}

	var quiet float64
	for _, a := range attacks {
		if a.workers > 0 && !strings.HasPrefix(a.name, b.attack) {
			continue
		}
		stop := b.begin(ctx, a)
		time.Sleep(time.Second)
		took, failed := b.victim(10 * time.Second)
		peak := resident(b.p.cmd.Process.Pid)
		stop()

		p99 := quantile(took, 0.99)
		if quiet == 0 {
			quiet = p99
		}
		fmt.Printf("  %-58s p50 %7s  p99 %7s, %5.1f x the quiet one; %d of %d failed; %4.0f MiB\n",
			a.name, short(quantile(took, 0.5)), short(p99), p99/quiet, failed, len(took), peak)
	}

	return nil
}

func (b *bench) deployNeighbours() error {
	hole, err := tarpit()
	if err != nil {
		return err
	}

	for _, app := range []string{"mallory", "peace"} {
		if _, err := b.p.api("POST", "/apps", map[string]any{"slug": app, "name": app}); err != nil {
			return err
		}
	}

	for name, source := range attackScripts {
		script := map[string]any{"source": strings.ReplaceAll(source, "TARPIT", hole)}
		if _, err := b.p.api("PUT", "/apps/mallory/scripts/"+name, script); err != nil {
			return err
		}
	}

	for k := range 400 {
		entry := map[string]any{"value": strings.Repeat("x", 250_000)}
		if _, err := b.p.api("PUT", fmt.Sprintf("/apps/mallory/kv/list/k%d", k), entry); err != nil {
			return err
		}
	}

	script := map[string]any{"source": strings.ReplaceAll(victimScript, "UPSTREAM", b.upstream)}
	_, err = b.p.api("PUT", "/apps/peace/scripts/victim", script)

	return err
}

// tarpit is a server that accepts and never answers.
func tarpit() (addr string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}

	go func() {
		var kept []net.Conn // or they would be closed when they are collected
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			kept = append(kept, conn)
		}
	}()
	return l.Addr().String(), nil
}

// begin has an attack go on until stop.
func (b *bench) begin(ctx context.Context, a attack) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var number atomic.Int64
	var workers sync.WaitGroup
	transport := &http.Transport{DialContext: elsewhere.DialContext}
	client := &http.Client{Transport: transport}

	for range a.workers {
		workers.Go(func() {
			for ctx.Err() == nil {
				a.do(ctx, &attacker{p: b.p, number: number.Add(1), client: client})
				time.Sleep(roundTrip)
			}
		})
	}

	return func() {
		cancel()
		workers.Wait()
		transport.CloseIdleConnections()
		time.Sleep(3 * time.Second) // what is under way ends
	}
}

// victim calls the peaceful app 25 times a second, however long its answers take.
func (b *bench) victim(d time.Duration) (took []time.Duration, failed int) {
	var mu sync.Mutex
	var calls sync.WaitGroup
	tick := time.NewTicker(40 * time.Millisecond)
	defer tick.Stop()

	for end := time.Now().Add(d); time.Now().Before(end); <-tick.C {
		calls.Go(func() {
			began := time.Now()
			err := b.p.get("/f/peace/victim")

			mu.Lock()
			defer mu.Unlock()
			took = append(took, time.Since(began))
			if err != nil {
				failed++
			}
		})
	}
	calls.Wait()

	return took, failed
}

// call is an attack by an endpoint.
func call(path string) func(context.Context, *attacker) {
	return func(ctx context.Context, a *attacker) {
		a.send(ctx, "GET", fmt.Sprintf("%s?n=%d-", path, a.number), "")
	}
}

// send sends a request, whatever comes.
func (a *attacker) send(ctx context.Context, method, path, body string, headers ...string) {
	req, err := http.NewRequestWithContext(ctx, method, a.p.url+path, strings.NewReader(body))
	if err != nil {
		return
	}

	for k := 0; k < len(headers); k += 2 {
		req.Header.Set(headers[k], headers[k+1])
	}

	res, err := a.client.Do(req)
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
}

// hold sends the beginning of a request and leaves it there.
func (a *attacker) hold(ctx context.Context, begin []byte) {
	conn, err := elsewhere.Dial("tcp", a.p.addr())
	if err != nil {
		return
	}
	defer conn.Close()

	_ = conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
	_, _ = conn.Write(begin)

	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(4000+a.number%100*20) * time.Millisecond):
	}
}

func unread(ctx context.Context, a *attacker) {
	a.hold(ctx, []byte("GET /f/mallory/big HTTP/1.1\r\nHost: x\r\n\r\n"))
}

// unfinishedRequest is one for all who send it: this process, which measures, must not fill its heap.
var unfinishedRequest = []byte(
	"POST /f/mallory/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n" +
		strings.Repeat("x", 9_000_000))

func unfinished(ctx context.Context, a *attacker) { a.hold(ctx, unfinishedRequest) }

func freshKeys(ctx context.Context, a *attacker) {
	a.send(ctx, "GET", "/f/mallory/mega", "", "Idempotency-Key", fmt.Sprint("key-", a.number))
}

func deployEndless(ctx context.Context, a *attacker) {
	source := fmt.Sprintf(`{"source":"export default () => %d; for(;;);"}`, a.number)
	a.send(ctx, "PUT", fmt.Sprint("/api/v1/apps/mallory/scripts/endless", a.number%8), source,
		"Authorization", "Bearer "+a.p.token, "Content-Type", "application/json")
}

func listMuch(ctx context.Context, a *attacker) {
	a.send(ctx, "GET", "/api/v1/apps/mallory/kv/list?limit=1000", "", "Authorization", "Bearer "+a.p.token)
}

func guessPassword(ctx context.Context, a *attacker) {
	guess := fmt.Sprintf(`{"username":"admin","password":"guess %d"}`, a.number)
	a.send(ctx, "POST", "/api/v1/auth/login", guess, "Content-Type", "application/json")
}
