package db

import "context"

// Facts is what an operator wants to know of the database.
type Facts struct {
	Version        string
	Size           int64 // bytes
	Connections    int64
	MaxConnections string
}

// Facts asks the server. sqlc does not know the system's views, so the statement stands here.
func (d *DB) Facts(ctx context.Context) (Facts, error) {
	var f Facts
	err := d.General.QueryRow(ctx, `SELECT current_setting('server_version'), pg_database_size(current_database()),
		(SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()), current_setting('max_connections')`).
		Scan(&f.Version, &f.Size, &f.Connections, &f.MaxConnections)
	return f, Translate(err)
}
