package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// The clock of one process cannot be set: it is the machine's. So the lab builds a picloud of its own whose standard
// library adds some seconds to the wall clock, more of them once it has run for three seconds. Not a line of picloud differs.
const skewedTime = `package time

import "syscall"

var labSkew, labJump = labSeconds("FAULTLAB_CLOCK"), labSeconds("FAULTLAB_JUMP")

func labSeconds(name string) (n int64) {
	s, _ := syscall.Getenv(name)
	sign := int64(1)
	for k := range len(s) {
		if s[k] == '-' {
			sign = -1
		} else {
			n = n*10 + int64(s[k]-'0')
		}
	}
	return sign * n
}

func labNow(mono int64) int64 {
	if mono-startNano > 3e9 {
		return labSkew + labJump
	}
	return labSkew
}
`

var skewed struct {
	once   sync.Once
	binary string
	err    error
}

// buildSkewed makes that picloud, once.
func buildSkewed(o *options) string {
	skewed.once.Do(func() { skewed.binary, skewed.err = makeSkewed(filepath.Dir(o.binary)) })
	if skewed.err != nil {
		return fmt.Sprintf("needs a Go toolchain and PiCloud's source: %v", skewed.err)
	}
	return ""
}

func makeSkewed(dir string) (string, error) {
	root, err := answerOf("go", "env", "GOROOT")
	if err != nil {
		return "", err
	}
	module, err := answerOf("go", "list", "-m", "-f", "{{.Dir}}", "picloud")
	if err != nil {
		return "", err
	}
	original := filepath.Join(root, "src", "time", "time.go")
	source, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	const call = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	if !strings.Contains(string(source), call) {
		return "", fmt.Errorf("time.Now of this Go looks different")
	}
	tmp, err := os.MkdirTemp("", "faultlab-clock-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	patched := strings.Replace(string(source), call, call+"\tsec += labNow(mono)\n", 1)
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
		original: filepath.Join(tmp, "time.go"), filepath.Join(root, "src", "time", "faultlab.go"): filepath.Join(tmp, "faultlab.go")}})
	if err != nil {
		return "", err
	}
	for name, text := range map[string]string{"time.go": patched, "faultlab.go": skewedTime, "overlay.json": string(overlay)} {
		if err := os.WriteFile(filepath.Join(tmp, name), []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	binary := filepath.Join(dir, "picloud-skewed")
	cmd := exec.Command("go", "build", "-overlay", filepath.Join(tmp, "overlay.json"), "-o", binary, "./cmd/picloud")
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, text)
	}
	return binary, nil
}

// answerOf is what a command prints, without the line's end.
func answerOf(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).Output()
	return strings.TrimSpace(string(out)), err
}

// skewClocks sets the nodes' clocks minutes apart, a different way each round; the first one's jumps while it runs.
func skewClocks(ctx context.Context, r *round) error {
	for k, n := range r.nodes {
		n.end(syscall.SIGTERM)
		n.binary = skewed.binary
		env := []string{fmt.Sprintf("FAULTLAB_CLOCK=%d", r.rng.IntN(600)-300)}
		if k == 0 {
			env = append(env, fmt.Sprintf("FAULTLAB_JUMP=%d", r.rng.IntN(600)-300))
		}
		if err := n.restarts(ctx, env...); err != nil {
			return err
		}
	}
	r.pause(5000, 7000)
	return nil
}
