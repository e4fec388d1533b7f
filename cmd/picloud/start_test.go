package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"picloud/internal/testkit"
)

// A PiCloud that is stopped while it makes its database ends as one that is stopped later, and the next start
// begins anew.
func TestStopWhileStarting(t *testing.T) {
	t.Parallel()
	needsNode(t)

	dir := ownDir(t)
	var out bytes.Buffer
	env := []string{"PICLOUD_DATA_DIR=" + dir, "DATABASE_URL="}
	cmd := exec.Command(testkit.Binary(t), "serve")
	cmd.Env = append(append(os.Environ(), "PICLOUD_LISTEN=127.0.0.1:0"), env...)
	cmd.Stdout = &out
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}

	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if made, _ := filepath.Glob(filepath.Join(dir, "postgres*", "PG_VERSION")); made != nil {
			break
		}
	}

	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), "stopped while starting") {
		t.Errorf("%v: %s", err, out.String())
	}

	p := startProcess(t, env...)
	p.stop()
}
