package history

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
	Step time.Duration
	// Script is zero for all scripts of the app.
	Script cloud.ID
}

// MaxSteps is the most steps of one answer.
const MaxSteps = 1500

// StatsPoint counts the runs of one step. Quantiles are interpolated in buckets whose bounds double, so they
// are right to about a third.
type StatsPoint struct {
	At            time.Time
	Runs, Errors  int64
	Outcomes      map[cloud.Status]int64
	P50, P95, P99 time.Duration
	histogram     [buckets]int64
}

func (p *StatsPoint) add(outcome cloud.Status, n int64, histogram []int64) {
	p.Runs += n
	p.Outcomes[outcome] += n
	if outcome != cloud.Succeeded {
		p.Errors += n
	}

	for i := range min(len(histogram), buckets) {
		p.histogram[i] += histogram[i]
	}
}

// RunStats counts runs over time. From is rounded down and Until up to a step; points without a run are
// there, empty. Runs of the last ten seconds may be missing. Errors: CodeInvalid for a query that makes no
// sense or more than MaxSteps points.
func (r *Reader) RunStats(ctx context.Context, app cloud.AppID, q StatsQuery) ([]StatsPoint, error) {
	if err := q.check(); err != nil {
		return nil, err
	}

	from := q.From.UTC().Truncate(q.Step)

	points := make([]StatsPoint, (q.Until.Sub(from)+q.Step-1)/q.Step)
	for i := range points {
		points[i] = StatsPoint{
			At:       from.Add(time.Duration(i) * q.Step),
			Outcomes: map[cloud.Status]int64{},
		}
	}

	cells, err := r.readStats(ctx, db.StatsByMinuteParams{
		AppID:    int64(app),
		ScriptID: q.Script,
		Since:    from,
		Until:    from.Add(time.Duration(len(points)) * q.Step),
	}, q.Step)
	if err != nil {
		return nil, explain("read statistics", err)
	}

	for _, cell := range cells {
		points[cell.At.Sub(from)/q.Step].add(cloud.Status(cell.Outcome), cell.N, cell.Histogram)
	}

	for i := range points {
		p := &points[i]
		p.P50 = quantile(&p.histogram, 0.5)
		p.P95 = quantile(&p.histogram, 0.95)
		p.P99 = quantile(&p.histogram, 0.99)
	}

	return points, nil
}

func (q *StatsQuery) check() error {
	switch {
	case q.Step < time.Minute || q.Step%time.Minute != 0:
		return cloud.Errorf(cloud.CodeInvalid, "step must be a number of whole minutes")
	case !q.From.Before(q.Until):
		return cloud.Errorf(cloud.CodeInvalid, "from must be before to")
	case q.Until.Sub(q.From)/q.Step >= MaxSteps:
		return cloud.Errorf(cloud.CodeInvalid,
			"from, to and step make more than %d points: use a longer step", MaxSteps)
	default:
		return nil
	}
}

// readStats reads counts by minute, or from the table by hour, which is smaller, if that is fine enough.
func (r *Reader) readStats(ctx context.Context, arg db.StatsByMinuteParams, step time.Duration) (
	[]db.StatsByMinuteRow, error,
) {
	if step%time.Hour != 0 {
		return r.db.Queries().StatsByMinute(ctx, arg)
	}

	hours, err := r.db.Queries().StatsByHour(ctx, db.StatsByHourParams(arg))

	rows := make([]db.StatsByMinuteRow, len(hours))
	for i, hour := range hours {
		rows[i] = db.StatsByMinuteRow(hour)
	}

	return rows, err
}

// Quantiles gives the median and the 95th percentile of all the runs of some points.
func Quantiles(points []StatsPoint) (p50, p95 time.Duration) {
	var all [buckets]int64
	for i := range points {
		for bucket, n := range points[i].histogram {
			all[bucket] += n
		}
	}
	return quantile(&all, 0.5), quantile(&all, 0.95)
}

// quantile finds the duration under which a share of the runs stayed. Within a bucket it supposes that they
// are spread evenly; the last bucket, which has no end, counts as one more doubling.
func quantile(histogram *[buckets]int64, share float64) time.Duration {
	var all int64
	for _, n := range histogram {
		all += n
	}
	if all == 0 {
		return 0
	}

	rank := share * float64(all)

	var below int64
	for bucket, n := range histogram {
		if float64(below+n) < rank || n == 0 {
			below += n
			continue
		}

		high := math.Exp2(float64(bucket))
		low := high / 2
		if bucket == 0 {
			low = 0
		}
		ms := low + (high-low)*(rank-float64(below))/float64(n)
		return time.Duration(ms * float64(time.Millisecond))
	}

	return time.Duration(math.Exp2(buckets-1)) * time.Millisecond
}

// RunCount is an app's runs, and those of them that did not succeed.
type RunCount struct{ Runs, Errors int64 }

// CountRuns counts the runs of some apps in the last 24 hours, to the full hour.
func (r *Reader) CountRuns(ctx context.Context, apps []cloud.AppID) (map[cloud.AppID]RunCount, error) {
	since := time.Now().Add(-23 * time.Hour).Truncate(time.Hour)
	rows, err := r.db.Queries().CountRuns(ctx, appIDs(apps), since)

	out := make(map[cloud.AppID]RunCount, len(rows))
	for _, row := range rows {
		out[cloud.AppID(row.AppID)] = RunCount{Runs: row.Runs, Errors: row.Errors}
	}

	return out, explain("count runs", err)
}
