package orchestrator

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/schedule"
)

// What becomes of slots: fired in time, made up for after a downtime, missed, skipped; each is decided once and in order.
func TestDecideSlots(t *testing.T) {
	at := func(text string) time.Time {
		v, err := time.Parse(time.RFC3339, "2026-03-02T"+text+"Z")
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for name, c := range map[string]struct {
		schedule, next, now, catchUp, overlap string
		busy                                  bool
		jitter                                time.Duration
		want, then                            string
	}{
		"in time":                   {"0 * * * *", "10:00:00", "10:00:01", "one", "allow", false, 0, "10:00:00 fired", "11:00:00"},
		"late":                      {"0 * * * *", "10:00:00", "10:05:00", "one", "allow", false, 0, "10:00:00 late", "11:00:00"},
		"late, none":                {"0 * * * *", "10:00:00", "10:05:00", "none", "allow", false, 0, "10:00:00 missed", "11:00:00"},
		"downtime, one":             {"0 * * * *", "08:00:00", "10:05:00", "one", "allow", false, 0, "08:00:00 missed, 09:00:00 missed, 10:00:00 late", "11:00:00"},
		"downtime, one, in time":    {"0 * * * *", "08:00:00", "10:00:02", "one", "allow", false, 0, "08:00:00 missed, 09:00:00 missed, 10:00:00 fired", "11:00:00"},
		"downtime, all":             {"0 * * * *", "08:00:00", "10:05:00", "all", "allow", false, 0, "08:00:00 late, 09:00:00 late, 10:00:00 late", "11:00:00"},
		"downtime, none":            {"0 * * * *", "08:00:00", "10:00:02", "none", "allow", false, 0, "08:00:00 missed, 09:00:00 missed, 10:00:00 fired", "11:00:00"},
		"busy":                      {"0 * * * *", "10:00:00", "10:00:01", "one", "skip", true, 0, "10:00:00 skipped", "11:00:00"},
		"downtime, all, no overlap": {"0 * * * *", "08:00:00", "10:05:00", "all", "skip", false, 0, "08:00:00 late, 09:00:00 skipped, 10:00:00 skipped", "11:00:00"},
		"several in one look":       {"* * * * * *", "10:00:00", "10:00:02", "one", "allow", false, 0, "10:00:00 fired, 10:00:01 fired, 10:00:02 fired", "10:00:03"},
		"spread":                    {"0 * * * *", "10:00:00", "10:30:00", "one", "allow", false, 20 * time.Minute, "10:00:00 late", "11:00:00"},
	} {
		s, _, err := schedule.Parse(c.schedule, "UTC")
		if err != nil {
			t.Fatal(err)
		}
		trigger := &cloud.Trigger{ID: cloud.ID{1}, CatchUp: c.catchUp, Overlap: c.overlap, CronJitter: c.jitter}
		d := decideSlots(s, trigger, at(c.next), at(c.now), time.Time{}, c.busy)
		var got []string
		for _, sl := range d.slots {
			got = append(got, sl.at.Format("15:04:05")+" "+sl.state)
			if (sl.state == slotMissed || sl.state == slotSkipped) != (sl.reason != "") {
				t.Errorf("%s: %s for reason %q", name, sl.state, sl.reason)
			}
		}
		if strings.Join(got, ", ") != c.want || d.next.Format("15:04:05") != c.then {
			t.Errorf("%s: %s, then %s", name, strings.Join(got, ", "), d.next.Format("15:04:05"))
		}
		if lag := d.fireAt.Sub(d.next); lag < 0 || lag > c.jitter {
			t.Errorf("%s: fires %s after its time", name, lag)
		}
	}
}

// A long downtime decides a bounded number of slots: the newest ones, and one for those before.
func TestDecideManySlots(t *testing.T) {
	for expression, downtime := range map[string]time.Duration{"* * * * * *": 5 * 365 * 24 * time.Hour, "* * * * *": 30 * 24 * time.Hour, "*/7 * * * *": 365 * 24 * time.Hour} {
		s, _, err := schedule.Parse(expression, "Europe/Berlin")
		if err != nil {
			t.Fatal(err)
		}
		now := time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC)
		next := s.Next(now.Add(-downtime))
		d := decideSlots(s, &cloud.Trigger{CatchUp: cloud.CatchUpAll}, next, now, time.Time{}, false)
		if len(d.slots) != maxCatchUp+1 || d.slots[0].state != slotMissed || !d.slots[0].at.Equal(next) || !strings.Contains(d.slots[0].reason, "nor at any other") {
			t.Errorf("%s: %d slots, first %+v", expression, len(d.slots), d.slots[0])
		}
		seen := map[string]bool{}
		for k, sl := range d.slots {
			if k > 0 && !sl.at.After(d.slots[k-1].at) || seen[fmt.Sprint(sl.at)] {
				t.Fatalf("%s: %s follows %s", expression, sl.at, d.slots[k-1].at)
			}
			seen[fmt.Sprint(sl.at)] = true
		}
		if last := d.slots[len(d.slots)-1]; !d.next.After(now) || last.at.After(now) || !s.Next(last.at).Equal(d.next) {
			t.Errorf("%s: last %s, then %s", expression, last.at, d.next)
		}
	}
}
