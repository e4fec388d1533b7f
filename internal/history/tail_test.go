package history

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"picloud/internal/cloud"
)

// network records what nodes send to each other.
type network struct {
	mu       sync.Mutex
	others   bool
	fail     error
	notified []string
	sent     []string
}

func (n *network) Others() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.others
}

func (n *network) setOthers(others bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.others = others
}

func (n *network) Notify(channel, payload string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.notified = append(n.notified, channel+" "+payload)
}

func (n *network) Send(_ context.Context, _, payload string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fail == nil {
		n.sent = append(n.sent, payload)
	}
	return n.fail
}

// takeSent gives what was sent since the last call.
func (n *network) takeSent() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	sent := n.sent
	n.sent = nil
	return sent
}

func (n *network) takeNotified() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	notified := n.notified
	n.notified = nil
	return notified
}

func newTestTails(node string, net *network) *Tails {
	return NewTails(TailsConfig{
		Node:    node,
		Peers:   net,
		Channel: "tail",
		Done:    make(chan struct{}),
		Log:     slog.New(slog.DiscardHandler),
	})
}

// runTails runs tails until the test's bubble ends.
func runTails(t *testing.T, tails *Tails) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := tails.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

func follow(t *testing.T, tails *Tails, app cloud.AppID) *Tail {
	t.Helper()
	tail, err := tails.Tail(app, 1)
	if err != nil {
		t.Fatal(err)
	}
	return tail
}

// A follower sees runs and lines of its app and of no other.
func TestTailFollowsItsApp(t *testing.T) {
	t.Parallel()
	tails := newTestTails("a", &network{})
	tails.PublishRun(&cloud.Execution{App: 1, Name: "before"})

	tail := follow(t, tails, 1)
	defer tail.Close()

	tails.PublishLine(2, cloud.ID{1}, "other", cloud.LogLine{Message: "of another app"})
	tails.PublishLine(1, cloud.ID{1}, "mine", cloud.LogLine{Message: "hello"})
	tails.PublishRun(&cloud.Execution{
		App:        1,
		ID:         cloud.ID{1},
		Name:       "mine",
		Status:     cloud.Failed,
		HTTPStatus: 502,
	})

	line := <-tail.EventsCh
	if line.Line == nil || line.Line.Message != "hello" || line.Execution != (cloud.ID{1}) {
		t.Errorf("line: %+v", line)
	}
	run := <-tail.EventsCh
	if run.Line != nil || run.Status != cloud.Failed || run.HTTPStatus != 502 || run.Script != "mine" {
		t.Errorf("run: %+v", run)
	}
	if len(tail.EventsCh) != 0 || tail.Dropped() != 0 {
		t.Errorf("%d events more, %d dropped", len(tail.EventsCh), tail.Dropped())
	}
}

// A follower that does not keep up never makes a run wait: it misses events, and learns how many.
func TestTailDropsAndCounts(t *testing.T) {
	t.Parallel()
	tails := newTestTails("a", &network{})
	tail := follow(t, tails, 1)
	defer tail.Close()

	for range tailBuffer + 3 {
		tails.PublishRun(&cloud.Execution{App: 1})
	}

	if n := len(tail.EventsCh); n != tailBuffer {
		t.Errorf("%d events wait", n)
	}
	if n := tail.Dropped(); n != 3 {
		t.Errorf("%d events were dropped, want 3", n)
	}
	if n := tail.Dropped(); n != 0 {
		t.Errorf("%d events were dropped since", n)
	}
}

