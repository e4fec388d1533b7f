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
)

// eventPeer is a queue that PiCloud is measured beside. Its program takes what to do, how it is set, and a
// number.
type eventPeer struct {
	name, mode string
	command    []string
	part       int  // of the rows it is given one in so many, being slow
	writes     bool // a transaction per job, which the latency is not measured of
}

func eventPeers() []eventPeer {
	river := []string{filepath.Join("bin", "peers", "river")}
	script := filepath.Join(peerFiles, "events.mjs")
	graphile := []string{"node", script, "graphile"}
	boss := []string{"node", script, "boss"}
	return []eventPeer{
		{"River, defaults", "default", river, 20, false},
		{"River, best settings", "best", river, 1, false},
		{"River, a transaction per job", "transaction", river, 20, true},
		{"Graphile Worker, defaults", "default", graphile, 20, false},
		{"Graphile Worker, best settings", "best", graphile, 1, false},
		{"pg-boss, best settings", "best", boss, 1, false},
	}
}

var errMissing = errors.New("not installed")

// peerProcess is an event peer's program at work. It is told "go" and answers by lines.
type peerProcess struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// startEventPeer starts a peer's program, which says "ready" when it has done what is not measured.
func (b *bench) startEventPeer(p *eventPeer, what string, arg ...string) (*peerProcess, error) {
	if err := p.installed(); err != nil {
		return nil, err
	}
	args := append([]string{}, p.command[1:]...)
	args = append(args, what, p.mode)
	cmd := exec.Command(p.command[0], append(args, arg...)...)
	cmd.Env = append(os.Environ(), "DATABASE_URL="+b.pg.URL())
	cmd.Stderr = os.Stderr

	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}

	proc := &peerProcess{cmd: cmd, in: in, out: bufio.NewReader(pipe)}
	if err := proc.expect("ready"); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, err
	}
	return proc, nil
}

// installed gives errMissing when the peer's program is not there.
func (p *eventPeer) installed() error {
	if _, err := exec.LookPath(p.command[0]); err != nil {
		return errMissing
	}
	if p.command[0] != "node" {
		return nil
	}
	if _, err := os.Stat(filepath.Join(peerFiles, "node_modules")); err != nil {
		return errMissing
	}
	return nil
}

// expect reads a line that must be the word.
func (p *peerProcess) expect(word string) error {
	line, err := p.out.ReadString('\n')
	if err != nil || line != word+"\n" {
		return fmt.Errorf("it said %q instead of %s", line, word)
	}
	return nil
}

// drainPeer lets a peer run its rows.
func (b *bench) drainPeer(p *eventPeer, n int) (drained, error) {
	proc, err := b.startEventPeer(p, "drain", strconv.Itoa(n))
	if err != nil {
		return drained{}, err
	}
	defer func() { _ = proc.cmd.Wait() }()

	watch := b.startWatch(proc.cmd.Process.Pid)
	if _, err := io.WriteString(proc.in, "go\n"); err != nil {
		return drained{}, err
	}
	if err := proc.expect("done"); err != nil {
		return drained{}, err
	}
	d := watch.drained(n)
	_ = proc.in.Close()
	return d, nil
}

// peerLatency has a peer send events at a rate, and gives what they took in nanoseconds.
func (b *bench) peerLatency(p *eventPeer, rate int) (p50, p99 float64, err error) {
	proc, err := b.startEventPeer(p, "latency", strconv.Itoa(rate), strconv.Itoa(rate*latencySeconds))
	if err != nil {
		return 0, 0, err
	}

	_, _ = io.WriteString(proc.in, "go\n")
	_, err = fmt.Fscan(proc.out, &p50, &p99) // milliseconds
	_ = proc.in.Close()
	_ = proc.cmd.Wait()
	return p50 * 1e6, p99 * 1e6, err
}
