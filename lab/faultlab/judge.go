package main

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"picloud/internal/testkit/machine"
)

// round is one injection of the fault.
type round struct {
	*lab
	number int    // from 1
	prefix string // of the keys that the round's load makes
	floods int    // events that the fault itself raised
}

// pause waits for a random number of milliseconds.
func (r *round) pause(from, to int) {
	time.Sleep(time.Duration(from+r.rng.IntN(to-from)) * time.Millisecond)
}

func (r *round) fail(format string, args ...any) { r.res.fail(r.number, format, args...) }

// settleTime is how long the installation may take to bring everything to its end; a flood gets a second more
// for every perSecond events.
const (
	settleTime = 90 * time.Second
	perSecond  = 400
)

// judge waits until nothing moves and compares.
func (r *round) judge(ctx context.Context) {
	mended := time.Now()

	for _, n := range r.nodes {
		if err := n.ready(ctx); err != nil {
			r.fail("%v", err)
			return
		}
	}
	if !r.settle(ctx) {
		return
	}
	r.res.settled = max(r.res.settled, time.Since(mended))

	conn, err := pgx.Connect(ctx, r.databaseURL())
	if err != nil {
		r.fail("reach the database: %v", err)
		return
	}
	defer func() { _ = conn.Close(ctx) }()

	if err := r.compare(ctx, conn); err != nil {
		r.fail("compare: %v", err)
	}
	r.noOrphans()
}

func (l *lab) databaseURL() string {
	if l.outside != nil {
		return l.outside.url()
	}
	return l.pg.url()
}

// conservation is what the API says of an app.
type conservation struct {
	Balanced                         bool
	Waiting, Running, Enqueued, Done int64
	DeadLettered                     int64 `json:"dead_lettered"`
}

// settle waits until nothing waits or runs in either app and the ledgers balance.
func (r *round) settle(ctx context.Context) bool {
	limit := settleTime + time.Duration(r.floods/perSecond)*time.Second
	end := time.Now().Add(limit)

	for {
		moving := r.moving(ctx)
		if moving == "" {
			return true
		}
		if ctx.Err() != nil {
			return false
		}

		if time.Now().After(end) {
			r.fail("not at rest after %s: %s", limit, moving)

			for _, n := range r.nodes { // the stack of each goroutine goes to the node's log
				n.end(syscall.SIGQUIT)
			}
			return false
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// moving says what is not at rest; empty: everything is.
func (r *round) moving(ctx context.Context) string {
	for _, app := range []string{"default", "other"} {
		var c conservation
		if err := r.api(ctx, "GET", "/apps/"+app+"/conservation", nil, &c); err != nil {
			return err.Error()
		}
		if c.Waiting != 0 || c.Running != 0 || !c.Balanced {
			return fmt.Sprintf("%s: %+v", app, c)
		}
	}
	return ""
}

// noOrphans checks that no sandbox outlives its node.
func (r *round) noOrphans() {
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		orphans := machine.Orphans()
		if len(orphans) == 0 {
			return
		}
		if time.Now().After(end) {
			r.fail("sandbox processes outlive their node: %v", orphans)
			return
		}
	}
}