// The followers of a user, of an app and of the node are bounded, each for itself. One that closed, even twice,
// makes room for one.
func TestTailsAreBounded(t *testing.T) {
	t.Parallel()
	const every = 0 // of the users or apps, one for each follower

	for name, c := range map[string]struct {
		app  cloud.AppID
		user int64
		room int
		code cloud.Code
	}{
		"of a user": {every, 7, maxTailsOfUser, cloud.CodeTooMany},
		"of an app": {7, every, maxTailsOfApp, cloud.CodeTooMany},
		"of a node": {every, every, maxTails, cloud.CodeUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tails := newTestTails("a", &network{})
			n := int64(100)
			tail := func() (*Tail, error) {
				n++
				app, user := c.app, c.user
				if app == every {
					app = cloud.AppID(n)
				}
				if user == every {
					user = n
				}
				return tails.Tail(app, user)
			}

			var last *Tail
			for range c.room {
				var err error
				if last, err = tail(); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := tail(); cloud.CodeOf(err) != c.code {
				t.Errorf("one more: %v", err)
			}
			if c.room < maxTails {
				if _, err := tails.Tail(1, 1); err != nil {
					t.Errorf("another user of another app: %v", err)
				}
			}

			last.Close()
			last.Close()
			if _, err := tail(); err != nil {
				t.Errorf("after a close: %v", err)
			}
			if _, err := tail(); cloud.CodeOf(err) != c.code {
				t.Errorf("one more after a close: %v", err)
			}
		})
	}
}

// What is followed here is announced at once, again every five seconds, and no longer than it is followed. A
// node that is alone announces nothing.
func TestTailAnnouncesInterest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		net := &network{others: true}
		tails := newTestTails("a", net)
		runTails(t, tails)

		tail := follow(t, tails, 7)
		synctest.Wait()
		if got := net.takeNotified(); len(got) != 1 || got[0] != `tail {"n":"a","a":7}` {
			t.Errorf("announced at once: %q", got)
		}
		time.Sleep(3*tailInterest + time.Second)
		if got := net.takeNotified(); len(got) != 3 {
			t.Errorf("announced in three intervals: %q", got)
		}

		tail.Close()
		time.Sleep(3 * tailInterest)
		if got := net.takeNotified(); len(got) != 0 {
			t.Errorf("announced after the end: %q", got)
		}

		net.setOthers(false)
		follow(t, tails, 7)
		time.Sleep(3 * tailInterest)
		if got := net.takeNotified(); len(got) != 0 {
			t.Errorf("announced to nobody: %q", got)
		}
	})
}

// Events go to other nodes only for apps that are followed there, collected, and no longer than the interest
// is believed.
func TestTailSendsToPeers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		net := &network{others: true}
		here := newTestTails("here", net)
		there := newTestTails("there", net)
		runTails(t, here)
		tail := follow(t, there, 1)
		publish := func(app cloud.AppID, message string) {
			here.PublishLine(app, cloud.ID{9}, "s", cloud.LogLine{Message: message})
		}

		publish(1, "too early")
		here.Receive(`{"n":"there","a":1}`)
		if !here.Wanted() {
			t.Error("nobody wants anything")
		}
		publish(1, "one")
		publish(2, "of an app that nobody follows")
		publish(1, "two")
		time.Sleep(tailFlush)
		synctest.Wait()

		sent := net.takeSent()
		if len(sent) != 1 {
			t.Fatalf("sent: %q", sent)
		}
		here.Receive(sent[0]) // its own comes back, and is ignored
		there.Receive(sent[0])

		for _, want := range []string{"one", "two"} {
			e := <-tail.EventsCh
			if e.Line == nil || e.Line.Message != want || e.Execution != (cloud.ID{9}) || e.Script != "s" {
				t.Errorf("%+v, want the line %q", e, want)
			}
		}
		if len(tail.EventsCh) != 0 {
			t.Error("there is more")
		}

		time.Sleep(3*tailInterest + time.Second)
		publish(1, "too late")
		time.Sleep(2 * tailFlush)
		if sent := net.takeSent(); len(sent) != 0 || here.Wanted() {
			t.Errorf("sent to nobody: %q", sent)
		}
	})
}

// A notification that cannot be sent loses its events and nothing else.
func TestTailGoesOnAfterFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		net := &network{others: true, fail: errors.New("away")}
		tails := newTestTails("a", net)
		runTails(t, tails)
		tails.Receive(`{"n":"b","a":1}`)
		tails.PublishRun(&cloud.Execution{App: 1, Name: "lost"})
		time.Sleep(2 * tailFlush)
		synctest.Wait()

		net.mu.Lock()
		net.fail = nil
		net.mu.Unlock()
		tails.PublishRun(&cloud.Execution{App: 1, Name: "next"})
		time.Sleep(2 * tailFlush)
		synctest.Wait()
		if sent := net.takeSent(); len(sent) != 1 || !strings.Contains(sent[0], "next") {
			t.Errorf("sent: %q", sent)
		}
	})
}

