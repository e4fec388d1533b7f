package db

// UUID is a uuid column: the sixteen bytes, which pgx maps by itself.
type UUID = [16]byte
