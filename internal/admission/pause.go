package admission

import (
	"context"
	"slices"

	"picloud/internal/cloud"
)

// Pause gives the permit back while the run has nothing to compute. The run keeps its place among those in
// being.
func (p *Permit) Pause() {
	if p.released {
		return
	}
	p.released, p.paused = true, true

	g := p.gate
	g.mu.Lock()
	defer g.mu.Unlock()

	g.drop(p.app)
	g.freePermit(p.dispatched)
}

// Resume waits for a permit, so that a paused run can go on; the app's requests that have not begun wait
// behind it. The error is the cause of a context that is done: the run is still paused then.
func (p *Permit) Resume(ctx context.Context) error {
	if !p.paused {
		return nil
	}

	g := p.gate
	if w := g.askToResume(p.app, p.dispatched); w != nil {
		select {
		case <-w.grantCh:
		case <-ctx.Done():
			if g.giveUp(p.app, w) {
				return context.Cause(ctx)
			}
			<-w.grantCh // it came at the same moment
		}
	}
	p.released, p.paused = false, false

	return nil
}

// endPaused ends a run that holds no permit. Its place may be what others wait for.
func (g *Gate) endPaused(app cloud.AppID) {
	g.mu.Lock()
	defer g.mu.Unlock()

	g.leave(app)
	g.grant()
	g.signalFreed()
}

// askToResume takes a permit for a paused run and returns nil, or has the run wait for one.
func (g *Gate) askToResume(app cloud.AppID, dispatched bool) *waiter {
	g.mu.Lock()
	defer g.mu.Unlock()

	first := !g.isContended() || g.held[app] == 0 && len(g.resuming[app]) == 0

	w := &waiter{grantCh: make(chan bool, 1), dispatched: dispatched}
	g.resuming[app] = append(g.resuming[app], w)
	if g.closed || first && g.mayTake(app) {
		g.resume(app, w)
		return nil
	}
	g.grant() // it may be the neediest

	return w
}

// resume gives a run that waits for it a permit. The caller holds mu.
func (g *Gate) resume(app cloud.AppID, w *waiter) {
	if !g.removeResuming(app, w) {
		return
	}
	g.take(app)
	if w.dispatched {
		g.dispatched++
	}
	w.grantCh <- true
}

// giveUp ends the wait of a paused run. It reports false if the run has its permit.
func (g *Gate) giveUp(app cloud.AppID, w *waiter) bool {
	g.mu.Lock()
	defer g.mu.Unlock()

	return g.removeResuming(app, w)
}

func (g *Gate) removeResuming(app cloud.AppID, w *waiter) bool {
	at := slices.Index(g.resuming[app], w)
	if at < 0 {
		return false
	}

	if g.resuming[app] = slices.Delete(g.resuming[app], at, at+1); len(g.resuming[app]) == 0 {
		delete(g.resuming, app)
	}

	return true
}
