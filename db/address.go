package db

import (
	"context"
	"fmt"
	"net/url"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// ClientEnv is the environment by which PostgreSQL's own programs find a database (libpq, 34.15), so that no password stands
// in a command line.
func ClientEnv(address string) ([]string, error) {
	c, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, fmt.Errorf("read the database's address: %w", err)
	}
	env := []string{"PGHOST=" + c.Host, "PGPORT=" + strconv.Itoa(int(c.Port)), "PGUSER=" + c.User, "PGPASSWORD=" + c.Password, "PGDATABASE=" + c.Database}
	if u, err := url.Parse(address); err == nil {
		for parameter, name := range map[string]string{"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY"} {
			if v := u.Query().Get(parameter); v != "" {
				env = append(env, name+"="+v)
			}
		}
	}
	return env, nil
}

// Name is the database that an address names.
func Name(address string) string {
	c, err := pgx.ParseConfig(address)
	if err != nil {
		return ""
	}
	return c.Database
}

// Empty reports a database in which nobody has made a table.
func (d *DB) Empty(ctx context.Context) (bool, error) {
	var n int64
	err := d.General.QueryRow(ctx, `SELECT count(*) FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p') AND s.nspname !~ '^pg_' AND s.nspname <> 'information_schema'`).Scan(&n)
	return n == 0, Translate(err)
}
