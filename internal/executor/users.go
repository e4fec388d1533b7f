package executor

import (
	"os"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// Users are who sandbox processes become. The zero value leaves them what their parent is.
type Users struct {
	// UID and GID are the first user and the first group.
	UID, GID int
	// Count is how many follow each other, one for each app; with 1 or less all apps share the first. Apps
	// beyond them begin again with the first.
	Count int
}

// of returns the user and the group of an app's sandboxes.
func (u Users) of(app cloud.AppID) (uid, gid int) {
	if u.UID == 0 || u.Count <= 1 {
		return u.UID, u.GID
	}

	k := int(uint64(app) % uint64(u.Count))
	return u.UID + k, u.GID + k
}

// Confinement is what stands between a sandbox process and the machine, beside its limits.
type Confinement struct {
	wire.ReadyMsg
	// Known means that the process said what it has. One of an older version does not.
	Known bool
	// OwnUser means that sandboxes run as another user than this process, and UserPerApp that each app's have
	// a user of their own.
	OwnUser, UserPerApp bool
}

// confinement is what a child has that said it is ready.
func (c *child) confinement() Confinement {
	if c.report == nil {
		return Confinement{}
	}

	return Confinement{
		ReadyMsg:   *c.report,
		Known:      true,
		OwnUser:    c.report.UID != os.Getuid(),
		UserPerApp: c.users.UID != 0 && c.users.Count > 1,
	}
}
