package main

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// A node that is killed between an operator's action and its audit row leaves both, or neither: they are one
// commit.
func TestKillBeforeAudit(t *testing.T) {
	t.Parallel()

	// Each action has an effect to ask for, which is 1 if it was done, and a name in the audit trail.
	actions := []struct {
		method, path, body string
		effect, audit      string
	}{
		{"PUT", "/kv/c/set", `{"value":1}`, "SELECT count(*) FROM kv WHERE key = 'set'", "kv.set"},
		{"DELETE", "/kv/c/gone", ``, "SELECT 1 - count(*) FROM kv WHERE key = 'gone'", "kv.delete"},
		{"POST", "/scripts/writer/invoke", `{"handler":"fetch"}`, "SELECT count(*) FROM kv WHERE key = 'run'", "script.invoke"},
	}

	const (
		connections = "FROM pg_stat_activity WHERE application_name LIKE 'picloud%' AND datname = current_database()"
		// gate stops each commit while it inserts its audit row. A lock on the table would stop some of them
		// earlier, while they prepare the statement, and with nothing of the commit sent yet.
		gate = `CREATE FUNCTION pass_gate() RETURNS trigger LANGUAGE plpgsql
				AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW; END';
			CREATE TRIGGER gate BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION pass_gate()`
		waitingCommits = `SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
			WHERE locktype = 'advisory' AND NOT granted AND application_name = 'picloud commits'`
	)

	for _, c := range []struct {
		name string
		// end is what becomes of the node's transactions besides.
		end  string
		want int
	}{
		{"the database goes on", "SELECT 1", 1},
		{"its connections end", "SELECT pg_terminate_backend(pid) " + connections, 0},
	} {
		for _, a := range actions {
			t.Run(c.name+", "+a.audit, func(t *testing.T) {
				t.Parallel()
				dsn := newDatabase(t)
				p := startProcess(t, "DATABASE_URL="+dsn, "PICLOUD_DATA_DIR="+t.TempDir())
				defer p.kill()
				w := p.fixture()
				w.deploy("writer", `import { kv } from "picloud"; export default () => kv.collection("c").set("run", 1)`)
				w.api("PUT", "/apps/default/kv/c/gone", map[string]any{"value": 1}).want(200)
				conn := connect(t, dsn)
				number := func(sql string, args ...any) (n int) {
					t.Helper()
					if err := conn.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
						t.Fatal(err)
					}
					return n
				}

				var since time.Time
				if err := conn.QueryRow(t.Context(), "SELECT clock_timestamp()").Scan(&since); err != nil {
					t.Fatal(err)
				}

				lock := connect(t, dsn)
				for _, sql := range []string{gate, "SELECT pg_advisory_lock(1)"} {
					if _, err := lock.Exec(t.Context(), sql); err != nil {
						t.Fatal(err)
					}
				}

				req, _ := http.NewRequestWithContext(t.Context(), a.method, p.url+"/api/v1/apps/default"+a.path, strings.NewReader(a.body))
				req.Header.Set("Authorization", "Bearer "+w.token)
				req.Header.Set("Content-Type", "application/json")
				overC := make(chan struct{})
				go func() {
					defer close(overC)
					if res, err := http.DefaultClient.Do(req); err == nil { // it is cut off
						_ = res.Body.Close()
					}
				}()
				w.eventually("the audit row waits", func() bool {
					return number(waitingCommits) > 0
				})

				p.kill()
				<-overC
				if _, err := conn.Exec(t.Context(), c.end); err != nil {
					t.Fatal(err)
				}
				if _, err := lock.Exec(t.Context(), "SELECT pg_advisory_unlock(1)"); err != nil {
					t.Fatal(err)
				}
				w.eventually("nobody is left of the node", func() bool {
					return number("SELECT count(*) "+connections) == 0
				})

				done := number(a.effect)
				audited := number("SELECT count(*) FROM audit WHERE action = $1 AND at > $2", a.audit, since)
				if done != c.want || audited != c.want {
					t.Errorf("done %d times, audited %d times, want %d of both", done, audited, c.want)
				}
			})
		}
	}
}

// connect opens a connection of the test's own, until its end.
func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}
