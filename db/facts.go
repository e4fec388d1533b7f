package db

import "context"

// Facts is what an operator wants to know of the database.
type Facts = ServerFactsRow

// Facts asks the server.
func (d *DB) Facts(ctx context.Context) (Facts, error) {
	facts, err := d.Queries().ServerFacts(ctx)
	return facts, Translate(err)
}

// Empty reports a database in which nobody has made a table.
func (d *DB) Empty(ctx context.Context) (bool, error) {
	tables, err := d.Queries().CountTables(ctx)
	return tables == 0, Translate(err)
}
