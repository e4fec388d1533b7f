package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"picloud/internal/testkit/machine"
	"picloud/internal/testkit/wire"
)

const (
	lease    = 2 * time.Second // of the nodes
	password = "correct horse battery"
)

// lab is one installation, made for one fault.
type lab struct {
	o   *options
	f   *fault
	res *result
	rng *rand.Rand

	dir     string
	pg      *postgres // the primary
	standby *postgres
	servers []*postgres // both, in the order of the nodes' wires
	outside *patroni    // instead of both
	nodes   []*node
	http    *http.Client
	token   string
	clock   string // id of the trigger that fires every second
	load    *load
}

// newLab makes the installation of a fault, ready for its first round.
func newLab(ctx context.Context, o *options, f *fault, res *result) (*lab, error) {
	l, err := emptyLab(o, f, res)
	if err != nil {
		return nil, err
	}

	if err := l.start(ctx); err != nil {
		l.keepLogs()
		l.close()
		return nil, err
	}

	return l, nil
}

// emptyLab is a lab with a directory in which nothing runs yet.
func emptyLab(o *options, f *fault, res *result) (*lab, error) {
	seed := uint64(o.seed)
	for _, c := range f.name {
		seed = seed*31 + uint64(c)
	}

	dir, err := os.MkdirTemp("", "faultlab-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o711); err != nil { // PostgreSQL may run as another user
		return nil, err
	}

	return &lab{
		o:    o,
		f:    f,
		res:  res,
		rng:  rand.New(rand.NewPCG(seed, 1)),
		dir:  dir,
		http: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	}, nil
}

func (l *lab) start(ctx context.Context) error {
	if err := l.startNodes(ctx); err != nil {
		return err
	}
	if l.o.pattern == nil || l.f.patroni { // Patroni makes its clusters itself
		if err := l.install(ctx); err != nil {
			return err
		}
	}

	return l.startClock(ctx)
}

// startNodes starts PostgreSQL and the nodes, and logs in.
func (l *lab) startNodes(ctx context.Context) error {
	address, err := l.startDatabase(ctx)
	if err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}

	for k := range l.f.nodes {
		if err := l.addNode(ctx, fmt.Sprintf("node%d", k+1), address); err != nil {
			return err
		}
	}

	return l.login(ctx)
}

// startDatabase gives the address of PiCloud's database.
func (l *lab) startDatabase(ctx context.Context) (address string, err error) {
	if l.f.patroni {
		if l.outside, err = startPatroni(ctx, filepath.Join(l.dir, "patroni")); err != nil {
			return "", err
		}
		return l.outside.url(), nil
	}

	home := filepath.Join(l.dir, "a")
	if err := os.Mkdir(home, 0o711); err != nil {
		return "", err
	}

	if l.f.diskMiB > 0 {
		if err := syscall.Mount("tmpfs", home, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=0711", l.f.diskMiB)); err != nil {
			return "", fmt.Errorf("mount a small tmpfs: %w", err)
		}
	}

	settings := map[string]string{"idle_in_transaction_session_timeout": "0"}
	if l.f.diskMiB > 0 {
		settings["max_wal_size"], settings["min_wal_size"], settings["shared_buffers"] = "64MB", "32MB", "16MB"
	}

	if l.f.standby {
		settings["max_wal_senders"], settings["wal_level"], settings["hot_standby"] = "5", "replica", "on"
	}

	l.pg = newPostgres(home, settings)
	if err := l.makeCluster(ctx); err != nil {
		return "", err
	}

	l.servers = []*postgres{l.pg}
	if l.f.standby {
		l.standby = newPostgres(filepath.Join(l.dir, "b"), settings)
		l.servers = append(l.servers, l.standby)
		if err := l.attachStandby(ctx); err != nil {
			return "", err
		}
	}

	return l.pg.url(), nil
}

// makeCluster starts the primary, on a copy of the pattern's data where there is a pattern.
func (l *lab) makeCluster(ctx context.Context) error {
	if l.o.pattern != nil {
		if err := l.o.pattern.copyTo(ctx, l.pg.dir); err != nil {
			return err
		}
		return l.pg.start(ctx)
	}

	if err := l.pg.start(ctx); err != nil {
		return err
	}
	return l.pg.createDatabase(ctx)
}

// attachStandby makes the standby follow the primary, and every commit wait for it.
func (l *lab) attachStandby(ctx context.Context) error {
	if err := l.standby.follow(ctx, l.pg); err != nil {
		return err
	}
	l.connectWires()
	return l.pg.exec(ctx, "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()", "SELECT pg_sleep(0.2)",
		"SELECT pg_logical_emit_message(true, 'faultlab', 'everything before this has arrived')")
}

