package api

import (
	"time"

	"picloud/internal/cloud"
)

// Moments are shown in UTC, whatever zone the database gives them in; what is missing is null.

func utc(t time.Time) time.Time { return t.UTC() }

func utcPtr(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

func idPtr(id *[16]byte) *string {
	if id == nil {
		return nil
	}
	s := cloud.ID(*id).String()
	return &s
}

func nonEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// millis are milliseconds with three decimals.
func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
