// Package cloud is PiCloud's vocabulary: the nouns that manager, orchestrator, executor, services and
// handlers share, the pure rules on them (route precedence, retry delays, error groups), and the one error
// type. It imports the standard library only and knows no database, no HTTP server and no JavaScript.
package cloud

// AppID identifies an app inside one installation.
type AppID int64
