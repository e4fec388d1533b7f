package schedule

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// changing are zones with a year in which their clocks were or will be changed, each in its own way.
var changing = []struct {
	zone string
	year int
}{
	{"UTC", 2026},
	{"Europe/Berlin", 2026},
	{"Europe/Dublin", 2026}, // its standard time is that of summer
	{"America/New_York", 2026},
	{"America/New_York", 2040}, // after the years whose changes are listed, and a leap year
	{"Australia/Lord_Howe", 2026},
	{"Pacific/Chatham", 2026},   // 45 minutes from the full hour
	{"Africa/Cairo", 2026},      // midnight is skipped
	{"Asia/Beirut", 2026},       // midnight is skipped
	{"America/Sao_Paulo", 2018}, // midnight is skipped
	{"America/Havana", 2026},    // midnight is skipped, and the hour after it repeated
	{"America/Santiago", 2026},  // the hour before midnight is repeated
	{"America/Nuuk", 2026},      // the hour before midnight is skipped
	{"Asia/Gaza", 2026},
	{"Europe/Chisinau", 2026},
	{"Africa/Casablanca", 2026},
	{"Antarctica/Troll", 2026}, // by two hours
	{"Asia/Pyongyang", 2015},   // back by half an hour, at midnight
	{"Asia/Pyongyang", 2018},   // forward by half an hour
	{"Pacific/Apia", 2011},     // a whole day was left out
	{"Pacific/Kwajalein", 1993},
}

// changingExpressions are expressions for each of these years.
var changingExpressions = []string{
	"* * * * *", "*/7 * * * *", "0 * * * *", "30 * * * *", "15,45 * * * *", "59 * * * *", "*/20 * * * FRI",
	"15 * * * SUN", "30 * 24 4 *", "0 * 30 12 *", "30 * L * *", "0 * * * SUN#L", "45 * * 3,4,10,11 0,6",
	"0 */2 * * *", "30 */2 * * *", "*/15 */2 * * *", "0 */3 * * *", "0 */4 * * *", "0 */6 * * *", "0 */12 * * *",
	"0 */2 * * SUN", "0 */2 * * FRI", "0 */3 24 * *", "20 */5 * * 6,0", "0 *,3 * * *", "0 */1 * * *",
	"0 */2 1W * *", "30 */23 * * *",
	"30 2 * * *", "0 2 * * *", "0 3 * * *", "30 1 * * *", "0 1 * * *", "59 1 * * *", "*/30 2 * * *",
	"15,45 2,3 * * *", "15,45 1,2,3 * 3,4,10,11 *", "*/20 0-3 * * *", "* 2 * * *", "*/10 1-3 * * *", "0 0 * * *",
	"30 0 * * *", "59 23 * * *", "0 23 * * *", "15 0-23 * * FRI", "30 0-23 * * *", "15 0-23 * * SUN", "0 0 * * SUN",
	"30 0 * * SUN", "0 0 1 * *", "30 23 L * *", "30 2 * * SUN#L", "30 2 * * SUNL", "30 2 * * SUN#1", "30 2 LW * *",
	"45 1,2 * * *", "15 2 * * *", "15 2,3 * 4,10 *", "0 12 * * *", "0 12 30 12 *", "0 22-2 * * *", "*/45 22-4/3 * * *",
	"30 1 29 3 *", "30 2 */2 * 0", "30 2 1-10 * 0", "0 2 8 3 *", "30 3 25 10 *", "30 0 24 4 *", "5 0,12 * MAR-OCT *",
	"0 4 * * *", "30 23 * * SAT", "45 2 * * SAT,SUN",
	"*/10 * * * * *", "30 */7 * * * *", "0 59 */2 * * *", "0,30 30 2 * * *", "*/25 0,59 0-3 * * *", "1 1 */3 * * *",
}

// Around each change of a clock a schedule fires when a second implementation says so, which goes through
// all instants and looks at the clock.
func TestChangesOfTheClock(t *testing.T) {
	t.Parallel()

	places := changing
	if testing.Short() {
		places = changing[:8]
	}

	for _, place := range places {
		t.Run(place.zone+" in "+strconv.Itoa(place.year), func(t *testing.T) {
			t.Parallel()

			loc, err := time.LoadLocation(place.zone)
			if err != nil {
				t.Fatal(err)
			}

			for _, change := range changesIn(loc, place.year) {
				byMinute := watch(loc, change, time.Minute, 36*time.Hour)
				bySecond := watch(loc, change, time.Second, 2*time.Hour)

				for _, expression := range changingExpressions {
					if len(strings.Fields(expression)) == 6 {
						bySecond.check(t, expression)
					} else {
						byMinute.check(t, expression)
					}
				}
			}
		})
	}
}

