package edge

import (
	"context"
	"errors"
	"math"
	"net/netip"
	"time"

	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/manager"
)

// Login checks a password, throttled, and makes a session. Errors: unauthorized for a wrong password,
// too-many-requests for who must wait, with the seconds in the detail retry_after.
func (e *Edge) Login(ctx context.Context, a manager.Attempt) (token string, expires time.Time, err error) {
	err = e.try(a, func() error {
		token, expires, err = e.cfg.Manager.Login(ctx, a)
		return err
	})
	return token, expires, err
}

// UserUpdate is a change of an account as API and dashboard ask for it.
type UserUpdate struct {
	Username string
	manager.UserChange
	// Current is the caller's present password. Whoever changes their own must give it.
	Current string
	// From is the caller's address.
	From netip.Addr
}

// UpdateUser changes an account for a caller who may. A stolen session must not become the account, so it
// asks for the present password before it changes the caller's own, throttled like a login. Errors:
// forbidden when that is wrong, too-many-requests as for Login, and those of the manager.
func (e *Edge) UpdateUser(ctx context.Context, p *auth.Principal, u UserUpdate) (*manager.User, error) {
	if u.Password != nil && u.Username == p.Username {
		if err := e.proveOwner(ctx, u); err != nil {
			return nil, err
		}
	}
	return e.cfg.Manager.UpdateUser(ctx, Actor(p), u.Username, u.UserChange)
}

// proveOwner checks the present password of an update.
func (e *Edge) proveOwner(ctx context.Context, u UserUpdate) error {
	if u.Current == "" {
		return cloud.Errorf(cloud.CodeInvalid,
			"your present password is needed to change it (current_password)")
	}

	a := manager.Attempt{Username: u.Username, Password: u.Current, Address: u.From}
	err := e.try(a, func() error { return e.cfg.Manager.CheckPassword(ctx, a) })
	if err != nil && cloud.CodeOf(err) == cloud.CodeUnauthorized {
		return cloud.Errorf(cloud.CodeForbidden, "the present password is wrong")
	}
	return err
}

// try lets check look at a password, unless the client must wait. The attempt counts as a failure while
// check runs, and stays one only if the password is wrong.
func (e *Edge) try(a manager.Attempt, check func() error) error {
	client := auth.ClientOf(a.Address)
	if wait := e.throttle.Take(client, a.Username, time.Now()); wait > 0 {
		seconds := int(math.Ceil(wait.Seconds()))
		return cloud.Errorf(cloud.CodeTooMany, "too many wrong passwords; wait %d seconds", seconds).
			With("retry_after", seconds)
	}

	err := check()
	switch {
	case err == nil:
		e.throttle.Succeeded(client, a.Username)
	case cloud.CodeOf(err) != cloud.CodeUnauthorized:
		e.throttle.Cancel(client, a.Username)
	}
	return err
}

// LoginRefused is what a form says of an attempt that failed, and false for errors that are not the
// visitor's to mend.
func LoginRefused(err error) (known *cloud.Error, ok bool) {
	ok = errors.As(err, &known) && (known.Code == cloud.CodeUnauthorized || known.Code == cloud.CodeTooMany)
	return known, ok
}
