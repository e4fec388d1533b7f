package auth

import (
	"net/netip"
	"sync"
	"time"
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

// maxTracked bounds how many failures are remembered, and so the memory that guessers can take.
const maxTracked = 100_000

// maxUsername is the most bytes of a username. A longer one is nobody's.
const maxUsername = 63

// ClientOf names the client that an address stands for, to the Throttle and to Passwords. That is a whole
// /64 of IPv6, because the network of a single customer is at least one.
func ClientOf(address netip.Addr) string {
	address = address.Unmap().WithZone("")
	if !address.Is6() {
		return address.String()
	}

	network := netip.PrefixFrom(address, 64).Masked()
	return network.String()
}

// Throttle slows down guessing of passwords. It counts failures by client and user together, so that a
// stranger's guesses never lock out the user, who comes from elsewhere; and by client alone, so that one
// client cannot try many users. It is safe for concurrent use.
type Throttle struct {
	// mu guards both. No other lock is taken under it.
	mu      sync.Mutex
	users   failures
	clients failures
}

// NewThrottle returns a Throttle that knows of no failure.
func NewThrottle() *Throttle {
	return &Throttle{
		users:   failures{burst: userBurst, refill: userRefill, until: map[string]time.Time{}},
		clients: failures{burst: clientBurst, refill: clientRefill, until: map[string]time.Time{}},
	}
}

// Take counts an attempt as a failure before the password is looked at, so that attempts made together
// cannot pass before the first of them has failed. Succeeded and Cancel take it back. If the client must wait
// before it may try, Take returns for how long, and counts nothing; 0 means that it may try now.
func (t *Throttle) Take(client, username string, now time.Time) (wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()

	user := pair(client, username)
	if wait = max(t.users.wait(user, now), t.clients.wait(client, now)); wait > 0 {
		return wait
	}

	t.users.add(user, now)
	t.clients.add(client, now)
	return 0
}

// Succeeded forgives the failures of that client with that user, and takes the attempt back. Failures of the
// client with other users stay.
func (t *Throttle) Succeeded(client, username string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.users.until, pair(client, username))
	t.clients.takeBack(client)
}

// Cancel takes an attempt back for which the password was not looked at.
func (t *Throttle) Cancel(client, username string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.users.takeBack(pair(client, username))
	t.clients.takeBack(client)
}

// pair is the key of a client with a user. All names that are too long for a user share one, because they
// are as long as a caller likes.
func pair(client, username string) string {
	if len(username) > maxUsername {
		username = ""
	}
	return client + "\x00" + username
}

// failures has, for each key that failed lately, the time at which all its failures are forgiven. Each
// failure moves that by refill into the future, and as many as burst are free.
type failures struct {
	burst  int
	refill time.Duration
	until  map[string]time.Time
}

// wait is how long it takes until the key may fail once more.
func (f *failures) wait(key string, now time.Time) time.Duration {
	until, known := f.until[key]
	if !known {
		return 0
	}
	if !until.After(now) {
		delete(f.until, key)
		return 0
	}

	free := time.Duration(f.burst-1) * f.refill
	return max(0, until.Sub(now)-free)
}

// add counts a failure. A key that waits for nothing has room for it.
func (f *failures) add(key string, now time.Time) {
	until, known := f.until[key]
	if !known {
		f.makeRoom()
	}
	if until.Before(now) {
		until = now
	}
	f.until[key] = until.Add(f.refill)
}

// takeBack uncounts a failure.
func (f *failures) takeBack(key string) {
	if until, known := f.until[key]; known {
		f.until[key] = until.Add(-f.refill)
	}
}

// makeRoom forgets a key by chance when there are too many. A guesser who has that many addresses gains
// little by it, and nobody else's wait grows.
func (f *failures) makeRoom() {
	if len(f.until) < maxTracked/2 {
		return
	}

	for key := range f.until {
		delete(f.until, key)
		return
	}
}
