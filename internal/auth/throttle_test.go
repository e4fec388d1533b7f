package auth

import (
	"fmt"
	"strconv"
	"testing"
	"time"
)

// A stranger's guesses lock out the stranger and nobody else, and time forgives them one by one.
func TestThrottle(t *testing.T) {
	t.Parallel()
	throttle := NewThrottle()

	now := time.Now()
	for range userBurst {
		if throttle.Wait("1.1.1.1", "ann", now) != 0 {
			t.Fatal("throttled too early")
		}
		throttle.Failed("1.1.1.1", "ann", now)
	}

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
			if got := throttle.Wait(c.client, c.username, now.Add(c.after)); got != c.want {
				t.Errorf("waits %s, want %s", got, c.want)
			}
		})
	}

	// One was forgiven, so one is free.
	now = now.Add(userRefill)
	throttle.Failed("1.1.1.1", "ann", now)
	if wait := throttle.Wait("1.1.1.1", "ann", now); wait != userRefill {
		t.Errorf("after one more failure: %s", wait)
	}
	throttle.Succeeded("1.1.1.1", "ann")
	if wait := throttle.Wait("1.1.1.1", "ann", now); wait != 0 {
		t.Errorf("after a success: %s", wait)
	}
}

// One client cannot try many users, and a success with one of them forgives only the failures with that one.
func TestThrottleOfClient(t *testing.T) {
	t.Parallel()
	throttle := NewThrottle()

	now := time.Now()
	for k := range clientBurst {
		if throttle.Wait("3.3.3.3", "zoe", now) != 0 {
			t.Fatalf("throttled after %d failures", k)
		}
		throttle.Failed("3.3.3.3", fmt.Sprint("user", k), now)
	}

	throttle.Succeeded("3.3.3.3", "user1")
	if wait := throttle.Wait("3.3.3.3", "zoe", now); wait != clientRefill {
		t.Errorf("waits %s", wait)
	}
	if wait := throttle.Wait("3.3.3.3", "zoe", now.Add(clientRefill)); wait != 0 {
		t.Errorf("waits %s when one failure is forgiven", wait)
	}
}

// Guesses that began together may all fail after the last free one: they cost the part of the wait that has
// passed.
func TestThrottleOfGuessesTogether(t *testing.T) {
	t.Parallel()
	throttle := NewThrottle()

	now := time.Now()
	for range userBurst + 3 {
		throttle.Failed("1.1.1.1", "ann", now)
	}

	if wait := throttle.Wait("1.1.1.1", "ann", now); wait != userRefill {
		t.Errorf("waits %s", wait)
	}

	later := now.Add(userRefill / 2)
	throttle.Failed("1.1.1.1", "ann", later)
	if wait := throttle.Wait("1.1.1.1", "ann", later); wait != userRefill {
		t.Errorf("waits %s after a failure that came late", wait)
	}
}

// What is forgiven takes no memory, and a flood of clients takes no more than its bound.
func TestThrottleMemory(t *testing.T) {
	t.Parallel()
	throttle := NewThrottle()
	now := time.Now()
	tracked := func() int { return len(throttle.users.limiters) + len(throttle.clients.limiters) }

	throttle.Failed("1.1.1.1", "ann", now)
	if tracked() != 2 {
		t.Errorf("%d limiters after one failure", tracked())
	}
	throttle.Wait("1.1.1.1", "ann", now.Add(time.Minute))
	if tracked() != 0 {
		t.Errorf("%d limiters when all is forgiven", tracked())
	}

	most := 0
	for k := range maxTracked {
		throttle.Failed(strconv.Itoa(k), "ann", now)
		most = max(most, tracked())
	}

	if most > maxTracked+2 || most < maxTracked {
		t.Errorf("%d limiters at most", most)
	}
}
