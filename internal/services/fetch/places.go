package fetch

import (
	"context"
	"slices"
	"sync"

	"picloud/internal/cloud"
)

// places shares the requests that may be under way between the apps. An app may have as many as are still
// free: alone it gets half of them, and n apps that take all they can end with one part in n+1 each. So there
// is a place for an app that has none, however many requests of the others hang. Who finds no place waits;
// one that becomes free goes to the waiting app that has the fewest.
type places struct {
	// mu guards everything below. It is a leaf: no other lock is taken under it.
	mu      sync.Mutex
	free    int
	held    map[cloud.AppID]int
	waiting map[cloud.AppID][]chan struct{} // the longest wait first; each is closed when it has its place
}

func newPlaces(n int) *places {
	return &places{free: n, held: map[cloud.AppID]int{}, waiting: map[cloud.AppID][]chan struct{}{}}
}

// take waits for a place of an app, which give ends. The error is the cause of a context that is done.
func (p *places) take(ctx context.Context, app cloud.AppID) error {
	p.mu.Lock()
	if p.mayTake(app) {
		p.hold(app)
		p.mu.Unlock()
		return nil
	}

	placeCh := make(chan struct{})
	p.waiting[app] = append(p.waiting[app], placeCh)
	p.mu.Unlock()

	select {
	case <-placeCh:
		return nil
	case <-ctx.Done():
		if !p.giveUp(app, placeCh) {
			p.give(app) // the place came at the same moment
		}
		return context.Cause(ctx)
	}
}

// give ends what take began.
func (p *places) give(app cloud.AppID) {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.free++
	p.held[app]--
	if p.held[app] == 0 {
		delete(p.held, app)
	}

	for len(p.waiting) > 0 {
		// If this one may not, nobody may who waits.
		app := p.neediest()
		if !p.mayTake(app) {
			return
		}

		close(p.waiting[app][0])
		p.setWaiting(app, p.waiting[app][1:])
		p.hold(app)
	}
}

// giveUp takes somebody out of the list of those who wait. It reports false if he has got his place.
func (p *places) giveUp(app cloud.AppID, placeCh chan struct{}) bool {
	p.mu.Lock()
	defer p.mu.Unlock()

	at := slices.Index(p.waiting[app], placeCh)
	if at < 0 {
		return false
	}
	p.setWaiting(app, slices.Delete(p.waiting[app], at, at+1))

	return true
}

func (p *places) mayTake(app cloud.AppID) bool { return p.held[app] < p.free }

func (p *places) hold(app cloud.AppID) {
	p.free--
	p.held[app]++
}

// neediest is the waiting app that has the fewest places; of equal ones the one with the smaller id.
func (p *places) neediest() cloud.AppID {
	var neediest cloud.AppID

	fewest := -1
	for app := range p.waiting {
		n := p.held[app]
		if fewest < 0 || n < fewest || n == fewest && app < neediest {
			neediest, fewest = app, n
		}
	}

	return neediest
}

func (p *places) setWaiting(app cloud.AppID, list []chan struct{}) {
	if len(list) == 0 {
		delete(p.waiting, app)
	} else {
		p.waiting[app] = list
	}
}
