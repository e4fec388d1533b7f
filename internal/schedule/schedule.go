// Package schedule computes when a cron trigger fires. It does not wait and stores nothing.
//
// An expression has five fields (minute, hour, day of the month, month, day of the week), or six with the
// second first. Fields take *, values, ranges, steps and lists; months and days of the week have English
// names of three letters. A range may go round the end of its field, as in 22-2 and FRI-MON. The day of the
// month can be L (the last), L-3 (three days before), 15W (the weekday, Monday to Friday, that is nearest to
// the 15th in the same month), LW and L-3W; the day of the week FRI#2 (the second Friday of the month) and
// FRIL or FRI#L (the last), also of a range or by number: Sunday is 0 and 7. A day field can be ? for *.
//
// If both day fields are restricted, a day of either suffices; a field that begins with * is not restricted,
// so a day must be in both then. This is the rule of crontab(5).
//
// Around a change of daylight-saving time there are two rules. An expression whose hour field begins with *
// counts the hours that pass: it fires in both of the repeated hours and not in the skipped one. Every
// other expression means the time that a clock shows: in a repeated hour it fires once, the first time, and
// a time that is skipped fires as much later as the clock was put forward.
package schedule

import (
	"fmt"
	"hash/fnv"
	"time"

	"picloud/internal/cloud"
)

// Schedule is a parsed expression in a time zone. It never changes, so it is safe for concurrent use.
type Schedule struct {
	times *expression
	loc   *time.Location
}

// searchYears is how far ahead the next time is looked for.
const searchYears = 30

// Parse reads an expression and the name of a time zone of the IANA database, of which empty is UTC. It
// returns the zone's canonical name too. Errors have the code invalid.
func Parse(expression, zone string) (*Schedule, string, error) {
	if zone == "" {
		zone = "UTC"
	}

	name, loc := cloud.Zone(zone)
	if loc == nil {
		return nil, "", cloud.Errorf(cloud.CodeInvalid,
			"the time zone %q is not known: it needs a name like Europe/Berlin or UTC", cloud.Shorten(zone))
	}

	times, err := parse(expression)
	if err != nil {
		return nil, "", badExpression(expression, err.Error())
	}

	s := &Schedule{times: times, loc: loc}
	if s.Next(time.Now()).IsZero() {
		return nil, "", cloud.Errorf(cloud.CodeInvalid,
			"the schedule %q never comes: no such day in the next %d years",
			cloud.Shorten(expression), searchYears)
	}

	return s, name, nil
}

func badExpression(expression, why string) error {
	return cloud.Errorf(cloud.CodeInvalid, "the schedule %q is not a cron expression: %s. "+
		"It needs 5 fields (minute hour day month weekday) or 6 with the second first, "+
		"like \"30 2 * * MON-FRI\"", cloud.Shorten(expression), why)
}

// Next is the first time after another, zero if there is none within 30 years.
func (s *Schedule) Next(after time.Time) time.Time {
	from := after.Unix() + 1
	lastYear := after.Year() + searchYears

	for {
		p := s.periodOf(from)

		next, ok := s.nextIn(p, from, lastYear)
		if !ok {
			return time.Time{}
		}
		if next < p.end {
			return time.Unix(next, 0).UTC()
		}

		from = p.end
	}
}

// period is a time in which the zone's clock is not changed. Times are in seconds since 1970, and offsets
// those of the clock from UTC in seconds.
type period struct {
	start, end int64 // the end belongs to the next one
	offset     int64
	before     int64 // the offset of the period before
}

const secondsPerDay = 24 * 60 * 60

// never is before and, as it were, after all times; sums of it and a time do not overflow.
const never = 1 << 61

// periodOf is the period of a time.
func (s *Schedule) periodOf(at int64) period {
	t := time.Unix(at, 0).In(s.loc)
	p := period{start: -never, end: never, offset: offset(t)}
	p.before = p.offset

	start, end := t.ZoneBounds()
	if !start.IsZero() {
		p.start = start.Unix()
		p.before = offset(start.Add(-time.Second))
	}
	if !end.IsZero() {
		p.end = end.Unix()
	}

	// Where no table lists the changes any more, after 2037, ZoneBounds ends each year after 365 days. The
	// last day of a leap year is a period of its own here.
	if p.end <= at {
		p.end = at - at%secondsPerDay + secondsPerDay
	}

	return p
}

func offset(t time.Time) int64 {
	_, seconds := t.Zone()
	return int64(seconds)
}

// nextIn is the first time at or after another of the same period. A result that is not in the period only
// says that there is none in it. False: there is none up to the end of lastYear either.
//
// It takes for granted that a period is longer than the changes of the clock at its ends, which is so in all
// zones since 1970.
func (s *Schedule) nextIn(p period, from int64, lastYear int) (int64, bool) {
	if s.times.elapsed {
		clock, ok := s.times.from(from+p.offset, lastYear)
		return clock - p.offset, ok
	}

	// When the clock was put back, it shows until start+before what it has shown before.
	clock, ok := s.times.from(max(from+p.offset, p.start+p.before), lastYear)
	next := clock - p.offset

	// When it was put forward, the times from start+before to start+offset were skipped. They fire as if it
	// had not been, which may be after times that follow them on the clock.
	if forward := p.offset - p.before; from < p.start+forward {
		skipped, found := s.times.from(from+p.before, lastYear)
		if found && skipped < p.start+p.offset && (!ok || skipped-p.before < next) {
			return skipped - p.before, true
		}
	}

	return next, ok
}

// Jitter is how long after its time a slot fires, from 0 to most in whole milliseconds. It is the same for
// the same slot of a trigger on every node, and spreads the slots of different triggers.
func Jitter(trigger cloud.ID, slot time.Time, most time.Duration) time.Duration {
	if most <= 0 {
		return 0
	}
	hash := fnv.New64a()
	_, _ = hash.Write(trigger[:])
	_, _ = fmt.Fprint(hash, slot.Unix())
	return time.Duration(hash.Sum64()%uint64(most.Milliseconds()+1)) * time.Millisecond
}
