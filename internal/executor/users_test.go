package executor

import (
	"testing"

	"picloud/internal/cloud"
)

// Each app has a user and a group of its own, as far as there are enough.
func TestUsers(t *testing.T) {
	t.Parallel()

	range3 := Users{UID: 500, GID: 700, Count: 3}
	for _, c := range []struct {
		users    Users
		app      cloud.AppID
		uid, gid int
	}{
		{range3, 0, 500, 700},
		{range3, 1, 501, 701},
		{range3, 2, 502, 702},
		{range3, 3, 500, 700},
		{Users{UID: 500, GID: 700}, 2, 500, 700},
		{Users{UID: 500, GID: 700, Count: 1}, 2, 500, 700},
		{Users{}, 2, 0, 0},
		{Users{Count: 3}, 2, 0, 0},
	} {
		if uid, gid := c.users.of(c.app); uid != c.uid || gid != c.gid {
			t.Errorf("app %d of %+v is %d:%d, want %d:%d", c.app, c.users, uid, gid, c.uid, c.gid)
		}
	}
}
