package auth

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// fail takes an attempt that fails, and reports whether there was one to take.
func fail(throttle *Throttle, client, username string, now time.Time) bool {
	return throttle.Take(client, username, now) == 0
}

// A stranger's guesses lock out the stranger and nobody else, and time forgives them one by one.
func TestThrottle(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name             string
		client, username string
		after, want      time.Duration
	}{
		{"at once", "1.1.1.1", "ann", 0, userRefill},
		{"a moment later", "1.1.1.1", "ann", userRefill / 4, userRefill * 3 / 4},
		{"another client", "2.2.2.2", "ann", 0, 0},
		{"another user", "1.1.1.1", "bob", 0, 0},
		{"one forgiven", "1.1.1.1", "ann", userRefill, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			throttle := NewThrottle()
			now := time.Now()

			for range userBurst {
				if !fail(throttle, "1.1.1.1", "ann", now) {
					t.Fatal("throttled too early")
				}
			}

			if got := throttle.Take(c.client, c.username, now.Add(c.after)); got != c.want {
				t.Errorf("waits %s, want %s", got, c.want)
			}
		})
	}
}

// One failure is forgiven after a while, so one attempt is free; a success forgives all.
func TestThrottleForgives(t *testing.T) {
	t.Parallel()
	throttle := NewThrottle()
	now := time.Now()

	for range userBurst {
		fail(throttle, "1.1.1.1", "ann", now)
	}

	now = now.Add(userRefill)
	if !fail(throttle, "1.1.1.1", "ann", now) || throttle.Take("1.1.1.1", "ann", now) != userRefill {
		t.Error("not one attempt is free")
	}

	throttle.Succeeded("1.1.1.1", "ann")

	for range userBurst {
		if !fail(throttle, "1.1.1.1", "ann", now) {
			t.Fatal("throttled after a success")
		}
	}
}

// One client cannot try many users, and a success with one of them forgives only the failures with that one.
func TestThrottleOfClient(t *testing.T) {
	t.Parallel()
	throttle := NewThrottle()

	now := time.Now()
	for k := range clientBurst {
		if !fail(throttle, "3.3.3.3", fmt.Sprint("user", k), now) {
			t.Fatalf("throttled after %d failures", k)
		}
	}
	if wait := throttle.Take("3.3.3.3", "zoe", now); wait != clientRefill {
		t.Errorf("waits %s", wait)
	}

	// The attempt that succeeded was counted like the others, and is the only one that is taken back.
	throttle.Succeeded("3.3.3.3", "user1")
	if !fail(throttle, "3.3.3.3", "zoe", now) || throttle.Take("3.3.3.3", "max", now) != clientRefill {
		t.Error("not one attempt is free after a success")
	}
	if wait := throttle.Take("3.3.3.3", "max", now.Add(clientRefill)); wait != 0 {
		t.Errorf("waits %s when one failure is forgiven", wait)
	}
}

// Attempts made together are counted before the first of them has failed, so no more than the free ones pass.
func TestThrottleOfGuessesTogether(t *testing.T) {
	t.Parallel()
	throttle := NewThrottle()
	now := time.Now()

	var passed atomic.Int64
	var attempts sync.WaitGroup

	for range 100 {
		attempts.Go(func() {
			if fail(throttle, "1.1.1.1", "ann", now) {
				passed.Add(1)
			}
		})
	}

	attempts.Wait()
	if passed.Load() != userBurst {
		t.Errorf("%d attempts passed", passed.Load())
	}
}

// An attempt whose password nobody looked at counts for nothing.
func TestThrottleCancel(t *testing.T) {
	t.Parallel()
	throttle := NewThrottle()
	now := time.Now()

	for range 10 * clientBurst {
		if !fail(throttle, "1.1.1.1", "ann", now) {
			t.Fatal("cancelled attempts were counted")
		}
		throttle.Cancel("1.1.1.1", "ann")
	}
}

// What is forgiven takes no memory, and a flood of clients takes no more than its bound.
func TestThrottleMemory(t *testing.T) {
	t.Parallel()
	throttle := NewThrottle()
	now := time.Now()
	tracked := func() int { return len(throttle.users.until) + len(throttle.clients.until) }

	fail(throttle, "1.1.1.1", "ann", now)
	if tracked() != 2 {
		t.Errorf("%d tracked after one failure", tracked())
	}
	throttle.users.wait(pair("1.1.1.1", "ann"), now.Add(time.Minute))
	throttle.clients.wait("1.1.1.1", now.Add(time.Minute))
	if tracked() != 0 {
		t.Errorf("%d tracked when all is forgiven", tracked())
	}

	for k := range maxTracked {
		fail(throttle, strconv.Itoa(k), "ann", now)
	}
	if tracked() != maxTracked {
		t.Errorf("%d tracked after a flood", tracked())
	}

	// Names that nobody can have share one place, however long they are.
	throttle = NewThrottle()
	for k := range userBurst {
		fail(throttle, "1.1.1.1", strings.Repeat("x", 1<<20+k), now)
	}
	if len(throttle.users.until) != 1 || throttle.Take("1.1.1.1", strings.Repeat("y", 64), now) == 0 {
		t.Errorf("%d long names are tracked", len(throttle.users.until))
	}
}

// A client is an address of IPv4, or the network of one customer of IPv6.
func TestClientOf(t *testing.T) {
	t.Parallel()

	for address, want := range map[string]string{
		"1.2.3.4":              "1.2.3.4",
		"::ffff:1.2.3.4":       "1.2.3.4",
		"2001:db8:1:2::1":      "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::9": "2001:db8:1:2::/64",
		"2001:db8:1:3::1":      "2001:db8:1:3::/64",
		"fe80::1%eth0":         "fe80::/64",
		"::1":                  "::/64",
	} {
		if got := ClientOf(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}
