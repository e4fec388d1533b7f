// Package schedule tells when a cron trigger fires.
//
// An expression has five fields - minute, hour, day of the month, month, day of the week - or six, with the second first. Fields
// take lists, ranges, steps and English names; L, W and # as in Quartz. When both days are restricted, either suffices, as in
// crontab(5).
//
// Around a change of daylight-saving time: an expression whose hour field begins with * counts hours that pass. It fires in both
// of the repeated hours and not in the skipped one. Every other expression means times of the clock: in a repeated hour it
// fires once, the first time; a time that is skipped fires as much later as the clock was put forward.
package schedule

import (
	"fmt"
	"hash/fnv"
	"regexp"
	"strings"
	"time"

	cron "github.com/netresearch/go-cron"

	"picloud/internal/cloud"
)

// Schedule is a parsed expression in a time zone. It can be used by several goroutines.
type Schedule struct {
	times   cron.Schedule
	loc     *time.Location
	elapsed bool // the hour field begins with *
}

// maxExpression is the most bytes of an expression.
const maxExpression = 200

var (
	parser = cron.MustNewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.DowOrDom |
		cron.DomL | cron.DomW | cron.DowNth | cron.DowLast).WithMaxSearchYears(30)
	fieldPattern = regexp.MustCompile(`^[0-9A-Za-z*/,#?-]+$`)
	macros       = map[string]string{"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
		"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *"}
)

// Parse reads an expression and the name of a time zone of the IANA database; empty is UTC. It returns the zone's name as the
// database has it. Errors have the code invalid.
func Parse(expression, zone string) (*Schedule, string, error) {
	if zone == "" {
		zone = "UTC"
	}
	name, loc := cloud.Zone(zone)
	if loc == nil {
		return nil, "", cloud.Errorf(cloud.CodeInvalid, "the time zone %q is not known: it needs a name like Europe/Berlin or UTC", cloud.Shorten(zone))
	}
	full := strings.ToLower(strings.TrimSpace(expression))
	if m, ok := macros[full]; ok {
		full = m
	}
	fields := strings.Fields(strings.ToUpper(full))
	bad := func(why string) error {
		return cloud.Errorf(cloud.CodeInvalid, "the schedule %q is not a cron expression: %s. It needs 5 fields (minute hour day month weekday) or 6 with the second first, like \"30 2 * * MON-FRI\"",
			cloud.Shorten(expression), why)
	}
	if len(fields) != 5 && len(fields) != 6 || len(expression) > maxExpression {
		return nil, "", bad(fmt.Sprintf("it has %d fields", len(fields)))
	}
	for _, f := range fields {
		if !fieldPattern.MatchString(f) {
			return nil, "", bad(fmt.Sprintf("the field %q has other characters", cloud.Shorten(f)))
		}
	}
	times, err := parser.Parse(strings.Join(fields, " "))
	if err != nil {
		return nil, "", bad(cloud.Shorten(err.Error()))
	}
	s := &Schedule{times: times, loc: loc, elapsed: strings.HasPrefix(fields[len(fields)-4], "*")}
	if s.Next(time.Now()).IsZero() {
		return nil, "", cloud.Errorf(cloud.CodeInvalid, "the schedule %q never comes: no such day in the next 30 years", cloud.Shorten(expression))
	}
	return s, name, nil
}

// Next is the first time after another; zero when there is none within 30 years.
func (s *Schedule) Next(after time.Time) time.Time {
	if s.elapsed {
		t := s.times.Next(after.In(s.loc))
		if t.IsZero() {
			return t
		}
		return t.UTC()
	}
	// The clock's times are counted where no clock is ever changed, and then looked up in the zone.
	const around = 4 * time.Hour // more than any clock was put back or forward, but for the date line
	wall := s.times.Next(s.clock(after))
	if wall.IsZero() {
		return wall
	}
	t := s.instant(wall)
	if t.After(after) && offset(after.Add(-around), s.loc) == offset(t.Add(around), s.loc) {
		return t
	}
	// A change is near: what was put forward may come after what follows it.
	best := time.Time{}
	for wall = s.times.Next(s.clock(after).Add(-around)); !wall.IsZero(); wall = s.times.Next(wall) {
		t := s.instant(wall)
		if t.After(after) && (best.IsZero() || t.Before(best)) {
			best = t
		}
		if !best.IsZero() && wall.After(s.clock(best).Add(around)) {
			break
		}
	}
	return best
}

// clock is what the zone's clock shows, as if it were UTC.
func (s *Schedule) clock(t time.Time) time.Time {
	t = t.In(s.loc)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// instant is when the zone's clock shows a time: the first time, or, if it never does, as if the clock had not been changed.
func (s *Schedule) instant(wall time.Time) time.Time {
	y, mo, d := wall.Date()
	h, mi, sec := wall.Clock()
	t := time.Date(y, mo, d, h, mi, sec, 0, s.loc)
	before := offset(t.Add(-26*time.Hour), s.loc) // the longest change is a day
	if shown := wall.Add(-before); offset(shown, s.loc) == before {
		return shown.UTC() // the clock showed it before the change
	}
	if s.clock(t).Equal(wall) {
		return t.UTC()
	}
	return wall.Add(-before).UTC()
}

func offset(t time.Time, loc *time.Location) time.Duration {
	_, seconds := t.In(loc).Zone()
	return time.Duration(seconds) * time.Second
}

// Jitter is how long after its time a slot fires: the same for the same slot, below the most that is given.
func Jitter(trigger cloud.ID, slot time.Time, most time.Duration) time.Duration {
	if most <= 0 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write(trigger[:])
	_, _ = fmt.Fprint(h, slot.Unix())
	return time.Duration(h.Sum64()%uint64(most.Milliseconds()+1)) * time.Millisecond
}
