// Package wall is what stands between a sandbox process and the machine. The JavaScript engine is the first
// wall; this one is for a script that broke out of it and makes system calls. Before any app's code is in the
// process, Raise gives up the user, files, memory and system calls that scripts do not need, for good.
//
// What the kernel lacks is left out and reported, never an error: a limit on memory is always there, seccomp,
// landlock and a user of its own depend on the machine and on how PiCloud was started.
//
// The package knows nothing of scripts, nor of the protocol to the parent.
package wall

// Options says what a process keeps.
type Options struct {
	// MemoryBytes is what the process may add to its present address space, beside what Go takes in advance.
	MemoryBytes uint64
	// UID and GID are the user and the group that it becomes; 0: it stays what it is.
	UID, GID int
	// StatusFD is the one descriptor that it may read at an offset; -1 for none.
	StatusFD int
}

// Report is what of the wall stands, beside the limits that always do.
type Report struct {
	// Seccomp means that all system calls are refused but those of a list.
	Seccomp bool
	// Landlock is the version of the kernel's landlock that is in force; 0 if it is not.
	Landlock int
	// SignalScope and SocketScope mean that landlock lets no signal and no connection to an abstract socket
	// out of the process.
	SignalScope, SocketScope bool
	// UID is the user as which the process runs.
	UID int
}
