package api

import (
	"picloud/internal/cloud"
	"picloud/internal/manager"
)

// rateLimitItem is how often something may be called.
type rateLimitItem struct {
	Requests int     `json:"requests" doc:"how many requests are allowed in seconds: 1 to 1,000,000"`
	Seconds  int     `json:"seconds" doc:"1 to 86,400"`
	By       string  `json:"by,omitempty" doc:"which requests are counted together: address (default), everybody or header"`
	Header   *string `json:"header,omitempty" doc:"by header: its name"`
}

func showRateLimit(l *cloud.RateLimit) *rateLimitItem {
	if l == nil {
		return nil
	}
	return &rateLimitItem{Requests: l.Requests, Seconds: l.Seconds, By: l.By, Header: nonEmpty(l.Header)}
}

// rateLimitChange is the body's member as the manager takes it.
func rateLimitChange(n nullable[rateLimitItem]) manager.Nullable[cloud.RateLimit] {
	c := manager.Nullable[cloud.RateLimit]{Set: n.Set}
	if it := n.Value; it != nil {
		c.Value = &cloud.RateLimit{Requests: it.Requests, Seconds: it.Seconds, By: it.By}
		if it.Header != nil {
			c.Value.Header = *it.Header
		}
	}
	return c
}
