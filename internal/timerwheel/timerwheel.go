// Package timerwheel runs a callback for entries that are still registered after a timeout. All entries of a
// wheel share one timer, and adding or removing an entry is two list operations, so that a request that ends
// in time - as nearly all do - costs next to nothing. It is not for deadlines that must be exact: a callback
// comes between one and two timeouts after its entry.
package timerwheel

import (
	"sync"
	"time"
)

// Wheel calls back for entries that outlive its timeout. It has two slots: entries of the present period, and
// those of the one before, which are due at the next tick.
type Wheel[T any] struct {
	timeout time.Duration
	expired func(T)

	// mu guards everything below and the links of every entry. It is a leaf: no other lock is taken under it.
	mu                sync.Mutex
	current, previous Entry[T] // sentinels of two circular lists
	timer             *time.Timer
	ticking           bool
}

// Entry is in at most one wheel, once. The zero value is ready for use.
type Entry[T any] struct {
	prev, next *Entry[T]
	value      T
}

// New returns a wheel that calls expired for each entry that is not removed within timeout to 2*timeout.
// Calls are sequential; expired must not block. An empty wheel has no timer running.
func New[T any](timeout time.Duration, expired func(T)) *Wheel[T] {
	w := &Wheel[T]{timeout: timeout, expired: expired}
	w.current.reset()
	w.previous.reset()

	w.timer = time.AfterFunc(time.Hour, w.tick)
	w.timer.Stop()

	return w
}

// Add registers an entry with the value its callback gets.
func (w *Wheel[T]) Add(e *Entry[T], value T) {
	w.mu.Lock()
	defer w.mu.Unlock()

	e.value = value
	e.prev = w.current.prev
	e.next = &w.current
	e.prev.next = e
	e.next.prev = e

	if !w.ticking {
		w.ticking = true
		w.timer.Reset(w.timeout)
	}
}

// Remove takes an entry out. It reports false when the callback was made, or is just being made.
func (w *Wheel[T]) Remove(e *Entry[T]) bool {
	w.mu.Lock()
	defer w.mu.Unlock()

	if e.next == nil {
		return false
	}
	e.unlink()

	// An idle process must not be woken for an empty wheel.
	if w.ticking && w.current.isEmpty() && w.previous.isEmpty() {
		w.ticking = false
		w.timer.Stop()
	}
	return true
}

// tick calls back for what the previous period left, and makes the current period the previous one.
func (w *Wheel[T]) tick() {
	w.mu.Lock()

	var due []T
	for !w.previous.isEmpty() {
		due = append(due, w.previous.next.value)
		w.previous.next.unlink()
	}

	if !w.current.isEmpty() {
		w.previous.next = w.current.next
		w.previous.prev = w.current.prev
		w.previous.next.prev = &w.previous
		w.previous.prev.next = &w.previous
		w.current.reset()
	}

	w.ticking = !w.previous.isEmpty()
	if w.ticking {
		w.timer.Reset(w.timeout)
	}
	w.mu.Unlock()

	// Callbacks run without the lock: they may add and remove entries.
	for _, value := range due {
		w.expired(value)
	}
}

func (e *Entry[T]) reset() {
	e.prev = e
	e.next = e
}

func (e *Entry[T]) isEmpty() bool { return e.next == e }

func (e *Entry[T]) unlink() {
	e.prev.next = e.next
	e.next.prev = e.prev
	e.prev = nil
	e.next = nil
}
