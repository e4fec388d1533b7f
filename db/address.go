package db

import (
	"fmt"
	"net/url"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// ClientEnv returns the environment variables by which PostgreSQL's own programs (pg_dump, psql) find a
// database (libpq, 34.15). They keep the password out of the command line, which every user of the machine
// can read.
func ClientEnv(address string) ([]string, error) {
	cfg, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, fmt.Errorf("read the database's address: %w", err)
	}

	env := []string{
		"PGHOST=" + cfg.Host,
		"PGPORT=" + strconv.Itoa(int(cfg.Port)),
		"PGUSER=" + cfg.User,
		"PGPASSWORD=" + cfg.Password,
		"PGDATABASE=" + cfg.Database,
	}

	// pgx turns these into a tls.Config, so they are taken from the text.
	parsed, err := url.Parse(address)
	if err != nil {
		return env, nil //nolint:nilerr // an address in the key=value form, which has been understood above
	}

	variables := map[string]string{
		"sslmode":     "PGSSLMODE",
		"sslrootcert": "PGSSLROOTCERT",
		"sslcert":     "PGSSLCERT",
		"sslkey":      "PGSSLKEY",
	}

	for parameter, variable := range variables {
		if value := parsed.Query().Get(parameter); value != "" {
			env = append(env, variable+"="+value)
		}
	}

	return env, nil
}

// Name returns the name of the database in an address, "" if the address cannot be read.
func Name(address string) string {
	cfg, err := pgx.ParseConfig(address)
	if err != nil {
		return ""
	}
	return cfg.Database
}