// However much there is to send, a notification fits PostgreSQL's 8,000 bytes, a flush sends some twenty of
// them, and every event is either in one or counted as dropped.
func TestTailPayloads(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name    string
		events  int
		message int // bytes of each
		apps    int
		most    int // payloads
	}{
		{"nothing", 0, 0, 1, 0},
		{"one", 1, 10, 1, 1},
		{"many small ones", 300, 10, 1, 12},
		{"one that fits", 1, 6000, 1, 1},
		{"too long ones are cut", 10, 100_000, 1, 2},
		{"more than a flush sends", 1500, 1000, 1, maxTailPayloads},
		{"more than are collected", maxTailPending + 50, 10, 1, maxTailPayloads},
		{"of several apps", 1500, 1000, 3, maxTailPayloads + 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()

			tails := newTestTails("a-node-with-a-rather-long-name.example.org", &network{})
			for app := range c.apps {
				tails.peers.interested(cloud.AppID(app))
			}

			for i := range c.events {
				line := cloud.LogLine{Level: "info", Message: strings.Repeat("x", c.message)}
				tails.PublishLine(cloud.AppID(i%c.apps), cloud.ID{1}, "script", line)
			}

			payloads := tails.peers.payloads(&tails.peers.batch)
			if len(payloads) > c.most {
				t.Errorf("%d payloads, want at most %d", len(payloads), c.most)
			}

			total := 0
			for _, payload := range payloads {
				var m peerMessage
				if err := json.Unmarshal([]byte(payload), &m); err != nil {
					t.Fatal(err)
				}
				if len(payload) > maxTailPayload {
					t.Errorf("a payload of %d bytes", len(payload))
				}
				total += len(m.Events) + int(m.Dropped)
			}
			if total != c.events {
				t.Errorf("%d events are sent or counted, want %d", total, c.events)
			}
		})
	}
}

// A run that is too long for a notification goes without its lines, which were sent as they came.
func TestEncodePeerEvent(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", 20_000)
	run := &TailEvent{
		Script: "s",
		Status: cloud.Failed,
		Error:  cloud.ScriptError{Name: "Error", Message: long, Stack: long},
		Logs:   []cloud.LogLine{{Message: long}},
	}

	text := encodePeerEvent(run)
	if len(text) == 0 || len(text) > eventRoom {
		t.Fatalf("a long run takes %d bytes", len(text))
	}

	got, ok := decodePeerEvent(text)
	if !ok || got.Status != cloud.Failed || got.Error.Name != "Error" {
		t.Errorf("what is left of a long run: %+v", got)
	}
	if got.Logs != nil || got.Error.Stack != "" {
		t.Errorf("long texts are sent: %+v", got)
	}
	if run.Error.Stack != long || len(run.Logs) != 1 {
		t.Error("the event that others hold was changed")
	}

	line := &TailEvent{Line: &cloud.LogLine{Message: long}}
	got, ok = decodePeerEvent(encodePeerEvent(line))
	if !ok || !strings.HasSuffix(got.Line.Message, " ... cut") || line.Line.Message != long {
		t.Errorf("a long line: %+v", got.Line)
	}
	if encodePeerEvent(&TailEvent{Request: long}) != nil {
		t.Error("a request that is too long is sent")
	}
}

// Followers learn of events that another node could not send, also when they have read everything there is.
func TestTailMissed(t *testing.T) {
	t.Parallel()
	tails := newTestTails("a", &network{})
	tail := follow(t, tails, 1)
	defer tail.Close()

	for _, payload := range []string{"", "{", "null", `{"n":"a","a":1,"d":5}`, `{"n":"b","a":1,"e":[5]}`} {
		tails.Receive(payload)
	}
	if n := tail.Dropped(); n != 0 || len(tail.EventsCh) != 0 {
		t.Errorf("%d dropped, %d events of nonsense", n, len(tail.EventsCh))
	}

	tails.Receive(`{"n":"b","a":1,"d":5}`)
	tails.Receive(`{"n":"b","a":1,"d":2}`)
	<-tail.MissedCh
	if n := tail.Dropped(); n != 7 {
		t.Errorf("%d dropped, want 7", n)
	}
}
