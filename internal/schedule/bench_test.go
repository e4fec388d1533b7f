package schedule

import (
	"testing"
	"time"
)

// A node that was away asks for up to 1,000 slots of a schedule at once.
func BenchmarkNext(b *testing.B) {
	for _, c := range []struct{ expression, zone string }{
		{"*/10 * * * * *", "UTC"},
		{"*/5 * * * *", "Europe/Berlin"},
		{"30 2 * * *", "Europe/Berlin"},
		{"0 9 * * MON-FRI", "America/New_York"},
		{"0 0 L * *", "Europe/Berlin"},
		{"0 0 29 2 *", "Europe/Berlin"},
	} {
		b.Run(c.expression+" in "+c.zone, func(b *testing.B) {
			s, _, err := Parse(c.expression, c.zone)
			if err != nil {
				b.Fatal(err)
			}

			from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

			at := from
			for b.Loop() {
				if at = s.Next(at); at.Year() > 2040 {
					at = from
				}
			}
		})
	}
}
