package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// eventPeer is a queue that PiCloud is measured beside. Its program takes what to do, how it is set, and a number.
type eventPeer struct {
	name, mode string
	command    []string
	part       int // of the rows it is given one in so many, being slow
	writes     bool
}

func eventPeers() []eventPeer {
	river := []string{filepath.Join("bin", "peers", "river")}
	script := []string{"node", filepath.Join(peerFiles, "events.mjs")}
	return []eventPeer{
		{"River, defaults", "default", river, 20, false},
		{"River, best settings", "best", river, 1, false},
		{"River, a transaction per job", "transaction", river, 20, true},
		{"Graphile Worker, defaults", "default", append(script, "graphile"), 20, false},
		{"Graphile Worker, best settings", "best", append(script, "graphile"), 1, false},
		{"pg-boss, best settings", "best", append(script, "boss"), 1, false},
	}
}

var errMissing = errors.New("not installed")

// startEventPeer starts a peer's program, which says "ready" when it has done what is not measured.
func (b *bench) startEventPeer(p *eventPeer, what string, arg ...string) (cmd *exec.Cmd, in io.WriteCloser, out *bufio.Reader, err error) {
	if _, err := exec.LookPath(p.command[0]); err != nil {
		return nil, nil, nil, errMissing
	}
	if p.command[0] == "node" {
		if _, err := os.Stat(filepath.Join(peerFiles, "node_modules")); err != nil {
			return nil, nil, nil, errMissing
		}
	}

	cmd = exec.Command(p.command[0], append(append(append([]string{}, p.command[1:]...), what, p.mode), arg...)...)
	cmd.Env = append(os.Environ(), "DATABASE_URL="+b.pg.URL())
	cmd.Stderr = os.Stderr
	if in, err = cmd.StdinPipe(); err != nil {
		return nil, nil, nil, err
	}

	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, nil, err
	}

	out = bufio.NewReader(pipe)
	if line, err := out.ReadString('\n'); err != nil || line != "ready\n" {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, nil, nil, fmt.Errorf("it said %q instead of ready", line)
	}

	return cmd, in, out, nil
}

// drainPeer lets a peer run its rows.
func (b *bench) drainPeer(p *eventPeer, n int) (drained, error) {
	cmd, in, out, err := b.startEventPeer(p, "drain", strconv.Itoa(n))
	if err != nil {
		return drained{}, err
	}
	defer func() { _ = cmd.Wait() }()

	c0, g0, began := cpu(cmd.Process.Pid), cpu(b.pg.PID()), time.Now()
	if _, err := io.WriteString(in, "go\n"); err != nil {
		return drained{}, err
	}

	if line, err := out.ReadString('\n'); err != nil || line != "done\n" {
		return drained{}, fmt.Errorf("it said %q instead of done", line)
	}
	d := b.drainedOf(n, began, cmd.Process.Pid, c0, g0)
	_ = in.Close()

	return d, nil
}

// peerLatency has a peer send events at a rate, and gives what they took in nanoseconds.
func (b *bench) peerLatency(p *eventPeer, rate int) (p50, p99 float64, err error) {
	cmd, in, out, err := b.startEventPeer(p, "latency", strconv.Itoa(rate), strconv.Itoa(rate*latencySeconds))
	if err != nil {
		return 0, 0, err
	}

	_, _ = io.WriteString(in, "go\n")
	_, err = fmt.Fscan(out, &p50, &p99)
	_ = in.Close()
	_ = cmd.Wait()
	return p50 * 1e6, p99 * 1e6, err
}
