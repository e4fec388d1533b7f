package manager

import "picloud/internal/cloud"

// checkRateLimit says what is wrong with a limit that is set, nil if nothing is.
func checkRateLimit(c Nullable[cloud.RateLimit]) error {
	if c.Value == nil {
		return nil
	}
	return c.Value.Check()
}

// setRateLimit changes a limit as it is stored, if the change speaks of it.
func setRateLimit(stored *string, c Nullable[cloud.RateLimit]) {
	if c.Set {
		*stored = cloud.RateLimitText(c.Value)
	}
}
