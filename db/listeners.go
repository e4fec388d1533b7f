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

// SetListener records in the table of nodes that conn is the node's listener. While that connection lives,
// the other nodes know that the node does (connection_lives in migrations/00007).
func SetListener(ctx context.Context, conn *pgx.Conn, node string) error {
	_, err := conn.Exec(ctx, `UPDATE nodes SET listener_pid = a.pid, listener_start = a.backend_start
		FROM pg_stat_activity a WHERE nodes.name = $1 AND a.pid = pg_backend_pid()`, node)
	return Translate(err)
}
