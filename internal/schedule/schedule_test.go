package schedule

import (
	"strings"
	"testing"
	"time"

	"picloud/internal/cloud"
)

// Each case says from when, and the times that follow, in the zone.
func TestNext(t *testing.T) {
	for _, c := range []struct{ expression, zone, from, want string }{
		{"30 2 * * *", "UTC", "2026-03-28T12:00", "03-29T02:30Z 03-30T02:30Z"},
		{"*/10 * * * * *", "UTC", "2026-03-28T12:00", "03-28T12:00:10Z 03-28T12:00:20Z"},
		{"0 0 29 2 *", "Europe/Berlin", "2026-03-01T00:00", "2028-02-29T00:00+01:00 2032-02-29T00:00+01:00"},
		{"0 0 31 * *", "Europe/Berlin", "2026-03-01T00:00", "03-31T00:00+02:00 05-31T00:00+02:00 07-31T00:00+02:00 08-31T00:00+02:00"},
		{"0 9 * JAN,jul MON-FRI/2", "UTC", "2026-06-30T00:00", "07-01T09:00Z 07-03T09:00Z 07-06T09:00Z"},
		{"0 0 13 * 5", "UTC", "2026-03-01T00:00", "03-06T00:00Z 03-13T00:00Z 03-20T00:00Z 03-27T00:00Z 04-03T00:00Z 04-10T00:00Z 04-13T00:00Z"}, // either day, as in crontab(5)
		{"0 0 * * 7", "UTC", "2026-03-28T12:00", "03-29T00:00Z 04-05T00:00Z"},
		{"0 0 L * ?", "UTC", "2026-02-01T00:00", "02-28T00:00Z 03-31T00:00Z"},
		{"@daily", "Europe/Berlin", "2026-03-28T12:00", "03-29T00:00+01:00 03-30T00:00+02:00"},
		// The clock is put forward: 02:00 becomes 03:00 on 29 March.
		{"30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", "03-29T03:30+02:00 03-30T02:30+02:00"},
		{"*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", "03-29T03:00+02:00 03-29T03:30+02:00 03-30T02:00+02:00"},
		{"15,45 2,3 * * *", "Europe/Berlin", "2026-03-29T00:00", "03-29T03:15+02:00 03-29T03:45+02:00 03-30T02:15+02:00"},
		{"30 * * * *", "Europe/Berlin", "2026-03-29T00:45", "03-29T01:30+01:00 03-29T03:30+02:00 03-29T04:30+02:00"},
		{"0 3 * * *", "Europe/Berlin", "2026-03-28T12:00", "03-29T03:00+02:00 03-30T03:00+02:00"},
		{"0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00", "2018-11-04T01:00-02:00 2018-11-05T00:00-02:00"}, // midnight is skipped
		{"15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00", "10-04T02:45+11:00 10-05T02:15+11:00"},        // by half an hour
		{"0 12 * * *", "Pacific/Apia", "2011-12-29T13:00", "2011-12-31T12:00+14:00 2012-01-01T12:00+14:00"},     // 30 December was left out: it and the 31st fall together
		// The clock is put back: 03:00 becomes 02:00 on 25 October.
		{"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", "10-25T02:30+02:00 10-26T02:30+01:00"},
		{"*/30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", "10-25T02:00+02:00 10-25T02:30+02:00 10-26T02:00+01:00"},
		{"30 * * * *", "Europe/Berlin", "2026-10-25T00:45", "10-25T01:30+02:00 10-25T02:30+02:00 10-25T02:30+01:00 10-25T03:30+01:00"},
		{"0 */2 * * *", "Europe/Berlin", "2026-10-25T00:30", "10-25T02:00+02:00 10-25T02:00+01:00 10-25T04:00+01:00"},
		{"45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00", "04-05T01:45+11:00 04-06T01:45+10:30"},
		{"30 1 * * *", "America/New_York", "2026-10-31T12:00", "11-01T01:30-04:00 11-02T01:30-05:00"},
		{"0 3 * * *", "Europe/Berlin", "2026-10-25T02:30", "10-25T03:00+01:00 10-26T03:00+01:00"},
	} {
		s, _, err := Parse(c.expression, c.zone)
		if err != nil {
			t.Errorf("%s in %s: %v", c.expression, c.zone, err)
			continue
		}
		at, err := time.ParseInLocation("2006-01-02T15:04", c.from, s.loc)
		if err != nil {
			t.Fatal(err)
		}
		year := at.Year()
		var got []string
		for range strings.Fields(c.want) {
			at = s.Next(at)
			text := at.In(s.loc).Format("2006-01-02T15:04:05Z07:00")
			text = strings.Replace(text, ":00Z", "Z", 1)
			if at.Second() == 0 && !strings.HasSuffix(text, "Z") {
				text = text[:16] + text[19:]
			}
			if at.In(s.loc).Year() == year && year == 2026 {
				text = text[5:]
			}
			got = append(got, text)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s in %s from %s:\n got %s\nwant %s", c.expression, c.zone, c.from, strings.Join(got, " "), c.want)
		}
	}
}

// Times rise strictly, over years and all changes of the clock, and none is forgotten by starting elsewhere.
func TestNextRises(t *testing.T) {
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "America/Sao_Paulo"} {
		for _, expression := range []string{"30 2 * * *", "*/20 0-3 * * *", "0 * * * *", "15,45 1,2,3 * 3,4,10,11 *"} {
			s, _, err := Parse(expression, zone)
			if err != nil {
				t.Fatal(err)
			}
			at := time.Date(2009, 1, 1, 0, 0, 0, 0, time.UTC)
			for range 3000 {
				next := s.Next(at)
				if !next.After(at) {
					t.Fatalf("%s in %s: %s follows %s", expression, zone, next, at)
				}
				if again := s.Next(next.Add(-time.Second)); !again.Equal(next) {
					t.Fatalf("%s in %s: %s is %s from a second before", expression, zone, next, again)
				}
				at = next
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for expression, want := range map[string]string{
		"": "0 fields", "* * * *": "4 fields", "* * * * * * *": "7 fields", "60 * * * *": "above maximum", "* 24 * * *": "above maximum", "a * * * *": "",
		"0 0 30 2 *": "never comes", "0 0 31 2,4,6 *": "never comes", "TZ=UTC * * * * *": "other characters", "@every 5s": "2 fields", "@reboot": "1 fields",
		"*/0 * * * *": "", "* * * * MON-": "", strings.Repeat("1,", 150) + "1 * * * *": "", "\x00 * * * *": "other characters", "% * * * *": "other characters",
	} {
		if _, _, err := Parse(expression, ""); cloud.CodeOf(err) != cloud.CodeInvalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", expression, err)
		}
	}
	for _, zone := range []string{"Mars/Base", "local", "../etc/passwd", "+01:00", strings.Repeat("A", 100)} {
		if _, _, err := Parse("* * * * *", zone); cloud.CodeOf(err) != cloud.CodeInvalid || !strings.Contains(err.Error(), "time zone") {
			t.Errorf("zone %q: %v", zone, err)
		}
	}
	if _, name, err := Parse("* * * * *", "europe/berlin"); err != nil || name != "Europe/Berlin" {
		t.Errorf("europe/berlin: %s %v", name, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"* * * * *", "*/5 1-3,7 L * MON#2", "0 0 LW * ?", "0 0 0 29 FEB SUN#L", "@daily", "59 23 31 12 7"} {
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
