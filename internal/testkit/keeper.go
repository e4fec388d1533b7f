package testkit

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"picloud/db"
	"picloud/db/pglocal"
	"picloud/migrations"
)

// One PostgreSQL serves every test binary of a source tree, however many of them run at once. Its parent is
// the keeper: a child process that runs the test binary which needed the server first, and that outlives it
// if others still need it.
//
// Locks on open files say who is there, so that a process that was killed counts as gone:
//
//	users     each test binary holds it shared; the keeper that gets it exclusively is alone, and ends
//	starting  held while a test binary looks for the server or starts a keeper; taken under users
//	alive     the keeper holds it exclusively; the address that a killed keeper left behind is not believed
//
// The directory is removed with the server. Whoever locks a file that was removed meanwhile locks the new one
// instead.
const (
	usersLock    = "users"
	startingLock = "starting"
	aliveLock    = "alive"
	addressFile  = "address"
	dataDir      = "data"
)

// keeperVariable names the environment variable that makes a test binary a keeper; its value is the
// directory.
const keeperVariable = "PICLOUD_TEST_KEEPER"

// testConnections is the server's limit: two nodes a test, 12 connections a node, and tests of several
// packages at once.
const testConnections = 500

// membership is the use that a test binary makes of the shared server.
type membership struct {
	dir   string
	users *os.File // locked; the server lives at least as long
	url   string   // of the maintenance database
}

// join takes part in the server of a directory, and starts it if nobody has.
func join(dir string) (*membership, error) {
	users, err := lockFile(dir, usersLock, syscall.LOCK_SH)
	if err != nil {
		return nil, err
	}
	m := &membership{dir: dir, users: users}

	starting, err := lockFile(dir, startingLock, syscall.LOCK_EX)
	if err != nil {
		_ = users.Close()
		return nil, err
	}
	defer func() { _ = starting.Close() }()

	if !m.running() {
		if err := startKeeper(dir); err != nil {
			_ = users.Close()
			return nil, err
		}
	}

	address, err := os.ReadFile(filepath.Join(dir, addressFile))
	if err != nil {
		_ = users.Close()
		return nil, fmt.Errorf("read the server's address: %w", err)
	}

	m.url = strings.TrimSpace(string(address))
	return m, nil
}

// running reports whether a living keeper has said where its server is.
func (m *membership) running() bool {
	alive, err := lockFile(m.dir, aliveLock, syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		_ = alive.Close()
		return false
	}

	_, err = os.Stat(filepath.Join(m.dir, addressFile))
	return err == nil
}

// leave ends the membership. The last one waits until the server is gone, so that nothing runs on after the
// tests.
func (m *membership) leave() {
	_ = m.users.Close()

	deadline := time.Now().Add(10 * time.Second) // a keeper that was killed does not come any more
	for ; time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(m.dir, usersLock)); err != nil {
			return // the keeper removes it last
		}
		if m.othersUse() {
			return
		}
	}
}

// othersUse reports whether another test binary holds the lock that the keeper waits for: it can be shared,
// but not taken.
func (m *membership) othersUse() bool {
	try := func(how int) bool {
		f, err := os.Open(filepath.Join(m.dir, usersLock))
		if err != nil {
			return false
		}
		defer func() { _ = f.Close() }()
		return syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB) == nil
	}

	return !try(syscall.LOCK_EX) && try(syscall.LOCK_SH)
}

const (
	// memoryFiles is where Linux keeps files in memory.
	memoryFiles = "/dev/shm"
	// memoryNeeded is the free space, in bytes, that the server wants there: far more than its data and log
	// ever take.
	memoryNeeded = 4 << 30
)

// parentDir is where the server's directory goes: into memory where there is room. ext4 does not use the
// inode of a deleted file for a minute and searches past all of them for a free one, so that the 500 files of
// a database, made and dropped for each test, take five times as long on a disk.
func parentDir() string {
	var free unix.Statfs_t
	if unix.Statfs(memoryFiles, &free) == nil && int64(free.Bavail)*free.Bsize >= memoryNeeded {
		return memoryFiles
	}
	return os.TempDir()
}

// serverDir names the directory of this source tree's server. Another tree, another user or another schema
// has another.
func serverDir() (string, error) {
	hash := sha256.New()
	_, _ = io.WriteString(hash, Root())
	err := fs.WalkDir(migrations.FS, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		b, err := fs.ReadFile(migrations.FS, path)
		_, _ = hash.Write(b)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read the migrations: %w", err)
	}

	name := fmt.Sprintf("picloud-test-%d-%s", os.Geteuid(), hex.EncodeToString(hash.Sum(nil)[:6]))
	return filepath.Join(parentDir(), name), nil
}

// lockFile opens a file of the directory, makes both if need be, and locks the file; closing it unlocks it.
func lockFile(dir, name string, how int) (*os.File, error) {
	path := filepath.Join(dir, name)
	for {
		if err := ownDirectory(dir); err != nil {
			return nil, err
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the keeper removed the directory in between
		}
		if err != nil {
			return nil, fmt.Errorf("open lock: %w", err)
		}
		if err := flock(f, how); err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}

		// A lock on a file that was removed while we waited excludes nobody.
		locked, err1 := f.Stat()
		named, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(locked, named) {
			return f, nil
		}
		_ = f.Close()
	}
}

