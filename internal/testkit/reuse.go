package testkit

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"picloud/db"
)

// Opened is a database of a real PostgreSQL with its connections.
type Opened struct {
	*db.DB
	URL string

	drop   func(t testing.TB)
	schema string // what readSchema gave when it was new
}

// idle are the opened databases that no test of this binary uses at the moment.
var idle struct {
	mu   sync.Mutex
	list []*Opened
}

const (
	// connections is the size of the pools of an opened database: tests that share one run in parallel.
	connections = db.MinConnections + 4
	// resetTimeout bounds the emptying of a database.
	resetTimeout = 30 * time.Second
)

// Open gives an empty, migrated database with its connections. When the test has passed it is emptied and
// handed to another one, since most of what a test costs PostgreSQL are a new database and the first
// statements of new connections. One whose schema was changed is dropped.
func Open(t testing.TB) *Opened {
	t.Helper()
	o := takeIdle()
	if o == nil {
		o = openDatabase(t)
	}

	t.Cleanup(func() {
		if t.Failed() || !o.reset() {
			o.Close()
			o.drop(t)
			return
		}
		idle.mu.Lock()
		idle.list = append(idle.list, o)
		idle.mu.Unlock()
	})
	return o
}

func openDatabase(t testing.TB) *Opened {
	t.Helper()
	url, drop := createDatabase(t, cloneOfTemplate)
	pool, err := db.Open(context.Background(), url, connections) // it outlives the test
	if err != nil {
		drop(t)
		t.Fatal(err)
	}

	o := &Opened{DB: pool, URL: url, drop: drop}
	if o.schema, err = o.readSchema(context.Background()); err != nil {
		t.Fatal(err)
	}
	return o
}

// takeIdle gives the database that was emptied last, nil if every one is in use.
func takeIdle() *Opened {
	idle.mu.Lock()
	defer idle.mu.Unlock()

	if len(idle.list) == 0 {
		return nil
	}
	last := len(idle.list) - 1
	o := idle.list[last]
	idle.list = idle.list[:last]
	return o
}

// closeIdle closes the connections of the databases that Open has made. The databases go with their server.
func closeIdle() {
	for o := takeIdle(); o != nil; o = takeIdle() {
		o.Close()
	}
}

// reset makes the database what it was: every table is empty but that of the migrations, the installation's
// row has its defaults, and sequences begin anew. It is false if that cannot be done.
func (o *Opened) reset() bool {
	ctx, cancel := context.WithTimeout(context.Background(), resetTimeout)
	defer cancel()

	if schema, err := o.readSchema(ctx); err != nil || schema != o.schema {
		return false
	}

	// A replica checks no foreign keys, so that the order of the tables does not matter.
	const empty = `DO $$
		DECLARE
			name text;
			used boolean;
		BEGIN
			SET LOCAL session_replication_role = replica;
			FOR name IN SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
				AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> 'goose_db_version'
			LOOP
				EXECUTE format('SELECT EXISTS (SELECT FROM %I)', name) INTO used;
				IF used THEN
					EXECUTE format('DELETE FROM %I', name);
				END IF;
			END LOOP;
			INSERT INTO installation DEFAULT VALUES;
			PERFORM setval(seqrelid, seqstart, false) FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid
				WHERE c.relnamespace = 'public'::regnamespace AND c.relname <> 'goose_db_version_id_seq';
		END $$`
	_, err := o.General.Exec(ctx, empty)
	return err == nil
}

// readSchema gives a digest of the schema: of its tables, indexes, constraints, triggers and functions.
func (o *Opened) readSchema(ctx context.Context) (digest string, err error) {
	const objects = `WITH public(id) AS (SELECT 'public'::regnamespace::oid)
		SELECT md5(string_agg(object, ',' ORDER BY object)) FROM (
			SELECT concat(oid, ' ', relname, ' ', relnatts) FROM pg_class, public WHERE relnamespace = id
			UNION ALL SELECT oid::text FROM pg_constraint, public WHERE connamespace = id
			UNION ALL SELECT oid::text FROM pg_proc, public WHERE pronamespace = id
			UNION ALL SELECT oid::text FROM pg_trigger) AS o(object)`
	if err := o.General.QueryRow(ctx, objects).Scan(&digest); err != nil {
		return "", fmt.Errorf("read the schema: %w", err)
	}
	return digest, nil
}
