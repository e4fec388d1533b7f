// Package later calls whoever is still under way after a while. One timer serves all: what is over sooner, as nearly everything
// is, costs two changes of a list.
package later

import (
	"sync"
	"time"
)

// Queue calls its members after a while.
type Queue struct {
	while time.Duration
	call  func(any)

	mu         sync.Mutex
	young, old Member // the lists' ends: those of this while, and of the one before
	clock      *time.Timer
	ticking    bool
}

// Member is in at most one queue, once. The zero value is ready.
type Member struct {
	prev, next *Member
	who        any
}

// NewQueue is one whose members are called between one and two whiles after they were added, one after the other: call must not
// wait for anything.
func NewQueue(while time.Duration, call func(who any)) *Queue {
	q := &Queue{while: while, call: call}
	q.young.clear()
	q.old.clear()
	q.clock = time.AfterFunc(time.Hour, q.tick)
	q.clock.Stop()
	return q
}

// Add makes who, which should be a pointer, a member.
func (q *Queue) Add(m *Member, who any) {
	q.mu.Lock()
	defer q.mu.Unlock()
	m.who = who
	m.prev, m.next = q.young.prev, &q.young
	m.prev.next, m.next.prev = m, m
	if !q.ticking {
		q.ticking = true
		q.clock.Reset(q.while)
	}
}

// Remove ends a membership; false: the member was called, or is just being called.
func (q *Queue) Remove(m *Member) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if m.next == nil {
		return false
	}
	m.prev.next, m.next.prev = m.next, m.prev
	m.prev, m.next = nil, nil
	if q.ticking && q.young.alone() && q.old.alone() { // nobody is woken for nothing
		q.ticking = false
		q.clock.Stop()
	}
	return true
}

func (q *Queue) tick() {
	q.mu.Lock()
	var due []any
	for m := q.old.next; m != &q.old; {
		next := m.next
		due = append(due, m.who)
		m.prev, m.next = nil, nil
		m = next
	}
	q.old.clear()
	if !q.young.alone() {
		q.old.next, q.old.prev = q.young.next, q.young.prev
		q.old.next.prev, q.old.prev.next = &q.old, &q.old
		q.young.clear()
	}
	q.ticking = !q.old.alone()
	if q.ticking {
		q.clock.Reset(q.while)
	}
	q.mu.Unlock()
	for _, who := range due {
		q.call(who)
	}
}

func (m *Member) clear()      { m.prev, m.next = m, m }
func (m *Member) alone() bool { return m.next == m }
