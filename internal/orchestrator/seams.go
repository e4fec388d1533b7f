package orchestrator

import (
	"context"

	"picloud/internal/catalog"
	"picloud/internal/cloud"
)

// Run is a run in a sandbox.
type Run interface {
	// Outcome waits for the first outcome and must be called; After waits for that of waitUntil work when the
	// first was Pending.
	Outcome() cloud.Outcome
	After() cloud.Outcome
	// Cancel stops it; Release says whether it committed.
	Cancel()
	Release(committed bool)
}

// Executor starts runs.
type Executor interface {
	Run(ctx context.Context, spec *cloud.RunSpec) (Run, error)
}

// Session collects a run's KV writes. Submitted, Settled and Finished are said in this order, if at all.
type Session interface {
	// UseTurn has the session give the turn back while a call waits for other runs.
	UseTurn(turn cloud.Turn)
	Call(ctx context.Context, call cloud.KVCall) (cloud.HostReply, error)
	// Responded splits what the run does after its response from what it did before.
	Responded()
	// Prepare queues for keys before the run is made again.
	Prepare(ctx context.Context, keys []cloud.KeyRef)
	// Changes are those of the run, or of its part before the response; After are those of waitUntil work.
	Changes() cloud.Changes
	After() cloud.Changes
	// Changed are keys of which the run saw two versions: it is made again, and nothing of it is kept.
	Changed() []cloud.KeyRef
	// Submitted says that the changes have their place in the order of commits: who waits for their keys may
	// read them, and follows this commit. It is called once Submit has returned, for changes that are
	// committed.
	Submitted()
	// Settled says that the changes were applied, refused or dropped. Without it, those who follow wait for
	// ever.
	Settled()
	// Finished says that the run makes no more calls: what it still waits for is given up, and what is on its
	// way from it counts for nothing. It is always called, last.
	Finished()
}

// Fetcher makes the HTTP requests of one run.
type Fetcher interface {
	Call(ctx context.Context, n uint64, call cloud.FetchCall) (cloud.HostReply, error)
}

// Decrypter opens sealed variables and secrets, and names the present master key.
type Decrypter interface {
	catalog.Decrypter
	KeyID() string
}
