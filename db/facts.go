package db

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Facts is what an operator wants to know of the database.
type Facts = ServerFactsRow

// Facts asks the server.
func (d *DB) Facts(ctx context.Context) (Facts, error) {
	facts, err := d.Queries().ServerFacts(ctx)
	return facts, Translate(err)
}

// ServerMajor asks the server at an address for its major version, such as 15.
func ServerMajor(ctx context.Context, address string) (int, error) {
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return 0, fmt.Errorf("reach the database: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()

	major, _, _ := strings.Cut(conn.PgConn().ParameterStatus("server_version"), ".")
	return strconv.Atoi(major)
}

// Analyze gathers the statistics of a database that was filled by a copy, which has none.
func Analyze(ctx context.Context, address string) error {
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return fmt.Errorf("reach the database: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()

	if _, err := conn.Exec(ctx, "ANALYZE"); err != nil {
		return fmt.Errorf("analyze the database: %w", Translate(err))
	}
	return nil
}

// Standby names the server if it is a standby, by its address and its last change. It is empty for a primary.
func (d *DB) Standby(ctx context.Context) (string, error) {
	role, err := d.Queries().ServerRole(ctx)
	if err != nil || !role.Standby {
		return "", Translate(err)
	}

	ago := time.Duration(role.Behind) * time.Second
	return strings.TrimSpace(fmt.Sprintf("%s (its last change is %s old)", role.Address, ago)), nil
}

// Ours reports a database in which PiCloud has made its tables.
func (d *DB) Ours(ctx context.Context) (bool, error) {
	ours, err := d.Queries().HasSchema(ctx)
	return ours, Translate(err)
}

// Empty reports a database in which nobody has made a table, but for the mark of a restore that was cut off
// before there was a copy.
func (d *DB) Empty(ctx context.Context) (bool, error) {
	tables, err := d.Queries().CountTables(ctx)
	if err != nil {
		return false, Translate(err)
	}
	marked, err := d.restoring(ctx)
	if err != nil {
		return false, err
	}
	return tables == 0 || marked && tables == 1, nil
}
