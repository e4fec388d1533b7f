package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"

	"picloud/db/pglocal"
	"picloud/internal/executor"
	"picloud/internal/history"
)

// defaultUIDs are the users of sandbox processes when PiCloud is root, one for each app. No convention of
// Linux distributions gives this range to anybody: it is beyond the users of directory services and of
// containers, and below those that do not fit into a signed number.
const defaultUIDs = "2100000000-2100999999"

// firstSpareUID is what sandbox processes become where users of their own do not exist and nobody is
// PostgreSQL's user already.
const firstSpareUID = 64999

// maxUID is the largest number of a user: the one above it means none to the kernel.
const maxUID = 1<<32 - 2

// probeMemory is the memory of a sandbox process that is only asked what it may do, in MiB.
const probeMemory = 64

// launcher starts sandboxes by a command; none is this binary's.
func launcher(command []string, cfg *Config) (*executor.Launcher, error) {
	if len(command) == 0 {
		exe, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find this binary: %w", err)
		}
		command = []string{exe, "sandbox"}
	}

	postgres, err := postgresAccount(cfg)
	if err != nil { // there is none
		postgres = pglocal.Account{}
	}
	users, err := sandboxUsers(cfg.UnprivilegedUser, cfg.SandboxUIDs, postgres)

	return &executor.Launcher{Command: command, Users: users}, err
}

// sandboxUsers picks the users of sandbox processes: only root can become another, and never PostgreSQL's.
func sandboxUsers(unprivileged, uids string, postgres pglocal.Account) (executor.Users, error) {
	first, last, err := parseUIDs(uids)
	switch {
	case err != nil:
		return executor.Users{}, err
	case unprivileged != "" && uids != "":
		return executor.Users{}, errors.New("PICLOUD_UNPRIVILEGED_USER and PICLOUD_SANDBOX_UIDS are both " +
			"set: keep the first for one user of all apps, or the second for a user of each app")
	case os.Geteuid() != 0:
		return executor.Users{}, nil
	case unprivileged != "":
		return sharedUser(unprivileged, postgres)
	}

	isChosen := uids != ""
	if !isChosen {
		first, last, _ = parseUIDs(defaultUIDs)
	}
	if !isMapped(first, last) {
		if isChosen {
			return executor.Users{}, errors.New("PICLOUD_SANDBOX_UIDS: this user namespace does not have " +
				"these users (/proc/self/uid_map and gid_map): choose some that it has")
		}
		return sharedUser("", postgres)
	}

	users := executor.Users{UID: int(first), GID: int(first), Count: int(last-first) + 1}
	return users, checkUnused(first, last)
}

// parseUIDs takes a range of users, "first-last". Without text there is none.
func parseUIDs(text string) (first, last uint64, err error) {
	if text == "" {
		return 0, 0, nil
	}

	from, to, ok := strings.Cut(text, "-")
	first, err1 := strconv.ParseUint(strings.TrimSpace(from), 10, 64)
	last, err2 := strconv.ParseUint(strings.TrimSpace(to), 10, 64)
	if !ok || errors.Join(err1, err2) != nil || first == 0 || last < first || last > maxUID {
		return 0, 0, fmt.Errorf("PICLOUD_SANDBOX_UIDS must be two numbers of users from 1 to %d, as in %s",
			maxUID, defaultUIDs)
	}

	return first, last, nil
}

// isMapped reports whether users and groups of a range exist here. In a container with users of its own they
// may not.
func isMapped(first, last uint64) bool {
	for _, file := range []string{"/proc/self/uid_map", "/proc/self/gid_map"} {
		b, err := os.ReadFile(file)
		if err == nil && !covers(string(b), first, last) {
			return false
		}
	}

	return true
}

// covers reports whether one line of a map has all of a range (user_namespaces(7)).
func covers(table string, first, last uint64) bool {
	for line := range strings.Lines(table) {
		var inside, outside, n uint64
		_, err := fmt.Sscan(line, &inside, &outside, &n)
		if err == nil && inside <= first && last < inside+n {
			return true
		}
	}

	return false
}

// checkUnused refuses a range in which this machine has a user or a group already: the processes of sandboxes
// could harm theirs.
func checkUnused(first, last uint64) error {
	for _, file := range []string{"/etc/passwd", "/etc/group"} {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // an image without users has none in the way
		}
		if name := accountIn(string(b), first, last); name != "" {
			return fmt.Errorf("PICLOUD_SANDBOX_UIDS: %q in %s is among %d-%d, which sandbox processes "+
				"become: choose a range that nobody has", name, file, first, last)
		}
	}

	return nil
}

