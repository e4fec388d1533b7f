package orchestrator

import (
	"context"
	"math"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

// StatsQuery asks for an app's runs, or one script's, in steps of equal length from From to Until.
type StatsQuery struct {
	From, Until time.Time
	// Step is a number of whole minutes; of whole hours it is answered from the table by hour.
	Step   time.Duration
	Script cloud.ID
}

// MaxSteps is the most steps of one answer.
const MaxSteps = 1500

// StatsPoint counts the runs of one step. Quantiles are interpolated in buckets whose bounds double, so they are right to
// about a third.
type StatsPoint struct {
	At            time.Time
	Runs, Errors  int64
	Outcomes      map[cloud.Status]int64
	P50, P95, P99 time.Duration
	histogram     [buckets]int64
}

// RunStats counts runs over time. From is rounded down and Until up to a step; points without a run are there, empty.
// Runs of the last ten seconds may be missing.
func (o *Orchestrator) RunStats(ctx context.Context, app cloud.AppID, q StatsQuery) ([]StatsPoint, error) {
	switch {
	case q.Step < time.Minute || q.Step%time.Minute != 0:
		return nil, cloud.Errorf(cloud.CodeInvalid, "step must be a number of whole minutes")
	case !q.From.Before(q.Until):
		return nil, cloud.Errorf(cloud.CodeInvalid, "from must be before to")
	case q.Until.Sub(q.From)/q.Step >= MaxSteps:
		return nil, cloud.Errorf(cloud.CodeInvalid, "from, to and step make more than %d points: use a longer step", MaxSteps)
	}
	from := q.From.UTC().Truncate(q.Step)
	points := make([]StatsPoint, (q.Until.Sub(from)+q.Step-1)/q.Step)
	for k := range points {
		points[k] = StatsPoint{At: from.Add(time.Duration(k) * q.Step), Outcomes: map[cloud.Status]int64{}}
	}
	until := from.Add(time.Duration(len(points)) * q.Step)
	add := func(at time.Time, outcome string, n int64, histogram []int64) {
		p := &points[at.Sub(from)/q.Step]
		p.Runs += n
		p.Outcomes[cloud.Status(outcome)] += n
		if cloud.Status(outcome) != cloud.Succeeded {
			p.Errors += n
		}
		for k := range min(len(histogram), buckets) {
			p.histogram[k] += histogram[k]
		}
	}
	if err := o.readStats(ctx, app, q, from, until, add); err != nil {
		return nil, explain("read statistics", err)
	}
	for k := range points {
		p := &points[k]
		p.P50, p.P95, p.P99 = quantile(&p.histogram, 0.5), quantile(&p.histogram, 0.95), quantile(&p.histogram, 0.99)
	}
	return points, nil
}

func (o *Orchestrator) readStats(ctx context.Context, app cloud.AppID, q StatsQuery, from, until time.Time,
	add func(at time.Time, outcome string, n int64, histogram []int64),
) error {
	arg := db.StatsByMinuteParams{AppID: int64(app), ScriptID: q.Script, Since: from, Until: until}
	if q.Step%time.Hour == 0 {
		rows, err := o.cfg.DB.Queries().StatsByHour(ctx, db.StatsByHourParams(arg))
		for _, r := range rows {
			add(r.At, r.Outcome, r.N, r.Histogram)
		}
		return err
	}
	rows, err := o.cfg.DB.Queries().StatsByMinute(ctx, arg)
	for _, r := range rows {
		add(r.At, r.Outcome, r.N, r.Histogram)
	}
	return err
}

// Quantiles gives the median and the 95th percentile of all the runs of some points.
func Quantiles(points []StatsPoint) (p50, p95 time.Duration) {
	var all [buckets]int64
	for k := range points {
		for b, n := range points[k].histogram {
			all[b] += n
		}
	}
	return quantile(&all, 0.5), quantile(&all, 0.95)
}

// quantile finds the duration under which a share of the runs stayed.
func quantile(h *[buckets]int64, share float64) time.Duration {
	var all int64
	for _, n := range h {
		all += n
	}
	if all == 0 {
		return 0
	}
	rank := share * float64(all)
	var below int64
	for k, n := range h {
		if float64(below+n) < rank || n == 0 {
			below += n
			continue
		}
		low, high := 0.0, math.Exp2(float64(k))
		if k > 0 {
			low = high / 2
		}
		ms := low + (high-low)*(rank-float64(below))/float64(n)
		return time.Duration(ms * float64(time.Millisecond))
	}
	return time.Duration(math.Exp2(buckets-1)) * time.Millisecond
}

// RunCount is an app's runs, and those of them that did not succeed.
type RunCount struct{ Runs, Errors int64 }

// CountRuns counts the runs of some apps in the last 24 hours, to the full hour.
func (o *Orchestrator) CountRuns(ctx context.Context, apps []cloud.AppID) (map[cloud.AppID]RunCount, error) {
	rows, err := o.cfg.DB.Queries().CountRuns(ctx, appIDs(apps), time.Now().Add(-23*time.Hour).Truncate(time.Hour))
	out := make(map[cloud.AppID]RunCount, len(rows))
	for _, r := range rows {
		out[cloud.AppID(r.AppID)] = RunCount{r.Runs, r.Errors}
	}
	return out, explain("count runs", err)
}
