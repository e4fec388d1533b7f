package cluster

import (
	"maps"
	"strings"
	"testing"
	"time"

	"picloud/internal/cloud"
)

// wakeupsOf makes wake-ups of so many apps, app n due at n seconds and some microseconds.
func wakeupsOf(apps int) map[cloud.AppID]time.Time {
	due := map[cloud.AppID]time.Time{}
	for n := 1; n <= apps; n++ {
		due[cloud.AppID(n)] = time.Unix(int64(n), 7000)
	}
	return due
}

// What a node writes another one reads, to the microsecond; too many apps make everybody scan.
func TestWakeupsRoundTrip(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name string
		due  map[cloud.AppID]time.Time
		all  bool // the payload names every app
	}{
		{"one", wakeupsOf(1), true},
		{"some", wakeupsOf(30), true},
		{"most", wakeupsOf(maxWakeups), true},
		{"too many", wakeupsOf(maxWakeups + 1), false},
		{"large id, old time", map[cloud.AppID]time.Time{1<<63 - 1: time.UnixMicro(-5)}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			payload := encodeWakeups(c.due)
			if len(payload) >= 8000 {
				t.Errorf("a payload of %d bytes", len(payload))
			}

			wakeups, complete := decodeWakeups(payload)
			if complete != c.all {
				t.Errorf("complete: %v", complete)
			}

			got := map[cloud.AppID]time.Time{}
			for _, w := range wakeups {
				got[w.app] = w.since
			}
			if c.all && !maps.EqualFunc(got, c.due, time.Time.Equal) {
				t.Errorf("%v, want %v", got, c.due)
			}
		})
	}
}

// The longest payload that a node sends fits a notification.
func TestWakeupsFit(t *testing.T) {
	t.Parallel()

	due := map[cloud.AppID]time.Time{}
	for n := range maxWakeups {
		due[cloud.AppID(1<<63-1-n)] = time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if n := len(encodeWakeups(due)); n == 0 || n >= 8000 {
		t.Errorf("the longest payload has %d bytes", n)
	}
}

// What cannot be read makes the node scan; what came before it is not lost.
func TestDecodeWakeups(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		payload  string
		apps     int
		complete bool
	}{
		{"", 0, false},
		{"1 1000000\n", 1, true},
		{"1 1000000", 1, true},
		{"1 1000000\n2 5\n", 2, true},
		{"1 1000000\nnonsense\n2 5\n", 1, false},
		{"1 1000000\n2\n", 1, false},
		{"1 1000000\n\n", 1, false},
		{"x 5\n", 0, false},
		{"5 x\n", 0, false},
		{"99999999999999999999 5\n", 0, false},
	} {
		wakeups, complete := decodeWakeups(c.payload)
		if len(wakeups) != c.apps || complete != c.complete {
			t.Errorf("%q: %v, complete: %v", c.payload, wakeups, complete)
		}
	}
}

// Whatever arrives, a node reads at most one wake-up a line, and writes what it read as it was.
func FuzzDecodeWakeups(f *testing.F) {
	for _, seed := range []string{"", "1 2\n", "1 2\n3 4\n", "1 2\nx", "-1 -2", "1  2\n", "1 2\r\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		wakeups, complete := decodeWakeups(payload)
		if len(wakeups) > strings.Count(payload, "\n")+1 {
			t.Fatalf("%d wake-ups", len(wakeups))
		}
		if complete && len(wakeups) == 0 {
			t.Fatal("nothing is complete")
		}

		for _, w := range wakeups {
			again, ok := decodeWakeups(encodeWakeups(map[cloud.AppID]time.Time{w.app: w.since}))
			if !ok || len(again) != 1 || again[0].app != w.app || !again[0].since.Equal(w.since) {
				t.Fatalf("%+v is read again as %+v", w, again)
			}
		}
	})
}
