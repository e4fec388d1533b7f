// Package wire is the protocol between the executor and its sandbox children: frames on one stream socket, any number of
// runs multiplexed by their number. It knows nothing of JavaScript, HTTP or the database.
//
// A frame is a little-endian uint32 (length of what follows), a byte (its kind), a uint64 (the run or request it belongs
// to) and a body. Bodies are sequences of fields: uvarint numbers, and byte strings with a uvarint length before them.
// Request and response bodies cross as bytes that nobody re-encodes.
package wire

import "errors"

// Kind is the kind of a frame.
type Kind uint8

// Frames from the parent to the child.
const (
	Init      Kind = iota + 1 // first frame: the child's limits
	Program                   // a build's code
	Compile                   // bundle sources
	Inspect                   // evaluate a build and name its handlers
	Run                       // start a run
	Reply                     // answer to a Call
	Interrupt                 // the run's time is over
	Abort                     // the run's caller hung up
	Release                   // the run's runtime may be used again, or must be thrown away
	Env                       // the app's variables and secrets
	Pull                      // the next piece of a response's body is wanted
)

// Frames from the child to the parent.
const (
	Ready Kind = iota + 64
	Compiled
	Inspected
	Call
	Log
	Done   // outcome, with the response
	After  // outcome of waitUntil work
	Chunk  // the next piece of a response's body, for a Pull
	Cancel // a fetch is not wanted any more
)

const headerLen = 4 + 1 + 8

// ErrProtocol is returned for anything that a well-behaved peer does not send.
var ErrProtocol = errors.New("protocol violation")
