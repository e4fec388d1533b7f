package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"picloud/db"
	"picloud/db/pglocal"
)

// toolRun is one use of a client program of PostgreSQL's.
type toolRun struct {
	name string
	args []string
	// in is what it reads, and out gets what it prints; nil is nothing.
	in  io.Reader
	out io.Writer
	// address is that of the database, empty for none. It goes by the environment: a command line can be
	// read by others.
	address string
	// server is the major version that the program must know, 0 for that of the database's server.
	server int
}

// run runs a program of the server's version.
func (r toolRun) run(ctx context.Context) error {
	env := pglocal.ClientEnvironment()
	server := r.server
	if r.address != "" {
		address, err := db.ClientEnv(r.address)
		if err != nil {
			return err
		}
		env = append(env, address...)

		if server == 0 {
			server, err = db.ServerMajor(ctx, r.address)
		}
		if err != nil {
			return err
		}
	}

	path, err := pglocal.Tool(r.name, server)
	if err != nil {
		return err
	}

	// Cancelled, it is asked to end before it is killed, so that it can end its own session.
	cmd := exec.CommandContext(ctx, path, r.args...)
	cmd.Env = env
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Stdin = r.in
	cmd.Stdout = r.out
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", r.name, err, strings.TrimSpace(complaints.String()))
	}

	return nil
}
