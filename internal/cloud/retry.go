package cloud

import "time"

// Retry is a trigger's retry policy.
type Retry struct {
	// MaxAttempts counts the first attempt too.
	MaxAttempts int
	// Backoff is constant, linear or exponential.
	Backoff string
	// Base is the delay after the first failure, Max the longest delay.
	Base time.Duration
	Max  time.Duration
	// Jitter is the share of the delay, from 0 to 1, that varies each way.
	Jitter float64
}

// DefaultRetry is the policy of a trigger that names none.
func DefaultRetry() Retry {
	return Retry{
		MaxAttempts: 5,
		Backoff:     "exponential",
		Base:        time.Second,
		Max:         5 * time.Minute,
		Jitter:      0.2,
	}
}

// Delay is how long a row waits after its n-th failed attempt (n from 1). random is uniform in [0,1) and
// decides the jitter.
func (r Retry) Delay(n int, random float64) time.Duration {
	delay := r.Base
	switch r.Backoff {
	case "linear":
		const most = 1 << 20 // beyond it the product could overflow; Max has long been reached
		delay = r.Base * time.Duration(min(n, most))
	case "exponential":
		for k := 1; k < n && delay < r.Max; k++ {
			delay *= 2
		}
	}

	delay = min(delay, r.Max)
	jitter := float64(delay) * r.Jitter * (2*random - 1)
	return max(0, delay+time.Duration(jitter))
}
