package orchestrator

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"picloud/db"
)

// A node that hears nothing looks by itself so often.
const pollEvery = time.Second

// echoTimeout is how long a node waits for its own word to come back by the listener.
const echoTimeout = 3 * time.Second

// echoPrefix starts the notifications by which nodes hear themselves.
const echoPrefix = "echo "

var errDeaf = errors.New("what this node says does not come back to it")

// ears know whether notifications arrive. A connection can be silent without an error - the network lost it, or a pooler in
// transaction mode took LISTEN for one of its own - so the node says something to itself by another connection and expects
// to hear it. While it is deaf it trusts no cache that others may change, and polls.
type ears struct {
	o       *Orchestrator
	hearing atomic.Bool
	deafC   chan struct{} // hearing was lost

	mu     sync.Mutex
	asked  *time.Timer
	giveUp context.CancelCauseFunc // of the listener's connection
}

func newEars(o *Orchestrator) *ears {
	e := &ears{o: o, deafC: make(chan struct{}, 1)}
	e.deafC <- struct{}{} // until the first echo
	return e
}

// connected says that there is a listener; giveUp ends it.
func (e *ears) connected(giveUp context.CancelCauseFunc) {
	e.mu.Lock()
	e.giveUp = giveUp
	e.mu.Unlock()
	e.ask()
}

// ask says something that must come back.
func (e *ears) ask() {
	e.mu.Lock()
	giveUp := e.giveUp
	if giveUp == nil || e.asked != nil {
		e.mu.Unlock()
		return
	}
	e.asked = time.AfterFunc(echoTimeout, func() { giveUp(errDeaf) })
	e.mu.Unlock()
	ctx, cancel := context.WithTimeout(e.o.ctx, echoTimeout)
	defer cancel()
	if _, err := e.o.cfg.DB.Control.Exec(ctx, "SELECT pg_notify($1, $2)", channelNodes, echoPrefix+e.o.cfg.Node); err != nil {
		e.answered() // nothing was said, so nothing is known
	}
}

// answered stops waiting for the echo.
func (e *ears) answered() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.asked != nil {
		e.asked.Stop()
		e.asked = nil
	}
}

// heard takes an echo, of whichever node; false: it is none.
func (e *ears) heard(payload string) bool {
	name, isEcho := strings.CutPrefix(payload, echoPrefix)
	if !isEcho || name != e.o.cfg.Node {
		return isEcho
	}
	e.answered()
	if !e.hearing.Swap(true) && e.o.cfg.Heard != nil {
		e.o.cfg.Heard(true)
	}
	return true
}

// lose says that the listener is gone.
func (e *ears) lose() {
	e.answered()
	e.mu.Lock()
	e.giveUp = nil
	e.mu.Unlock()
	e.hearing.Store(false)
	if e.o.cfg.Heard != nil {
		e.o.cfg.Heard(false)
	}
	select {
	case e.deafC <- struct{}{}:
	default:
	}
}

// loop polls while the node is deaf.
func (e *ears) loop() {
	for {
		select {
		case <-e.o.ctx.Done():
			return
		case <-e.deafC:
		}
		for n := 0; !e.hearing.Load() && e.o.ctx.Err() == nil; n++ {
			select {
			case <-e.o.ctx.Done():
				return
			case <-time.After(pollEvery):
			}
			if !e.hearing.Load() {
				e.o.poll(n)
			}
		}
	}
}

// poll looks at everything that a notification would have told.
func (o *Orchestrator) poll(n int) {
	ctx, cancel := context.WithTimeout(o.ctx, 5*time.Second)
	defer cancel()
	if n%5 == 0 { // the others see that this node lives, though it listens to nobody
		if err := o.cfg.DB.Queries().SeenNodeDeaf(ctx, o.cfg.Node, o.cfg.Version, o.freeForOthers()); err != nil {
			return // without the database there is nothing to see
		}
	}
	if err := errors.Join(o.definitions.loadAll(ctx), o.loadHold(ctx)); err != nil {
		o.cfg.Log.Warn("poll", "error", db.Translate(err))
		return
	}
	o.peers.Store(max(1, o.peers.Load())) // nobody can be counted: there may be others
	o.inbox.fetch(ctx)
	o.dispatcher.scout.ask(0)
	o.cron.wake()
}
