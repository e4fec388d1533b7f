package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"picloud/internal/testkit/machine"
	"picloud/internal/testkit/wire"
)

// node is one picloud process.
type node struct {
	name   string
	addr   string
	binary string
	env    []string
	log    *os.File
	wires  []*wire.Wire // to PostgreSQL, one for each server

	cmd    *exec.Cmd
	exited chan struct{}
}

func (n *node) wire() *wire.Wire { return n.wires[0] }

func (n *node) url() string { return "http://" + n.addr }

// start runs it, with more environment if wanted, and waits until it is ready.
func (n *node) start(ctx context.Context, env ...string) error {
	cmd := exec.Command(n.binary, "serve")
	own := []string{"PICLOUD_LISTEN=" + n.addr, "PICLOUD_NODE_NAME=" + n.name}
	cmd.Env = slices.Concat(os.Environ(), n.env, own, env)
	cmd.Stdout = n.log
	cmd.Stderr = n.log
	if err := cmd.Start(); err != nil {
		return err
	}

	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	n.cmd = cmd
	n.exited = exited
	return n.ready(ctx)
}

// restarts tries to start the node until it stays: its database may still be away.
func (n *node) restarts(ctx context.Context, env ...string) error {
	for end := time.Now().Add(time.Minute); ; {
		err := n.start(ctx, env...)
		if err == nil || ctx.Err() != nil || time.Now().After(end) {
			return err
		}
		n.end(syscall.SIGKILL)
		time.Sleep(200 * time.Millisecond)
	}
}

// ready waits until the node answers that it is ready.
func (n *node) ready(ctx context.Context) error {
	client := &http.Client{Timeout: 2 * time.Second}
	for end := time.Now().Add(40 * time.Second); ; {
		res, err := client.Get(n.url() + "/readyz")
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK && n.alive() { // else another process answers at this address
				return nil
			}
		}

		if ctx.Err() != nil || time.Now().After(end) {
			return fmt.Errorf("%s is not ready after 40 s", n.name)
		}

		select {
		case <-n.exited:
			return fmt.Errorf("%s ended", n.name)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (n *node) signal(sig syscall.Signal) {
	if n.cmd != nil {
		_ = n.cmd.Process.Signal(sig)
	}
}

// end sends a signal and waits until the process is gone.
func (n *node) end(sig syscall.Signal) {
	if n.cmd == nil {
		return
	}

	n.signal(sig)

	select {
	case <-n.exited:
	case <-time.After(30 * time.Second):
		n.signal(syscall.SIGKILL)
		<-n.exited
	}
}

func (n *node) alive() bool {
	select {
	case <-n.exited:
		return false
	default:
		return true
	}
}

// sandboxes lists the node's sandbox processes.
func (n *node) sandboxes() []int {
	var out []int
	for pid, parent := range machine.Sandboxes() {
		if parent == n.cmd.Process.Pid {
			out = append(out, pid)
		}
	}
	return out
}
