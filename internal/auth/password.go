package auth

import (
	"fmt"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"

	"picloud/internal/cloud"
)

// passwordParams follow the OWASP password storage cheat sheet for Argon2id: 19 MiB, two passes, one lane.
var passwordParams = &argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// hashing bounds how many passwords are hashed at once: each takes 19 MiB.
var hashing = make(chan struct{}, 2)

// dummyHash is compared with when the user is unknown, so that the answer takes as long.
var dummyHash = sync.OnceValue(func() string {
	h, _ := argon2id.CreateHash("no password is this", passwordParams)
	return h
})

// HashPassword checks and hashes a new password: 8 to 200 bytes of UTF-8.
func HashPassword(password string) (string, error) {
	if len(password) < 8 || len(password) > 200 || !utf8.ValidString(password) {
		return "", cloud.Errorf(cloud.CodeInvalid, "a password has 8 to 200 bytes")
	}
	hashing <- struct{}{}
	defer func() { <-hashing }()
	h, err := argon2id.CreateHash(password, passwordParams)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return h, nil
}

// CheckPassword compares; an empty hash stands for a user that does not exist and takes as long.
func CheckPassword(password, hash string) bool {
	unknown := hash == ""
	if unknown {
		hash = dummyHash()
	}
	if len(password) > 200 {
		password = ""
	}
	hashing <- struct{}{}
	defer func() { <-hashing }()
	ok, err := argon2id.ComparePasswordAndHash(password, hash)
	return ok && err == nil && !unknown
}

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
