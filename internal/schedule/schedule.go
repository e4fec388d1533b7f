// Package schedule computes when a cron trigger fires. It does not wait and stores nothing.
//
// An expression has five fields (minute, hour, day of the month, month, day of the week), or six with the
// second first. Fields take lists, ranges, steps and English names; L, W and # work as in Quartz. If both
// days are restricted, either suffices, as in crontab(5).
//
// Around a change of daylight-saving time there are two rules. An expression whose hour field begins with *
// counts the hours that pass: it fires in both of the repeated hours and not in the skipped one. Every
// other expression means the time that a clock shows: in a repeated hour it fires once, the first time, and
// a time that is skipped fires as much later as the clock was put forward.
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

// Schedule is a parsed expression in a time zone. It never changes, so it is safe for concurrent use.
type Schedule struct {
	times cron.Schedule
	loc   *time.Location
	// elapsed says that the hour field begins with *: hours that pass are counted.
	elapsed bool
}

const (
	// maxExpression is the most bytes of an expression.
	maxExpression = 200
	// searchYears is how far ahead the next time is looked for.
	searchYears = 30

	// maxChange is more than any clock was ever put forward or back, but for the date line.
	maxChange = 4 * time.Hour
	// longestChange is more than the longest change, a day: Samoa crossed the date line in 2011.
	longestChange = 26 * time.Hour
)

var (
	parser = cron.MustNewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month |
		cron.Dow | cron.DowOrDom | cron.DomL | cron.DomW | cron.DowNth | cron.DowLast).
		WithMaxSearchYears(searchYears)

	// fieldPattern refuses TZ= and the like, which the parser would read.
	fieldPattern = regexp.MustCompile(`^[0-9A-Za-z*/,#?-]+$`)

	macros = map[string]string{
		"@yearly":   "0 0 1 1 *",
		"@annually": "0 0 1 1 *",
		"@monthly":  "0 0 1 * *",
		"@weekly":   "0 0 * * 0",
		"@daily":    "0 0 * * *",
		"@midnight": "0 0 * * *",
		"@hourly":   "0 * * * *",
	}
)

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

	fields, why := split(expression)
	if why != "" {
		return nil, "", badExpression(expression, why)
	}

	times, err := parser.Parse(strings.Join(fields, " "))
	if err != nil {
		return nil, "", badExpression(expression, cloud.Shorten(err.Error()))
	}

	hours := fields[len(fields)-4]
	s := &Schedule{times: times, loc: loc, elapsed: strings.HasPrefix(hours, "*")}
	if s.Next(time.Now()).IsZero() {
		return nil, "", cloud.Errorf(cloud.CodeInvalid,
			"the schedule %q never comes: no such day in the next %d years",
			cloud.Shorten(expression), searchYears)
	}

	return s, name, nil
}

// split returns the five or six fields of an expression in capitals, or says what is wrong with it.
func split(expression string) (fields []string, why string) {
	full := strings.ToLower(strings.TrimSpace(expression))
	if macro, ok := macros[full]; ok {
		full = macro
	}

	fields = strings.Fields(strings.ToUpper(full))
	if len(fields) != 5 && len(fields) != 6 || len(expression) > maxExpression {
		return nil, fmt.Sprintf("it has %d fields", len(fields))
	}

	for _, field := range fields {
		if !fieldPattern.MatchString(field) {
			return nil, fmt.Sprintf("the field %q has other characters", cloud.Shorten(field))
		}
	}

	return fields, ""
}

func badExpression(expression, why string) error {
	return cloud.Errorf(cloud.CodeInvalid, "the schedule %q is not a cron expression: %s. "+
		"It needs 5 fields (minute hour day month weekday) or 6 with the second first, "+
		"like \"30 2 * * MON-FRI\"", cloud.Shorten(expression), why)
}

// Next is the first time after another, zero if there is none within 30 years.
func (s *Schedule) Next(after time.Time) time.Time {
	if s.elapsed {
		next := s.times.Next(after.In(s.loc))
		if next.IsZero() {
			return next
		}
		return next.UTC()
	}

	// Times of a clock are counted in UTC, where no clock is ever changed, and then looked up in the zone.
	wall := s.times.Next(s.clock(after))
	if wall.IsZero() {
		return wall
	}

	next := s.instant(wall)
	unchanged := offset(after.Add(-maxChange), s.loc) == offset(next.Add(maxChange), s.loc)
	if next.After(after) && unchanged {
		return next
	}

	return s.nextAroundChange(after)
}

// nextAroundChange is Next near a change of the clock, where the order of the clock's times is not that of
// their instants: a time that was skipped fires later, maybe after the one that follows it on the clock.
func (s *Schedule) nextAroundChange(after time.Time) time.Time {
	var best time.Time

	wall := s.times.Next(s.clock(after).Add(-maxChange))
	for ; !wall.IsZero(); wall = s.times.Next(wall) {
		instant := s.instant(wall)
		if instant.After(after) && (best.IsZero() || instant.Before(best)) {
			best = instant
		}
		if !best.IsZero() && wall.After(s.clock(best).Add(maxChange)) {
			break
		}
	}

	return best
}

// clock is what the zone's clock shows at a time, as if it were UTC.
func (s *Schedule) clock(t time.Time) time.Time {
	t = t.In(s.loc)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// instant is when the zone's clock shows a time. If it does so twice, it is the first time; if never, it is
// when the clock would have shown it without the change.
func (s *Schedule) instant(wall time.Time) time.Time {
	year, month, date := wall.Date()
	hour, minute, second := wall.Clock()
	shown := time.Date(year, month, date, hour, minute, second, 0, s.loc)

	// Before a change that is near, the zone had this offset. If the clock showed the time with it, that
	// was the first time.
	before := offset(shown.Add(-longestChange), s.loc)
	first := wall.Add(-before)
	if offset(first, s.loc) == before {
		return first.UTC()
	}
	if s.clock(shown).Equal(wall) {
		return shown.UTC()
	}

	return first.UTC()
}

func offset(t time.Time, loc *time.Location) time.Duration {
	_, seconds := t.In(loc).Zone()
	return time.Duration(seconds) * time.Second
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
