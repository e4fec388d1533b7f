package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"picloud/db"
	"picloud/db/pglocal"
)

// postgres is a PostgreSQL of the lab's own, with durable settings, that faults stop, starve and replace.
type postgres struct {
	dir      string
	settings map[string]string

	server *pglocal.Server
}

func newPostgres(dir string, settings map[string]string) *postgres {
	return &postgres{dir: dir, settings: settings}
}

func (p *postgres) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()

	s, err := pglocal.Start(ctx, pglocal.Options{
		Dir:            filepath.Join(p.dir, "postgres"),
		MaxConnections: 150,
		Settings:       p.settings,
		Log:            slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}

	p.server = s
	return nil
}

// end sends a signal to the postmaster and waits until it is gone: SIGINT disconnects everybody in order,
// SIGQUIT is an immediate stop, SIGKILL the end of the machine.
func (p *postgres) end(sig syscall.Signal) {
	s := p.server
	_ = syscall.Kill(s.PID(), sig)
	<-s.Exited()
}

func (p *postgres) alive() bool {
	select {
	case <-p.server.Exited():
		return false
	default:
		return true
	}
}

// host is the directory of the socket on which the server listens now.
func (p *postgres) host() string {
	cfg, err := pgx.ParseConfig(p.server.URL())
	if err != nil {
		return ""
	}
	return cfg.Host
}

// url is the address of PiCloud's database, without anything in between.
func (p *postgres) url() string {
	return pglocal.Database(p.server.URL(), "picloud")
}

func (p *postgres) createDatabase(ctx context.Context) error {
	return db.CreateDatabase(ctx, p.server.URL(), "picloud")
}

// exec runs statements as the superuser.
func (p *postgres) exec(ctx context.Context, statements ...string) error {
	conn, err := pgx.Connect(ctx, p.url())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()

	for _, s := range statements {
		if _, err := conn.Exec(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}

	return nil
}

// follow makes p anew as a standby of another and starts it.
func (p *postgres) follow(ctx context.Context, primary *postgres) error {
	if err := p.copyFrom(ctx, primary); err != nil {
		return err
	}

	// Its roles are those of the primary.
	for _, name := range []string{".pg-password", ".pg-admin-password"} {
		password, err := os.ReadFile(filepath.Join(primary.dir, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(p.dir, name), password, 0o600); err != nil {
			return err
		}
	}

	return p.start(ctx)
}

// copyFrom replaces the cluster by a base backup of the primary, which the server's user owns.
func (p *postgres) copyFrom(ctx context.Context, primary *postgres) error {
	bin, err := pglocal.Find(0)
	if err != nil {
		return err
	}
	target := filepath.Join(p.dir, "postgres")
	if err := os.RemoveAll(target); err != nil {
		return err
	}
	if err := os.MkdirAll(p.dir, 0o711); err != nil {
		return err
	}

	cmd := exec.CommandContext(ctx, filepath.Join(bin.Dir, "pg_basebackup"),
		"-D", target, "-R", "-X", "stream", "-c", "fast", "-d", primary.server.URL())
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("pg_basebackup: %w: %s", err, out.String())
	}

	acc, err := pglocal.ServerAccount()
	if err != nil || acc.Name == "" {
		return err
	}
	return filepath.WalkDir(target, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, acc.UID, acc.GID)
	})
}

// promote ends the standby's following.
func (p *postgres) promote(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, p.server.URL())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, "SELECT pg_promote(true, 30)")
	return err
}