// flock waits for a lock; signals, such as those of the scheduler, do not end the wait.
func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// ownDirectory makes the directory, and refuses one that another user has put there. PostgreSQL's user passes
// through it.
func ownDirectory(dir string) error {
	if err := os.Mkdir(dir, 0o711); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the directory of the tests' PostgreSQL: %w", err)
	}
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed in between: opening the file says so
	}
	if err != nil {
		return err
	}

	stat, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || ok && int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to somebody else", dir)
	}
	return nil
}

// startKeeper runs this binary as the keeper and waits until the server answers.
func startKeeper(dir string) error {
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the test binary: %w", err)
	}
	answer, ready, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = answer.Close() }()

	// Its own session: an interrupt from the terminal ends the tests, and the keeper then stops the server.
	// It has none of our files, since go test waits for everybody who could still write to its output.
	cmd := exec.Command(binary)
	cmd.Dir = os.TempDir()
	cmd.Env = append(os.Environ(), keeperVariable+"="+dir)
	cmd.ExtraFiles = []*os.File{ready}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	_ = ready.Close()
	if err != nil {
		return fmt.Errorf("start the keeper of PostgreSQL: %w", err)
	}

	_ = cmd.Process.Release()

	line, _ := bufio.NewReader(answer).ReadString('\n')
	if line != "ready\n" {
		return fmt.Errorf("the keeper of PostgreSQL: %s", strings.TrimSpace(line))
	}
	return nil
}

// keep is the keeper: it runs the server until no test binary uses it.
func keep(dir string) int {
	ready := os.NewFile(3, "ready") // cmd.ExtraFiles of startKeeper
	syscall.CloseOnExec(3)          // PostgreSQL outlives the answer
	if err := keepServer(dir, ready); err != nil {
		_, _ = fmt.Fprintln(ready, strings.ReplaceAll(err.Error(), "\n", " "))
		return 1
	}

	return 0
}

func keepServer(dir string, ready *os.File) error {
	alive, err := lockFile(dir, aliveLock, syscall.LOCK_EX)
	if err != nil {
		return err
	}
	defer func() { _ = alive.Close() }()
	_, _ = fmt.Fprintln(alive, os.Getpid()) // for whoever wonders what runs here

	data := filepath.Join(dir, dataDir)
	if err := clearLeftover(data); err != nil {
		return err
	}
	server, err := startServer(data)
	if err != nil {
		return err
	}

	err = os.WriteFile(filepath.Join(dir, addressFile), []byte(server.URL()+"\n"), 0o600)
	if err != nil {
		_ = server.Stop()
		return fmt.Errorf("write the server's address: %w", err)
	}

	_, _ = fmt.Fprintln(ready, "ready")
	_ = ready.Close()

	// Whoever started us holds this lock. We get it when the last test binary has left, or was killed.
	users, err := lockFile(dir, usersLock, syscall.LOCK_EX)
	if err != nil {
		return errors.Join(err, server.Stop())
	}
	defer func() { _ = users.Close() }()

	_ = os.Remove(filepath.Join(dir, addressFile))
	err = errors.Join(server.Stop(), os.RemoveAll(data))
	// The lock that a newcomer waits for goes last: by then there is nothing left that it could mistake for a
	// server.
	for _, name := range []string{startingLock, aliveLock, usersLock} {
		_ = os.Remove(filepath.Join(dir, name))
	}

	_ = os.Remove(dir)
	return err
}

// clearLeftover ends the server of a keeper that was killed, and removes its data.
func clearLeftover(data string) error {
	cluster := filepath.Join(data, "postgres")
	if _, err := os.Stat(filepath.Join(cluster, "postmaster.pid")); err == nil {
		left, err := pglocal.Start(context.Background(), serverOptions(cluster)) // stops what runs there
		if err == nil {
			_ = left.Stop()
		}
	}
	if err := os.RemoveAll(data); err != nil {
		return fmt.Errorf("remove the data of an earlier run: %w", err)
	}

	return nil
}

func serverOptions(cluster string) pglocal.Options {
	return pglocal.Options{
		Dir:            cluster,
		MaxConnections: testConnections,
		// Tests end processes, not the machine: nothing needs to reach the disk.
		Settings: map[string]string{"fsync": "off", "full_page_writes": "off", "max_wal_size": "256MB"},
		Log:      slog.New(slog.DiscardHandler),
	}
}

// startServer starts PostgreSQL and makes the template: a migrated database that each test clones.
func startServer(data string) (*pglocal.Server, error) {
	if err := os.Mkdir(data, 0o711); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	ctx := context.Background()
	server, err := pglocal.Start(ctx, serverOptions(filepath.Join(data, "postgres")))
	if err != nil {
		return nil, err
	}
	if err := makeTemplate(ctx, server.URL()); err != nil {
		_ = server.Stop()
		return nil, err
	}

	return server, nil
}

func makeTemplate(ctx context.Context, url string) error {
	if err := db.CreateDatabase(ctx, url, template); err != nil {
		return err
	}
	d, err := db.Open(ctx, pglocal.Database(url, template), db.MinConnections)
	if err != nil {
		return err
	}
	defer d.Close()

	if err := d.Migrate(ctx, migrations.FS); err != nil {
		return err
	}
	return d.EnsurePartitions(ctx, 3)
}
