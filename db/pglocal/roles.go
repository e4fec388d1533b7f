package pglocal

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
)

// Roles of a cluster. A superuser can read files and the environment of the server's processes by SQL, and
// run programs: so the program connects as an ordinary role, and the superuser only prepares that role.
const (
	adminRole = "picloud_admin"
	userRole  = "picloud"
	// former is what the first superuser of a cluster is called that was made before there were two roles:
	// it had the name of the ordinary role, and cannot be dropped.
	formerRole = "picloud_former"
)

// settleRoles gives the cluster its two roles, if it does not have them, and fills in the addresses.
func (s *Server) settleRoles(ctx context.Context) error {
	if err := s.settleAdmin(ctx); err != nil {
		return fmt.Errorf("prepare the superuser: %w", err)
	}
	password, err := s.place.readPassword(userRole)
	if err != nil {
		return err
	}

	if err := s.settleUser(ctx, password); err != nil {
		return fmt.Errorf("prepare the ordinary role: %w", err)
	}
	s.userURL = address(userRole, password, s.run)
	return nil
}

// settleAdmin makes the superuser of a cluster whose only role is a superuser with the ordinary role's name.
// A crash after any step leaves what the next start goes on with.
func (s *Server) settleAdmin(ctx context.Context) error {
	password, err := s.place.readPassword(adminRole)
	if err == nil {
		s.url = address(adminRole, password, s.run)
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}

	old, err := s.place.readPassword(userRole)
	if err != nil {
		return err
	}
	password = randomHex()

	err = onDatabase(ctx, address(userRole, old, s.run), func(tx pgx.Tx) error {
		have, _, err := roleState(ctx, tx, adminRole)
		if err != nil {
			return err
		}

		verb := "CREATE"
		if have {
			verb = "ALTER"
		}
		_, err = tx.Exec(ctx, verb+" ROLE "+adminRole+" SUPERUSER LOGIN PASSWORD '"+password+"'")
		return err
	})
	if err != nil {
		return err
	}

	// The file comes last: as long as it is missing, the next start sets a password again.
	if err := WritePrivate(s.place.passwordFile(adminRole), password+"\n"); err != nil {
		return fmt.Errorf("write database password: %w", err)
	}
	s.url = address(adminRole, password, s.run)
	return nil
}

// settleUser makes the ordinary role, and gives it what a superuser of its name had.
func (s *Server) settleUser(ctx context.Context, password string) error {
	// It makes its database itself, and so owns it.
	create := "CREATE ROLE " + userRole + " LOGIN CREATEDB PASSWORD '" + password + "'"

	var have, super, filled bool
	err := onDatabase(ctx, s.url, func(tx pgx.Tx) error {
		var err error
		if have, super, err = roleState(ctx, tx, userRole); err != nil {
			return err
		}
		if !have {
			_, err = tx.Exec(ctx, create)
			return err
		}
		const exists = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)"
		return tx.QueryRow(ctx, exists, userRole).Scan(&filled)
	})
	if err != nil || !super {
		return err
	}

	target := s.url
	if filled {
		target = Database(s.url, userRole)
	}
	s.log.Info("PiCloud connects to its PostgreSQL as an ordinary role from now on", "role", userRole)
	return onDatabase(ctx, target, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "ALTER ROLE "+userRole+" RENAME TO "+formerRole+
			"; ALTER ROLE "+formerRole+" NOLOGIN PASSWORD NULL; "+create)
		if err != nil || !filled {
			return err
		}
		_, err = tx.Exec(ctx, reassign)
		return err
	})
}

// reassign makes the ordinary role the owner of the database and of everything in it that belonged to the
// superuser. REASSIGN OWNED refuses to take anything from a cluster's first superuser.
//
//go:embed reassign.sql
var reassign string

// roleState says whether a role exists, and whether it is a superuser.
func roleState(ctx context.Context, tx pgx.Tx, role string) (have, super bool, err error) {
	err = tx.QueryRow(ctx, "SELECT rolsuper FROM pg_roles WHERE rolname = $1", role).Scan(&super)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, false, nil
	}
	return err == nil, super, err
}

// onDatabase runs f in one transaction of a connection of its own.
func onDatabase(ctx context.Context, url string, f func(tx pgx.Tx) error) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()

	return pgx.BeginFunc(ctx, conn, f)
}