// changesIn are the hours of a year in which the clock was changed, and two in which it was not.
func changesIn(loc *time.Location, year int) []time.Time {
	from := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
	changes := []time.Time{from, from.AddDate(0, 12, -1)}

	_, before := from.In(loc).Zone()
	for at := from; at.Year() == year; at = at.Add(time.Hour) {
		if _, offset := at.In(loc).Zone(); offset != before {
			changes = append(changes, at)
			before = offset
		}
	}

	return changes
}

// watched is what the clock of a zone shows from one time to before another, at instants that are a step apart.
type watched struct {
	loc         *time.Location
	from, until time.Time
	step        time.Duration
	showings    []showing
}

// showing is a time that a clock shows, or skips, and the instant at which it does.
type showing struct {
	at                   time.Time
	date                 time.Time
	hour, minute, second int
	// again: the clock has shown this time before. skipped: it never does; at is as long after the last time
	// before it as if it did.
	again, skipped bool
}

// watch goes through all instants around a moment and asks of each what the clock shows.
func watch(loc *time.Location, moment time.Time, step, around time.Duration) *watched {
	w := &watched{loc: loc, from: moment.Add(-around), until: moment.Add(around), step: step}
	var latest time.Time // that the clock has shown or skipped
	add := func(at, clock time.Time, skipped bool) {
		if !at.Before(w.from) && at.Before(w.until) {
			s := showing{at: at, date: clock.Truncate(24 * time.Hour), skipped: skipped}
			s.again = !clock.After(latest)
			s.hour, s.minute, s.second = clock.Clock()
			w.showings = append(w.showings, s)
		}
		if clock.After(latest) {
			latest = clock
		}
	}

	// No clock was ever changed by more than 24 hours.
	var before time.Time
	for at := w.from.Add(-25 * time.Hour); at.Before(w.until); at = at.Add(step) {
		_, offset := at.In(loc).Zone()
		clock := at.Add(time.Duration(offset) * time.Second)

		if !before.IsZero() {
			for skipped := before.Add(step); skipped.Before(clock); skipped = skipped.Add(step) {
				add(at.Add(skipped.Sub(before)-step), skipped, true)
			}
		}
		add(at, clock, false)
		before = clock
	}

	slices.SortStableFunc(w.showings, func(a, b showing) int { return a.at.Compare(b.at) })
	return w
}

// times are those at which an expression fires.
func (w *watched) times(expression string) []time.Time {
	means := meaning(expression)
	fields := strings.Fields(expression)
	elapsed := fields[len(fields)-4][0] == '*'

	var times []time.Time
	for k := range w.showings {
		s := &w.showings[k]
		if elapsed && s.skipped || !elapsed && s.again || !means(s) {
			continue
		}
		if len(times) == 0 || !times[len(times)-1].Equal(s.at) {
			times = append(times, s.at)
		}
	}

	return times
}

// check compares the times of a schedule with those of the second implementation.
func (w *watched) check(t *testing.T, expression string) {
	t.Helper()
	s, _, err := Parse(expression, w.loc.String())
	if err != nil {
		t.Fatal(err)
	}

	want := w.times(expression)
	wrong := func(after, got, want time.Time) {
		t.Helper()
		t.Errorf("%s in %s: after %s comes %s, and should %s", expression, w.loc,
			after.In(w.loc), got.In(w.loc), want.In(w.loc))
	}

	after := w.from.Add(-time.Second)
	for _, at := range want {
		next := s.Next(after)
		if !next.Equal(at) {
			wrong(after, next, at)
			return
		}
		after = at
	}
	if next := s.Next(after); next.Before(w.until) {
		wrong(after, next, w.until)
	}

	// Whoever asks does not always do so at one of its times.
	for k, after := 0, w.from.Add(-time.Second/2); k < len(want); after = after.Add(61 * w.step) {
		for k < len(want) && !want[k].After(after) {
			k++
		}
		if k == len(want) {
			break
		}
		if next := s.Next(after); !next.Equal(want[k]) {
			wrong(after, next, want[k])
			return
		}
	}
}

