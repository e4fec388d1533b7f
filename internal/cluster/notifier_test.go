package cluster

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// sender records what a notifier sends. While blocked it does not return.
type sender struct {
	mu      sync.Mutex
	sent    []notification
	blocked chan struct{} // nil: it is not
}

func (s *sender) send(ctx context.Context, n notification) {
	s.mu.Lock()
	s.sent = append(s.sent, n)
	blocked := s.blocked
	s.mu.Unlock()
	if blocked == nil {
		return
	}

	select {
	case <-blocked:
	case <-ctx.Done():
	}
}

// take gives what was sent since the last call, sorted.
func (s *sender) take() []notification {
	s.mu.Lock()
	defer s.mu.Unlock()

	sent := s.sent
	s.sent = nil
	slices.SortFunc(sent, func(a, b notification) int {
		if a.channel+a.payload < b.channel+b.payload {
			return -1
		}
		return 1
	})
	return sent
}

func (s *sender) block(c chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blocked = c
}

// notifierTest runs f in a bubble with a notifier that runs.
func notifierTest(t *testing.T, f func(n *notifier, s *sender)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &sender{}
		n := newNotifier(s.send)
		done := make(chan struct{})
		go func() {
			defer close(done)
			n.run(ctx)
		}()

		f(n, s)
		cancel()
		<-done
	})
}

// Within five milliseconds those of one kind are one, and other kinds are sent besides.
func TestNotifierSendsOneOfAKind(t *testing.T) {
	t.Parallel()
	notifierTest(t, func(n *notifier, s *sender) {
		for range 100 {
			n.notify(ChannelCron, "")
			n.notify(ChannelInbox, "a")
		}
		n.notify(ChannelInbox, "b")

		time.Sleep(notifyEvery - time.Nanosecond)
		synctest.Wait()
		if sent := s.take(); len(sent) != 0 {
			t.Errorf("sent too early: %v", sent)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		want := []notification{{ChannelCron, ""}, {ChannelInbox, "a"}, {ChannelInbox, "b"}}
		if sent := s.take(); !slices.Equal(sent, want) {
			t.Errorf("sent: %v", sent)
		}

		n.notify(ChannelCron, "")
		time.Sleep(2 * notifyEvery)
		synctest.Wait()
		if sent := s.take(); len(sent) != 1 {
			t.Errorf("sent next: %v", sent)
		}
		time.Sleep(time.Hour)
		if sent := s.take(); len(sent) != 0 {
			t.Errorf("sent without a reason: %v", sent)
		}
	})
}

// Wake-ups of all apps are one notification, of each app with its earliest time.
func TestNotifierMergesWakeups(t *testing.T) {
	t.Parallel()
	notifierTest(t, func(n *notifier, s *sender) {
		at := func(seconds int64) time.Time { return time.Unix(seconds, 0) }
		n.wakeup(1, at(5))
		n.wakeup(1, at(3))
		n.wakeup(1, at(9))
		n.wakeup(2, at(4))
		time.Sleep(notifyEvery)
		synctest.Wait()

		sent := s.take()
		if len(sent) != 1 || sent[0].channel != ChannelOutbox {
			t.Fatalf("sent: %v", sent)
		}
		wakeups, complete := decodeWakeups(sent[0].payload)
		if len(wakeups) != 2 || !complete {
			t.Fatalf("wake-ups: %v", wakeups)
		}

		for _, w := range wakeups {
			if want := map[int64]time.Time{1: at(3), 2: at(4)}[int64(w.app)]; !w.since.Equal(want) {
				t.Errorf("app %d: %s, want %s", w.app, w.since, want)
			}
		}
	})
}

// A database that holds a notification up does not keep the next ones waiting, and not the node's end.
func TestNotifierIsNotHeldUp(t *testing.T) {
	t.Parallel()
	notifierTest(t, func(n *notifier, s *sender) {
		s.block(make(chan struct{}))
		n.notify(ChannelCron, "")
		time.Sleep(notifyEvery)
		synctest.Wait()
		n.notify(ChannelTail, "")
		time.Sleep(notifyEvery)
		synctest.Wait()
		want := []notification{{ChannelCron, ""}, {ChannelTail, ""}}
		if sent := s.take(); !slices.Equal(sent, want) {
			t.Errorf("sent: %v", sent)
		}
	})
}

// A node that is alone notifies nobody but inboxes, of which one may be its own.
func TestNotifyAlone(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name   string
		others int64
		want   int // notifications
	}{
		{"alone", 0, 1},
		{"one of two", 1, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cluster := New(Config{Node: "a"})
			cluster.others.Store(c.others)
			cluster.Notify(ChannelCron, "")
			cluster.NotifyWakeup(1, time.Now())
			cluster.NotifyInbox("a")

			batch := cluster.notifier.take()
			if len(batch) != c.want || !slices.Contains(batch, notification{ChannelInbox, "a"}) {
				t.Errorf("notified: %v", batch)
			}
		})
	}
}
