package orchestrator

import (
	"context"
	"math"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

const (
	// minRate and maxRate bound the letters that a replay makes due in a second.
	minRate = 0.001
	maxRate = 1000
	// maxPaced is how far ahead the last letter of a call may be due.
	maxPaced = 365 * 24 * time.Hour
)

// Pace is the rate of a bulk replay: what the scripts call may not bear at once all that failed while it was
// away.
type Pace struct {
	// PerSecond is how many letters become due in a second, from 0.001 to 1000; 0: all are due at once.
	PerSecond float64
	// After is when the last letter of the call before is due, zero for the first call.
	After time.Time
}

// paceClock gives out due times.
type paceClock struct {
	interval time.Duration
	due      time.Time // the next one
}

// start begins a call of up to n letters: behind the last letter of the call before, unless that is due by
// now.
func (p Pace) start(ctx context.Context, d *db.DB, n int) (*paceClock, error) {
	if p.PerSecond == 0 {
		return &paceClock{}, nil
	}
	if math.IsNaN(p.PerSecond) || p.PerSecond < minRate || p.PerSecond > maxRate {
		return nil, cloud.Errorf(cloud.CodeInvalid, "the rate must be from %g to %d dead letters a second",
			minRate, maxRate)
	}

	now, err := d.Queries().DatabaseTime(ctx)
	if err != nil {
		return nil, cloud.DatabaseAway("begin replay", db.Translate(err))
	}

	c := &paceClock{interval: time.Duration(float64(time.Second) / p.PerSecond), due: now}
	if follows := p.After.Add(c.interval); !p.After.IsZero() && follows.After(now) {
		c.due = follows
	}
	if c.due.Add(time.Duration(n) * c.interval).After(now.Add(maxPaced)) {
		return nil, cloud.Errorf(cloud.CodeInvalid,
			"at this rate the last of these dead letters would be due in more than a year")
	}
	return c, nil
}

// next is the time of one more letter, zero: at once.
func (c *paceClock) next() time.Time {
	due := c.due
	if c.interval > 0 {
		c.due = due.Add(c.interval)
	}
	return due
}

// requireOneVersion refuses (conflict) a rate while a node of another version lives. One that knows no rates
// takes rows far ahead for those of a clock that was wrong, and makes all of them due at once.
func (o *Operations) requireOneVersion(ctx context.Context) error {
	other, err := o.db.Queries().NodeOfAnotherVersion(ctx, o.version)
	switch {
	case db.IsNotFound(err):
		return nil
	case err != nil:
		return cloud.DatabaseAway("look for other versions", db.Translate(err))
	default:
		return cloud.Errorf(cloud.CodeConflict, "the node %s is of another version (%s, and this one %s), "+
			"which may not keep to a rate: finish the upgrade first, or replay without a rate",
			other.Name, other.Version, o.version)
	}
}
