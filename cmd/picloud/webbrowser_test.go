package main

import (
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

// runNode runs a program of web/ against a node under test.
func (w *fixture) runNode(t *testing.T, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", args...)
	cmd.Dir = filepath.Join(testkit.Root(), "web")
	cmd.Env = append(os.Environ(),
		"PICLOUD_URL="+w.base, "PICLOUD_ADMIN_PASSWORD="+testPassword, "CHROMIUM="+chromium(t))
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("node %s: %v", strings.Join(args, " "), err)
	}
}

// The dashboard's stories in a real Chromium: see web/test/stories.test.mjs. The longest test stands last in
// the package: of parallel tests the last one begins first.
func TestBrowser(t *testing.T) {
	t.Parallel()

	for size, pattern := range map[string]string{
		"phone":   "/, phone$/",
		"desktop": "/^(?!.*, phone$)/", // and what is of no size
	} {
		t.Run(size, func(t *testing.T) {
			t.Parallel()
			w := newFixture(t)
			w.runNode(t, "--test", "--test-name-pattern="+pattern, "test/types.test.mjs", "test/stories.test.mjs")
		})
	}
}

// Not a test but how `make screenshots` takes the README's pictures, with a day of runs made up for the
// charts.
func TestScreenshots(t *testing.T) {
	if os.Getenv("SCREENSHOTS") == "" || os.Getenv("SCREENSHOTS") == "0" {
		t.Skip("make screenshots takes them")
	}
	w := newFixture(t)
	w.api("POST", "/apps", map[string]any{"slug": "shop", "name": "The Shop"}).want(201)
	_, err := w.n.db.General.Exec(context.Background(), `INSERT INTO execution_stats_hours (app_id, hour, script_id, outcome, n, histogram)
		SELECT a.id, date_trunc('hour', now()) - h * interval '1 hour', gen_random_uuid(), o.outcome,
		       CASE o.outcome WHEN 'failed' THEN h % 4 ELSE (400 + 350 * sin(h / 3.5))::bigint END,
		       CASE o.outcome WHEN 'failed' THEN ARRAY[0, 0, h % 4, 0] ELSE ARRAY[60, 200, 80 + h * 3, 20 + 2 * (h % 5), 5, 2] END
		FROM apps a, generate_series(1, 23) h, (VALUES ('succeeded'), ('failed')) o(outcome) WHERE a.slug = 'shop'`)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(os.Getenv("SCREENSHOTS"), 0o755); err != nil {
		t.Fatal(err)
	}

	w.runNode(t, "screenshots.mjs")
}
