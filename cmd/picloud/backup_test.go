package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"picloud/internal/testkit"
)

// A backup that is taken while everything runs is restored into an empty database. The copy answers requests
// and opens its secrets, but handles no event and fires no schedule until it is released; slots of before are
// not made up for. Everybody has to log in again, and API keys are as they were.
func TestBackup(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.api("PUT", "/apps/default/secrets/KEY", map[string]any{"value": "a secret value"}).want(200)
	w.deploy("clock", clockwork)
	w.deploy("put", `import { kv, env } from "picloud"; export default {
		async fetch(r) { await kv.collection("in").set(new URL(r.url).searchParams.get("k"), 1); return env.KEY },
		async kv(e) { await kv.collection("handled").increment(e.key) } }`)
	w.trigger(map[string]any{"kind": "kv", "script": "put", "collection": "in"})
	cron := w.trigger(map[string]any{
		"kind": "cron", "script": "clock", "schedule": "* * * * * *", "catch_up": "all",
	})

	w.do("GET", "/f/default/put?k=before", nil).want(200)
	w.eventually("an event and a slot", func() bool {
		return w.kv("handled", "before") == 1.0 && len(w.slots(cron)) > 1
	})

	scopes := []string{"kv:read"}
	key := w.api("POST", "/api-keys", map[string]any{"name": "k", "scopes": scopes}).want(201).str("key")

	file := filepath.Join(t.TempDir(), "picloud.dump")
	if err := backup(t.Context(), w.n.url, file); err != nil {
		t.Fatal(err)
	}
	err := backup(t.Context(), w.n.url, file)
	if err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("a second backup into the same file: %v", err)
	}

	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v %v", info.Mode(), err)
	}
	if b, _ := os.ReadFile(file); strings.Contains(string(b), "a secret value") {
		t.Error("a secret stands in the backup")
	}

	open := func(url string) *node {
		t.Helper()
		cfg := testConfig(url)
		if err := cfg.complete(); err != nil {
			t.Fatal(err)
		}
		n := &node{cfg: cfg, log: w.n.log}
		t.Cleanup(n.Stop)
		if err := n.connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		return n
	}

	err = restore(t.Context(), open(w.n.cfg.DatabaseURL), file)
	if err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a restore over what is there: %v", err)
	}

	url := testkit.EmptyDatabase(t)
	bad := filepath.Join(t.TempDir(), "bad")
	if err := os.WriteFile(bad, []byte("PGDMP and then nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}

	// A copy of an empty database is no backup of PiCloud.
	n := open(url)
	nothing := filepath.Join(t.TempDir(), "nothing")
	if err := backup(t.Context(), n.url, nothing); err != nil {
		t.Fatal(err)
	}
	if err := requireDump(t.Context(), nothing); err == nil || !strings.Contains(err.Error(), "no PiCloud in it") {
		t.Errorf("a copy of an empty database: %v", err)
	}
	if err := requireSchema(t.Context(), n.db); err == nil || !strings.Contains(err.Error(), "no PiCloud in the") {
		t.Errorf("an empty database: %v", err)
	}
	if err := requireDump(t.Context(), file); err != nil {
		t.Error(err)
	}

	if err := restore(t.Context(), n, bad); err == nil {
		t.Error("nonsense was restored")
	}
	if err := n.db.CheckRestored(t.Context()); err != nil {
		t.Errorf("after a copy that was rolled back: %v", err)
	}
	if err := restore(t.Context(), n, file); err != nil {
		t.Fatal(err)
	}

	if err := requireSchema(t.Context(), n.db); err != nil {
		t.Errorf("a copy on hold: %v", err)
	}

	// Sessions of before the backup may have been ended since; whoever restores is told about keys.
	c := joinFixture(t, url)
	c.as(w.token).api("GET", "/auth/me", nil).want(401)
	c.as(key).api("GET", "/apps/default/kv", nil).want(200)
	if b := c.do("GET", "/f/default/put?k=after", nil).want(200).body; b != "a secret value" {
		t.Errorf("the copy's secret is %q", b)
	}
	before := len(c.slots(cron))
	w.do("GET", "/f/default/put?k=old", nil).want(200)
	w.eventually("the old one goes on", func() bool {
		return w.kv("handled", "old") == 1.0 && len(w.slots(cron)) > before+2
	})

	if len(c.slots(cron)) != before || c.kv("handled", "after") != nil {
		t.Errorf("the copy works while it is on hold: %d slots of %d, %v",
			len(c.slots(cron)), before, c.kv("handled", "after"))
	}
	q := c.api("GET", "/apps/default/outbox", nil).want(200)
	if !strings.HasPrefix(q.str("items.0.reason"), "on hold: restored from a backup") {
		t.Errorf("the queue says %s", q.body)
	}

	d := c.api("GET", "/doctor", nil).want(200)
	tellsHold := slices.ContainsFunc(d.items(), func(item any) bool {
		f, _ := item.(map[string]any)
		text, _ := f["text"].(string)
		return f["check"] == "hold" && f["state"] == "bad" && strings.Contains(text, "picloud release")
	})
	if !tellsHold {
		t.Errorf("the doctor says %s", d.body)
	}

	b := c.browse("admin")
	b.open("/apps/default")
	b.shows("On hold: no event and no schedule runs. This installation was restored from a backup on")
	if err := release(context.Background(), n.db); err != nil {
		t.Fatal(err)
	}

	// The newest slot is the first; the slots of before the release may be many, so it is a fired one that
	// shows the release.
	var slots []map[string]any
	c.eventually("the copy goes on", func() bool {
		slots = c.slots(cron)
		return c.kv("handled", "after") == 1.0 && slots[0]["state"] == "fired" && len(slots) > before+3
	})

	missed := 0

	fired := 0
	for _, s := range slots[:len(slots)-before] {
		switch {
		case s["state"] == "missed" && strings.HasPrefix(s["reason"].(string), "this restored copy"):
			missed++
		case s["state"] == "fired":
			fired++
		default:
			t.Errorf("slot %v", s)
		}
	}

	if missed < 2 || fired < 1 {
		t.Errorf("%d slots of before the release, %d since", missed, fired)
	}
	c.api("PATCH", "/apps/default/triggers/"+cron, map[string]any{"enabled": false}).want(200)
	c.balanced()
}

// A backup that was killed leaves a part behind: the next one of that name overwrites it, but never one that
// is being written, nor one that became a whole backup meanwhile.
func TestBackupPart(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "dump.part")
	if err := os.WriteFile(name, []byte("half of a backup"), 0o644); err != nil {
		t.Fatal(err)
	}

	part, err := openPart(name)
	if err != nil {
		t.Fatal(err)
	}
	info, err := part.Stat()
	if err != nil || info.Size() != 0 || info.Mode().Perm() != 0o600 {
		t.Errorf("the part is %v: %v", info, err)
	}
	if _, err := openPart(name); err == nil || !strings.Contains(err.Error(), "another backup is writing") {
		t.Errorf("a second backup at once: %v", err)
	}

	if err := os.Rename(name, name+".whole"); err != nil {
		t.Fatal(err)
	}
	if err := isStill(part); err == nil {
		t.Error("a file that was moved away is taken for the part")
	}
	if err := part.Close(); err != nil {
		t.Fatal(err)
	}

	// A link in its place is not followed.
	if err := os.Symlink(name+".whole", name); err != nil {
		t.Fatal(err)
	}
	if _, err := openPart(name); err == nil {
		t.Error("a symbolic link was followed")
	}
}

