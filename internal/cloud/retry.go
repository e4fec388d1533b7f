package cloud

import "time"

// Retry is a trigger's retry policy.
type Retry struct {
	MaxAttempts int
	Backoff     string // constant, linear, exponential
	Base        time.Duration
	Max         time.Duration
	Jitter      float64 // 0 to 1: the share of the delay that varies each way
}

// DefaultRetry is the policy of a trigger that names none.
func DefaultRetry() Retry {
	return Retry{MaxAttempts: 5, Backoff: "exponential", Base: time.Second, Max: 5 * time.Minute, Jitter: 0.2}
}

// Delay is how long a row waits after its n-th failed attempt (n from 1). random is uniform in [0,1): the delay varies by
// the policy's jitter each way.
func (r Retry) Delay(n int, random float64) time.Duration {
	d := r.Base
	switch r.Backoff {
	case "linear":
		d = r.Base * time.Duration(min(n, 1<<20))
	case "exponential":
		for k := 1; k < n && d < r.Max; k++ {
			d *= 2
		}
	}
	d = min(d, r.Max)
	return max(0, d+time.Duration(float64(d)*r.Jitter*(2*random-1)))
}
