// Package sandbox is the child process in which scripts are compiled and run: its life (Main), its threads
// and its memory, an event loop per run, and the runtimes that are used again. It has no database, no file
// and no network: everything a script can reach goes as a host call over the one connection to the parent.
//
// A child serves one app. It keeps a pool of runtimes for each build of a script; a runtime executes one
// run at a time and is used again afterwards, unless the run left something behind (see run.end).
//
// What a runtime is made of has packages of its own, each of which may use those after it: sdk (the module
// "picloud", fetch, the handlers' context), webapi (the global scope), webcrypto (crypto.subtle), realm
// (classes, promises and errors in one runtime), engine (what reads the memory of goja). rawsys has
// system calls without the Go runtime's bookkeeping, wall what the process may do to the machine.
package sandbox

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/debug"

	"picloud/internal/executor/sandbox/wall"
	"picloud/internal/executor/wire"
)

// connFD is the descriptor of the connection to the parent.
const connFD = 3

// maxFrame bounds what the parent sends; it is the parent that is trusted here, so this only catches
// accidents.
const maxFrame = 1 << 30

// Main is the child's whole life. It returns when the parent closes the connection. cmd/picloud calls it
// when the executor has started the program as a child.
func Main() error {
	if err := wall.CloseInherited(connFD); err != nil {
		return fmt.Errorf("sandbox: close descriptors: %w", err)
	}

	conn, err := connect()
	if err != nil {
		return err
	}

	reader := wire.NewReader(conn, maxFrame)
	kind, _, body, err := reader.Next()
	if err != nil || kind != wire.Init {
		return fmt.Errorf("sandbox: no limits from the parent: %w", err)
	}

	var limits wire.InitMsg
	if err := json.Unmarshal(body, &limits); err != nil {
		return fmt.Errorf("sandbox: read limits: %w", err)
	}

	// Nothing of an app is here before this process has given up what a script could want.
	report, err := confine(limits)
	if err != nil {
		return fmt.Errorf("sandbox: confine: %w", err)
	}

	s := newServer(wire.NewWriter(conn, 0, maxFrame))
	s.kept.heap.bound(limits.MemoryBytes)
	go s.keepMemory()
	if err := s.w.Send(wire.Ready, 0, func(e *wire.Encoder) { e.Raw(report) }); err != nil {
		return err
	}

	return s.serve(reader)
}

// confine gives up what a script could want, and returns what of the wall stands: a wire.ReadyMsg.
func confine(limits wire.InitMsg) ([]byte, error) {
	processMemory.open()
	runtime.GOMAXPROCS(1)
	// A Go stack of this size holds any recursion that the bounded JavaScript stack allows; more is a
	// runaway.
	debug.SetMaxStack(int(limits.MemoryBytes / 2))

	report, err := wall.Raise(wall.Options{
		MemoryBytes: wire.HeapLimit(limits.MemoryBytes) + wire.MaxParse,
		UID:         limits.UID,
		GID:         limits.GID,
		StatusFD:    processMemory.fd(),
	})
	if err != nil {
		return nil, err
	}

	return json.Marshal(wire.ReadyMsg(report))
}

// connect takes over the connection that the parent has left open.
func connect() (net.Conn, error) {
	f := os.NewFile(connFD, "parent")
	if f == nil {
		return nil, fmt.Errorf("sandbox: descriptor %d is not open; "+
			"this command is started by picloud itself", connFD)
	}
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("sandbox: open connection to the parent: %w", err)
	}

	_ = f.Close()
	return withRawSyscalls(conn), nil
}
