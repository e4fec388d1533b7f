package schedule

import (
	"errors"
	"fmt"
	"math/bits"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// maxExpression is the most bytes of an expression.
const maxExpression = 200

// expression is what a cron expression says of a clock, whatever its time zone. It never changes.
type expression struct {
	seconds, minutes, hours, months set
	days                            days
	// elapsed says that the hour field begins with *: hours that pass are counted.
	elapsed bool
}

// set has the numbers whose bit is 1, from 0 to 63.
type set uint64

func (s set) has(n int) bool { return s&(1<<n) != 0 }

// from is the least number of the set that is n or more.
func (s set) from(n int) (int, bool) {
	rest := uint64(s) >> n
	return n + bits.TrailingZeros64(rest), rest != 0
}

// first is the least number of a set that is not empty.
func (s set) first() int { return bits.TrailingZeros64(uint64(s)) }

// field is the place of an expression that has a kind of values.
type field struct {
	name string
	// low and high are the bounds of its values; after so many values they begin anew. That is one less than
	// the bounds say for days of the week, where 0 and 7 are Sunday.
	low, high, cycle int
	// names are those of its values from low on, three letters each; "" if it has none.
	names string
}

const (
	monthNames   = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"
	weekDayNames = "SUNMONTUEWEDTHUFRISAT"
)

var (
	seconds  = field{name: "second", low: 0, high: 59, cycle: 60}
	minutes  = field{name: "minute", low: 0, high: 59, cycle: 60}
	hours    = field{name: "hour", low: 0, high: 23, cycle: 24}
	monthDay = field{name: "day of the month", low: 1, high: 31, cycle: 31}
	months   = field{name: "month", low: 1, high: 12, cycle: 12, names: monthNames}
	weekDay  = field{name: "day of the week", low: 0, high: 7, cycle: 7, names: weekDayNames}

	// fieldPattern refuses TZ= and the like.
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

// parse reads an expression. Errors say what is wrong with it.
func parse(text string) (*expression, error) {
	fields, err := split(text)
	if err != nil {
		return nil, err
	}

	x := &expression{elapsed: strings.HasPrefix(fields[2], "*")}
	for _, plain := range []struct {
		field *field
		text  string
		into  *set
	}{
		{&seconds, fields[0], &x.seconds},
		{&minutes, fields[1], &x.minutes},
		{&hours, fields[2], &x.hours},
		{&months, fields[4], &x.months},
	} {
		if *plain.into, err = plain.field.parse(plain.text); err != nil {
			return nil, err
		}
	}

	if x.days, err = parseDays(fields[3], fields[5]); err != nil {
		return nil, err
	}
	return x, nil
}

// split returns the six fields of an expression in capitals.
func split(text string) ([]string, error) {
	if len(text) > maxExpression {
		return nil, fmt.Errorf("it is longer than %d bytes", maxExpression)
	}

	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "@") {
		macro, ok := macros[strings.ToLower(text)]
		if !ok {
			return nil, errors.New("of the names with @ there are @hourly, @daily, @midnight, @weekly, " +
				"@monthly, @yearly and @annually")
		}
		text = macro
	}

	fields := strings.Fields(text)
	if len(fields) != 5 && len(fields) != 6 {
		return nil, fmt.Errorf("it has %d fields", len(fields))
	}
	if len(fields) == 5 {
		fields = append([]string{"0"}, fields...)
	}

	for k, field := range fields {
		if !fieldPattern.MatchString(field) {
			return nil, fmt.Errorf("the field %q has other characters", field)
		}
		fields[k] = strings.ToUpper(field)
	}

	return fields, nil
}

// parse reads a list of values, ranges and steps.
func (f *field) parse(text string) (set, error) {
	var all set
	for item := range strings.SplitSeq(text, ",") {
		values, err := f.parseItem(item)
		if err != nil {
			return 0, err
		}
		all |= values
	}

	return all, nil
}

// parseItem reads an item of a list: * or a value or a range, and maybe a step. A value with a step is the
// range from there to the end.
func (f *field) parseItem(item string) (set, error) {
	span, stepText, hasStep := strings.Cut(item, "/")
	low, high := f.low, f.high

	if span != "*" {
		var err error
		if low, high, err = f.parseRange(span); err != nil {
			return 0, err
		}
		if hasStep && !strings.Contains(span, "-") {
			high = f.high
		}
	}

	step := 1
	if hasStep {
		// A step that leaves one value is more likely to be a mistake.
		most := max(1, high-low)
		n, err := strconv.ParseUint(stepText, 10, 8)
		if err != nil || n == 0 || int(n) > most {
			return 0, fmt.Errorf("the step of %q is not a number from 1 to %d", item, most)
		}
		step = int(n)
	}

	return f.every(low, high, step), nil
}

// parseRange reads a value, or two of them with - between. A range whose end is before its beginning goes
// on at the start of the field: high is above its values then.
func (f *field) parseRange(text string) (low, high int, err error) {
	first, last, isRange := strings.Cut(text, "-")
	if low, err = f.parseValue(first); err != nil {
		return 0, 0, err
	}
	if !isRange {
		return low, low, nil
	}

	if high, err = f.parseValue(last); err != nil {
		return 0, 0, err
	}
	if high < low {
		high += f.cycle
	}

	return low, high, nil
}

// every has the values from low to high that are a step apart. High may be above the field's values.
func (f *field) every(low, high, step int) set {
	var values set
	for v := low; v <= high; v += step {
		values |= 1 << (f.low + (v-f.low)%f.cycle)
	}
	return values
}

func (f *field) parseValue(text string) (int, error) {
	if k := strings.Index(f.names, text); len(text) == 3 && k >= 0 && k%3 == 0 {
		return f.low + k/3, nil
	}

	n, err := strconv.ParseUint(text, 10, 8)
	value := int(n)
	if err == nil && value >= f.low && value <= f.high {
		return value, nil
	}

	if text == "" {
		return 0, fmt.Errorf("a value is missing in the field of the %s", f.name)
	}
	names := ""
	if f.names != "" {
		names = ", or a name like " + f.names[:3]
	}

	return 0, fmt.Errorf("%q is no %s: that is a number from %d to %d%s", text, f.name, f.low, f.high, names)
}

// from is the first time at or after another that the expression means. Both are what a clock shows, in
// seconds since 1970 as if it were in UTC, where no clock is ever changed. False: there is none up to the
// end of lastYear.
func (x *expression) from(clock int64, lastYear int) (int64, bool) {
	at := time.Unix(clock, 0).UTC()
	year, month, day := at.Date()
	if x.daysOf(year, month).has(day) {
		hour, minute, second := at.Clock()
		if next, ok := x.timeOfDay(hour, minute, second); ok {
			midnight := clock - sinceMidnight(hour, minute, second)
			return midnight + next, true
		}
	}

	day++
	for year <= lastYear {
		if found, ok := x.daysOf(year, month).from(day); ok {
			next, _ := x.timeOfDay(0, 0, 0)
			return time.Date(year, month, found, 0, 0, 0, 0, time.UTC).Unix() + next, true
		}

		day = 1
		month++
		if month > time.December {
			month = time.January
			year++
		}
	}

	return 0, false
}

// timeOfDay is the first time of a day at or after another, in seconds since midnight.
func (x *expression) timeOfDay(hour, minute, second int) (int64, bool) {
	if x.hours.has(hour) {
		if x.minutes.has(minute) {
			if found, ok := x.seconds.from(second); ok {
				return sinceMidnight(hour, minute, found), true
			}
		}
		if found, ok := x.minutes.from(minute + 1); ok {
			return sinceMidnight(hour, found, x.seconds.first()), true
		}
	}

	found, ok := x.hours.from(hour + 1)
	return sinceMidnight(found, x.minutes.first(), x.seconds.first()), ok
}

func sinceMidnight(hour, minute, second int) int64 { return int64((hour*60+minute)*60 + second) }

// daysOf has the days of a month that the expression means.
func (x *expression) daysOf(year int, month time.Month) set {
	if !x.months.has(int(month)) {
		return 0
	}
	return x.days.of(year, month)
}
