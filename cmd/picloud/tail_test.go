package main

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"picloud/internal/cloud"
)

// follow opens a live tail and gives its lines; they end with the stream.
func (w *fixture) follow(query string) (lines <-chan string, status int) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.base+"/api/v1/apps/shop/tail"+query, nil)
	if err != nil {
		w.t.Fatal(err)
	}

	req.Header.Set("Authorization", "Bearer "+w.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}

	linesCh := make(chan string, 100)
	go func() {
		defer close(linesCh)
		defer func() { _ = res.Body.Close() }()

		for s := bufio.NewScanner(res.Body); s.Scan(); {
			linesCh <- s.Text()
		}
	}()

	return linesCh, res.StatusCode
}

// next is the next event of a kind, the ones between are passed over.
func next(t *testing.T, lines <-chan string, kind string) map[string]any {
	t.Helper()

	for current := ""; ; {
		select {
		case line, ok := <-lines:
			if !ok {
				t.Fatal("the tail ended")
			}
			if name, found := strings.CutPrefix(line, "event: "); found {
				current = name
			}
			if data, found := strings.CutPrefix(line, "data: "); found && current == kind {
				var run map[string]any
				if err := json.Unmarshal([]byte(data), &run); err != nil {
					t.Fatal(err)
				}
				return run
			}
		case <-time.After(patience):
			t.Fatal("the tail says nothing")
		}
	}
}

// A tail shows what happens on every node, long lines cut, floods counted; what is secret on one is secret on
// all.
func TestTailOfAllNodes(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	people(w)
	other := joinFixture(t, w.n.cfg.DatabaseURL)
	w.api("PUT", "/apps/shop/secrets/TOKEN", map[string]any{"value": "hunter2hunter2"}).want(200)
	w.api("PUT", "/apps/shop/scripts/s", map[string]any{"source": `import { log, env } from "picloud";
		export default async (r) => { const u = new URL(r.url); log.info("said " + u.searchParams.get("m") + " " + env.TOKEN);
			if (u.searchParams.has("long")) log.info("x".repeat(20000)); for (let n = 0; n < Number(u.searchParams.get("n")); n++) log.info("line " + n + "y".repeat(3000)); }`}).want(201)
	lines, status := w.follow("")
	if status != 200 {
		t.Fatal(status)
	}

	heard := ""
	w.eventually("what the other node says", func() bool { // it learns first that somebody listens
		other.do("GET", "/f/shop/s?m=early", nil) // 404 until it has heard of the script

		select {
		case line := <-lines:
			heard += line
		case <-time.After(300 * time.Millisecond):
		}
		return strings.Contains(heard, "said early")
	})

	other.do("GET", "/f/shop/s?m=late&long=1", nil).want(204)

	for {
		l := next(t, lines, "log")
		if m := l["message"].(string); strings.HasPrefix(m, "said late") {
			if m != "said late ***" {
				t.Errorf("line %q", m)
			}
			break
		}
	}

	if l := next(t, lines, "log"); !strings.HasSuffix(l["message"].(string), " ... cut") {
		t.Errorf("the long line came as %.40q", l["message"])
	}
	object(t, "run", next(t, lines, "run"), map[string]any{"script": "s", "status": "succeeded", "http_status": 204.0})

	for range 4 {
		other.do("GET", "/f/shop/s?m=flood&n=80", nil).want(204)
	}
	if d := next(t, lines, "dropped"); d["dropped"].(float64) < 1 {
		t.Errorf("dropped %v", d)
	}
}

