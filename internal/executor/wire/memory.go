package wire

import "picloud/internal/cloud"

// OwnMemory is about what a child has besides its scripts: the runtime, the engine, and the connection, in
// bytes.
const OwnMemory = 20 << 20

// MaxParse is the most that a child may have beside its limit while it compiles a build, in bytes: what a
// megabyte of the densest code needs, three times.
const MaxParse = 96 << 20

// MemoryDeath is what a child writes to stderr when it ends as more is in use than it may have: what is in
// use, what is allowed, both in bytes, and the run to blame, 0 if that is not known.
const MemoryDeath = "sandbox: out of memory: %d bytes in use of %d, in run %d"

// MemoryError is the name of the error of a run that needed more memory than it may have.
const MemoryError = "MemoryError"

// HeapLimit is all that a child may have of memory, its own included, when its scripts may have limit; both
// in bytes.
func HeapLimit(limit uint64) uint64 { return limit + OwnMemory }

// MemoryLevel says how full a child's memory was after its last collection, as a part of HeapLimit.
type MemoryLevel uint8

const (
	// Roomy means that less than a third is in use.
	Roomy MemoryLevel = iota
	// Crowded means that a third is in use: a build that the child does not have might not fit.
	Crowded
	// Full means that two thirds are: the child should get no more runs at a time.
	Full
	// Spent means that it is full while nothing runs: it must be replaced.
	Spent
)

// MemoryMsg says how full a child's memory is.
type MemoryMsg struct {
	Level MemoryLevel
	// Owner is the build that has a third of the memory or more; the zero id if none has. Whatever else runs
	// in the process makes garbage for whose collection all of that must be looked through.
	Owner cloud.ID
}

// Encode appends the message.
func (m *MemoryMsg) Encode(e *Encoder) {
	e.Uint(uint64(m.Level))
	e.Bytes(m.Owner[:])
}

// DecodeMemory reads what Encode wrote.
func DecodeMemory(body []byte) (MemoryMsg, error) {
	d := NewDecoder(body)
	level := d.Uint()
	if level > uint64(Spent) {
		return MemoryMsg{}, ErrProtocol
	}
	m := MemoryMsg{Level: MemoryLevel(level)}
	copy(m.Owner[:], d.Bytes())
	return m, d.Err()
}

// Loss is why a child threw a runtime away that could have served the next run.
type Loss uint8

const (
	// LostTimers means that the run left timers behind.
	LostTimers Loss = iota + 1
	// LostCalls means that the run left host calls behind.
	LostCalls
	// LostIntrinsics means that the run changed what the runtime has of its own, such as a prototype.
	LostIntrinsics
	// LostMemory means that the script's code and state fill its process.
	LostMemory
	// LossCount is one more than the last reason.
	LossCount
)

// DroppedMsg says that a child does not have a build any more.
type DroppedMsg struct{ Build cloud.ID }

// Encode appends the message.
func (m *DroppedMsg) Encode(e *Encoder) { e.Bytes(m.Build[:]) }

// DecodeDropped reads what Encode wrote.
func DecodeDropped(body []byte) (DroppedMsg, error) {
	d := NewDecoder(body)
	var m DroppedMsg
	copy(m.Build[:], d.Bytes())
	return m, d.Err()
}

// LostMsg says that a child threw a runtime of a build away, and why.
type LostMsg struct {
	Build cloud.ID
	Why   Loss
}

// Encode appends the message.
func (m *LostMsg) Encode(e *Encoder) {
	e.Bytes(m.Build[:])
	e.Uint(uint64(m.Why))
}

// DecodeLost reads what Encode wrote.
func DecodeLost(body []byte) (LostMsg, error) {
	d := NewDecoder(body)
	var m LostMsg
	copy(m.Build[:], d.Bytes())
	why := d.Uint()
	if why == 0 || why >= uint64(LossCount) {
		return m, ErrProtocol
	}
	m.Why = Loss(why)
	return m, d.Err()
}
