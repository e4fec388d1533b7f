package cloud

// DeadLetterCall is a host call about the dead letters of the run's app.
type DeadLetterCall interface {
	HostCall
	deadLetterCall()
}

// toDeadLetters makes the struct that embeds it a DeadLetterCall.
type toDeadLetters struct{}

func (toDeadLetters) hostCall()       {}
func (toDeadLetters) deadLetterCall() {}

// DeadLetterList reads a page of the dead letters that nobody has resolved.
type DeadLetterList struct {
	toDeadLetters
	Script string // whose letters; empty for all scripts
	Cursor string // of the page before; empty for the first
	Limit  int    // items
}

// Op returns OpDeadLetterList.
func (DeadLetterList) Op() HostOp { return OpDeadLetterList }

// DeadLetterGet reads a dead letter.
type DeadLetterGet struct {
	toDeadLetters
	ID string // as the script gave it
}

// Op returns OpDeadLetterGet.
func (DeadLetterGet) Op() HostOp { return OpDeadLetterGet }

// DeadLetterReplay enqueues the event of a dead letter again when the run commits.
type DeadLetterReplay struct {
	toDeadLetters
	ID         string // as the script gave it
	HasPayload bool   // Payload replaces the letter's own
	Payload    string // JSON text
}

// Op returns OpDeadLetterReplay.
func (DeadLetterReplay) Op() HostOp { return OpDeadLetterReplay }

// DeadLetterResolve marks a dead letter as dealt with when the run commits.
type DeadLetterResolve struct {
	toDeadLetters
	ID     string // as the script gave it
	Reason string
}

// Op returns OpDeadLetterResolve.
func (DeadLetterResolve) Op() HostOp { return OpDeadLetterResolve }
