// Package wire is the protocol between the executor and its sandbox children: frames on one stream socket, on
// which any number of runs are multiplexed. It defines frames and the encoding of their bodies. It does not
// know in which order frames must come, and nothing of JavaScript, HTTP or the database.
//
// A frame is a little-endian uint32 (the length of what follows), a byte (its kind), a uint64 (the run or
// request that it belongs to) and a body. Bodies are sequences of fields: numbers as uvarint or varint, and
// byte strings with a uvarint length before them. The bodies of requests and responses are bytes, which
// neither side re-encodes.
//
// Both sides treat the other as hostile: what a well-behaved peer does not send is ErrProtocol, and reading a
// frame never takes much more memory than was sent.
package wire

import "errors"

// Kind is the kind of a frame.
type Kind uint8

// Frames from the parent to the child.
const (
	Init      Kind = iota + 1 // the child's limits; the first frame
	Program                   // the code of a build
	Compile                   // sources to bundle
	Inspect                   // a build to evaluate, in order to name its handlers
	Run                       // a run to start
	Reply                     // the answer to a Call
	Interrupt                 // the run's time is over
	Abort                     // the run's caller hung up
	Release                   // the run's runtime may be used again, or must be thrown away
	Env                       // the app's variables and secrets
	Pull                      // the next piece of a response's body is wanted
	Resumed                   // the answer to Resume
)

// Frames from the child to the parent.
const (
	Ready     Kind = iota + 64 // the child takes work; the first frame
	Compiled                   // the answer to Compile
	Inspected                  // the answer to Inspect
	Call                       // a host call of a run
	Log                        // a line of a run's log
	Done                       // the outcome of a run, with its response
	After                      // the outcome of waitUntil work
	Chunk                      // the next piece of a response's body, for a Pull
	Cancel                     // a fetch is not wanted any more
	Pause                      // the run computes nothing until its Resume
	Resume                     // the run has something to compute again, and waits for Resumed
	Memory                     // how full the child's memory is
	Dropped                    // a build that the child does not have any more
	Missing                    // a run's build was dropped before its Run came: both must be sent again
	Lost                       // a runtime was thrown away that could have served the next run
)

// Where a frame's parts are. The length counts everything behind itself.
const (
	kindAt    = 4
	idAt      = 5
	headerLen = 13
)

// ErrProtocol is returned for anything that a well-behaved peer does not send.
var ErrProtocol = errors.New("protocol violation")
