package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"picloud/db"
	"picloud/db/pglocal"
	"picloud/internal/testkit/machine"
)

// patroni is two PostgreSQL under Patroni, which keeps one of them the leader and the other synchronous, with
// one etcd.
type patroni struct {
	dir     string
	acc     pglocal.Account
	etcd    *exec.Cmd
	members []*member
}

// member is one PostgreSQL and the Patroni that runs it.
type member struct {
	name   string
	rest   string // address of Patroni's API
	port   string // of PostgreSQL
	data   string // directory
	config string // file
	log    *os.File
	cmd    *exec.Cmd
}

func needsPatroni(*options) string {
	for _, name := range []string{"patroni", "etcd"} {
		if _, err := exec.LookPath(name); err != nil {
			return "needs " + name + ": apt-get install patroni etcd-server"
		}
	}
	return ""
}

const patroniConfig = `scope: faultlab
name: %[1]s
restapi: {listen: "%[2]s", connect_address: "%[2]s"}
etcd3: {host: "%[3]s"}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 1
    retry_timeout: 5
    synchronous_mode: true
    postgresql:
      use_pg_rewind: true
      parameters: {max_connections: 150, timezone: UTC, wal_log_hints: "on", max_locks_per_transaction: 256}
  initdb: [{encoding: UTF8}, {locale: C}, data-checksums]
postgresql:
  listen: "127.0.0.1:%[4]s"
  connect_address: "127.0.0.1:%[4]s"
  data_dir: "%[5]s"
  bin_dir: "%[6]s"
  pgpass: "%[7]s"
  pg_hba: ["host all all 127.0.0.1/32 scram-sha-256", "host replication all 127.0.0.1/32 scram-sha-256"]
  authentication:
    superuser: {username: postgres, password: faultlab}
    replication: {username: replicator, password: faultlab}
    rewind: {username: rewinder, password: faultlab}
  parameters: {unix_socket_directories: "%[8]s"}
`

// startPatroni starts etcd and both members, and makes PiCloud's database.
func startPatroni(ctx context.Context, dir string) (*patroni, error) {
	p := &patroni{dir: dir}
	if err := p.makeDir(); err != nil {
		return nil, err
	}

	ports := make([]string, 6)
	for k := range ports {
		address, err := machine.FreeAddress()
		if err != nil {
			return nil, err
		}
		_, ports[k], _ = net.SplitHostPort(address)
	}

	if err := p.startEtcd(ports[0], ports[1]); err != nil {
		return nil, err
	}

	for k, name := range []string{"one", "two"} {
		m := &member{
			name:   name,
			rest:   "127.0.0.1:" + ports[2+k],
			port:   ports[4+k],
			data:   filepath.Join(dir, name),
			config: filepath.Join(dir, name+".yml"),
		}
		if err := p.addMember(m, "127.0.0.1:"+ports[0]); err != nil {
			p.close()
			return nil, err
		}
	}

	if err := p.makeDatabase(ctx); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// makeDir makes the cluster's directory, which the user that PostgreSQL runs as owns.
func (p *patroni) makeDir() error {
	var err error
	if p.acc, err = pglocal.ServerAccount(); err != nil {
		return err
	}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return err
	}
	if p.acc.Name == "" {
		return nil
	}
	return os.Chown(p.dir, p.acc.UID, p.acc.GID)
}

func (p *patroni) startEtcd(port, peerPort string) error {
	client := "http://127.0.0.1:" + port
	peer := "http://127.0.0.1:" + peerPort
	log, err := os.Create(filepath.Join(p.dir, "etcd.log"))
	if err != nil {
		return err
	}

	p.etcd = p.command(log, "etcd",
		"--name=one",
		"--data-dir="+filepath.Join(p.dir, "etcd"),
		"--listen-client-urls="+client,
		"--advertise-client-urls="+client,
		"--listen-peer-urls="+peer,
		"--initial-advertise-peer-urls="+peer,
		"--initial-cluster=one="+peer,
	)
	return p.etcd.Start()
}

// addMember writes a member's configuration and starts it.
func (p *patroni) addMember(m *member, etcd string) error {
	bin, err := pglocal.Find(0)
	if err != nil {
		return err
	}
	pgpass := filepath.Join(p.dir, m.name+".pgpass")
	text := fmt.Sprintf(patroniConfig, m.name, m.rest, etcd, m.port, m.data, bin.Dir, pgpass, p.dir)
	if err := os.WriteFile(m.config, []byte(text), 0o644); err != nil {
		return err
	}

	if m.log, err = os.Create(filepath.Join(p.dir, m.name+".log")); err != nil {
		return err
	}
	p.members = append(p.members, m)
	return p.start(m)
}