// accountIn names an account of a table whose number is in a range: passwd(5) and group(5) have it in the
// third field.
func accountIn(table string, first, last uint64) string {
	for line := range strings.Lines(table) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) < 3 {
			continue
		}
		id, err := strconv.ParseUint(fields[2], 10, 64)
		if err == nil && first <= id && id <= last {
			return fields[0]
		}
	}

	return ""
}

// postgresAccount is who runs PostgreSQL on this machine, if PiCloud does.
func postgresAccount(cfg *Config) (pglocal.Account, error) {
	if cfg.DataDir == "" {
		return pglocal.ServerAccount()
	}
	return pglocal.AccountOf(cfg.clusterDir())
}

// sharedUser is one user for the sandboxes of all apps, by default nobody.
func sharedUser(name string, postgres pglocal.Account) (executor.Users, error) {
	if name == "" {
		if name = "nobody"; postgres.Name == "nobody" {
			return executor.Users{UID: firstSpareUID, GID: firstSpareUID}, nil
		}
	}

	u, err := user.Lookup(name)
	if err != nil {
		return executor.Users{}, fmt.Errorf("PICLOUD_UNPRIVILEGED_USER: there is no user %q", name)
	}

	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err := errors.Join(err1, err2); err != nil {
		return executor.Users{}, fmt.Errorf("PICLOUD_UNPRIVILEGED_USER: %w", err)
	}
	if uid == 0 || uid == postgres.UID {
		return executor.Users{}, errors.New(
			"PICLOUD_UNPRIVILEGED_USER must be neither root nor PostgreSQL's user")
	}

	return executor.Users{UID: uid, GID: gid}, nil
}

// checkSandbox is the doctor's check of what stands around sandbox processes.
func (n *node) checkSandbox(ctx context.Context) history.Finding {
	return findConfinement(ctx, n.executor)
}

// findConfinement starts a sandbox process, and says what stands around it.
func findConfinement(ctx context.Context, pool *executor.Pool) history.Finding {
	c, err := pool.Probe(ctx)
	if err != nil {
		return history.Finding{
			Check: "sandbox",
			State: history.FindingBad,
			Text: "no sandbox process can be started: look at picloud executor, if there is one, " +
				"at the memory and at the limit of processes",
		}
	}
	return describe(&c)
}

// describe says in words what stands around sandbox processes. What a machine lacks is no error: the first
// wall, the JavaScript engine, stands without it.
func describe(c *executor.Confinement) history.Finding {
	f := history.Finding{Check: "sandbox", State: history.FindingOK}
	if !c.Known {
		f.State = history.FindingWarn
		f.Text = "the executor is of a version that does not say what stands around sandbox processes: " +
			"upgrade it"
		return f
	}

	has, lacks := layers(c)
	f.Text = "sandbox processes have " + enumerate(has)
	if len(lacks) > 0 {
		f.Text += "; they lack " + enumerate(lacks)
	}
	if !c.Seccomp || c.Landlock == 0 {
		f.State = history.FindingWarn
	}

	return f
}

// layers are the parts of the wall that stand, and those that do not, with the reason.
func layers(c *executor.Confinement) (has, lacks []string) {
	sort := func(stands bool, what, why string) {
		if stands {
			has = append(has, what)
		} else {
			lacks = append(lacks, what+" ("+why+")")
		}
	}

	has = append(has, "limits")
	sort(c.Seccomp, "seccomp", "the kernel or what PiCloud runs in does not offer it")
	if c.Landlock > 0 {
		sort(true, fmt.Sprintf("landlock (version %d)", c.Landlock), "")
		sort(c.SignalScope, "its scope of signals", "the kernel is too old")
		sort(c.SocketScope, "its scope of abstract sockets", "the kernel is too old")
	} else {
		sort(false, "landlock", "the kernel does not offer it, or picloud was built with cgo")
	}

	switch {
	case c.UserPerApp:
		sort(true, "a user for each app", "")
	case c.OwnUser:
		sort(false, "a user for each app", "all apps share one that is not PiCloud's")
	default:
		sort(false, "a user of their own", "PiCloud is not root")
	}
	return has, lacks
}

// enumerate joins words as a sentence does.
func enumerate(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}
