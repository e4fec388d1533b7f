package schedule

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// days is what the two day fields of an expression say together.
type days struct {
	// inMonth and inWeek are the days that the fields name. Those that depend on the month are beside them.
	inMonth      set
	inWeek       set
	movable      []movableDay
	someWeekDays []someWeekDay
	// either says that both fields are restricted: a day of either is meant. Otherwise it is a day of both.
	either bool
}

// movableDay is L, L-n, nW, LW or L-nW: a day of the month, or the weekday that is nearest to it.
type movableDay struct {
	// day counts from the first day of the month as 1 or, with fromEnd, from the last one as 0 backwards.
	day     int
	fromEnd bool
	// nearest says that the weekday (Monday to Friday) of the same month is meant that is nearest to the day.
	nearest bool
}

// someWeekDay is n#k, n#L or nL: not every one of those days of the week, but the k-th of the month or,
// with k = 0, the last one.
type someWeekDay struct {
	weekDays set
	k        int
}

// parseDays reads the fields of the day of the month and of the day of the week.
func parseDays(monthText, weekText string) (days, error) {
	var d days

	monthText, freeMonth := unrestricted(monthText)
	weekText, freeWeek := unrestricted(weekText)
	d.either = !freeMonth && !freeWeek

	for item := range strings.SplitSeq(monthText, ",") {
		if err := d.addMonthDay(item); err != nil {
			return days{}, err
		}
	}

	for item := range strings.SplitSeq(weekText, ",") {
		if err := d.addWeekDay(item); err != nil {
			return days{}, err
		}
	}

	return d, nil
}

// unrestricted reports whether a day field restricts nothing in the sense of crontab(5), which is so if it
// begins with *, even with a step. ? is * in a day field.
func unrestricted(text string) (string, bool) {
	if text == "?" {
		text = "*"
	}
	return text, strings.HasPrefix(text, "*")
}

func (d *days) addMonthDay(item string) error {
	if !strings.ContainsAny(item, "LW") {
		values, err := monthDay.parseItem(item)
		d.inMonth |= values
		return err
	}

	var day movableDay

	text, nearest := strings.CutSuffix(item, "W")
	day.nearest = nearest

	text, day.fromEnd = strings.CutPrefix(text, "L")
	if day.fromEnd {
		before, hasBefore := strings.CutPrefix(text, "-")
		n, err := strconv.ParseUint(before, 10, 8)
		if text != "" && (!hasBefore || err != nil || n < 1 || n > 30) {
			return fmt.Errorf("%q is no day of the month: with L that is L, LW, or like L-3 up to L-30", item)
		}
		day.day = int(n)
	} else {
		var err error
		if day.day, err = monthDay.parseValue(text); err != nil {
			return err
		}
	}

	d.movable = append(d.movable, day)
	return nil
}

func (d *days) addWeekDay(item string) error {
	span, which, isSome := strings.Cut(item, "#")
	if !isSome {
		span, isSome = strings.CutSuffix(item, "L")
		which = "L"
	}
	if !isSome {
		values, err := weekDay.parseItem(item)
		d.inWeek |= values
		return err
	}

	if span == "" {
		return fmt.Errorf("%q has no day of the week: write it like FRIL, FRI#L or FRI#2", item)
	}
	low, high, err := weekDay.parseRange(span)
	if err != nil {
		return err
	}

	k := 0
	if which != "L" {
		k, err = strconv.Atoi(which)
		if err != nil || k < 1 || k > 5 {
			return fmt.Errorf("%q: after # comes a number from 1 to 5, or L for the last of the month", item)
		}
	}

	d.someWeekDays = append(d.someWeekDays, someWeekDay{weekDays: weekDay.every(low, high, 1), k: k})
	return nil
}

// everySeventh has the days of a month that are whole weeks after its first one.
const everySeventh set = 1<<1 | 1<<8 | 1<<15 | 1<<22 | 1<<29

// of has the days of a month.
func (d *days) of(year int, month time.Month) set {
	last := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
	first := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC).Weekday()
	whole := set(1)<<(last+1) - 2

	inMonth := d.inMonth
	for _, movable := range d.movable {
		inMonth |= movable.in(first, last)
	}

	// Day 1+k of the month is the first one of the weekday that is k after its first one.
	inWeek := set(0)
	for k := range 7 {
		weekDay := (int(first) + k) % 7
		all := everySeventh << k & whole
		if d.inWeek.has(weekDay) {
			inWeek |= all
		}

		for _, some := range d.someWeekDays {
			if some.weekDays.has(weekDay) {
				inWeek |= some.of(k+1, last)
			}
		}
	}

	if d.either {
		return (inMonth | inWeek) & whole
	}
	return inMonth & inWeek & whole
}

// of is the one that is meant of the days that are weeks after a first one. A month may have no fifth.
func (s someWeekDay) of(first, last int) set {
	if s.k == 0 {
		return 1 << (last - (last-first)%7)
	}
	return 1 << (first + (s.k-1)*7)
}

// in is the day of a month of so many days whose first one has a weekday; empty if the month has no such
// day.
func (m movableDay) in(first time.Weekday, last int) set {
	day := m.day
	if m.fromEnd {
		day = last - m.day
	}
	if day < 1 || day > last {
		return 0
	}
	if !m.nearest {
		return 1 << day
	}

	switch time.Weekday((int(first) + day - 1) % 7) {
	case time.Saturday:
		if day == 1 {
			return 1 << 3
		}
		return 1 << (day - 1)
	case time.Sunday:
		if day == last {
			return 1 << (day - 2)
		}
		return 1 << (day + 1)
	default:
		return 1 << day
	}
}
