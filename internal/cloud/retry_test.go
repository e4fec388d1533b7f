package cloud

import (
	"testing"
	"time"
)

func TestDelay(t *testing.T) {
	t.Parallel()
	const s, min = time.Second, time.Minute
	policy := func(backoff string, base, max time.Duration) Retry {
		return Retry{Backoff: backoff, Base: base, Max: max}
	}

	jittered := func(backoff string, jitter float64) Retry {
		return Retry{Backoff: backoff, Base: 10 * s, Max: min, Jitter: jitter}
	}

	for _, c := range []struct {
		name   string
		policy Retry
		n      int
		random float64
		want   time.Duration
	}{
		{"constant", policy("constant", s, min), 7, 0, s},
		{"constant over its maximum", policy("constant", time.Hour, min), 7, 0, min},
		{"linear", policy("linear", s, min), 7, 0, 7 * s},
		{"linear at its maximum", policy("linear", time.Hour, 3*time.Hour), 1 << 30, 0, 3 * time.Hour},
		{"exponential once", policy("exponential", s, min), 1, 0, s},
		{"exponential", policy("exponential", s, min), 4, 0, 8 * s},
		{"exponential at its maximum", policy("exponential", s, min), 100, 0, min},
		{"exponential of nothing", policy("exponential", 0, 0), 100, 0, 0},
		{"exponential of nothing up to a minute", policy("exponential", 0, min), 100, 0, 0},
		{"least jitter", jittered("constant", 0.2), 1, 0, 8 * s},
		{"no jitter by chance", jittered("constant", 0.2), 1, 0.5, 10 * s},
		{"half of the most jitter", jittered("constant", 0.2), 1, 0.75, 11 * s},
		{"jitter of everything", jittered("constant", 1), 1, 0, 0},
		{"jitter after the maximum", jittered("exponential", 0.5), 100, 0.75, 75 * s},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := c.policy.Delay(c.n, c.random); got != c.want {
				t.Errorf("attempt %d: %s, want %s", c.n, got, c.want)
			}
		})
	}
}

// The policy of a trigger that names none is valid by the rules of those that do.
func TestDefaultRetry(t *testing.T) {
	t.Parallel()
	policy := DefaultRetry()

	var total time.Duration
	for n := 1; n < policy.MaxAttempts; n++ {
		total += policy.Delay(n, 0.5)
	}

	if policy.MaxAttempts != 5 || total != 15*time.Second {
		t.Errorf("%d attempts within %s", policy.MaxAttempts, total)
	}
}
