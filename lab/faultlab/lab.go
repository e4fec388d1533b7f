package main

import (
	"context"
	"fmt"
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

	dir     string      // of everything that the installation writes
	pg      *postgres   // the primary
	standby *postgres   // nil without one
	servers []*postgres // both, in the order of the nodes' wires
	outside *patroni    // instead of both
	nodes   []*node
	http    *http.Client
	token   string // of the owner
	clock   string // id of the trigger that fires every second
	load    *load  // of the present round
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
	if err := l.makeHome(home); err != nil {
		return "", err
	}
	settings := l.settings()
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

// makeHome makes the primary's directory, on a small disk if the fault wants one.
func (l *lab) makeHome(home string) error {
	if err := os.Mkdir(home, 0o711); err != nil {
		return err
	}
	if l.f.diskMiB == 0 {
		return nil
	}

	options := fmt.Sprintf("size=%dm,mode=0711", l.f.diskMiB)
	if err := syscall.Mount("tmpfs", home, "tmpfs", 0, options); err != nil {
		return fmt.Errorf("mount a small tmpfs: %w", err)
	}
	return nil
}

// settings are what PostgreSQL needs for the fault.
func (l *lab) settings() map[string]string {
	settings := map[string]string{"idle_in_transaction_session_timeout": "0"}
	if l.f.diskMiB > 0 {
		settings["max_wal_size"] = "64MB"
		settings["min_wal_size"] = "32MB"
		settings["shared_buffers"] = "16MB"
	}
	if l.f.standby {
		settings["max_wal_senders"] = "5"
		settings["wal_level"] = "replica"
		settings["hot_standby"] = "on"
	}
	return settings
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
	return l.pg.exec(ctx,
		"ALTER SYSTEM SET synchronous_standby_names = '*'",
		"SELECT pg_reload_conf()",
		"SELECT pg_sleep(0.2)",
		"SELECT pg_logical_emit_message(true, 'faultlab', 'everything before this has arrived')",
	)
}

// connectWires connects the nodes' wires to where PostgreSQL listens now: at each start it is another socket.
func (l *lab) connectWires() {
	for _, n := range l.nodes {
		for k, w := range n.wires {
			w.Connect(l.servers[k].host())
		}
	}
}

// addNode starts a node. Between it and PostgreSQL there are wires, one for each server, except under
// Patroni.
func (l *lab) addNode(ctx context.Context, name, address string) error {
	database, err := url.Parse(address)
	if err != nil {
		return err
	}
	n := &node{name: name, binary: l.o.binary}
	if l.outside == nil {
		query, err := l.layWires(n)
		if err != nil {
			return err
		}
		database.RawQuery = query
	}

	if n.addr, err = machine.FreeAddress(); err != nil {
		return err
	}
	if n.log, err = os.Create(filepath.Join(l.dir, name+".log")); err != nil {
		return err
	}
	n.env = []string{
		"DATABASE_URL=" + database.String(),
		"PICLOUD_SECRET_KEY=BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
		"PICLOUD_ADMIN_PASSWORD=" + password,
		"PICLOUD_LEASE=" + lease.String(),
		"PICLOUD_SHUTDOWN_GRACE=10s",
		"PICLOUD_LOG_FORMAT=json",
	}
	l.nodes = append(l.nodes, n)
	return n.start(ctx)
}

// layWires puts a wire between the node and each server, and gives the query of a connection string that
// leads through them to the primary.
func (l *lab) layWires(n *node) (query string, err error) {
	var hosts, ports []string
	for k, p := range l.servers {
		w, err := wire.New(filepath.Join(l.dir, fmt.Sprintf("%s-%d", n.name, k)), p.host())
		if err != nil {
			return "", err
		}
		n.wires = append(n.wires, w)
		hosts = append(hosts, w.Dir)
		ports = append(ports, "5432")
	}

	return url.Values{
		"host":                 {strings.Join(hosts, ",")},
		"port":                 {strings.Join(ports, ",")},
		"target_session_attrs": {"read-write"},
	}.Encode(), nil
}

// round is load, fault, and judgement.
func (l *lab) round(ctx context.Context, number int) {
	r := &round{lab: l, number: number, prefix: fmt.Sprintf("r%d-", number)}
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
			name := strings.ReplaceAll(strings.TrimPrefix(f, l.dir+"/"), "/", "-")
			_ = os.WriteFile(filepath.Join(kept, name), b, 0o600)
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
