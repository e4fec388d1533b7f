package main

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"picloud/internal/testkit"
)

// chromium finds the browser that scripts/setup installs.
func chromium(t *testing.T) string {
	t.Helper()
	if c := os.Getenv("CHROMIUM"); c != "" {
		return c
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium",
		"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("Chromium is missing: run scripts/setup test, or name one with CHROMIUM")
	return ""
}

// runNode runs a program of web/ against a world. Its output is shown when it fails.
func (w *world) runNode(t *testing.T, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", args...)
	cmd.Dir = filepath.Join(testkit.Root(), "web")
	cmd.Env = append(os.Environ(), "PICLOUD_URL="+w.base, "PICLOUD_ADMIN_PASSWORD="+testPassword, "CHROMIUM="+chromium(t))
	out, err := cmd.CombinedOutput()
	if err == nil {
		return
	}
	for s := bufio.NewScanner(strings.NewReader(string(out))); s.Scan(); {
		t.Log(s.Text())
	}
	t.Fatalf("node %s: %v", strings.Join(args, " "), err)
}

// The dashboard's stories in a real Chromium: see web/test/stories.test.mjs.
func TestBrowser(t *testing.T) {
	w := newWorld(t)
	w.runNode(t, "--test", "test/types.test.mjs", "test/stories.test.mjs")
}