// connectWires tells the nodes' wires where PostgreSQL listens now: at each start it is another socket.
func (l *lab) connectWires() {
	for _, n := range l.nodes {
		for k, w := range n.wires {
			w.Connect(l.servers[k].host())
		}
	}
}

func (l *lab) addNode(ctx context.Context, name, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}

	n := &node{name: name, binary: l.o.binary}
	if l.outside == nil {
		var hosts, ports []string
		for k, p := range l.servers {
			w, err := wire.New(filepath.Join(l.dir, fmt.Sprintf("%s-%d", name, k)), p.host())
			if err != nil {
				return err
			}
			n.wires = append(n.wires, w)
			hosts, ports = append(hosts, w.Dir), append(ports, "5432")
		}
		u.RawQuery = url.Values{"host": {strings.Join(hosts, ",")}, "port": {strings.Join(ports, ",")}, "target_session_attrs": {"read-write"}}.Encode()
	}

	if n.addr, err = machine.FreeAddress(); err != nil {
		return err
	}
	if n.log, err = os.Create(filepath.Join(l.dir, name+".log")); err != nil {
		return err
	}

	n.env = append([]string{"DATABASE_URL=" + u.String(), "PICLOUD_SECRET_KEY=BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
		"PICLOUD_ADMIN_PASSWORD=" + password, "PICLOUD_LEASE=" + lease.String(), "PICLOUD_SHUTDOWN_GRACE=10s", "PICLOUD_LOG_FORMAT=json"}, l.f.env...)
	l.nodes = append(l.nodes, n)
	return n.start(ctx)
}

// scripts of the app under load. Every run's effects can be counted afterwards.
var scripts = map[string]string{
	"produce": `import { kv } from "picloud"; export default { async fetch(request) {
		const p = new URL(request.url).searchParams;
		await kv.collection(p.get("c")).set(p.get("id"), 1);
		await kv.collection("total").increment("n");
		return "ok"; } }`,
	// Every tenth event fails at first.
	"consume": `import { kv } from "picloud"; export default { async kv(event, env, ctx) {
		await kv.collection("handled").increment(event.key);
		if (event.collection === "poison") throw new Error("poison");
		if (ctx.attempt === 1 && event.key.endsWith("3")) throw new Error("once"); } }`,
	"pay": `import { kv } from "picloud"; export default { async fetch(request) {
		await kv.collection("paid").increment(request.headers.get("idempotency-key")); return "paid"; } }`,
	"tick": `import { kv } from "picloud"; export default { async scheduled(event) {
		await kv.collection("ticks").increment(new Date(event.scheduledTime).toISOString()); } }`,
	"flood": `import { kv } from "picloud"; export default { async fetch(request) {
		const p = new URL(request.url).searchParams, from = Number(p.get("from"));
		for (let n = from; n < from + 1000; n++) await kv.collection("flood").set(p.get("round") + "-" + n, n);
		return "ok"; },
		async kv(event) { await kv.collection("flooded").increment(event.key); } }`,
	"slow": `export default async () => { await new Promise((done) => setTimeout(done, 2000)); return "slow"; }`,
	"loop": `export default () => { for (;;); }`,
	"hog":  `export default () => { const a = []; for (;;) a.push(new Array(1e6).fill(a.length)); }`,
	"deep": `export default () => { const f = (n) => f(n + 1) + f(n + 2); return f(0); }`,
	"big":  `export default () => "x".repeat(8 << 20)`,
}

func (l *lab) login(ctx context.Context) error {
	var login struct{ Token string }
	err := l.api(ctx, "POST", "/auth/login", map[string]any{"username": "admin", "password": password}, &login)
	l.token = login.Token
	return err
}

// install puts the scripts and the triggers of events in place, and a second app beside the one under load.
func (l *lab) install(ctx context.Context) error {
	if err := l.api(ctx, "POST", "/apps", map[string]any{"slug": "other", "name": "Other"}, nil); err != nil {
		return err
	}

	for name, source := range scripts {
		if err := l.api(ctx, "PUT", "/apps/default/scripts/"+name, map[string]any{"source": source}, nil); err != nil {
			return err
		}
	}

	hello := map[string]any{"source": `export default () => "hello"`}
	if err := l.api(ctx, "PUT", "/apps/other/scripts/hello", hello, nil); err != nil {
		return err
	}

	for _, t := range []map[string]any{
		{"kind": "kv", "script": "consume", "collection": "event", "retry": retries(20)},
		{"kind": "kv", "script": "consume", "collection": "poison", "retry": retries(2)},
		{"kind": "kv", "script": "flood", "collection": "flood", "retry": retries(20)},
	} {
		if err := l.api(ctx, "POST", "/apps/default/triggers", t, nil); err != nil {
			return err
		}
	}

	return nil
}

