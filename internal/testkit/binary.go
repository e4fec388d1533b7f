// Package testkit is what tests share: the real binary, real databases, a whole PiCloud. No product package
// imports it.
package testkit

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

// Root is the top of the source tree.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

var binary = sync.OnceValues(func() (string, error) {
	if b := os.Getenv("PICLOUD_TEST_BINARY"); b != "" {
		return b, nil
	}
	out := filepath.Join(Root(), "bin", "picloud-test")
	cmd := exec.Command("go", "build", "-o", out, "./cmd/picloud")
	cmd.Dir = Root()
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	return out, cmd.Run()
})

// Binary gives the path of picloud as a user runs it: built without the race detector, whose shadow memory no
// address-space limit survives.
func Binary(t testing.TB) string {
	t.Helper()
	b, err := binary()
	if err != nil {
		t.Fatalf("build picloud: %v", err)
	}
	return b
}
