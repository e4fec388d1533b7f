package commit

import (
	"slices"
	"sync"

	"picloud/internal/cloud"
)

const (
	// maxGroup, maxGroupKeys and maxGroupBytes bound a group. A commit with more keys locks its app instead
	// of its keys.
	maxGroup      = 100
	maxGroupKeys  = 1000
	maxGroupBytes = 1 << 20
	// maxSmallCommit is the most bytes of a commit that shares a group.
	maxSmallCommit = 256 << 10
)

// queue holds the commits that wait. Those of an app leave it in the order in which they came, and never
// while one before them may still be under way beside them: a run builds on what the one before it wrote. A
// large commit keeps its own app waiting, and no other.
type queue struct {
	// groupC and largeC have an element when there may be a group, or a large commit, to take.
	groupC, largeC chan struct{}

	// mu guards everything below. It is a leaf.
	mu      sync.Mutex
	list    []*Commit
	stopped bool
	// large counts the large commits in list and under way: while there is none, order needs no thought.
	large int
	// group is the group under way, largeApp the app of the large commit under way; nil for none.
	group    []*Commit
	largeApp *cloud.AppID
	// last is the app whose large commit was taken last: the others' come first.
	last cloud.AppID
}

func newQueue() *queue {
	return &queue{groupC: make(chan struct{}, 1), largeC: make(chan struct{}, 1)}
}

// add appends a commit. It reports false once the queue is stopped.
func (q *queue) add(x *Commit) bool {
	x.keys, x.bytes = x.size()

	q.mu.Lock()
	defer q.mu.Unlock()

	if q.stopped {
		return false
	}
	q.list = append(q.list, x)

	wake(q.groupC)
	if x.isLarge() {
		q.large++
		wake(q.largeC)
	}

	return true
}

// stop makes add refuse, and gives what is left.
func (q *queue) stop() []*Commit {
	q.mu.Lock()
	defer q.mu.Unlock()

	q.stopped = true
	left := q.list
	q.list = nil

	return left
}

// nextGroup takes the small commits that can be applied now, in order, within the limits of a group.
func (q *queue) nextGroup() []*Commit {
	q.mu.Lock()
	defer q.mu.Unlock()

	if q.large == 0 {
		return q.takeFirst()
	}
	return q.takePast()
}

// takeFirst takes a group from the head of the list. The caller holds mu.
func (q *queue) takeFirst() []*Commit {
	var room groupRoom

	n := 0
	for n < len(q.list) && room.takes(q.list[n]) {
		n++
	}
	if n == 0 {
		return nil
	}

	q.group = q.list[:n:n]
	q.list = q.list[n:]
	if len(q.list) == 0 {
		q.list = nil
	}

	return q.group
}

// takePast is takeFirst past the large commits, and what stands behind them. The caller holds mu.
func (q *queue) takePast() []*Commit {
	behind := map[cloud.AppID]bool{}
	if q.largeApp != nil {
		behind[*q.largeApp] = true
	}

	var room groupRoom

	var group, rest []*Commit
	for _, x := range q.list {
		switch {
		case x.isLarge() || behind[x.App] || !room.takes(x):
			behind[x.App] = true
			rest = append(rest, x)
		default:
			group = append(group, x)
		}
	}
	q.group, q.list = group, rest

	return group
}

// groupRoom is what a group has taken of its limits.
type groupRoom struct{ commits, keys, bytes int }

// takes adds a commit, unless that exceeds a limit.
func (r *groupRoom) takes(x *Commit) bool {
	full := r.commits+1 > maxGroup || r.keys+x.keys > maxGroupKeys || r.bytes+x.bytes > maxGroupBytes
	if full && r.commits > 0 {
		return false
	}

	r.commits++
	r.keys += x.keys
	r.bytes += x.bytes

	return true
}

// nextLarge takes a large commit that no commit of its app stands before: if there is one, of another app
// than the last.
func (q *queue) nextLarge() []*Commit {
	q.mu.Lock()
	defer q.mu.Unlock()

	if q.large == 0 {
		return nil
	}

	before := map[cloud.AppID]bool{}
	for _, x := range q.group {
		before[x.App] = true
	}

	at := -1
	for k, x := range q.list {
		if x.isLarge() && !before[x.App] && (at < 0 || q.list[at].App == q.last) {
			at = k
			if x.App != q.last {
				break
			}
		}
		before[x.App] = true
	}
	if at < 0 {
		return nil
	}

	x := q.list[at]
	q.list = slices.Delete(q.list, at, at+1)
	q.largeApp, q.last = &x.App, x.App

	return []*Commit{x}
}

// done ends what nextGroup or nextLarge began.
func (q *queue) done(group []*Commit) {
	q.mu.Lock()
	defer q.mu.Unlock()

	if group[0].isLarge() {
		q.large--
		q.largeApp = nil
		wake(q.groupC) // for the commits that stand behind it
	} else {
		q.group = nil
	}
	if q.large > 0 {
		wake(q.largeC)
	}
}

// wake tells the one who waits on a channel, now or next time.
func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// isLarge reports a commit that goes alone, past the others.
func (x *Commit) isLarge() bool { return x.bytes > maxSmallCommit || x.keys > maxGroupKeys }
