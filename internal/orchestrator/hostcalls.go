package orchestrator

import (
	"context"
	"sync"

	"picloud/internal/cloud"
)

// hostCalls answers a run's host calls: KV from its session, fetch from its fetcher, dead letters from their
// own.
type hostCalls struct {
	Session
	app        cloud.AppID
	letters    *deadLetterCalls
	newFetcher func(app cloud.AppID) Fetcher
	dry        bool

	// once makes the fetcher at its first call: many runs need none.
	once    sync.Once
	fetcher Fetcher
}

// Responded splits what the run does after its response from what it did before.
func (c *hostCalls) Responded() {
	c.Session.Responded()
	c.letters.responded()
}

// Call sends a host call to the service that answers it.
func (c *hostCalls) Call(ctx context.Context, n uint64, call cloud.HostCall) (cloud.HostReply, error) {
	switch call := call.(type) {
	case cloud.KVCall:
		return c.Session.Call(ctx, call)
	case cloud.DeadLetterCall:
		return c.letters.call(ctx, call)
	case cloud.FetchCall:
		if c.dry {
			return cloud.HostReply{}, &cloud.HostError{
				Name:    "FetchError",
				Message: "fetch is refused in a dry run",
			}
		}
		c.once.Do(func() { c.fetcher = c.newFetcher(c.app) })
		return c.fetcher.Call(ctx, n, call)
	default:
		return cloud.HostReply{}, unknownCall()
	}
}

// unknownCall is the error of a call that no service answers. Each call of package cloud has one.
func unknownCall() *cloud.HostError {
	return &cloud.HostError{Name: "TypeError", Message: "unknown call"}
}
