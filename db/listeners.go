package db

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// listenerName is the application name of the connections that Listen opens: CountListeners finds them by it.
const listenerName = "picloud listener"

// CountListeners counts the connections of all nodes on which notifications arrive. sqlc does not know the
// system's views, so the statements of this file stand here.
func (d *DB) CountListeners(ctx context.Context) (int64, error) {
	var n int64
	err := d.General.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = $1`, listenerName).Scan(&n)
	return n, Translate(err)
}

// BackendPID is the process of the server that serves a connection. Behind a pooler it is not the one that
// the pooler named when the connection was made.
func BackendPID(ctx context.Context, conn *pgx.Conn) (int32, error) {
	var pid int32
	err := conn.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&pid)
	return pid, Translate(err)
}
