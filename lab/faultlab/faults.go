package main

import (
	"context"
	"syscall"
)

// fault is one way to break an installation.
type fault struct {
	name string
	what string // for the report

	// The installation that is broken.
	nodes   int
	standby bool // PostgreSQL has a synchronous standby
	patroni bool // two PostgreSQL under Patroni and etcd
	diskMiB int  // size of a tmpfs that PostgreSQL's data lie on; 0: they lie on the disk

	// unharmed says that no request of the other app may fail meanwhile.
	unharmed bool
	// shortRounds is the number of rounds in the selection of make test; 0: the fault is no part of it.
	shortRounds int
	// long faults take half a minute a round, and more.
	long bool

	// needs says why the fault cannot be injected on this machine; empty: it can.
	needs func(o *options) string
	// inject brings the fault about and mends it.
	inject func(ctx context.Context, r *round) error
}

// faults are all that the lab knows.
var faults = []fault{
	{
		name:        "kill-node",
		what:        "SIGKILL of one of two nodes, which comes back",
		nodes:       2,
		shortRounds: 2,
		inject:      killNode,
	},
	{
		name:        "sigterm",
		what:        "SIGTERM of one of two nodes under load, which comes back",
		nodes:       2,
		shortRounds: 1,
		inject:      terminateNode,
	},
	{
		name:        "kill-sandbox",
		what:        "SIGKILL of ten sandbox processes, one after the other",
		nodes:       1,
		shortRounds: 1,
		inject:      killSandboxes,
	},
	{
		name:        "kill-postgres",
		what:        "immediate stop of PostgreSQL, which recovers",
		nodes:       1,
		shortRounds: 2,
		inject:      endPostgres(syscall.SIGQUIT),
	},
	{
		name:   "restart-postgres",
		what:   "restart of PostgreSQL",
		nodes:  2,
		inject: endPostgres(syscall.SIGINT),
	},
	{
		name: "failover",
		what: "SIGKILL of PostgreSQL; its synchronous standby is promoted, " +
			"and the old primary follows it",
		nodes:       2,
		standby:     true,
		shortRounds: 1,
		inject:      failOver,
	},
	{
		name: "patroni",
		what: "the leader of a real Patroni cluster is killed together with its Patroni, " +
			"or switched over in order",
		nodes:   2,
		patroni: true,
		long:    true,
		needs:   needsPatroni,
		inject:  failOverPatroni,
	},
	{
		name:        "pause-node",
		what:        "SIGSTOP of one of two nodes for 30 s, fifteen leases long, then SIGCONT",
		nodes:       2,
		shortRounds: 1,
		long:        true,
		inject:      pauseNode,
	},
	{
		name:        "cut-before-commit",
		what:        "connections cut before COMMIT reaches the server, three in ten",
		nodes:       1,
		shortRounds: 1,
		inject:      cutCommits(true),
	},
	{
		name:        "cut-after-commit",
		what:        "connections cut after COMMIT, its answer lost, three in ten",
		nodes:       1,
		shortRounds: 2,
		inject:      cutCommits(false),
	},
	{
		name:   "partition",
		what:   "one of two nodes cannot talk to PostgreSQL for 3 to 8 s, then its connections are cut",
		nodes:  2,
		inject: partition,
	},
	{
		name: "blackhole-listen",
		what: "the connection of a node's listener is silent, without an error; " +
			"a deployment must reach the node all the same",
		nodes:       2,
		shortRounds: 1,
		inject:      blackholeListen,
	},
	{
		name:   "latency",
		what:   "200 ms to 5 s between a node and PostgreSQL, each way",
		nodes:  1,
		inject: latency,
	},
	{
		name:        "lock-held",
		what:        "a foreign session holds a lock on a table or on the hottest row for 1 to 6 s",
		nodes:       2,
		shortRounds: 1,
		inject:      holdLock,
	},
	{
		name:   "old-snapshot",
		what:   "a foreign transaction keeps its snapshot open through all rounds, for minutes",
		nodes:  1,
		inject: oldSnapshot,
	},
	{
		name:    "full-disk",
		what:    "the disk of the database is full for 1 to 4 s",
		nodes:   1,
		diskMiB: 400,
		needs:   needsRoot,
		inject:  fillDisk,
	},
	{
		name:        "open-files",
		what:        "the node may open no more files, and forty clients connect",
		nodes:       1,
		shortRounds: 1,
		inject:      starveFiles,
	},
	{
		name:        "clock",
		what:        "the clocks of two nodes are minutes apart, and one jumps while it runs",
		nodes:       2,
		shortRounds: 1,
		needs:       buildSkewed,
		inject:      skewClocks,
	},
	{
		name:        "duplicates",
		what:        "every keyed request arrives six times at once, on both nodes",
		nodes:       2,
		shortRounds: 1,
		inject:      duplicates,
	},
	{
		name:        "poison-scripts",
		what:        "scripts that loop, take all memory, recurse and answer without end",
		nodes:       1,
		unharmed:    true,
		shortRounds: 1,
		inject:      callAtOnce(20, "loop", "hog", "deep", "big"),
	},
	{
		name:        "flood",
		what:        "100,000 rows due at once",
		nodes:       2,
		unharmed:    true,
		shortRounds: 1,
		long:        true,
		inject:      flood,
	},
	{
		name:        "slow-script",
		what:        "300 calls of a script that sleeps 2 s, far above its app's share",
		nodes:       1,
		unharmed:    true,
		shortRounds: 1,
		inject:      callAtOnce(150, "slow", "slow"),
	},
	{
		name:        "hung-clients",
		what:        "200 clients that send half a body or never read their answer",
		nodes:       1,
		unharmed:    true,
		shortRounds: 1,
		inject:      hungClients,
	},
	{
		name:        "slow-loris",
		what:        "200 clients that send their headers a byte at a time",
		nodes:       1,
		unharmed:    true,
		shortRounds: 1,
		inject:      slowLoris,
	},
	{
		name:   "rolling-upgrade",
		what:   "both nodes go to the version before and back, one at a time, under load",
		nodes:  2,
		needs:  needsPrevious,
		inject: roll,
	},
}
