package auth

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How many failures are free, and how long each takes to be forgiven.
const (
	// Of one user from one client.
	userBurst  = 5
	userRefill = 12 * time.Second
	// Of one client with any users.
	clientBurst  = 30
	clientRefill = 2 * time.Second
)

// maxTracked bounds the limiters, and so the memory that guessers can take.
const maxTracked = 100_000

// Throttle slows down guessing of passwords. It counts failures by client and user together, so that a
// stranger's guesses never lock out the user, who comes from elsewhere; and by client alone, so that one
// client cannot try many users. It is safe for concurrent use.
type Throttle struct {
	// mu guards both. No other lock is taken under it but the limiters' own.
	mu      sync.Mutex
	users   failures
	clients failures
}

// NewThrottle returns a Throttle that knows of no failure.
func NewThrottle() *Throttle {
	return &Throttle{
		users:   failures{burst: userBurst, refill: userRefill, limiters: map[string]*rate.Limiter{}},
		clients: failures{burst: clientBurst, refill: clientRefill, limiters: map[string]*rate.Limiter{}},
	}
}

// Wait reports how long the client must wait before it may try again; 0 means now.
func (t *Throttle) Wait(client, username string, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return max(t.users.wait(pair(client, username), now), t.clients.wait(client, now))
}

// Failed counts a failure.
func (t *Throttle) Failed(client, username string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()

	// Too many limiters: forget all failures rather than grow without bound.
	if len(t.users.limiters)+len(t.clients.limiters) > maxTracked {
		clear(t.users.limiters)
		clear(t.clients.limiters)
	}

	t.users.add(pair(client, username), now)
	t.clients.add(client, now)
}

// Succeeded forgives the failures of that client with that user. Those of the client with other users stay.
func (t *Throttle) Succeeded(client, username string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.users.limiters, pair(client, username))
}

func pair(client, username string) string { return client + "\x00" + username }

// failures has one token bucket for each key that failed lately: a failure takes a token, and time brings
// it back.
type failures struct {
	burst    int
	refill   time.Duration // of one token
	limiters map[string]*rate.Limiter
}

// wait is how long it takes until there is a token for the key.
func (f *failures) wait(key string, now time.Time) time.Duration {
	limiter := f.limiters[key]
	if limiter == nil {
		return 0
	}

	tokens := limiter.TokensAt(now)
	if tokens >= float64(f.burst) {
		delete(f.limiters, key)
	}
	if tokens >= 1 {
		return 0
	}

	return time.Duration((1 - tokens) * float64(f.refill))
}

// add takes a token from the key.
func (f *failures) add(key string, now time.Time) {
	limiter := f.limiters[key]
	if limiter == nil {
		limiter = f.full()
		f.limiters[key] = limiter
	}
	if limiter.AllowN(now, 1) {
		return
	}

	// Attempts that began together failed after the last token was gone: the part of a token that has come
	// back since is lost too.
	limiter = f.full()
	limiter.AllowN(now, f.burst)
	f.limiters[key] = limiter
}

func (f *failures) full() *rate.Limiter { return rate.NewLimiter(rate.Every(f.refill), f.burst) }
