package main

import (
	"errors"
	"fmt"
	"testing"

	"picloud/internal/cloud"
)

// An operator reads the message and the cause, without the codes that are for programs.
func TestSentence(t *testing.T) {
	t.Parallel()
	missing := cloud.Errorf(cloud.CodeNotFound, "no such user")
	away := cloud.ErrDatabaseAway.Because(fmt.Errorf("examine: %w", errors.New("refused")))

	for _, c := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("reset the password of %q: %w", "admni", missing), `reset the password of "admni": no such user`},
		{away, "the database does not answer; nothing of this run was kept: examine: refused"},
		{cloud.Errorf(cloud.CodeConflict, "taken").Because(missing), "taken: no such user"},
		{errors.New("PICLOUD_LISTEN: in use"), "PICLOUD_LISTEN: in use"},
	} {
		if got := sentence(c.err); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
