package db

// UUID is a uuid column: its sixteen bytes. pgx maps such an array by itself.
type UUID = [16]byte
