package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The clock of one process cannot be set: it is the machine's. So the lab builds a picloud of its own, in
// which the Go runtime asks the function labClock for the time instead of the kernel's vDSO. That adds some
// seconds to the wall clock, and others once the process has run for three seconds. Not a line of picloud
// differs: the build sees these files beside it, and compiles nothing anew but the package main.
var clockFiles = map[string]string{
	"faultlab_clock.go": `package main

import (
	"os"
	"strconv"
	"sync/atomic"
	"time"
	_ "unsafe"
)

//go:linkname vdsoClockgettimeSym runtime.vdsoClockgettimeSym
var vdsoClockgettimeSym uintptr

// labSeconds is what labClock adds to the wall clock.
var labSeconds int64

func labClock()
func labClockAddress() uintptr

func init() {
	skew, _ := strconv.ParseInt(os.Getenv("FAULTLAB_CLOCK"), 10, 64)
	jump, _ := strconv.ParseInt(os.Getenv("FAULTLAB_JUMP"), 10, 64)
	labSeconds = skew
	vdsoClockgettimeSym = labClockAddress()
	if jump != 0 {
		time.AfterFunc(3*time.Second, func() { atomic.AddInt64(&labSeconds, jump) })
	}
}
`,

	// int clock_gettime(clockid_t, struct timespec *) in the C calling convention, as the vDSO has it. Clock
	// 0 is the wall clock; every other one stays as it is.
	"faultlab_clock_amd64.s": `#include "textflag.h"

TEXT ·labClock(SB), NOSPLIT|NOFRAME, $0
	MOVL $228, AX
	SYSCALL
	TESTL DI, DI
	JNE done
	MOVQ ·labSeconds(SB), CX
	ADDQ CX, 0(SI)
done:
	RET

TEXT ·labClockAddress(SB), NOSPLIT, $0-8
	LEAQ ·labClock(SB), AX
	MOVQ AX, ret+0(FP)
	RET
`,
	"faultlab_clock_arm64.s": `#include "textflag.h"

TEXT ·labClock(SB), NOSPLIT|NOFRAME, $0
	MOVD R0, R9
	MOVD $113, R8
	SVC
	CBNZ R9, done
	MOVD ·labSeconds(SB), R10
	MOVD (R1), R11
	ADD R10, R11
	MOVD R11, (R1)
done:
	RET

TEXT ·labClockAddress(SB), NOSPLIT, $0-8
	MOVD $·labClock(SB), R0
	MOVD R0, ret+0(FP)
	RET
`,
}

var skewed struct {
	once   sync.Once
	binary string
	err    error
}

// buildSkewed builds that picloud, once. It answers why it cannot, or nothing.
func buildSkewed(o *options) string {
	skewed.once.Do(func() { skewed.binary, skewed.err = makeSkewed(filepath.Dir(o.binary)) })
	if skewed.err != nil {
		return fmt.Sprintf("needs Linux on amd64 or arm64, a Go toolchain and PiCloud's source: %v",
			skewed.err)
	}
	return ""
}

func makeSkewed(dir string) (string, error) {
	module, err := answerOf("go", "list", "-m", "-f", "{{.Dir}}", "picloud")
	if err != nil {
		return "", err
	}

	tmp, err := os.MkdirTemp("", "faultlab-clock-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(tmp) }()

	replace := map[string]string{}
	for name, text := range clockFiles {
		file := filepath.Join(tmp, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(module, "cmd", "picloud", name)] = file
	}

	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(tmp, "overlay.json"), overlay, 0o600); err != nil {
		return "", err
	}

	binary := filepath.Join(dir, "picloud-skewed")
	// With -trimpath the packages below main are those of make build.
	cmd := exec.Command("go", "build", "-trimpath", "-overlay", filepath.Join(tmp, "overlay.json"),
		"-o", binary, "./cmd/picloud")
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

// skewClocks sets the nodes' clocks minutes apart, a different way each round; the first one's jumps while it
// runs.
func skewClocks(ctx context.Context, r *round) error {
	var jump time.Duration
	skews := make([]time.Duration, len(r.nodes))

	for k, n := range r.nodes {
		n.end(syscall.SIGTERM)
		n.binary = skewed.binary
		seconds := r.rng.IntN(600) - 300
		skews[k] = time.Duration(seconds) * time.Second
		env := []string{fmt.Sprintf("FAULTLAB_CLOCK=%d", seconds)}
		if k == 0 {
			seconds := r.rng.IntN(600) - 300
			jump = time.Duration(seconds) * time.Second
			env = append(env, fmt.Sprintf("FAULTLAB_JUMP=%d", seconds))
		}
		if err := n.restarts(ctx, env...); err != nil {
			return err
		}
	}

	r.pause(5000, 7000)
	skews[0] += jump

	for k, n := range r.nodes {
		ahead, err := n.clockAhead(ctx)
		if err != nil {
			return err
		}
		if (ahead - skews[k]).Abs() > 10*time.Second {
			return fmt.Errorf("the clock of %s is %s ahead, not %s", n.name, ahead, skews[k])
		}
	}

	return nil
}

// clockAhead is how far a node's wall clock is ahead of the machine's, to some seconds, by the Date of its
// answer.
func (n *node) clockAhead(ctx context.Context) (time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.url()+"/healthz", nil)
	if err != nil {
		return 0, err
	}

	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}

	_ = res.Body.Close()

	date, err := http.ParseTime(res.Header.Get("Date"))
	return time.Until(date), err
}
