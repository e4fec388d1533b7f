// Package later calls whoever is still under way after a while. One timer serves all: what is over sooner, as nearly everything
// is, costs two changes of a list.
package later

import (
	"sync"
	"time"
)

// Queue calls its members after a while.
type Queue[T any] struct {
	while time.Duration
	call  func(T)

	mu         sync.Mutex
	young, old Member[T] // the lists' ends: those of this while, and of the one before
	clock      *time.Timer
	ticking    bool
}

// Member is in at most one queue, once. The zero value is ready.
type Member[T any] struct {
	prev, next *Member[T]
	who        T
}

// NewQueue is one whose members are called between one and two whiles after they were added, one after the other: call must not
// wait for anything.
func NewQueue[T any](while time.Duration, call func(who T)) *Queue[T] {
	q := &Queue[T]{while: while, call: call}
	q.young.clear()
	q.old.clear()
	q.clock = time.AfterFunc(time.Hour, q.tick)
	q.clock.Stop()
	return q
}

// Add makes who a member.
func (q *Queue[T]) Add(m *Member[T], who T) {
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
func (q *Queue[T]) Remove(m *Member[T]) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if m.next == nil {
		return false
	}
	m.unlink()
	if q.ticking && q.young.alone() && q.old.alone() { // nobody is woken for nothing
		q.ticking = false
		q.clock.Stop()
	}
	return true
}

func (q *Queue[T]) tick() {
	q.mu.Lock()
	var due []T
	for !q.old.alone() {
		due = append(due, q.old.next.who)
		q.old.next.unlink()
	}
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

func (m *Member[T]) clear()      { m.prev, m.next = m, m }
func (m *Member[T]) alone() bool { return m.next == m }

func (m *Member[T]) unlink() {
	m.prev.next, m.next.prev = m.next, m.prev
	m.prev, m.next = nil, nil
}