// startClock makes the trigger that fires every second. It is no part of the pattern: each second since then
// would be caught up on first.
func (l *lab) startClock(ctx context.Context) error {
	var made struct{ ID string }
	err := l.api(ctx, "POST", "/apps/default/triggers", map[string]any{
		"kind":     "cron",
		"script":   "tick",
		"schedule": "* * * * * *",
		"catch_up": "all",
		"retry":    retries(20),
	}, &made)
	l.clock = made.ID

	return err
}

func retries(attempts int) map[string]any {
	return map[string]any{"max_attempts": attempts, "base_ms": 50, "backoff": "constant"}
}

// api calls the JSON API of a node that lives.
func (l *lab) api(ctx context.Context, method, path string, body, out any) error {
	err := errors.New("no node lives")
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		for _, n := range l.nodes {
			var status int
			if !n.alive() {
				continue
			}
			if status, err = l.apiOf(ctx, n, method, path, body, out); err == nil || status >= 400 && status < 500 {
				return err
			}
		}
	}

	return err
}

func (l *lab) apiOf(ctx context.Context, n *node, method, path string, body, out any) (status int, err error) {
	var rd io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, err
		}
		rd = bytes.NewReader(b)
	}

	req, err := http.NewRequestWithContext(ctx, method, n.url()+"/api/v1"+path, rd)
	if err != nil {
		return 0, err
	}

	req.Header.Set("Content-Type", "application/json")
	if l.token != "" {
		req.Header.Set("Authorization", "Bearer "+l.token)
	}

	res, err := l.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()

	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}

	if res.StatusCode >= 400 {
		return res.StatusCode, fmt.Errorf("%s %s: %d %s", method, path, res.StatusCode, bytes.TrimSpace(text))
	}

	if out != nil {
		return res.StatusCode, json.Unmarshal(text, out)
	}
	return res.StatusCode, nil
}

// round is load, fault, and judgement.
func (l *lab) round(ctx context.Context, number int) {
	r := &round{lab: l, number: number, prefix: fmt.Sprintf("r%d-", number), began: time.Now()}
	l.load = startLoad(l, r.prefix)
	r.pause(300, 900)
	if err := l.f.inject(ctx, r); err != nil && ctx.Err() == nil {
		l.res.fail(number, "the fault could not be injected or mended: %v", err)
	}

	r.pause(500, 1000)
	l.load.stop()
	if ctx.Err() == nil {
		r.judge(ctx)
	}
}

// wait is a pause that ends early when the lab is stopped.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (l *lab) anyNode() *node { return l.nodes[l.rng.IntN(len(l.nodes))] }

// keepLogs copies the logs of an installation that broke a promise to where they can be read.
func (l *lab) keepLogs() {
	kept := filepath.Join(os.TempDir(), "faultlab-logs", l.f.name)
	if os.MkdirAll(kept, 0o750) != nil {
		return
	}

	logs, _ := filepath.Glob(filepath.Join(l.dir, "*.log"))
	more, _ := filepath.Glob(filepath.Join(l.dir, "*", "*.log"))

	for _, f := range append(logs, more...) {
		if b, err := os.ReadFile(f); err == nil {
			_ = os.WriteFile(filepath.Join(kept, strings.ReplaceAll(strings.TrimPrefix(f, l.dir+"/"), "/", "-")), b, 0o600)
		}
	}

	l.res.logs = kept
}

func (l *lab) close() {
	for _, n := range l.nodes {
		n.signal(syscall.SIGCONT)
		n.end(syscall.SIGKILL)

		for _, w := range n.wires {
			w.Close()
		}
		_ = n.log.Close()
	}

	if l.outside != nil {
		l.outside.close()
	}

	for _, p := range []*postgres{l.standby, l.pg} {
		if p != nil && p.server != nil && p.alive() {
			p.end(syscall.SIGQUIT)
		}
	}

	l.http.CloseIdleConnections()
	if l.f.diskMiB > 0 {
		_ = syscall.Unmount(filepath.Join(l.dir, "a"), syscall.MNT_DETACH)
	}
	_ = os.RemoveAll(l.dir)
}
