package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"picloud/internal/auth"
	"picloud/internal/manager"
)

// ResetPasswordCmd helps an operator who has lost the last password.
type ResetPasswordCmd struct {
	Config
	Username   string `arg:"" help:"User to reset."`
	RevokeKeys bool   `help:"Revoke the user's API keys as well; without it they go on working."`
}

// UserCmd does what the dashboard does for users, for an operator who cannot log in there.
type UserCmd struct {
	List UserListCmd `cmd:"" help:"List users."`
	Add  UserAddCmd  `cmd:"" help:"Add a user and print their password."`
}

// UserListCmd lists users.
type UserListCmd struct{ Config }

// UserAddCmd adds a user.
type UserAddCmd struct {
	Config
	Username string `arg:"" help:"Name of the new user."`
	Role     string `enum:"member,admin,owner" default:"member" help:"Role in the installation: member, admin or owner."`
}

// withManager opens the database of a PiCloud that runs or is stopped.
func (c *Config) withManager(f func(ctx context.Context, m *manager.Manager) error) error {
	return c.withNode((*node).attach, func(ctx context.Context, n *node) error {
		if err := n.migrate(ctx); err != nil {
			return err
		}
		n.buildManager()

		return f(ctx, n.manager)
	})
}

// Run sets a random password, ends the user's sessions, and prints the password last.
func (c *ResetPasswordCmd) Run() error {
	return c.withManager(func(ctx context.Context, m *manager.Manager) error {
		password, err := m.ResetPassword(ctx, c.Username, c.RevokeKeys)
		if err != nil {
			return fmt.Errorf("reset the password of %q: %w", c.Username, err)
		}

		fmt.Println("The user's sessions have ended. " + c.aboutKeys())
		fmt.Printf("New password of %q: %s\n", c.Username, password)
		return nil
	})
}

// aboutKeys says what became of the user's API keys.
func (c *ResetPasswordCmd) aboutKeys() string {
	if c.RevokeKeys {
		return "Their API keys are revoked."
	}
	return fmt.Sprintf("Their API keys go on working: \"picloud reset-password --revoke-keys %s\" revokes "+
		"them all, and the user can revoke single ones on their profile page.", c.Username)
}

// Run prints a line for each user.
func (c *UserListCmd) Run() error {
	return c.withManager(func(ctx context.Context, m *manager.Manager) error {
		return listUsers(ctx, m, os.Stdout)
	})
}

// usersPage is how many users are read at a time.
const usersPage = 1000

// listUsers writes a table of all users, read page by page.
func listUsers(ctx context.Context, m *manager.Manager, w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for after := ""; ; {
		page, err := m.Users(ctx, after, usersPage)
		if err != nil {
			return fmt.Errorf("list users: %w", err)
		}

		for _, u := range page {
			state := "active"
			if !u.Active {
				state = "deactivated"
			}
			if _, err := fmt.Fprintf(t, "%s\t%s\t%s\n", u.Username, u.Role, state); err != nil {
				return err
			}
			after = u.Username
		}

		if len(page) < usersPage {
			return t.Flush()
		}
	}
}

// Run adds the user with a random password.
func (c *UserAddCmd) Run() error {
	return c.withManager(func(ctx context.Context, m *manager.Manager) error {
		password := auth.NewToken("")[:20]
		operator := manager.Actor{Username: "command line", Admin: true, Owner: true}
		_, err := m.CreateUser(ctx, operator, c.Username, password, manager.UserChange{Role: &c.Role})
		if err != nil {
			return fmt.Errorf("add %q: %w", c.Username, err)
		}
		fmt.Printf("Password of %q: %s\n", c.Username, password)
		return nil
	})
}
