package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

const secretValue = "s3cr3t-value-of-the-shop"

// Variables and secrets are what scripts find in env, from the next run on and on every node; a secret is
// shown to nobody and in no record.
func TestVariables(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.api("PUT", "/apps/default/scripts/s", map[string]any{"source": `import { env, log } from "picloud";
		const atStart = env.REGION;
		export default { async fetch(request, given) {
			if (request.url.includes("leak")) { log.info("the token is " + env.TOKEN + "!"); console.log([env.TOKEN, env.SHORT]); throw new Error("bad token " + env.TOKEN); }
			let frozen = false;
			try { "use strict"; env.REGION = "x"; } catch { frozen = true; }
			return { same: env === given, atStart, now: env.REGION, names: Object.keys(given), token: given.TOKEN?.length, missing: given.NOPE === undefined, changed: env.REGION === "x", frozen };
		} }`}).want(201)
	run := func(as *fixture) map[string]any { return as.do("GET", "/f/default/s", nil).want(200).json }
	if r := run(w); r["same"] != true || len(r["names"].([]any)) != 0 || r["missing"] != true {
		t.Errorf("without variables: %v", r)
	}

	w.api("PUT", "/apps/default/variables/REGION", map[string]any{"value": "eu"}).want(200)
	w.api("PUT", "/apps/default/secrets/TOKEN", map[string]any{"value": secretValue}).want(200)
	w.api("PUT", "/apps/default/secrets/SHORT", map[string]any{"value": "abc"}).want(200)
	found := run(w)
	object(t, "with variables", found, map[string]any{
		"atStart": "eu", "now": "eu", "token": float64(len(secretValue)), "changed": false,
	})

	same(t, "the names of variables", fmt.Sprint(found["names"]), "[REGION SHORT TOKEN]")

	w.api("PUT", "/apps/default/variables/REGION", map[string]any{"value": "us"}).want(200)

	for range 3 {
		if r := run(w); r["atStart"] != "us" || r["now"] != "us" {
			t.Errorf("after a change: %v", r)
		}
	}

	other := joinFixture(t, w.n.cfg.DatabaseURL)
	other.eventually("the other node has them", func() bool { return run(other)["now"] == "us" })
	w.api("PUT", "/apps/default/variables/REGION", map[string]any{"value": "jp"}).want(200)
	other.eventually("the other node hears of a change", func() bool { return run(other)["now"] == "jp" })

	// Nothing shows the secret: not the API, the audit, the record, the tail, the database.
	tail, err := w.n.orchestrator.Tails.Tail(1, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer tail.Close()
	id := w.do("GET", "/f/default/s?leak", nil).want(502).header.Get("X-Execution-Id")

	for range 3 {
		if e := <-tail.EventsCh; strings.Contains(fmt.Sprint(e, e.Line), secretValue) {
			t.Error("the tail shows the secret")
		}
	}

	var record *reply
	w.eventually("the run is recorded", func() bool {
		record = w.api("GET", "/apps/default/executions/"+id, nil)
		return record.status == 200
	})

	has(t, "the record", record.body, "the token is ***!", "bad token ***", "abc")

	for what, body := range map[string]string{"record": record.body, "secrets": w.api("GET", "/apps/default/secrets", nil).want(200).body,
		"variables": w.api("GET", "/apps/default/variables", nil).want(200).body, "audit": w.api("GET", "/audit", nil).want(200).body,
		"invoke":    w.api("POST", "/apps/default/scripts/s/invoke", map[string]any{"request": map[string]any{"path": "?leak"}}).want(200).body,
		"dashboard": w.browse("admin").open("/apps/default/variables").want(200).body} {
		if strings.Contains(body, secretValue) {
			t.Errorf("%s shows the secret: %s", what, body)
		}
	}

	var sealed []byte
	if err := w.n.db.General.QueryRow(context.Background(), `SELECT string_agg(sealed, '') FROM variables`).Scan(&sealed); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte(secretValue)) || bytes.Contains(sealed, []byte("jp")) && len(sealed) < 100 {
		t.Error("the database has it in plain text")
	}

	// A name is one or the other; limits and bad input.
	w.api("PUT", "/apps/default/variables/TOKEN", map[string]any{"value": "x"}).want(409)
	w.api("DELETE", "/apps/default/variables/TOKEN", nil).want(404)

	for _, name := range []string{"1A", "a-b", "a%20b", strings.Repeat("x", 129), "__proto__%00"} {
		w.api("PUT", "/apps/default/variables/"+name, map[string]any{"value": "x"}).want(422)
	}

	w.api("PUT", "/apps/default/variables/BIG", map[string]any{"value": strings.Repeat("x", 65537)}).want(422)
	w.api("PUT", "/apps/default/variables/NUL", map[string]any{"value": "a\x00b"}).want(422)
	w.api("PUT", "/apps/default/variables/X", map[string]any{"value": 1}).want(422)
	w.api("PUT", "/apps/default/variables/X", map[string]any{"value": "1", "more": 1}).want(422)

	for k := range 3 {
		w.api("PUT", fmt.Sprintf("/apps/default/variables/BIG%d", k), map[string]any{"value": strings.Repeat("x", 60000)}).want(200)
	}
	if r := w.api("PUT", "/apps/default/variables/BIG4", map[string]any{"value": strings.Repeat("x", 65000)}); r.status != 200 {
		t.Errorf("the fourth: %d", r.status)
	}

	w.api("PUT", "/apps/default/variables/BIG5", map[string]any{"value": strings.Repeat("x", 65000)}).want(422)
	w.api("PUT", "/apps/default/variables/__proto__", map[string]any{"value": "1"}).want(200)
	w.api("PUT", "/apps/default/variables/constructor", map[string]any{"value": "1"}).want(200)
	if r := run(w); r["now"] != "jp" {
		t.Errorf("with names of Object.prototype: %v", r)
	}

	w.api("DELETE", "/apps/default/secrets/TOKEN", nil).want(204)
	if r := run(w); r["token"] != nil {
		t.Errorf("after the delete: %v", r)
	}
}

