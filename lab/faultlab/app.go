package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// scripts of the app under load. Every run's effects can be counted afterwards.
var scripts = map[string]string{
	"produce": `import { kv } from "picloud"; export default { async fetch(request) {
		const p = new URL(request.url).searchParams;
		await kv.collection(p.get("c")).set(p.get("id"), 1);
		await kv.collection("total").increment("n");
		return "ok"; } }`,
	// Every tenth event fails at first.
	"consume": `import { kv } from "picloud"; export default { async kv(event, env, ctx) {
		await kv.collection("handled").increment(event.key);
		if (event.collection === "poison") throw new Error("poison");
		if (ctx.attempt === 1 && event.key.endsWith("3")) throw new Error("once"); } }`,
	"pay": `import { kv } from "picloud"; export default { async fetch(request) {
		await kv.collection("paid").increment(request.headers.get("idempotency-key")); return "paid"; } }`,
	"tick": `import { kv } from "picloud"; export default { async scheduled(event) {
		await kv.collection("ticks").increment(new Date(event.scheduledTime).toISOString()); } }`,
	"flood": `import { kv } from "picloud"; export default { async fetch(request) {
		const p = new URL(request.url).searchParams, from = Number(p.get("from"));
		for (let n = from; n < from + 1000; n++)
			await kv.collection("flood").set(p.get("round") + "-" + n, n);
		return "ok"; },
		async kv(event) { await kv.collection("flooded").increment(event.key); } }`,
	"slow": `export default async () => {
		await new Promise((done) => setTimeout(done, 2000)); return "slow"; }`,
	"loop": `export default () => { for (;;); }`,
	"hog":  `export default () => { const a = []; for (;;) a.push(new Array(1e6).fill(a.length)); }`,
	"deep": `export default () => { const f = (n) => f(n + 1) + f(n + 2); return f(0); }`,
	"big":  `export default () => "x".repeat(8 << 20)`,
}

func (l *lab) login(ctx context.Context) error {
	var login struct{ Token string }
	owner := map[string]any{"username": "admin", "password": password}
	err := l.api(ctx, "POST", "/auth/login", owner, &login)
	l.token = login.Token
	return err
}

// install puts the scripts and the triggers of events in place, and a second app beside the one under load.
func (l *lab) install(ctx context.Context) error {
	if err := l.api(ctx, "POST", "/apps", map[string]any{"slug": "other", "name": "Other"}, nil); err != nil {
		return err
	}

	for name, source := range scripts {
		script := map[string]any{"source": source}
		if err := l.api(ctx, "PUT", "/apps/default/scripts/"+name, script, nil); err != nil {
			return err
		}
	}

	hello := map[string]any{"source": `export default () => "hello"`}
	if err := l.api(ctx, "PUT", "/apps/other/scripts/hello", hello, nil); err != nil {
		return err
	}

	for _, t := range []map[string]any{
		{"kind": "kv", "script": "consume", "collection": "event", "retry": retries(20)},
		{"kind": "kv", "script": "consume", "collection": "poison", "retry": retries(2)},
		{"kind": "kv", "script": "flood", "collection": "flood", "retry": retries(20)},
	} {
		if err := l.api(ctx, "POST", "/apps/default/triggers", t, nil); err != nil {
			return err
		}
	}

	return nil
}

// startClock makes the trigger that fires every second. It is no part of the pattern: each second since then
// would be caught up on first.
func (l *lab) startClock(ctx context.Context) error {
	var made struct{ ID string }
	err := l.api(ctx, "POST", "/apps/default/triggers", map[string]any{
		"kind":     "cron",
		"script":   "tick",
		"schedule": "* * * * * *",
		"catch_up": "all",
		"retry":    retries(20),
	}, &made)
	l.clock = made.ID

	return err
}

func retries(attempts int) map[string]any {
	return map[string]any{"max_attempts": attempts, "base_ms": 50, "backoff": "constant"}
}

// api calls the JSON API of a node that lives, for 20 s until one answers. A refusal, with a status of 400
// to 499, is an answer.
func (l *lab) api(ctx context.Context, method, path string, body, out any) error {
	err := errors.New("no node lives")
	end := time.Now().Add(20 * time.Second)

	for time.Now().Before(end) && ctx.Err() == nil {
		for _, n := range l.nodes {
			if !n.alive() {
				continue
			}
			var status int
			status, err = l.apiOf(ctx, n, method, path, body, out)
			if err == nil || status >= 400 && status < 500 {
				return err
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	return err
}

// apiOf calls the JSON API of one node, once.
func (l *lab) apiOf(
	ctx context.Context, n *node, method, path string, body, out any,
) (status int, err error) {
	var rd io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, err
		}
		rd = bytes.NewReader(b)
	}

	req, err := http.NewRequestWithContext(ctx, method, n.url()+"/api/v1"+path, rd)
	if err != nil {
		return 0, err
	}

	req.Header.Set("Content-Type", "application/json")
	if l.token != "" {
		req.Header.Set("Authorization", "Bearer "+l.token)
	}

	res, err := l.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()

	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}

	if res.StatusCode >= 400 {
		return res.StatusCode, fmt.Errorf("%s %s: %d %s", method, path, res.StatusCode, bytes.TrimSpace(text))
	}

	if out != nil {
		return res.StatusCode, json.Unmarshal(text, out)
	}
	return res.StatusCode, nil
}
