// Package migrations holds the numbered SQL files that bring a database to this version of PiCloud.
// Applied files are frozen; a change is a new file (expand first, contract in a later release).
package migrations

import "embed"

// FS holds every migration, in goose's annotated form.
//
//go:embed *.sql
var FS embed.FS
