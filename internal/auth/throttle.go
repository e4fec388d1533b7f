package auth

import (
	"sync"
	"time"
)

// Throttle slows down guessing. It counts failures by client and user together, so a stranger's guesses never lock out the
// user, who comes from elsewhere; and by client alone, so one client cannot try many users.
type Throttle struct {
	mu      sync.Mutex
	buckets map[string]*bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

// NewThrottle returns an empty Throttle.
func NewThrottle() *Throttle { return &Throttle{buckets: map[string]*bucket{}} }

// Failures that are free, and how long each takes to be forgiven.
const (
	userBurst, userRefill     = 5, 12 * time.Second
	clientBurst, clientRefill = 30, 2 * time.Second
)

// Wait reports how long the client must wait before it may try again; 0 means now.
func (t *Throttle) Wait(client, username string, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return max(t.wait(client+"\x00"+username, userBurst, userRefill, now), t.wait(client, clientBurst, clientRefill, now))
}

func (t *Throttle) wait(key string, burst float64, refill time.Duration, now time.Time) time.Duration {
	b := t.buckets[key]
	if b == nil {
		return 0
	}
	b.tokens = min(burst, b.tokens+now.Sub(b.at).Seconds()/refill.Seconds())
	b.at = now
	if b.tokens >= burst {
		delete(t.buckets, key)
	}
	if b.tokens >= 1 {
		return 0
	}
	return time.Duration((1 - b.tokens) * float64(refill))
}

// Failed counts a failure.
func (t *Throttle) Failed(client, username string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.buckets) > 100_000 {
		t.buckets = map[string]*bucket{} // memory before memory of failures
	}
	for key, burst := range map[string]float64{client + "\x00" + username: userBurst, client: clientBurst} {
		b := t.buckets[key]
		if b == nil {
			b = &bucket{tokens: burst, at: now}
			t.buckets[key] = b
		}
		b.tokens = max(0, b.tokens-1)
	}
}

// Succeeded forgives the failures of that client with that user.
func (t *Throttle) Succeeded(client, username string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.buckets, client+"\x00"+username)
}
