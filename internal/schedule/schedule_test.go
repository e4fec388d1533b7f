package schedule

import (
	"bytes"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"picloud/internal/cloud"
)

// Each case has a start, and the times that follow it, as the zone's clock shows them.
func TestNext(t *testing.T) {
	t.Parallel()

	for _, c := range []struct{ expression, zone, from, want string }{
		{"30 2 * * *", "UTC", "2026-03-28T12:00", "03-29T02:30Z 03-30T02:30Z"},
		{"*/10 * * * * *", "UTC", "2026-03-28T12:00", "03-28T12:00:10Z 03-28T12:00:20Z"},
		{"0 0 29 2 *", "Europe/Berlin", "2026-03-01T00:00", "2028-02-29T00:00+01:00 2032-02-29T00:00+01:00"},
		{
			"0 0 31 * *", "Europe/Berlin", "2026-03-01T00:00",
			"03-31T00:00+02:00 05-31T00:00+02:00 07-31T00:00+02:00 08-31T00:00+02:00",
		},
		{"0 9 * JAN,jul MON-FRI/2", "UTC", "2026-06-30T00:00", "07-01T09:00Z 07-03T09:00Z 07-06T09:00Z"},
		// Either day, as in crontab(5).
		{
			"0 0 13 * 5", "UTC", "2026-03-01T00:00",
			"03-06T00:00Z 03-13T00:00Z 03-20T00:00Z 03-27T00:00Z 04-03T00:00Z 04-10T00:00Z 04-13T00:00Z",
		},
		// Both days, if one field begins with *.
		{"0 0 */2 * 1", "UTC", "2026-03-01T00:00", "03-09T00:00Z 03-23T00:00Z 04-13T00:00Z"},
		{"0 0 1 * */2", "UTC", "2026-03-02T00:00", "08-01T00:00Z 09-01T00:00Z 10-01T00:00Z"},
		{"0 0 13 * *,5", "UTC", "2026-03-01T00:00", "03-13T00:00Z 04-13T00:00Z"},
		{"0 0 ? * 5", "UTC", "2026-03-01T00:00", "03-06T00:00Z 03-13T00:00Z"},
		{"0 0 * * 7", "UTC", "2026-03-28T12:00", "03-29T00:00Z 04-05T00:00Z"},

		// Round the end of a field.
		{"0 0 * * FRI-MON/2", "UTC", "2026-03-01T00:00", "03-06T00:00Z 03-08T00:00Z 03-13T00:00Z"},
		{"0 0 * * 7-1", "UTC", "2026-03-01T00:00", "03-02T00:00Z 03-08T00:00Z 03-09T00:00Z"},
		{"0 0 30-2/2 * *", "UTC", "2026-03-01T00:00", "03-30T00:00Z 04-01T00:00Z 04-30T00:00Z"},
		{"0 22-2/3 * * *", "UTC", "2026-03-01T00:00", "03-01T01:00Z 03-01T22:00Z 03-02T01:00Z"},
		{"0 0 1 NOV-JAN *", "UTC", "2026-03-01T00:00", "11-01T00:00Z 12-01T00:00Z 2027-01-01T00:00Z"},

		// Days that depend on the month.
		{"0 0 * * 5L", "UTC", "2026-03-01T00:00", "03-27T00:00Z 04-24T00:00Z 05-29T00:00Z"},
		{"0 0 * * FriL", "UTC", "2026-03-01T00:00", "03-27T00:00Z 04-24T00:00Z 05-29T00:00Z"},
		{"0 0 * * fri#l", "UTC", "2026-03-01T00:00", "03-27T00:00Z 04-24T00:00Z 05-29T00:00Z"},
		{"0 0 * * 7L", "UTC", "2026-03-01T00:00", "03-29T00:00Z 04-26T00:00Z"},
		{"0 0 * * MON-TUEL", "UTC", "2026-03-01T00:00", "03-30T00:00Z 03-31T00:00Z 04-27T00:00Z 04-28T00:00Z"},
		{"0 0 * * THU#1,FRIL", "UTC", "2026-03-01T00:00", "03-05T00:00Z 03-27T00:00Z 04-02T00:00Z"},
		{"0 0 * * THU#5", "UTC", "2026-03-01T00:00", "04-30T00:00Z 07-30T00:00Z"},
		{"0 0 * * SAT-SUN#2", "UTC", "2026-03-01T00:00", "03-08T00:00Z 03-14T00:00Z 04-11T00:00Z 04-12T00:00Z"},
		{"0 0 L-3 * *", "UTC", "2026-02-01T00:00", "02-25T00:00Z 03-28T00:00Z"},
		{"0 0 LW * *", "UTC", "2026-01-01T00:00", "01-30T00:00Z 02-27T00:00Z 03-31T00:00Z"},
		{"0 0 1W * *", "UTC", "2026-01-30T00:00", "02-02T00:00Z 03-02T00:00Z 04-01T00:00Z 05-01T00:00Z"},
		{"0 0 31W * *", "UTC", "2026-01-01T00:00", "01-30T00:00Z 03-31T00:00Z 05-29T00:00Z"},
		{"0 0 L-2W * *", "UTC", "2026-02-01T00:00", "02-26T00:00Z 03-30T00:00Z"},
		{"0 0 L-30 * *", "UTC", "2026-02-01T00:00", "03-01T00:00Z 05-01T00:00Z"},
		{"0 0 1,L * *", "UTC", "2026-02-01T00:00", "02-28T00:00Z 03-01T00:00Z"},
		{"0 0 L * ?", "UTC", "2026-02-01T00:00", "02-28T00:00Z 03-31T00:00Z"},
		{"@daily", "Europe/Berlin", "2026-03-28T12:00", "03-29T00:00+01:00 03-30T00:00+02:00"},

		// The clock is put forward: 02:00 becomes 03:00 on 29 March.
		{"30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", "03-29T03:30+02:00 03-30T02:30+02:00"},
		{
			"*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00",
			"03-29T03:00+02:00 03-29T03:30+02:00 03-30T02:00+02:00",
		},
		{
			"15,45 2,3 * * *", "Europe/Berlin", "2026-03-29T00:00",
			"03-29T03:15+02:00 03-29T03:45+02:00 03-30T02:15+02:00",
		},
		{
			"30 * * * *", "Europe/Berlin", "2026-03-29T00:45",
			"03-29T01:30+01:00 03-29T03:30+02:00 03-29T04:30+02:00",
		},
		{"0 3 * * *", "Europe/Berlin", "2026-03-28T12:00", "03-29T03:00+02:00 03-30T03:00+02:00"},
		{
			"0 */2 * * *", "America/New_York", "2026-03-08T00:00",
			"03-08T04:00-04:00 03-08T06:00-04:00",
		},
		// Midnight is skipped, and the day begins at 01:00.
		{
			"*/20 * * * FRI", "Africa/Cairo", "2026-04-23T12:00",
			"04-24T01:00+03:00 04-24T01:20+03:00",
		},
		{
			"0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00",
			"2018-11-04T01:00-02:00 2018-11-05T00:00-02:00",
		},
		// By half an hour.
		{"15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00", "10-04T02:45+11:00 10-05T02:15+11:00"},
		{
			"0 */3 * * *", "Australia/Lord_Howe", "2026-10-04T00:00",
			"10-04T03:00+11:00 10-04T06:00+11:00",
		},
		// 30 December was left out: it and the 31st fall together.
		{"0 12 * * *", "Pacific/Apia", "2011-12-29T13:00", "2011-12-31T12:00+14:00 2012-01-01T12:00+14:00"},
		{"15 * * * SUN", "Pacific/Apia", "2011-12-29T17:00", "2012-01-01T00:15+14:00 2012-01-01T01:15+14:00"},

		// The clock is put back: 03:00 becomes 02:00 on 25 October.
		{"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", "10-25T02:30+02:00 10-26T02:30+01:00"},
		{
			"*/30 2 * * *", "Europe/Berlin", "2026-10-24T12:00",
			"10-25T02:00+02:00 10-25T02:30+02:00 10-26T02:00+01:00",
		},
		{
			"30 * * * *", "Europe/Berlin", "2026-10-25T00:45",
			"10-25T01:30+02:00 10-25T02:30+02:00 10-25T02:30+01:00 10-25T03:30+01:00",
		},
		{
			"0 */2 * * *", "Europe/Berlin", "2026-10-25T00:30",
			"10-25T02:00+02:00 10-25T02:00+01:00 10-25T04:00+01:00",
		},
		{"45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00", "04-05T01:45+11:00 04-06T01:45+10:30"},
		{"30 1 * * *", "America/New_York", "2026-10-31T12:00", "11-01T01:30-04:00 11-02T01:30-05:00"},
		{"0 3 * * *", "Europe/Berlin", "2026-10-25T02:30", "10-25T03:00+01:00 10-26T03:00+01:00"},
	} {
		t.Run(c.expression+" in "+c.zone+" from "+c.from, func(t *testing.T) {
			t.Parallel()
			s, _, err := Parse(c.expression, c.zone)
			if err != nil {
				t.Fatal(err)
			}

			from, err := time.ParseInLocation("2006-01-02T15:04", c.from, s.loc)
			if err != nil {
				t.Fatal(err)
			}

			at := from

			var got []string
			for range strings.Fields(c.want) {
				at = s.Next(at)
				got = append(got, show(at.In(s.loc), from.Year()))
			}

			if strings.Join(got, " ") != c.want {
				t.Errorf("got  %s\nwant %s", strings.Join(got, " "), c.want)
			}
		})
	}
}