// A secret that names scripts is found by those alone, and what would receive it is deployed by who may set it.
// Values of variables are for admins, names for everybody in the app.
func TestSecretForScripts(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	p := people(w)

	const source = `export default (request, env) => ({ names: Object.keys(env).join(" "), key: env.KEY ?? "none" })`
	for _, name := range []string{"pay", "other"} {
		w.api("PUT", "/apps/shop/scripts/"+name, map[string]any{"source": source}).want(201)
	}

	p["admin"].api("PUT", "/apps/shop/variables/REGION", map[string]any{"value": "eu"}).want(200)
	p["admin"].api("PUT", "/apps/shop/secrets/KEY", map[string]any{"value": secretValue, "scripts": []string{"pay"}}).want(200)
	p["admin"].api("PUT", "/apps/shop/variables/X", map[string]any{"value": "x", "scripts": []string{"pay"}}).want(422)

	for range 3 { // by turns in one process
		object(t, "pay", w.do("GET", "/f/shop/pay", nil).want(200).json, map[string]any{"names": "KEY REGION", "key": secretValue})
		object(t, "other", w.do("GET", "/f/shop/other", nil).want(200).json, map[string]any{"names": "REGION", "key": "none"})
	}

	r := p["editor"].api("PUT", "/apps/shop/scripts/pay", map[string]any{"source": source + ";"}).want(403)
	if !strings.Contains(r.str("detail"), "the secret KEY is for the script") {
		t.Errorf("refused with %s", r.body)
	}
	// Whether somebody may is asked before what they send is looked at.
	for _, body := range []map[string]any{{}, {"source": source, "language": "cobol"}, {"source": "export default {"}, {"unknown": 1}} {
		p["editor"].api("PUT", "/apps/shop/scripts/pay", body).want(403)
		p["editor"].api("PUT", "/apps/shop/scripts/other", body).want(422)
	}
	p["editor"].api("POST", "/apps/shop/scripts/pay/rollback", map[string]any{"version": 99}).want(403)
	p["editor"].api("POST", "/apps/shop/scripts/other/rollback", map[string]any{"version": 99}).want(404)
	p["editor"].api("PUT", "/apps/shop/scripts/other", map[string]any{"source": source + ";"}).want(200)
	p["admin"].api("PUT", "/apps/shop/scripts/pay", map[string]any{"source": source + ";"}).want(200)

	for who, value := range map[string]any{"viewer": nil, "editor": nil, "admin": "eu"} {
		r := p[who].api("GET", "/apps/shop/variables", nil).want(200)
		if r.get("items.0.name") != "REGION" || r.get("items.0.value") != value {
			t.Errorf("%s reads %s", who, r.body)
		}
	}
	if r := p["viewer"].api("GET", "/apps/shop/secrets", nil).want(200); r.get("items.0.scripts.0") != "pay" {
		t.Errorf("secrets %s", r.body)
	}
}

// The master key can be changed; without the right one PiCloud does not start.
func TestRotateKey(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.api("PUT", "/apps/default/secrets/TOKEN", map[string]any{"value": secretValue}).want(200)
	w.api("PUT", "/apps/default/scripts/s", map[string]any{"source": `export default (r, env) => env.TOKEN`}).want(201)
	url := w.n.cfg.DatabaseURL
	next := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{9}, keySize))
	rotate := &RotateKeyCmd{Config: *testConfig(url), NewSecretKey: next}
	if err := rotate.Run(); err == nil || !strings.Contains(err.Error(), w.n.cfg.NodeName+`" runs (heard of `) {
		t.Errorf("beside a node that runs: %v", err)
	}

	w.n.Stop()
	rotate = &RotateKeyCmd{Config: *testConfig(url), NewSecretKey: next}
	if err := rotate.Run(); err != nil {
		t.Fatal(err)
	}
	if n, err := start(context.Background(), completed(t, testConfig(url)), w.n.log); err == nil || !strings.Contains(err.Error(), "sealed under the master key") {
		if n != nil {
			n.Stop()
		}
		t.Errorf("start with the old key: %v", err)
	}

	again := joinFixture(t, url, func(c *Config) { c.SecretKey = next })
	if r := again.do("GET", "/f/default/s", nil).want(200); r.body != secretValue {
		t.Errorf("with the new key: %s", r.body)
	}

	for _, bad := range []*RotateKeyCmd{{Config: *testConfig(url)}, {Config: *testConfig(url), NewSecretKey: "short"}} {
		if err := bad.Run(); err == nil || !strings.Contains(err.Error(), "PICLOUD_NEW_SECRET_KEY") {
			t.Errorf("rotate: %v", err)
		}
	}
}

func completed(t *testing.T, c *Config) *Config {
	t.Helper()
	if err := c.complete(); err != nil {
		t.Fatal(err)
	}
	return c
}