// makeDatabase waits for a healthy cluster, makes PiCloud's database, and waits until the standby has it as
// well.
func (p *patroni) makeDatabase(ctx context.Context) error {
	if err := p.healthy(ctx); err != nil {
		return err
	}
	if err := db.CreateDatabase(ctx, p.database("postgres"), "picloud"); err != nil {
		return err
	}

	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		conn, err := pgx.Connect(ctx, p.url())
		if err == nil {
			return conn.Close(ctx)
		}
		if time.Now().After(end) {
			return err
		}
	}
}

func (p *patroni) command(log *os.File, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = p.dir
	cmd.Stdout = log
	cmd.Stderr = log
	cmd.SysProcAttr = p.acc.SysProcAttr()
	return cmd
}

func (p *patroni) start(m *member) error {
	m.cmd = p.command(m.log, "patroni", m.config)
	return m.cmd.Start()
}

func (p *patroni) url() string { return p.database("picloud") }

func (p *patroni) database(name string) string {
	return fmt.Sprintf("postgres://postgres:faultlab@/%s?host=127.0.0.1,127.0.0.1&port=%s,%s"+
		"&target_session_attrs=read-write&sslmode=disable", name, p.members[0].port, p.members[1].port)
}

// answers asks a member's Patroni whether it has a role: primary or synchronous.
func (m *member) answers(what string) bool {
	client := http.Client{Timeout: time.Second}
	res, err := client.Get("http://" + m.rest + "/" + what)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// healthy waits for a leader and a synchronous standby.
func (p *patroni) healthy(ctx context.Context) error {
	end := time.Now().Add(90 * time.Second)

	for time.Now().Before(end) && ctx.Err() == nil {
		leaders := 0

		followers := 0
		for _, m := range p.members {
			if m.answers("primary") {
				leaders++
			}
			if m.answers("synchronous") {
				followers++
			}
		}

		if leaders == 1 && followers == 1 {
			conn, err := pgx.Connect(ctx, p.database("postgres"))
			if err == nil {
				return conn.Close(ctx)
			}
		}
		time.Sleep(200 * time.Millisecond)
	}
	return fmt.Errorf("patroni has no leader with a synchronous standby after 90 s")
}

func (p *patroni) leader() *member {
	for _, m := range p.members {
		if m.answers("primary") {
			return m
		}
	}
	return p.members[0]
}

// failOverPatroni kills the leader and its Patroni, or asks for a switchover.
func failOverPatroni(ctx context.Context, r *round) error {
	p := r.outside
	m := p.leader()
	if r.number%2 == 0 {
		if err := m.switchOver(); err != nil {
			return err
		}
		return p.healthy(ctx)
	}

	p.kill(m)

	for end := time.Now().Add(60 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if n := p.leader(); n != m && n.answers("primary") {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("no member took over within 60 s")
		}
	}

	r.pause(500, 1500)
	if err := p.start(m); err != nil {
		return err
	}
	return p.healthy(ctx)
}

// switchOver asks the leader's Patroni to hand over in order.
func (m *member) switchOver() error {
	body := strings.NewReader(`{"leader":"` + m.name + `"}`)
	res, err := http.Post("http://"+m.rest+"/switchover", "application/json", body)
	if err != nil {
		return err
	}
	_ = res.Body.Close()
	if res.StatusCode >= 400 {
		return fmt.Errorf("switchover: %s", res.Status)
	}
	return nil
}

// kill ends a member as a power cut would.
func (p *patroni) kill(m *member) {
	_ = m.cmd.Process.Kill()
	_ = m.cmd.Wait()
	b, err := os.ReadFile(filepath.Join(m.data, "postmaster.pid"))
	if err != nil {
		return
	}

	first, _, _ := strings.Cut(string(b), "\n")
	if pid, err := strconv.Atoi(first); err == nil {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

func (p *patroni) close() {
	for _, m := range p.members {
		if m.cmd != nil {
			p.kill(m)
		}
		_ = m.log.Close()
	}

	_ = p.etcd.Process.Kill()
	_ = p.etcd.Wait()
}
