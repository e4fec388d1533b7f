package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"picloud/internal/testkit/machine"
)

// subject is a server under measurement, PiCloud or a peer: each answers the same paths with the same JSON.
type subject struct {
	name, addr string
	pid        int
	stop       func()
}

func (b *bench) self() subject {
	return subject{name: "PiCloud", addr: b.p.addr(), pid: b.p.cmd.Process.Pid}
}

// peerFiles is where the peers' programs lie, seen from the top of the source tree.
var peerFiles = filepath.Join("lab", "bench", "peers")

// peers starts those that make bench-peers has installed, and says which are missing.
func (b *bench) peers() map[string]subject {
	workerdBinary := filepath.Join(peerFiles, "node_modules", ".bin", "workerd")
	out := map[string]subject{}

	for _, p := range []struct {
		name string
		cmd  func(addr, port, dir string) *exec.Cmd
	}{
		{node, func(_, port, _ string) *exec.Cmd {
			return exec.Command("node", filepath.Join(peerFiles, "node.mjs"), port, b.upstream)
		}},
		{workerd, func(addr, _, _ string) *exec.Cmd {
			return exec.Command(workerdBinary, "serve", filepath.Join(peerFiles, "workerd.capnp"),
				"--socket-addr=http="+addr, "--external-addr=upstream="+b.upstream)
		}},
		{pocketBase, pocketBaseCommand},
		{fiberStatic, func(addr, _, _ string) *exec.Cmd { return exec.Command(os.Args[0], "-static", addr) }},
	} {
		s, err := b.startPeer(p.name, p.cmd)
		if err != nil {
			fmt.Printf("  without %s (%v): make bench-peers installs it\n", p.name, err)
			continue
		}
		out[p.name] = s
	}

	return out
}

func pocketBaseCommand(addr, _, dir string) *exec.Cmd {
	return exec.Command(filepath.Join("bin", "peers", "pocketbase"), "serve", "--http="+addr, "--dir="+dir)
}

func (b *bench) startPeer(name string, command func(addr, port, dir string) *exec.Cmd) (subject, error) {
	addr, err := machine.FreeAddress()
	if err != nil {
		return subject{}, err
	}

	_, port, _ := net.SplitHostPort(addr)
	dir, err := os.MkdirTemp(b.dir, "peer-")
	if err != nil {
		return subject{}, err
	}

	cmd := command(addr, port, dir)
	cmd.Env = append(os.Environ(),
		"HOOKS="+filepath.Join(peerFiles, "pocketbase", "pb_hooks"),
		"UPSTREAM="+b.upstream,
		"DATABASE_URL="+b.pg.URL(),
	)
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return subject{}, err
	}

	s := subject{name: name, addr: addr, pid: cmd.Process.Pid, stop: func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}}

	for time.Since(began) < 15*time.Second {
		if res, err := http.Get("http://" + addr + "/f/default/hello"); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return s, nil
			}
		}
		time.Sleep(time.Millisecond)
	}

	s.stop()
	return subject{}, fmt.Errorf("it did not answer")
}
