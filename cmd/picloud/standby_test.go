package main

import (
	"context"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"picloud/db"
	"picloud/db/pglocal"
	"picloud/internal/testkit"
)

// A backup is taken from the host that answers and that is what the address asks for, as PiCloud does.
func TestBackupOfSecondHost(t *testing.T) {
	t.Parallel()
	needsNode(t)
	address, err := url.Parse(testkit.Database(t))
	if err != nil {
		t.Fatal(err)
	}

	q := address.Query()
	dead := t.TempDir()
	q.Set("host", dead+","+q.Get("host"))
	q.Set("port", "5432,5432")
	q.Set("target_session_attrs", "read-write")
	q.Set("options", "-cgeqo=off")
	address.RawQuery = q.Encode()

	file := filepath.Join(t.TempDir(), "dump")
	if err := backup(t.Context(), address.String(), file); err != nil {
		t.Fatal(err)
	}
	if err := requireDump(t.Context(), file); err != nil {
		t.Error(err)
	}

	// Nobody is what is asked for: no other is taken instead.
	q.Set("target_session_attrs", "standby")
	address.RawQuery = q.Encode()
	if err := backup(t.Context(), address.String(), file+"2"); err == nil {
		t.Error("a primary was copied where a standby was asked for")
	}
}

// A standby is named: who wants to write there is refused, and who copies it is told.
func TestStandby(t *testing.T) {
	t.Parallel()
	needsNode(t)
	address := startStandby(t)

	d, err := db.Open(t.Context(), address, db.MinConnections)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()

	standby, err := d.Standby(t.Context())
	if err != nil || !strings.Contains(standby, "its last change is") {
		t.Errorf("the standby is %q: %v", standby, err)
	}
	if err := requirePrimary(t.Context(), d); err == nil || !strings.Contains(err.Error(), "is a standby") {
		t.Errorf("to write there: %v", err)
	}
	if err := backup(t.Context(), address, filepath.Join(t.TempDir(), "dump")); err != nil {
		t.Errorf("copy the standby: %v", err)
	}

	_, err = start(t.Context(), completed(t, testConfig(address)), slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "is a standby") {
		t.Errorf("start on a standby: %v", err)
	}
}

// startStandby runs a PostgreSQL that waits for a primary for ever, and gives the address of its database.
func startStandby(t *testing.T) string {
	t.Helper()
	home := filepath.Dir(ownDir(t))
	cluster := filepath.Join(home, "postgres")
	primary, err := pglocal.Start(t.Context(), pglocal.Options{Dir: cluster, MaxConnections: 20,
		Settings: map[string]string{"fsync": "off"}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	err = db.CreateDatabase(t.Context(), primary.UserURL(), ownDatabase)
	if err := primary.Stop(); err != nil {
		t.Error(err)
	}
	if err != nil {
		t.Fatal(err)
	}

	acc, err := pglocal.AccountOf(cluster)
	if err != nil {
		t.Fatal(err)
	}

	sockets := filepath.Join(home, "sockets")

	for _, err := range []error{
		os.WriteFile(filepath.Join(cluster, "standby.signal"), nil, 0o644),
		os.Mkdir(sockets, 0o700),
		acc.Give(sockets),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}

	bin, err := pglocal.Find(0)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(bin.Dir, "postgres"), "-D", cluster, "-c", "listen_addresses=",
		"-c", "unix_socket_directories="+sockets, "-c", "max_connections=20", "-c", "max_locks_per_transaction=256")
	cmd.Dir = "/"
	cmd.SysProcAttr = acc.SysProcAttr()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		_ = cmd.Wait()
	})

	address, err := url.Parse(pglocal.Database(primary.UserURL(), ownDatabase))
	if err != nil {
		t.Fatal(err)
	}
	q := address.Query()
	q.Set("host", sockets)
	address.RawQuery = q.Encode()
	awaitServer(t, address.String())
	return address.String()
}

// awaitServer waits until a server accepts connections, of which it gives no signal.
func awaitServer(t *testing.T, address string) {
	t.Helper()

	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		conn, err := pgx.Connect(t.Context(), address)
		if err == nil {
			_ = conn.Close(context.Background())
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}
