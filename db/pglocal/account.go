package pglocal

import (
	"errors"
	"fmt"
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
	// other says that it is not the present user: directories must be given to it.
	other bool
}

// AccountOf picks the user for the server of a cluster. As root it is the owner of the cluster, or else that
// of the directory which will hold it: a service's data stays the service's. What is root's gets the user of
// ServerAccount.
func AccountOf(dir string) (Account, error) {
	if os.Geteuid() != 0 {
		return Account{}, nil
	}

	place, err := placeOf(dir)
	if err != nil {
		return Account{}, err
	}

	for _, path := range []string{place.dir, place.home} {
		if acc, ok := OwnerOf(path); ok {
			return acc, nil
		}
	}

	return ServerAccount()
}

// OwnerOf returns the owner of a file, unless it is root or there is no such file.
func OwnerOf(path string) (Account, bool) {
	info, err := os.Stat(path)
	if err != nil {
		return Account{}, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Uid == 0 {
		return Account{}, false
	}

	acc := Account{Name: strconv.Itoa(int(st.Uid)), UID: int(st.Uid), GID: int(st.Gid), other: true}
	if u, err := user.LookupId(acc.Name); err == nil {
		acc.Name = u.Username
	}
	return acc, true
}

// ServerAccount picks the user for a new server. PostgreSQL refuses to run as root, so root needs another
// one.
func ServerAccount() (Account, error) {
	if os.Geteuid() != 0 {
		return Account{}, nil
	}

	for _, name := range []string{"postgres", "nobody"} {
		if acc, ok := LookupAccount(name); ok {
			return acc, nil
		}
	}

	return Account{}, errors.New("PostgreSQL refuses to run as root and this system has neither a user " +
		"\"postgres\" nor \"nobody\": create one, or start PiCloud as an ordinary user")
}

// LookupAccount finds a user other than root by name, for who is root.
func LookupAccount(name string) (Account, bool) {
	u, err := user.Lookup(name)
	if err != nil {
		return Account{}, false
	}

	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	acc := Account{Name: name, UID: uid, GID: gid, other: true}
	return acc, err1 == nil && err2 == nil && uid != 0
}

// Give makes the account the owner of a file or directory. A symbolic link is given, not what it points to.
func (a Account) Give(path string) error {
	if !a.other {
		return nil
	}
	if err := os.Lchown(path, a.UID, a.GID); err != nil {
		return fmt.Errorf("give %s to %s: %w", path, a.Name, err)
	}
	return nil
}

// Reaches reports whether the account can enter every parent of a directory. Parents that do not exist yet
// will be made so that it can.
func (a Account) Reaches(dir string) bool {
	if !a.other {
		return true
	}

	for parent := filepath.Dir(dir); ; parent = filepath.Dir(parent) {
		if info, err := os.Stat(parent); err == nil && !a.mayEnter(info) {
			return false
		}
		if parent == filepath.Dir(parent) {
			return true
		}
	}
}

// mayEnter applies the permission bits of a directory: those of the first class to which the account
// belongs count.
func (a Account) mayEnter(info os.FileInfo) bool {
	const ownerEnters, groupEnters, othersEnter = 0o100, 0o010, 0o001
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return true
	}

	mode := info.Mode().Perm()
	switch {
	case int(st.Uid) == a.UID:
		return mode&ownerEnters != 0
	case int(st.Gid) == a.GID:
		return mode&groupEnters != 0
	default:
		return mode&othersEnter != 0
	}
}

// SysProcAttr makes a child run as the account. It has a process group of its own, because a Ctrl-C in the
// terminal is PiCloud's to handle.
func (a Account) SysProcAttr() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if a.other {
		attr.Credential = &syscall.Credential{Uid: uint32(a.UID), Gid: uint32(a.GID)}
	}
	return attr
}
