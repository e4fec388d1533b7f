package cluster

import (
	"context"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

// Hold says why events and schedules stand still in the whole installation; empty: they do not.
func (c *Cluster) Hold() string {
	if hold := c.hold.Load(); hold != nil {
		return hold.Hold
	}
	return ""
}

// Released is when the last hold ended, by the database's clock; zero if there was none.
func (c *Cluster) Released() time.Time {
	if hold := c.hold.Load(); hold != nil && hold.Released != nil {
		return *hold.Released
	}
	return time.Time{}
}

// LoadHold reads whether there is a hold. What was known before stays if that fails, with CodeUnavailable.
func (c *Cluster) LoadHold(ctx context.Context) error {
	hold, err := c.cfg.DB.Queries().Hold(ctx)
	if err != nil {
		return cloud.DatabaseAway("read whether events are on hold", db.Translate(err))
	}

	if hold.Hold != "" && c.Hold() == "" {
		c.cfg.Log.Warn("on hold: no event and no schedule runs until picloud release", "because", hold.Hold)
	}
	c.hold.Store(&hold)
	return nil
}
