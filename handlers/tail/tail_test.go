package tail

import (
	"bufio"
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"picloud/internal/cloud"
	"picloud/internal/history"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newWriter(script, status string) (*writer, *bytes.Buffer) {
	var out bytes.Buffer
	return &writer{body: bufio.NewWriter(&out), script: script, status: status}, &out
}

// forEver is a follower who keeps the right to follow.
func forEver() (time.Time, bool) { return time.Time{}, true }

func run(script string, status cloud.Status) history.TailEvent {
	return history.TailEvent{
		Execution: cloud.ID{1},
		Script:    script,
		Status:    status,
		Duration:  1500 * time.Microsecond,
		Error:     cloud.ScriptError{Name: "Error", Message: "two\nlines"},
		Logs:      []cloud.LogLine{{Level: "info", Message: "kept"}},
	}
}

func logLine(script string) history.TailEvent {
	return history.TailEvent{
		Execution: cloud.ID{1},
		Script:    script,
		Line:      &cloud.LogLine{Level: "info", Message: "hello"},
	}
}

// A follower sees what it asked for; one who asks for a status gets no lines of runs that may end otherwise.
func TestWants(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name           string
		script, status string
		event          history.TailEvent
		want           bool
	}{
		{"everything, a run", "", "", run("a", cloud.Succeeded), true},
		{"everything, a line", "", "", logLine("a"), true},
		{"a script, its run", "a", "", run("a", cloud.Succeeded), true},
		{"a script, its line", "a", "", logLine("a"), true},
		{"a script, another's run", "a", "", run("b", cloud.Succeeded), false},
		{"a script, another's line", "a", "", logLine("b"), false},
		{"a status, such a run", "", "failed", run("a", cloud.Failed), true},
		{"a status, another run", "", "failed", run("a", cloud.Succeeded), false},
		{"a status, a line", "", "failed", logLine("a"), false},
		{"both, another script", "a", "failed", run("b", cloud.Failed), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, _ := newWriter(c.script, c.status)
			if got := w.wants(&c.event); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// An event is two lines and an empty one, whatever a script writes. A run has its lines only where they did
// not come before.
func TestEncode(t *testing.T) {
	t.Parallel()
	failed := run("a", cloud.Failed)
	succeeded := run("a", cloud.Succeeded)
	line := logLine("a")

	for _, c := range []struct {
		name   string
		status string
		event  *history.TailEvent
		parts  []string
	}{
		{"a line", "", &line, []string{"event: log\n", `"message":"hello"`}},
		{"a failed run", "", &failed, []string{"event: run\n", `"message":"two\nlines"`, `"logs":[]`,
			`"duration_ms":1.5`}},
		{"a run that succeeded", "", &succeeded, []string{`"error":null`, `"status":"succeeded"`}},
		{"a run of a status", "failed", &failed, []string{`"message":"kept"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, _ := newWriter("", c.status)

			got := w.encode(c.event)
			for _, part := range c.parts {
				if !strings.Contains(got, part) {
					t.Errorf("%q lacks %q", got, part)
				}
			}

			if strings.Count(got, "\n") != 3 || !strings.HasSuffix(got, "\n\n") {
				t.Errorf("%q is not one event", got)
			}
		})
	}
}

// The stream begins with a comment, so that a follower knows that it is there, and ends when the node stops.
func TestFollow(t *testing.T) {
	t.Parallel()
	eventsC := make(chan history.TailEvent)
	doneC := make(chan struct{})
	tail := &history.Tail{EventsCh: eventsC, Done: doneC}
	w, out := newWriter("a", "")
	overC := make(chan struct{})
	go func() {
		defer close(overC)
		w.follow(tail, forEver)
	}()

	eventsC <- logLine("a")
	eventsC <- logLine("b")
	eventsC <- run("a", cloud.Succeeded)
	close(doneC)
	<-overC
	got := out.String()
	if !strings.HasPrefix(got, ": connected\n\n") || strings.Count(got, "event: ") != 2 {
		t.Errorf("%q", got)
	}
}

// broken is a follower who is gone.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("gone") }

// A follower who is gone ends its stream: nobody waits for it.
func TestFollowerIsGone(t *testing.T) {
	t.Parallel()
	w := &writer{body: bufio.NewWriter(broken{})}
	w.follow(&history.Tail{}, forEver)
}

// A follower whose rights end is cut off at once, and one who keeps them is not: each change of people is
// asked about, also one that comes while the last is being asked about.
func TestFollowerLosesRights(t *testing.T) {
	t.Parallel()
	w, out := newWriter("", "")
	changes := []chan struct{}{make(chan struct{}), make(chan struct{}), make(chan struct{})}
	taken := 0
	w.changedC = changes[0]
	w.changes = func() <-chan struct{} {
		taken++
		return changes[taken]
	}

	close(changes[0])
	asked := 0
	w.follow(&history.Tail{}, func() (time.Time, bool) {
		asked++
		if asked == 1 {
			close(changes[1]) // another change, while the first is looked at
			return time.Time{}, true
		}
		return time.Time{}, false
	})

	if asked != 2 || out.String() != ": connected\n\n" {
		t.Errorf("asked %d times, sent %q", asked, out)
	}
}

// The stream of a session that comes to its end is cut off within a second, and not with the next beat. Only
// the database says that it has ended: one that is longer, or whose clock is behind, is asked again.
func TestFollowerExpires(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		longer time.Duration // than the stream knew at first
		behind time.Duration // the database's clock
	}{
		"at its time":                     {},
		"it was made longer meanwhile":    {longer: time.Hour},
		"the database's clock is behind":  {behind: 3 * time.Second},
		"the database's clock is far off": {behind: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				w, _ := newWriter("", "")
				w.expires = began.Add(40 * time.Second)
				end := w.expires.Add(c.longer)

				w.follow(&history.Tail{}, func() (time.Time, bool) {
					return end, time.Now().Add(-c.behind).Before(end)
				})

				if late := time.Since(end) - c.behind; late < 0 || late > time.Second {
					t.Errorf("the stream ended %s after the session", late)
				}
			})
		})
	}
}
