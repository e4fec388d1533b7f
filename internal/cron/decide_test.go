package cron

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/schedule"
)

// What becomes of slots: fired in time, made up for after a downtime, missed, skipped; each is decided once
// and in order.
func TestDecideSlots(t *testing.T) {
	t.Parallel()

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
		"jitter raised":             {"0 * * * *", "10:00:00", "10:00:01", "one", "allow", false, 20 * time.Minute, "", "10:00:00"},
		"not due":                   {"0 * * * *", "11:00:00", "10:00:01", "one", "allow", false, 0, "", "11:00:00"},
		"spread":                    {"0 * * * *", "10:00:00", "10:30:00", "one", "allow", false, 20 * time.Minute, "10:00:00 late", "11:00:00"},
	} {
		s, _, err := schedule.Parse(c.schedule, "UTC")
		if err != nil {
			t.Fatal(err)
		}
		trigger := &cloud.Trigger{ID: cloud.ID{1}, CatchUp: c.catchUp, Overlap: c.overlap, CronJitter: c.jitter}
		d := decideSlots(slotQuestion{schedule: s, trigger: trigger, next: at(c.next), now: at(c.now), busy: c.busy})

		var got []string
		for _, sl := range d.Decided {
			got = append(got, sl.At.Format("15:04:05")+" "+sl.State)
			if (sl.State == cloud.SlotMissed || sl.State == cloud.SlotSkipped) != (sl.Reason != "") {
				t.Errorf("%s: %s for reason %q", name, sl.State, sl.Reason)
			}
		}
		if strings.Join(got, ", ") != c.want || d.Next.Format("15:04:05") != c.then {
			t.Errorf("%s: %s, then %s", name, strings.Join(got, ", "), d.Next.Format("15:04:05"))
		}
		if lag := d.FireAt.Sub(d.Next); lag < 0 || lag > c.jitter {
			t.Errorf("%s: fires %s after its time", name, lag)
		}
	}
}

// A slot that fired before its time, when the clock was ahead, is passed by.
func TestDecideFiredSlots(t *testing.T) {
	t.Parallel()

	s, _, err := schedule.Parse("0 * * * *", "UTC")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 2, 10, 5, 0, 0, time.UTC)
	hour := func(n int) time.Time { return now.Truncate(time.Hour).Add(time.Duration(n) * time.Hour) }
	d := decideSlots(slotQuestion{
		schedule: s,
		trigger:  &cloud.Trigger{CatchUp: cloud.CatchUpAll},
		next:     hour(-3),
		now:      now,
		fired:    []time.Time{hour(-2), hour(-1), hour(1).Local(), hour(2)},
	})

	var got []time.Time
	for _, slot := range d.Decided {
		got = append(got, slot.At)
	}
	if !slices.Equal(got, []time.Time{hour(-3), hour(0)}) || !d.Next.Equal(hour(3)) {
		t.Errorf("decided %v, then %s", got, d.Next)
	}
}

// A slot of a time that no installation has seen is decided like any other downtime, and does not keep the
// clock busy for ever.
func TestDecideAncientSlot(t *testing.T) {
	t.Parallel()

	now := time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC)
	for expression, slots := range map[string]int{"* * * * * *": maxCatchUp + 1, "0 0 1 1 *": maxCatchUp + 1, "0 0 29 2 *": 491} {
		s, _, err := schedule.Parse(expression, "UTC")
		if err != nil {
			t.Fatal(err)
		}
		next := s.Next(time.Time{})
		d := decideSlots(slotQuestion{schedule: s, trigger: &cloud.Trigger{CatchUp: cloud.CatchUpNone}, next: next, now: now})
		if len(d.Decided) != slots || !d.Decided[0].At.Equal(next) || !d.Next.Equal(s.Next(now)) {
			t.Errorf("%s: %d slots, then %s", expression, len(d.Decided), d.Next)
		}
	}
}

// A long downtime decides a bounded number of slots: the newest ones, and one for those before.
func TestDecideManySlots(t *testing.T) {
	t.Parallel()

	for expression, downtime := range map[string]time.Duration{"* * * * * *": 5 * 365 * 24 * time.Hour, "* * * * *": 30 * 24 * time.Hour, "*/7 * * * *": 365 * 24 * time.Hour} {
		s, _, err := schedule.Parse(expression, "Europe/Berlin")
		if err != nil {
			t.Fatal(err)
		}
		now := time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC)
		next := s.Next(now.Add(-downtime))
		d := decideSlots(slotQuestion{schedule: s, trigger: &cloud.Trigger{CatchUp: cloud.CatchUpAll}, next: next, now: now})
		if len(d.Decided) != maxCatchUp+1 || d.Decided[0].State != cloud.SlotMissed || !d.Decided[0].At.Equal(next) || !strings.Contains(d.Decided[0].Reason, "nor at any other") {
			t.Errorf("%s: %d slots, first %+v", expression, len(d.Decided), d.Decided[0])
		}

		seen := map[string]bool{}
		for k, sl := range d.Decided {
			if k > 0 && !sl.At.After(d.Decided[k-1].At) || seen[fmt.Sprint(sl.At)] {
				t.Fatalf("%s: %s follows %s", expression, sl.At, d.Decided[k-1].At)
			}
			seen[fmt.Sprint(sl.At)] = true
		}
		if last := d.Decided[len(d.Decided)-1]; !d.Next.After(now) || last.At.After(now) || !s.Next(last.At).Equal(d.Next) {
			t.Errorf("%s: last %s, then %s", expression, last.At, d.Next)
		}
	}
}