// meaning is whether an expression means a time.
func meaning(expression string) func(*showing) bool {
	fields := strings.Fields(expression)
	if len(fields) == 5 {
		fields = append([]string{"0"}, fields...)
	}

	// What the fields say of each value, and of a day, is looked up in the text once.
	second := table(fields[0], 0, 59)
	minute := table(fields[1], 0, 59)
	hour := table(fields[2], 0, 23)
	var date time.Time
	var onDate bool

	return func(s *showing) bool {
		if !second[s.second] || !minute[s.minute] || !hour[s.hour] {
			return false
		}
		if s.date != date {
			date = s.date
			onDate = meansDate(fields, date)
		}

		return onDate
	}
}

func table(field string, low, high int) (values [60]bool) {
	for v := low; v <= high; v++ {
		values[v] = slices.ContainsFunc(strings.Split(field, ","), func(item string) bool {
			return meansValue(item, v, low, high)
		})
	}
	return values
}

func meansDate(fields []string, date time.Time) bool {
	any := func(field string, means func(item string) bool) bool {
		return slices.ContainsFunc(strings.Split(field, ","), means)
	}

	if !any(fields[4], func(item string) bool { return meansValue(item, int(date.Month()), 1, 12) }) {
		return false
	}

	inMonth := any(fields[3], func(item string) bool { return meansMonthDay(item, date) })
	inWeek := any(fields[5], func(item string) bool { return meansWeekDay(item, date) })
	if fields[3][0] != '*' && fields[5][0] != '*' {
		return inMonth || inWeek
	}

	return inMonth && inWeek
}

func meansMonthDay(item string, date time.Time) bool {
	// The day that is meant, and whether the weekday nearest to it is.
	target := func(day string) (time.Time, bool) {
		last := time.Date(date.Year(), date.Month()+1, 0, 0, 0, 0, 0, time.UTC)
		if back, isLast := strings.CutPrefix(day, "L"); isLast {
			return last.AddDate(0, 0, number(back)), true
		}
		if number(day) > last.Day() {
			return time.Time{}, false
		}
		return time.Date(date.Year(), date.Month(), number(day), 0, 0, 0, 0, time.UTC), true
	}
	works := func(day time.Time) bool {
		return day.Weekday() != time.Saturday && day.Weekday() != time.Sunday
	}

	day, nearest := strings.CutSuffix(item, "W")
	if !nearest && !strings.HasPrefix(item, "L") {
		return meansValue(item, date.Day(), 1, 31)
	}

	at, ok := target(day)
	if !ok || at.Month() != date.Month() {
		return false
	}
	if !nearest {
		return at.Equal(date)
	}

	for _, distance := range []int{0, -1, 1, -2, 2} {
		if d := at.AddDate(0, 0, distance); d.Month() == at.Month() && works(d) {
			return d.Equal(date)
		}
	}

	return false
}

func meansWeekDay(item string, date time.Time) bool {
	span, which, some := strings.Cut(item, "#")
	if !some && strings.HasSuffix(item, "L") {
		span, which, some = item[:len(item)-1], "L", true
	}

	v := int(date.Weekday())
	if !meansValue(span, v, 0, 7) && (v != 0 || !meansValue(span, 7, 0, 7)) {
		return false
	}

	switch {
	case !some:
		return true
	case which == "L":
		return date.AddDate(0, 0, 7).Month() != date.Month()
	default:
		n := number(which)
		return date.AddDate(0, 0, -7*(n-1)).Month() == date.Month() &&
			date.AddDate(0, 0, -7*n).Month() != date.Month()
	}
}

// meansValue reports whether an item of a list means a value: it counts from the beginning of the item's
// range, round the end of the field if need be, until it comes to the value.
func meansValue(item string, value, low, high int) bool {
	span, step, hasStep := strings.Cut(item, "/")
	every := 1
	if hasStep {
		every = number(step)
	}

	first, last, isRange := strings.Cut(span, "-")
	from, to := low, high

	switch {
	case isRange:
		from, to = number(first), number(last)
	case span != "*" && hasStep:
		from = number(span)
	case span != "*":
		return number(span) == value
	}

	for n, v := 0, from; ; n++ {
		if v == value && n%every == 0 {
			return true
		}
		if v == to {
			return false
		}
		if v++; v > high {
			v = low
		}
		if high == 7 && v == 7 && from > to { // Sunday, for the second time
			v = 0
		}
	}
}

func number(text string) int {
	const names = "SUNMONTUEWEDTHUFRISAT JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"
	if k := strings.Index(names, text); len(text) == 3 && k >= 0 {
		return []int{k / 3, (k-22)/3 + 1}[min(1, k/22)]
	}
	n, _ := strconv.Atoi(text)
	return n
}