// The live tail shows an app's runs with their lines, filtered, to those who may see them, and does not hold
// up shutdown.
func TestTail(t *testing.T) {
	w := newFixture(t)
	p := people(w)
	w.api("PUT", "/apps/shop/scripts/s", map[string]any{"source": `import { log } from "picloud";
		export default (r) => { log.warn("line\nwith \u2028 ends"); if (r.url.includes("fail")) throw new Error("no"); return 1 }`}).want(201)
	w.api("PUT", "/apps/default/scripts/s", map[string]any{"source": "export default () => 1"}).want(201)
	if _, status := p["stranger"].follow(""); status != 404 {
		t.Errorf("a tail for a stranger: %d", status)
	}

	if _, status := w.as("garbage").follow(""); status != 401 {
		t.Errorf("a tail for nobody: %d", status)
	}
	all, status := p["viewer"].follow("")
	failed, _ := w.follow("?status=failed&script=s")
	none, _ := w.follow("?script=other")
	if status != 200 {
		t.Fatalf("a tail for the viewer: %d", status)
	}

	w.do("GET", "/f/default/s", nil).want(200) // another app's
	w.do("GET", "/f/shop/s", nil).want(200)
	object(t, "first line", next(t, all, "log"), map[string]any{
		"message": "line\nwith \u2028 ends", "level": "warn", "script": "s",
	})

	object(t, "first run", next(t, all, "run"), map[string]any{
		"status": "succeeded", "script": "s", "http_status": 200.0,
	})

	id := w.do("GET", "/f/shop/s?fail", nil).want(502).header.Get("X-Execution-Id")
	for name, tail := range map[string]<-chan string{"all": all, "failed": failed} {
		r := next(t, tail, "run")
		object(t, name, r, map[string]any{"execution_id": id, "status": "failed"})
		object(t, name+": error", r["error"], map[string]any{"message": "no"})
		if logs, _ := r["logs"].([]any); (len(logs) == 1) != (name == "failed") {
			t.Errorf("%s has the lines %v", name, logs)
		}
	}

	// A line is there while its run goes on.
	w.api("PUT", "/apps/shop/scripts/slow", map[string]any{"source": `export default async () => { console.log("begun"); await new Promise((r) => setTimeout(r, 3000)); return 1 }`}).want(201)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.do("GET", "/f/shop/slow", nil)
	}()

	if l := next(t, all, "log"); l["message"] != "begun" {
		t.Errorf("the line of a run that goes on: %v", l)
	}

	select {
	case <-ended:
		t.Error("the line came when its run had ended")
	default:
	}

	<-ended
	began := time.Now()
	w.n.Stop()
	if took := time.Since(began); took > 4*time.Second { // the grace is 5 s
		t.Errorf("open tails held up the shutdown for %v", took)
	}

	for line := range none {
		if strings.HasPrefix(line, "data:") {
			t.Errorf("a filtered tail shows %s", line)
		}
	}
}

// An open tail ends when its follower's rights do, however they end; the tails of others go on.
func TestTailEndsWithRights(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	p := people(w)
	w.api("PUT", "/apps/shop/scripts/s", map[string]any{"source": "export default () => 1"}).want(201)
	stays, _ := w.follow("")

	viewer := p["viewer"]

	key := viewer.api("POST", "/api-keys", map[string]any{"name": "k", "scopes": []string{"executions:read"}}).want(201)

	short := viewer.api("POST", "/api-keys", map[string]any{"name": "short", "scopes": []string{"executions:read"},
		"expires_at": time.Now().Add(3 * time.Second)}).want(201)
	for _, c := range []struct {
		name string
		who  *fixture
		end  func()
	}{
		{"the key is revoked", w.as(key.str("key")), func() { viewer.api("DELETE", "/api-keys/"+key.str("id"), nil).want(204) }},
		{"the key expires", w.as(short.str("key")), func() {}},
		{"the session ends", w.as(w.login("viewer1", testPassword)), func() { viewer.api("DELETE", "/auth/sessions", nil).want(204) }},
		{"the member is removed", p["editor"], func() { w.api("DELETE", "/apps/shop/members/editor1", nil).want(204) }},
		{"the user is deactivated", p["admin"], func() { w.api("PATCH", "/users/admin1", map[string]any{"active": false}).want(200) }},
	} {
		tail, status := c.who.follow("")
		if status != 200 {
			t.Fatalf("%s: %d", c.name, status)
		}

		c.end()

		ended := time.After(10 * time.Second) // the next look without a change is later
		for open := true; open; {
			select {
			case _, open = <-tail:
			case <-ended:
				t.Fatalf("%s, and the tail goes on", c.name)
			}
		}
	}

	w.do("GET", "/f/shop/s", nil).want(200)
	if r := next(t, stays, "run"); r["script"] != "s" {
		t.Errorf("the owner sees %v", r)
	}
}

// A follower that does not read misses runs and is told how many; the runs do not wait for it.
func TestTailDrops(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	app, err := w.n.manager.App(context.Background(), "default")
	if err != nil {
		t.Fatal(err)
	}

	w.api("PUT", "/apps/default/scripts/s", map[string]any{"source": "export default () => 1"}).want(201)
	tail, err := w.n.orchestrator.Tails.Tail(cloud.AppID(app.ID), 1)
	if err != nil {
		t.Fatal(err)
	}

	const runs, buffer = 1100, 1024
	for range runs {
		w.do("GET", "/f/default/s", nil).want(200)
	}
	if n := tail.Dropped(); n != runs-buffer {
		t.Errorf("%d dropped, want %d", n, runs-buffer)
	}

	tail.Close()
	tail.Close() // twice is once

	var open []interface{ Close() }
	for {
		more, err := w.n.orchestrator.Tails.Tail(cloud.AppID(app.ID), 1)
		if err != nil {
			break
		}
		open = append(open, more)
		if len(open) > 1000 {
			t.Fatal("tails are not bounded")
		}
	}

	for _, o := range open {
		o.Close()
	}
	if _, err := w.n.orchestrator.Tails.Tail(cloud.AppID(app.ID), 1); err != nil {
		t.Errorf("closed tails count: %v", err)
	}
}
