// Package machine is what tests, the fault lab and the benchmark ask of the machine they run on.
package machine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Ports that FreeAddress gives. The kernel takes the local ports of outgoing connections from the range
// above, 32768 and up on Linux: a port from there can be in use by the time that a server listens on it.
const (
	firstPort = 15_000
	lastPort  = 32_000
)

// FreeAddress returns a loopback address, host and port, on which no process listened a moment ago.
func FreeAddress() (string, error) {
	for {
		address := fmt.Sprintf("127.0.0.1:%d", firstPort+rand.IntN(lastPort-firstPort))
		l, err := net.Listen("tcp", address)
		if err == nil {
			return address, l.Close()
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return "", err
		}
	}
}

// Sandboxes gives every sandbox process of this machine with its parent; zombies are left out.
func Sandboxes() map[int]int {
	out := map[int]int{}
	procs, _ := filepath.Glob("/proc/[0-9]*/cmdline")

	for _, f := range procs {
		cmd, err := os.ReadFile(f)
		if err != nil || !strings.HasSuffix(string(cmd), "\x00sandbox\x00") {
			continue
		}

		stat, _ := os.ReadFile(filepath.Join(filepath.Dir(f), "stat"))
		var pid, parent int
		var state string
		before, rest, _ := strings.Cut(string(stat), " (")
		_, rest, _ = strings.Cut(rest, ") ")
		if _, err := fmt.Sscan(before, &pid); err != nil {
			continue
		}
		if _, err := fmt.Sscan(rest, &state, &parent); err == nil && state != "Z" {
			out[pid] = parent
		}
	}

	return out
}

// Orphans are the sandbox processes whose node is gone.
func Orphans() []int {
	var out []int
	for pid, parent := range Sandboxes() {
		if parent == 1 {
			out = append(out, pid)
		}
	}
	return out
}
