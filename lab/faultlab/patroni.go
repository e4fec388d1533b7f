package main

import (
	"bytes"
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

type member struct {
	name, rest, port, data, config string
	log                            *os.File
	cmd                            *exec.Cmd
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

func startPatroni(ctx context.Context, dir string) (*patroni, error) {
	acc, err := pglocal.ServerAccount()
	if err != nil {
		return nil, err
	}

	bin, err := pglocal.Find(0)
	if err != nil {
		return nil, err
	}

	p := &patroni{dir: dir, acc: acc}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}

	if acc.Name != "" {
		if err := os.Chown(dir, acc.UID, acc.GID); err != nil {
			return nil, err
		}
	}

	ports := make([]string, 6)
	for k := range ports {
		address, err := machine.FreeAddress()
		if err != nil {
			return nil, err
		}
		_, ports[k], _ = net.SplitHostPort(address)
	}

	etcd, peer := "http://127.0.0.1:"+ports[0], "http://127.0.0.1:"+ports[1]
	log, err := os.Create(filepath.Join(dir, "etcd.log"))
	if err != nil {
		return nil, err
	}

	p.etcd = p.command(log, "etcd", "--name=one", "--data-dir="+filepath.Join(dir, "etcd"), "--listen-client-urls="+etcd, "--advertise-client-urls="+etcd,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=one="+peer)
	if err := p.etcd.Start(); err != nil {
		return nil, err
	}

	for k, name := range []string{"one", "two"} {
		m := &member{name: name, rest: "127.0.0.1:" + ports[2+k], port: ports[4+k], data: filepath.Join(dir, name), config: filepath.Join(dir, name+".yml")}
		text := fmt.Sprintf(patroniConfig, name, m.rest, strings.TrimPrefix(etcd, "http://"), m.port, m.data, bin.Dir, filepath.Join(dir, name+".pgpass"), dir)
		if err := os.WriteFile(m.config, []byte(text), 0o644); err != nil {
			return nil, err
		}
		if m.log, err = os.Create(filepath.Join(dir, name+".log")); err != nil {
			return nil, err
		}
		p.members = append(p.members, m)
		if err := p.start(m); err != nil {
			return nil, err
		}
	}

	if err := p.healthy(ctx); err != nil {
		p.close()
		return nil, err
	}
	if err := db.CreateDatabase(ctx, p.database("postgres"), "picloud"); err != nil {
		p.close()
		return nil, err
	}

	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) { // until the standby has it as well
		conn, err := pgx.Connect(ctx, p.url())
		if err == nil {
			return p, conn.Close(ctx)
		}
		if time.Now().After(end) {
			p.close()
			return nil, err
		}
	}
}

func (p *patroni) command(log *os.File, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = p.dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = p.acc.SysProcAttr()
	return cmd
}

func (p *patroni) start(m *member) error {
	m.cmd = p.command(m.log, "patroni", m.config)
	return m.cmd.Start()
}

func (p *patroni) url() string { return p.database("picloud") }

func (p *patroni) database(name string) string {
	return fmt.Sprintf("postgres://postgres:faultlab@/%s?host=127.0.0.1,127.0.0.1&port=%s,%s&target_session_attrs=read-write&sslmode=disable",
		name, p.members[0].port, p.members[1].port)
}

// answers asks a member's Patroni whether it is something.
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
	for end := time.Now().Add(90 * time.Second); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(200 * time.Millisecond) {
		leaders, followers := 0, 0

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
		res, err := http.Post("http://"+m.rest+"/switchover", "application/json", bytes.NewReader([]byte(`{"leader":"`+m.name+`"}`)))
		if err != nil {
			return err
		}
		_ = res.Body.Close()
		if res.StatusCode >= 400 {
			return fmt.Errorf("switchover: %s", res.Status)
		}
		return p.healthy(ctx)
	}

	p.kill(m)

	for end := time.Now().Add(60 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if n := p.leader(); n != m && n.answers("primary") {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("nobody took over within 60 s")
		}
	}

	r.pause(500, 1500)
	if err := p.start(m); err != nil {
		return err
	}
	return p.healthy(ctx)
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
