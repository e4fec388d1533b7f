package admin

import (
	"strconv"
	"strings"

	"picloud/internal/cloud"
	"picloud/internal/manager"
	"picloud/views"
)

// rateLimitOf shows a rate limit, nil for none.
func rateLimitOf(l *cloud.RateLimit) views.RateLimit {
	if l == nil {
		return views.RateLimit{}
	}
	return views.RateLimit{
		Requests: strconv.Itoa(l.Requests),
		Seconds:  strconv.Itoa(l.Seconds),
		By:       l.By,
		Header:   l.Header,
	}
}

// typedRateLimit is a rate limit as a form has it.
func (v *visit) typedRateLimit() views.RateLimit {
	return views.RateLimit{
		Requests: strings.TrimSpace(v.form.Get("rate_requests")),
		Seconds:  strings.TrimSpace(v.form.Get("rate_seconds")),
		By:       v.form.Get("rate_by"),
		Header:   strings.TrimSpace(v.form.Get("rate_header")),
	}
}

// rateLimitChange reads what was typed. Without a number of requests the limit is taken away.
func rateLimitChange(typed views.RateLimit) (manager.Nullable[cloud.RateLimit], error) {
	if typed.Requests == "" {
		return manager.ValueOf[cloud.RateLimit](nil), nil
	}

	requests, badRequests := strconv.Atoi(typed.Requests)
	seconds, badSeconds := strconv.Atoi(typed.Seconds)
	if badRequests != nil || badSeconds != nil {
		return manager.Nullable[cloud.RateLimit]{}, cloud.Errorf(cloud.CodeInvalid,
			"requests and seconds of the rate limit must be whole numbers")
	}

	limit := &cloud.RateLimit{Requests: requests, Seconds: seconds, By: typed.By, Header: typed.Header}
	return manager.ValueOf(limit), nil
}
