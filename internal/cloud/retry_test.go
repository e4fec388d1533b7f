package cloud

import (
	"testing"
	"time"
)

func TestDelay(t *testing.T) {
	for _, c := range []struct {
		r      Retry
		n      int
		random float64
		want   time.Duration
	}{
		{Retry{Backoff: "constant", Base: time.Second, Max: time.Minute}, 7, 0, time.Second},
		{Retry{Backoff: "linear", Base: time.Second, Max: time.Minute}, 7, 0, 7 * time.Second},
		{Retry{Backoff: "linear", Base: time.Hour, Max: 3 * time.Hour}, 1 << 30, 0, 3 * time.Hour},
		{Retry{Backoff: "exponential", Base: time.Second, Max: time.Minute}, 1, 0, time.Second},
		{Retry{Backoff: "exponential", Base: time.Second, Max: time.Minute}, 4, 0, 8 * time.Second},
		{Retry{Backoff: "exponential", Base: time.Second, Max: time.Minute}, 100, 0, time.Minute},
		{Retry{Backoff: "constant", Base: 10 * time.Second, Max: time.Minute, Jitter: 0.2}, 1, 0, 8 * time.Second},
		{Retry{Backoff: "constant", Base: 10 * time.Second, Max: time.Minute, Jitter: 0.2}, 1, 0.5, 10 * time.Second},
		{Retry{Backoff: "exponential", Base: 0, Max: 0}, 100, 0, 0},
	} {
		if got := c.r.Delay(c.n, c.random); got != c.want {
			t.Errorf("%+v attempt %d: %s, want %s", c.r, c.n, got, c.want)
		}
	}
}