// The commands that need an installation say that there is none, and make nothing. Only serve and restore
// make one.
func TestCommandsWithoutPiCloud(t *testing.T) {
	t.Parallel()
	needsNode(t)
	empty := testkit.EmptyDatabase(t)
	file := filepath.Join(t.TempDir(), "no", "dump")

	for _, args := range [][]string{
		{"backup", file}, {"doctor"}, {"user", "list"}, {"user", "add", "x"}, {"reset-password", "admin"},
		{"release"}, {"rotate-key"},
	} {
		for _, c := range []struct{ says, url, key, dir string }{
			{"no PiCloud in", "", "", ""},
			{"no PiCloud in", "", "", "data"},
			{"no PiCloud in", "", testKey, ""},
			{"set PICLOUD_SECRET_KEY, or PICLOUD_DATA_DIR", empty, "", "data"},
			{"there is no PiCloud in the database", empty, testKey, ""},
		} {
			dir := filepath.Dir(ownDir(t))
			cmd := exec.Command(testkit.Binary(t), args...)
			cmd.Dir = dir
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "DATABASE_URL=" + c.url,
				"PICLOUD_SECRET_KEY=" + c.key, "PICLOUD_NEW_SECRET_KEY=" + testKey}
			if c.dir != "" {
				cmd.Env = append(cmd.Env, "PICLOUD_DATA_DIR="+c.dir)
			}

			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), c.says) {
				t.Errorf("%v with %+v: %v %s", args, c, err, out)
			}
			if made, err := os.ReadDir(dir); err != nil || len(made) != 0 {
				t.Errorf("%v made %v: %v", args, made, err)
			}
		}
	}
}

// Beside a service on DATABASE_URL, whose data directory holds the master key alone, the commands work as
// well: the directory's lock is the service's.
func TestCommandsBesideDatabaseURL(t *testing.T) {
	t.Parallel()
	env := []string{"DATABASE_URL=" + newDatabase(t), "PICLOUD_DATA_DIR=" + ownDir(t)}
	p := startProcess(t, env...)
	defer p.stop()

	o := operator{t: t, binary: testkit.Binary(t), uid: uint32(os.Getuid()), env: append(env, "PATH="+os.Getenv("PATH"))}
	has(t, "user list", o.run("user", "list"), "admin")
	has(t, "doctor", o.run("doctor"), "ok    master key")
	has(t, "backup", o.run("backup", filepath.Join(t.TempDir(), "dump")), "Wrote ")

	out, err := o.try("rotate-key")
	if err == nil || !strings.Contains(out, "another PiCloud uses the data directory") {
		t.Errorf("rotate-key: %v %s", err, out)
	}
}
