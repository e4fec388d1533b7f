package commit

import (
	"picloud/internal/cloud"
)

// Commit is what one run, or one operator's action, wants applied at once. It is submitted once.
type Commit struct {
	App   cloud.AppID
	Cause Cause
	// Parts are its consequences. They are decided and applied in this order.
	Parts []Part

	// keys and bytes are the commit's size, since it was submitted.
	keys, bytes int
	// doneCh is closed when result is there.
	doneCh chan struct{}
	result Result
}

// Cause is what the events of a commit descend from.
type Cause struct {
	Execution cloud.ID
	Root      cloud.ID
	Depth     int
	Principal string
}

// Part is one consequence of a commit. Its methods are called once an attempt, by the committer's goroutine.
type Part interface {
	// require says what must be locked and read before the part can be decided.
	require(g *Group, x *Commit)
	// decide says whether the part's conditions hold, in the database and after the commits before it in the
	// group. It changes nothing.
	decide(g *Group, x *Commit) Verdict
	// apply makes the part's changes in the group's state, for those who are decided after it, and adds its
	// rows. It is called only if every part of the commit is decided to apply.
	apply(g *Group, x *Commit)
}

// Result is what became of a commit.
type Result struct {
	Applied bool
	// Conflicts are the keys whose check failed, and the dead letters that were resolved meanwhile
	// (LetterRef).
	Conflicts []cloud.KeyRef
	// Lost says that the row's claim, or the idempotency key's reservation, is no longer ours, or that the
	// slots were decided by another node.
	Lost bool
	// Err is set when the platform failed or a definition is gone: a *cloud.Error is safe to show.
	Err error
	// Unknown goes with an Err: whether the commit took effect cannot be told.
	Unknown bool
}

// Wait waits for a submitted commit's result.
func (x *Commit) Wait() Result {
	<-x.doneCh
	return x.result
}

// size is how many keys the commit checks and writes, some of them perhaps twice, and the bytes of what it
// writes, without the events that are raised by that.
func (x *Commit) size() (keys, bytes int) {
	for _, part := range x.Parts {
		switch p := part.(type) {
		case Writes:
			keys += len(p.Checks) + len(p.Writes)
			for k := range p.Writes {
				bytes += len(p.Writes[k].Value) + len(p.Writes[k].Key.Key)
			}
		case StoreAnswer:
			bytes += min(len(p.Response.Body), MaxStoredBody)
		case Enqueue:
			bytes += len(p.Row.Payload)
		case ResolveLetter:
			if p.Replay != nil {
				bytes += len(p.Replay.Payload)
			}
		case Reply:
			bytes += len(p.Response)
		}
	}

	return keys, bytes
}

// Verdict is what one part, or all parts of a commit together, are decided to be.
type Verdict struct {
	kind      verdictKind
	conflicts []cloud.KeyRef
	err       error
}

// verdictKind is in the order of weight: the heaviest verdict of the parts is that of the commit.
type verdictKind uint8

const (
	verdictApplies verdictKind = iota
	verdictConflict
	verdictRefused
	verdictLost
)

// applies is the verdict of a part whose conditions hold.
func applies() Verdict { return Verdict{} }

// conflict is the verdict of a part that was decided on what has changed since: the run may be repeated.
func conflict(keys ...cloud.KeyRef) Verdict { return Verdict{kind: verdictConflict, conflicts: keys} }

// refused is the verdict of a part that can never apply.
func refused(err error) Verdict { return Verdict{kind: verdictRefused, err: err} }

// lost is the verdict of a part that is another's to decide by now.
func lost() Verdict { return Verdict{kind: verdictLost} }

// and is the verdict of two parts together.
func (v Verdict) and(other Verdict) Verdict {
	sum := v
	if other.kind > v.kind {
		sum = other
	}
	sum.conflicts = append(v.conflicts[:len(v.conflicts):len(v.conflicts)], other.conflicts...)
	return sum
}

func (v Verdict) result() Result {
	return Result{
		Applied:   v.kind == verdictApplies,
		Conflicts: v.conflicts,
		Lost:      v.kind == verdictLost,
		Err:       v.err,
	}
}
