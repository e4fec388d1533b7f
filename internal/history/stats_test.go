package history

import (
	"testing"
	"time"

	"picloud/internal/cloud"
)

func TestQuantile(t *testing.T) {
	t.Parallel()
	// 50 runs under 1 ms, 49 of 4 to 8 ms, one longer than everything.
	mixed := [buckets]int64{0: 50, 3: 49, buckets - 1: 1}

	for _, c := range []struct {
		name      string
		histogram [buckets]int64
		share     float64
		low, high float64 // ms
	}{
		{"no runs have no quantile", [buckets]int64{}, 0.5, 0, 0},
		{"within the first bucket", mixed, 0.25, 0.4, 0.6},
		{"end of the first bucket", mixed, 0.5, 0.9, 1.1},
		{"within a bucket after empty ones", mixed, 0.75, 5, 7},
		{"end of that bucket", mixed, 0.99, 7, 8.1},
		{"the last bucket", mixed, 1, 65536, 131072},
		{"one run", [buckets]int64{4: 1}, 0.5, 8, 16},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()

			ms := quantile(&c.histogram, c.share).Seconds() * 1000
			if ms < c.low || ms > c.high {
				t.Errorf("quantile %v is %v ms, want within %v and %v", c.share, ms, c.low, c.high)
			}
		})
	}
}

func TestBucketOf(t *testing.T) {
	t.Parallel()

	for d, want := range map[time.Duration]int{
		0:                      0,
		999 * time.Microsecond: 0,
		time.Millisecond:       1,
		3 * time.Millisecond:   2,
		4 * time.Millisecond:   3,
		65 * time.Second:       buckets - 2,
		66 * time.Second:       buckets - 1,
		time.Hour:              buckets - 1,
	} {
		if got := bucketOf(d); got != want {
			t.Errorf("%s is in bucket %d, want %d", d, got, want)
		}
	}
}

// The median of points is that of their runs, not of their medians.
func TestQuantiles(t *testing.T) {
	t.Parallel()
	points := []StatsPoint{
		{histogram: [buckets]int64{1: 98}},
		{histogram: [buckets]int64{10: 2}},
	}

	p50, p95 := Quantiles(points)
	if p50 > 2*time.Millisecond || p95 > 2*time.Millisecond {
		t.Errorf("p50 %s and p95 %s of 98 fast runs and 2 slow ones", p50, p95)
	}
}

func TestStatsQuery(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

	for _, c := range []struct {
		name  string
		query StatsQuery
		want  string // "": it can be answered
	}{
		{"a day in hours", StatsQuery{From: now.Add(-24 * time.Hour), Until: now, Step: time.Hour}, ""},
		{"most steps",
			StatsQuery{From: now.Add(-(MaxSteps - 1) * time.Minute), Until: now, Step: time.Minute}, ""},
		{"too many steps", StatsQuery{From: now.Add(-MaxSteps * time.Minute), Until: now, Step: time.Minute},
			"from, to and step make more than 1500 points: use a longer step"},
		{"no step", StatsQuery{From: now.Add(-time.Hour), Until: now},
			"step must be a number of whole minutes"},
		{"half a minute", StatsQuery{From: now.Add(-time.Hour), Until: now, Step: 90 * time.Second},
			"step must be a number of whole minutes"},
		{"nothing between", StatsQuery{From: now, Until: now, Step: time.Minute}, "from must be before to"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := c.query.check()
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}

			if err == nil || err.Error() != "invalid: "+c.want || cloud.CodeOf(err) != cloud.CodeInvalid {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}
