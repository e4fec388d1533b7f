package main

import (
	"context"
	"fmt"
	"time"
)

// watcherScript sets the key of its query and has a handler for a collection that a trigger may watch.
const watcherScript = `import { kv } from "picloud"; const c = kv.collection("watched");
export default { fetch: async (r) => { await c.set(r.url.slice(-12), 1) }, kv() {} }`

// idleTriggers copies the trigger of the app thousand for 999 other collections.
const idleTriggers = `INSERT INTO triggers (app_id, id, kind, script_id, enabled, collection,
		max_attempts, backoff, base_ms, max_ms, jitter, registered_by, registered_name)
	SELECT t.app_id, gen_random_uuid(), kind, script_id, true, 'c' || g,
		max_attempts, backoff, base_ms, max_ms, jitter, registered_by, registered_name
	FROM triggers t JOIN apps a ON a.id = t.app_id AND a.slug = 'thousand', generate_series(1, 999) g`

// triggers compares setting a key that no trigger watches with one that triggers a handler, alone and among
// 1,000 triggers.
func (b *bench) triggers(ctx context.Context) error {
	heading("One KV set and its triggers, one call after the other with a pause")
	apps := []string{"none", "one", "thousand"}

	for _, app := range apps {
		if err := b.deployWatcher(app, app != "none"); err != nil {
			return err
		}
	}
	if _, err := b.db.General.Exec(ctx, idleTriggers); err != nil {
		return err
	}
	if err := b.restart(); err != nil { // it knows what came behind its back
		return err
	}

	took := map[string][]time.Duration{}
	for n := range 200 * b.rounds {
		for _, app := range apps {
			began := time.Now()
			if err := b.p.get(fmt.Sprintf("/f/%s/set?k=%012d", app, n)); err != nil {
				return err
			}
			if n >= 20 { // the first calls start processes
				took[app] = append(took[app], time.Since(began))
			}
			time.Sleep(5 * time.Millisecond) // what it triggered is over
		}
	}

	none := quantile(took["none"], 0.5)
	one := quantile(took["one"], 0.5)
	thousand := quantile(took["thousand"], 0.5)
	fmt.Printf("  p50: no trigger %s, one %s (%.2f x), 1,000 of which one matches %s (%.2f x one)\n",
		short(none), short(one), one/none, short(thousand), thousand/one)
	return b.untilEmpty(ctx)
}

// deployWatcher makes an app with the script, and with its trigger if that is wanted.
func (b *bench) deployWatcher(app string, trigger bool) error {
	if _, err := b.p.api("POST", "/apps", map[string]any{"slug": app, "name": app}); err != nil {
		return err
	}
	_, err := b.p.api("PUT", "/apps/"+app+"/scripts/set", map[string]any{"source": watcherScript})
	if err != nil || !trigger {
		return err
	}

	watched := map[string]any{"kind": "kv", "script": "set", "collection": "watched"}
	_, err = b.p.api("POST", "/apps/"+app+"/triggers", watched)
	return err
}
