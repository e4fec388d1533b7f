package history

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"picloud/db"
)

// Free space on the disk of PiCloud's own PostgreSQL, in bytes: below lowSpace it is mentioned, and below
// noSpace it is bad. The server's write-ahead log alone takes up to a gigabyte.
const (
	lowSpace = 1 << 30
	noSpace  = 64 << 20
)

// crowded is from which percentage of the granted connections in use on it is mentioned.
const crowded = 90

// commit tries a commit. That of a database which takes none is the only finding that needs no connection.
func (e *examination) commit(ctx context.Context) error {
	err := e.db.TryCommit(ctx)
	e.say(err != nil, verdict{
		check:   "commit",
		state:   FindingBad,
		problem: db.NoCommit(err) + ": every run that writes fails",
		fine:    "the database takes commits",
	})
	return nil
}

func (e *examination) connections(ctx context.Context) error {
	if e.db.Pooled() {
		return nil // the pooler shares the server's connections
	}

	granted, err := e.db.Capacity(ctx)
	if err != nil {
		return err
	}

	e.report.Findings = append(e.report.Findings, connectionFinding(granted))
	return nil
}

func connectionFinding(granted db.Capacity) Finding {
	f := Finding{Check: "connections", State: FindingOK}
	switch {
	case !granted.Enough():
		f.State = FindingBad
		f.Text = fmt.Sprintf("PostgreSQL grants PiCloud %d connections (%s), and a node needs at least %d:"+
			" raise that limit", granted.Usable, granted.Limit, db.MinConnections)
	case granted.InUse*100 >= granted.Usable*crowded:
		f.State = FindingWarn
		f.Text = fmt.Sprintf("%d of %d connections to PostgreSQL are in use (%s): raise that limit,"+
			" or lower PICLOUD_DB_CONNECTIONS of the nodes", granted.InUse, granted.Usable, granted.Limit)
	default:
		f.Text = fmt.Sprintf("%d of %d connections to PostgreSQL are in use", granted.InUse, granted.Usable)
	}
	return f
}

func (e *examination) durability(ctx context.Context) error {
	settings, err := e.q.Durability(ctx)
	if err != nil {
		return err
	}

	off := looseSettings(settings)
	e.say(len(off) > 0, verdict{
		check: "durability",
		state: FindingWarn,
		problem: strings.Join(off, ", ") + ": when the machine or PostgreSQL crashes, what was answered can" +
			" be lost, and without fsync or full_page_writes the whole database; set them on",
		fine: "what is committed is on the disk",
	})
	return nil
}

// looseSettings are the settings of the server, as "name is value", by which a crash loses commits.
func looseSettings(settings db.DurabilityRow) []string {
	var off []string
	for _, s := range []struct{ name, value string }{
		{"fsync", settings.Fsync},
		{"full_page_writes", settings.FullPageWrites},
		{"synchronous_commit", settings.SynchronousCommit},
	} {
		// All other values of synchronous_commit wait at least for this server's disk.
		if s.value == "off" {
			off = append(off, s.name+" is off")
		}
	}
	return off
}

// disk looks how much is free where PiCloud's own PostgreSQL keeps its data. The disk of another server is
// not known.
func (e *examination) disk(context.Context) error {
	if e.DataDir == "" {
		return nil
	}

	var fs unix.Statfs_t
	if err := unix.Statfs(e.DataDir, &fs); err != nil {
		e.say(true, verdict{
			check:   "disk",
			state:   FindingWarn,
			problem: "cannot see how much of the data directory's disk is free",
		})
		return nil //nolint:nilerr // the other checks can be made
	}

	e.report.Findings = append(e.report.Findings, diskFinding(fs.Bavail*uint64(fs.Bsize)))
	return nil
}

// diskFinding judges the bytes that are free.
func diskFinding(free uint64) Finding {
	f := Finding{
		Check: "disk",
		State: FindingOK,
		Text:  fmt.Sprintf("%d MiB are free on the data directory's disk", free>>20),
	}

	if free < lowSpace {
		f.State = FindingWarn
		f.Text = "only " + f.Text +
			": make room, or shorten PICLOUD_EXECUTION_RETENTION and the other retentions"
	}
	if free < noSpace {
		f.State = FindingBad
	}
	return f
}
