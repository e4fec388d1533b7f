package main

import (
	"context"
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

// peers starts those that make bench-peers has installed, and says which are missing.
func peers() []subject {
	here := filepath.Join("cmd", "bench", "peers")
	workerd := filepath.Join(here, "node_modules", ".bin", "workerd")
	var out []subject
	for _, p := range []struct {
		name string
		cmd  func(addr, port, dir string) *exec.Cmd
	}{
		{"Node", func(_, port, _ string) *exec.Cmd { return exec.Command("node", filepath.Join(here, "node.mjs"), port) }},
		{"workerd", func(addr, _, _ string) *exec.Cmd {
			return exec.Command(workerd, "serve", filepath.Join(here, "workerd.capnp"), "--socket-addr=http="+addr)
		}},
		{"PocketBase", func(addr, _, dir string) *exec.Cmd {
			cmd := exec.Command(filepath.Join("bin", "peers", "pocketbase"), "serve", "--http="+addr, "--dir="+dir)
			cmd.Env = append(os.Environ(), "HOOKS="+filepath.Join(here, "pocketbase", "pb_hooks"))
			return cmd
		}},
	} {
		s, err := startPeer(p.name, p.cmd)
		if err != nil {
			fmt.Printf("  without %s (%v): make bench-peers installs it\n", p.name, err)
			continue
		}
		out = append(out, s)
	}
	return out
}

func startPeer(name string, command func(addr, port, dir string) *exec.Cmd) (subject, error) {
	addr, err := machine.FreeAddress()
	if err != nil {
		return subject{}, err
	}
	_, port, _ := net.SplitHostPort(addr)
	dir, err := os.MkdirTemp("", "bench-peer-")
	if err != nil {
		return subject{}, err
	}
	cmd := command(addr, port, dir)
	if err := cmd.Start(); err != nil {
		_ = os.RemoveAll(dir)
		return subject{}, err
	}
	s := subject{name: name, addr: addr, pid: cmd.Process.Pid, stop: func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	}}
	for began := time.Now(); time.Since(began) < 15*time.Second; time.Sleep(10 * time.Millisecond) {
		if res, err := http.Get("http://" + addr + "/f/default/hello"); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return s, nil
			}
		}
	}
	s.stop()
	return subject{}, fmt.Errorf("it did not answer")
}

// compare measures all subjects at the same work, interleaved, and prints PiCloud's figures as multiples of each peer's.
func (b *bench) compare(name string, all []subject, next func(conn, n int) (string, []byte)) {
	rates, p99, cpus := make([][]float64, len(all)), make([][]float64, len(all)), make([][]float64, len(all))
	for _, s := range all {
		load(s.addr, connections, b.seconds/3, next)
	}
	for range b.rounds {
		for k, s := range all {
			before := cpu(s.pid)
			rate, lat, bad := load(s.addr, connections, b.seconds, next)
			if bad > 0 {
				fmt.Printf("  %s: %d ERRORS of %s\n", name, bad, s.name)
			}
			rates[k] = append(rates[k], rate)
			p99[k] = append(p99[k], float64(quantile(lat, 0.99)))
			cpus[k] = append(cpus[k], float64(cpu(s.pid)-before)/float64(max(1, len(lat))))
		}
	}
	own := [3]float64{median(rates[0]), median(p99[0]), median(cpus[0])}
	fmt.Printf("  %-28s %8.0f/s  p99 %7s  CPU %6s\n", name, own[0], short(time.Duration(own[1])), short(time.Duration(own[2])))
	for k, s := range all[1:] {
		r, p, c := median(rates[k+1]), median(p99[k+1]), median(cpus[k+1])
		fmt.Printf("    %-26s %8.0f/s  p99 %7s  CPU %6s   PiCloud has %.2f x its rate, %.2f x its p99, %.2f x its CPU a request\n", s.name, r,
			short(time.Duration(p)), short(time.Duration(c)), own[0]/r, own[1]/p, own[2]/c)
	}
}

// besidePeers measures PiCloud beside its peers.
func (b *bench) besidePeers(context.Context) error {
	heading(fmt.Sprintf("Beside its peers, %d connections, interleaved", connections))
	all := append([]subject{{name: "PiCloud", addr: b.p.addr(), pid: b.p.cmd.Process.Pid}}, peers()...)
	defer func() {
		for _, s := range all[1:] {
			s.stop()
		}
	}()
	if err := b.deployRequests(); err != nil {
		return err
	}
	b.compare("hello JSON", all, same("/f/default/hello", nil))
	b.compare("echo of 1 KiB of JSON", all, same("/f/default/echo", echoBody))
	b.compare("route parameter and headers", all, same("/items/42", nil))
	return nil
}