// show writes a time without what the table leaves out: seconds that are 0, and the year if it is 2026 as
// in the start.
func show(at time.Time, year int) string {
	text := strings.Replace(at.Format("2006-01-02T15:04:05Z07:00"), ":00Z", "Z", 1)
	if at.Second() == 0 && !strings.HasSuffix(text, "Z") {
		text = text[:16] + text[19:]
	}
	if at.Year() == year && year == 2026 {
		text = text[5:]
	}

	return text
}

// Times rise strictly, over years and all changes of the clock, and each is found from just before it too.
func TestNextRises(t *testing.T) {
	t.Parallel()

	for _, zone := range []string{
		"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia",
		"Africa/Casablanca",
		"America/Sao_Paulo",
	} {
		for _, expression := range []string{
			"30 2 * * *", "*/20 0-3 * * *", "0 * * * *", "15,45 1,2,3 * 3,4,10,11 *",
		} {
			t.Run(expression+" in "+zone, func(t *testing.T) {
				t.Parallel()
				s, _, err := Parse(expression, zone)
				if err != nil {
					t.Fatal(err)
				}

				at := time.Date(2009, 1, 1, 0, 0, 0, 0, time.UTC)
				for range 3000 {
					next := s.Next(at)
					if !next.After(at) {
						t.Fatalf("%s follows %s", next, at)
					}
					if again := s.Next(next.Add(-time.Second)); !again.Equal(next) {
						t.Fatalf("%s is %s from a second before", next, again)
					}

					at = next
				}
			})
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()

	for _, c := range []struct{ expression, text string }{
		{"", "0 fields"},
		{"* * * *", "4 fields"},
		{"* * * * * * *", "7 fields"},
		{"60 * * * *", `"60" is no minute: that is a number from 0 to 59`},
		{"* 24 * * *", `"24" is no hour`},
		{"* * 0 * *", `"0" is no day of the month`},
		{"* * * 13 *", `"13" is no month: that is a number from 1 to 12, or a name like JAN`},
		{"* * * * 8", `"8" is no day of the week`},
		{"* * * * MONDAY", `"MONDAY" is no day of the week: that is a number from 0 to 7, or a name like SUN`},
		{"* * * * ONT", `"ONT" is no day of the week`},
		{"a * * * *", `"A" is no minute`},
		{"H * * * *", `"H" is no minute`},
		{"9999999999999999999999 * * * *", "is no minute"},
		{"0 0 30 2 *", "never comes: no such day in the next 30 years"},
		{"0 0 31 2,4,6 *", "never comes"},
		{"0 0 L-30 FEB *", "never comes"},
		{"TZ=UTC * * * * *", "other characters"},
		{"@every 5m", "of the names with @ there are @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually"},
		{"@reboot", "of the names with @ there are @hourly"},
		{"*/0 * * * *", `the step of "*/0" is not a number from 1 to 59`},
		{"*/60 * * * *", `the step of "*/60" is not a number from 1 to 59`},
		{"1-5/5 * * * *", `the step of "1-5/5" is not a number from 1 to 4`},
		{"*/ * * * *", `the step of "*/" is not`},
		{"*/2/3 * * * *", `the step of "*/2/3" is not`},
		{"*-5 * * * *", `"*" is no minute`},
		{"1-2-3 * * * *", `"2-3" is no minute`},
		{"* * * * MON-", "a value is missing in the field of the day of the week"},
		{"* * * * MON,", "a value is missing in the field of the day of the week"},
		{"* * * * ,MON", "a value is missing in the field of the day of the week"},
		{", * * * *", "a value is missing in the field of the minute"},
		{"0 9 1 * ? *", `"?" is no month`},
		{"0 9 1 ? *", `"?" is no month`},
		{"? * * * *", `"?" is no minute`},
		{"0 0 1,? * *", `"?" is no day of the month`},
		{"0 0 * * L", `"L" has no day of the week: write it like FRIL`},
		{"0 0 * * #2", `"#2" has no day of the week`},
		{"0 0 * * FRI#6", `"FRI#6": after # comes a number from 1 to 5`},
		{"0 0 * * FRI#", `"FRI#": after # comes`},
		{"0 0 * * *#2", `"*" is no day of the week`},
		{"0 0 * * 15W", `"15W" is no day of the week`},
		{"0 0 L-31 * *", `"L-31" is no day of the month`},
		{"0 0 L3 * *", `"L3" is no day of the month`},
		{"0 0 5L * *", `"5L" is no day of the month`},
		{"0 0 1-5W * *", `"1-5" is no day of the month`},
		{"0 0 W * *", "a value is missing in the field of the day of the month"},
		{"0 5L * * *", `"5L" is no hour`},
		{strings.Repeat("1,", 150) + "1 * * * *", "longer than 200 bytes"},
		{"\x00 * * * *", "other characters"},
		{"% * * * *", "other characters"},
		{"* * * * \u017fun", "other characters"},
	} {
		t.Run(cloud.Shorten(c.expression), func(t *testing.T) {
			t.Parallel()
			_, _, err := Parse(c.expression, "")
			if cloud.CodeOf(err) != cloud.CodeInvalid || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A name means its number, in any case and wherever a number may stand.
func TestNames(t *testing.T) {
	t.Parallel()

	names := map[string]string{}
	for k, name := range strings.Fields("SUN MON TUE WED THU FRI SAT") {
		for _, form := range []string{
			"0 9 * * @", "0 9 * * @,3", "0 9 * * 2,@", "0 9 * * @-4", "0 9 * * 1-@", "0 9 * * @/1",
			"0 9 * * @#1", "0 9 * * @#L", "0 9 * * @L", "0 9 * * @-6#2", "0 9 * * 1,@L", "0 0 9 * 1 @",
		} {
			names[strings.Replace(form, "@", name, 1)] = strings.Replace(form, "@", strconv.Itoa(k), 1)
		}
	}

	for k, name := range strings.Fields("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC") {
		for _, form := range []string{"0 9 1 @ *", "0 9 1 3,@ *", "0 9 1 @-5 *", "0 9 1 5-@ *", "0 0 9 1 @ 1"} {
			names[strings.Replace(form, "@", name, 1)] = strings.Replace(form, "@", strconv.Itoa(k+1), 1)
		}
	}

	for text, number := range names {
		want, err := parse(number)
		if err != nil {
			t.Fatal(err)
		}

		title := []byte(strings.ToLower(text))
		first := bytes.IndexFunc(title, unicode.IsLetter)
		title[first] = byte(unicode.ToUpper(rune(title[first])))

		for _, spelling := range []string{text, strings.ToLower(text), string(title)} {
			got, err := parse(spelling)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s is not %s: %v", spelling, number, err)
			}
		}
	}
}

// A zone has the name of the database in any case, and none is UTC.
func TestParseZone(t *testing.T) {
	t.Parallel()

	for _, zone := range []string{"Mars/Base", "local", "../etc/passwd", "+01:00", strings.Repeat("A", 100)} {
		_, _, err := Parse("* * * * *", zone)
		if cloud.CodeOf(err) != cloud.CodeInvalid || !strings.Contains(err.Error(), "time zone") {
			t.Errorf("zone %q: %v", zone, err)
		}
	}

	for zone, want := range map[string]string{"europe/berlin": "Europe/Berlin", "": "UTC", "zulu": "UTC"} {
		if _, name, err := Parse("* * * * *", zone); err != nil || name != want {
			t.Errorf("zone %q is %q: %v", zone, name, err)
		}
	}
}

// A macro means the expression that crontab(5) gives for it.
func TestMacros(t *testing.T) {
	t.Parallel()

	from := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC) // a Wednesday
	for macro, want := range map[string]string{
		"@hourly":   "2026-05-06T08:00:00Z",
		"@daily":    "2026-05-07T00:00:00Z",
		"@midnight": "2026-05-07T00:00:00Z",
		"@weekly":   "2026-05-10T00:00:00Z",
		" @Monthly": "2026-06-01T00:00:00Z",
		"@yearly":   "2027-01-01T00:00:00Z",
		"@annually": "2027-01-01T00:00:00Z",
	} {
		s, _, err := Parse(macro, "")
		if err != nil {
			t.Errorf("%s: %v", macro, err)
		} else if got := s.Next(from).Format(time.RFC3339); got != want {
			t.Errorf("%s: %s, want %s", macro, got, want)
		}
	}
}

// A slot's jitter is the same on every node, within its bounds, and not that of other slots and triggers.
func TestJitter(t *testing.T) {
	t.Parallel()
	slot := time.Unix(1_800_000_000, 0)
	if got := Jitter(cloud.ID{1}, slot, 0); got != 0 {
		t.Errorf("without jitter a slot fires %s late", got)
	}

	const most = 10 * time.Second

	seen := map[time.Duration]bool{}
	for n := range 100 {
		trigger, slot := cloud.ID{byte(n % 10)}, slot.Add(time.Duration(n/10)*time.Minute)
		got := Jitter(trigger, slot, most)
		if got < 0 || got > most || got%time.Millisecond != 0 {
			t.Errorf("a slot fires %s late", got)
		}
		if again := Jitter(trigger, slot.In(time.FixedZone("", 3600)), most); again != got {
			t.Errorf("the same slot fires %s and %s late", got, again)
		}

		seen[got] = true
	}

	if len(seen) < 90 {
		t.Errorf("100 slots have %d delays", len(seen))
	}
	if got := Jitter(cloud.ID{}, slot, time.Millisecond); got > time.Millisecond {
		t.Errorf("a slot fires %s late", got)
	}
}

// Whatever parses has times that rise.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"* * * * *", "*/5 1-3,7 L * MON#2", "0 0 LW * ?", "0 0 0 29 FEB SUN#L", "@daily", "59 23 31 12 7",
	} {
		f.Add(s, int64(1700000000))
	}
	f.Fuzz(func(t *testing.T, expression string, unix int64) {
		s, _, err := Parse(expression, "Europe/Berlin")
		if err != nil {
			return
		}

		from := time.Unix(unix%4e9, 0)
		if next := s.Next(from); !next.IsZero() && !next.After(from) {
			t.Errorf("%q: %s follows %s", expression, next, from)
		}
	})
}
