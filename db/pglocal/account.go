package pglocal

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// Account is the system user that PostgreSQL runs as. The zero value is the present user.
type Account struct {
	Name     string
	UID, GID int
	other    bool
}

// ServerAccount picks the user for the server: PostgreSQL refuses root.
func ServerAccount() (Account, error) {
	if os.Geteuid() != 0 {
		return Account{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err1 == nil && err2 == nil && uid != 0 {
			return Account{Name: name, UID: uid, GID: gid, other: true}, nil
		}
	}
	return Account{}, errors.New("PostgreSQL refuses to run as root and this system has neither a user \"postgres\" nor \"nobody\": " +
		"create one, or start PiCloud as an ordinary user")
}

// Reaches reports whether the account can enter every parent of a directory that does not exist yet, or the directory.
func (a Account) Reaches(dir string) bool {
	if !a.other {
		return true
	}
	for p := filepath.Dir(dir); ; p = filepath.Dir(p) {
		if info, err := os.Stat(p); err == nil {
			st, ok := info.Sys().(*syscall.Stat_t)
			if !ok {
				return true
			}
			mode := info.Mode().Perm()
			switch {
			case int(st.Uid) == a.UID:
				if mode&0o100 == 0 {
					return false
				}
			case int(st.Gid) == a.GID:
				if mode&0o010 == 0 {
					return false
				}
			case mode&0o001 == 0:
				return false
			}
		}
		if p == filepath.Dir(p) {
			return true
		}
	}
}

// SysProcAttr makes a child run as the account.
func (a Account) SysProcAttr() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C in the terminal is PiCloud's to handle
	if a.other {
		attr.Credential = &syscall.Credential{Uid: uint32(a.UID), Gid: uint32(a.GID)}
	}
	return attr
}
