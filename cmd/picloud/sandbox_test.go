package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"picloud/db/pglocal"
	"picloud/internal/executor"
	"picloud/internal/executor/wire"
	"picloud/internal/history"
	"picloud/internal/testkit"
)

// A range of users is two numbers, and none of them is root's or means nobody at all.
func TestSandboxUIDs(t *testing.T) {
	t.Parallel()

	for text, want := range map[string][2]uint64{
		"":             {0, 0},
		"5-9":          {5, 9},
		" 7 - 7 ":      {7, 7},
		defaultUIDs:    {2100000000, 2100999999},
		"1-4294967294": {1, 4294967294},
		"0-9":          {},
		"9-5":          {},
		"5":            {},
		"5-":           {},
		"-5":           {},
		"a-b":          {},
		"1-4294967295": {},
		"1-2-3":        {},
		"1--1":         {},
		"99999999999999999999-99999999999999999999": {},
	} {
		first, last, err := parseUIDs(text)
		if refused := text != "" && want == [2]uint64{}; refused != (err != nil) {
			t.Errorf("%q: error %v", text, err)
		}
		if first != want[0] || last != want[1] {
			t.Errorf("%q is %d-%d, want %v", text, first, last, want)
		}
	}
}

// Sandboxes become nobody who is there already, nor anybody whom this user namespace does not have.
func TestSandboxUIDsTaken(t *testing.T) {
	t.Parallel()

	const passwd = "root:x:0:0:root:/root:/bin/sh\n\nodd\npostgres:x:105:112::/:/bin/false\nlast:x:900:900::/:"
	for name, c := range map[string]struct {
		first, last uint64
		want        string
	}{
		"before":  {1, 104, ""},
		"within":  {100, 110, "postgres"},
		"at":      {105, 105, "postgres"},
		"the end": {900, 2000, "last"},
		"beyond":  {901, 2000, ""},
	} {
		if got := accountIn(passwd, c.first, c.last); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}

	const namespace = "         0     100000      65536\n"
	if !covers("0 0 4294967295\n", 2100000000, 2100999999) || !covers(namespace, 60000, 65535) {
		t.Error("users that exist are not found")
	}
	if covers(namespace, 60000, 65536) || covers(namespace, 2100000000, 2100999999) || covers("", 1, 2) {
		t.Error("users that do not exist are found")
	}
}

// Only one of the two settings decides, and root's sandboxes have users of their own without any.
func TestSandboxUsers(t *testing.T) {
	t.Parallel()
	if _, err := sandboxUsers("nobody", "5-9", pglocal.Account{}); err == nil || !strings.Contains(err.Error(), "both set") {
		t.Errorf("both settings: %v", err)
	}
	if _, err := sandboxUsers("", "0-9", pglocal.Account{}); err == nil || !strings.Contains(err.Error(), "PICLOUD_SANDBOX_UIDS") {
		t.Errorf("a range with root: %v", err)
	}
	if os.Geteuid() != 0 {
		t.Skip("only root becomes others")
	}

	for _, c := range []struct {
		uids string
		want executor.Users
	}{
		{"", executor.Users{UID: 2100000000, GID: 2100000000, Count: 1_000_000}},
		{"2000000007-2000000009", executor.Users{UID: 2000000007, GID: 2000000007, Count: 3}},
	} {
		users, err := sandboxUsers("", c.uids, pglocal.Account{})
		if err != nil || users != c.want {
			t.Errorf("%q: %+v (%v), want %+v", c.uids, users, err, c.want)
		}
	}
	users, err := sandboxUsers("nobody", "", pglocal.Account{})
	if err != nil || users.Count > 1 || users.UID != 65534 {
		t.Errorf("one user for all: %+v (%v)", users, err)
	}
	if _, err := sandboxUsers("", "65000-65534", pglocal.Account{}); err == nil || !strings.Contains(err.Error(), `"nobody"`) {
		t.Errorf("a range with nobody: %v", err)
	}
}

// The doctor says of each part of the wall whether it stands, and warns where system calls or files are open.
func TestDescribeConfinement(t *testing.T) {
	t.Parallel()
	whole := wire.ReadyMsg{Seccomp: true, Landlock: 7, SignalScope: true, SocketScope: true}

	for name, c := range map[string]struct {
		confinement executor.Confinement
		state       string
		has, lacks  string
	}{
		"all": {
			executor.Confinement{Known: true, ReadyMsg: whole, OwnUser: true, UserPerApp: true},
			history.FindingOK,
			"have limits, seccomp, landlock (version 7), its scope of signals, its scope of abstract sockets and a user for each app",
			"",
		},
		"an ordinary user": {
			executor.Confinement{Known: true, ReadyMsg: whole},
			history.FindingOK, "scope of abstract sockets", "a user of their own (PiCloud is not root)",
		},
		"one user for all": {
			executor.Confinement{Known: true, ReadyMsg: whole, OwnUser: true},
			history.FindingOK, "seccomp", "a user for each app (all apps share one that is not PiCloud's)",
		},
		"old landlock": {
			executor.Confinement{Known: true, ReadyMsg: wire.ReadyMsg{Seccomp: true, Landlock: 3}, UserPerApp: true},
			history.FindingOK, "landlock (version 3) and a user for each app",
			"its scope of signals (the kernel is too old) and its scope of abstract sockets",
		},
		"no landlock": {
			executor.Confinement{Known: true, ReadyMsg: wire.ReadyMsg{Seccomp: true}},
			history.FindingWarn, "have limits and seccomp", "landlock (the kernel does not offer it",
		},
		"no seccomp": {
			executor.Confinement{Known: true, ReadyMsg: wire.ReadyMsg{Landlock: 7}},
			history.FindingWarn, "landlock (version 7)", "seccomp (the kernel",
		},
		"an older executor": {executor.Confinement{}, history.FindingWarn, "does not say", ""},
	} {
		f := describe(&c.confinement)
		has, lacks, _ := strings.Cut(f.Text, "; they lack ")
		if f.Check != "sandbox" || f.State != c.state || !strings.Contains(has, c.has) ||
			!strings.Contains(lacks, c.lacks) || (c.lacks == "") != (lacks == "") {
			t.Errorf("%s: %s: %s", name, f.State, f.Text)
		}
	}
}

// The units that start sandboxes let them confine themselves.
func TestUnitsAllowTheWall(t *testing.T) {
	t.Parallel()
	units, err := filepath.Glob(filepath.Join(testkit.Root(), "deploy", "*.service"))
	if err != nil || len(units) < 4 {
		t.Fatalf("units %v (%v)", units, err)
	}

	for _, unit := range units {
		b, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}

		var allowed []string
		for line := range strings.Lines(string(b)) {
			if calls, ok := strings.CutPrefix(strings.TrimSpace(line), "SystemCallFilter="); ok {
				allowed = append(allowed, strings.Fields(calls)...)
			}
		}

		for _, call := range []string{"seccomp", "landlock_create_ruleset", "landlock_restrict_self"} {
			if !slices.Contains(allowed, call) {
				t.Errorf("%s does not allow %s", filepath.Base(unit), call)
			}
		}
	}
}
