package history

import (
	"context"
	"slices"
	"strconv"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

const (
	// buckets of the duration histogram: bucket i counts runs under 2^i ms, the last the rest.
	buckets = 18
	// maxCounts bounds the counts, by minute, script and outcome, that wait for a database that is away.
	maxCounts = 100_000
)

// counts are runs by minute, script and outcome that are not in the table yet.
type counts map[countKey]*count

type countKey struct {
	app     cloud.AppID
	script  cloud.ID
	minute  int64 // since 1970
	outcome cloud.Status
}

type count struct {
	n         int64
	histogram [buckets]int64
}

// count adds one run, whose duration belongs to a bucket.
func (all counts) count(e *cloud.Execution, bucket int) {
	key := countKey{app: e.App, script: e.Script, minute: e.Started.Unix() / 60, outcome: e.Status}
	c := all[key]
	if c == nil {
		c = &count{}
		all[key] = c
	}

	c.n++
	c.histogram[bucket]++
}

// byMinute groups the keys: a statement writes counts of one minute.
func (all counts) byMinute() map[int64][]countKey {
	keys := map[int64][]countKey{}
	for key := range all {
		keys[key.minute] = append(keys[key.minute], key)
	}
	return keys
}

// rows makes the parameters that add some counts of one minute to the table.
func (all counts) rows(minute int64, keys []countKey) db.AddStatsParams {
	p := db.AddStatsParams{Minute: time.Unix(minute*60, 0).UTC()}
	for _, key := range keys {
		c := all[key]
		p.Apps = append(p.Apps, int64(key.app))
		p.Scripts = append(p.Scripts, key.script)
		p.Outcomes = append(p.Outcomes, string(key.outcome))
		p.Amounts = append(p.Amounts, c.n)
		p.Histograms = append(p.Histograms, c.text())
	}

	return p
}

// putBack takes counts back that could not be written, and returns how many there is no room for.
func (all counts) putBack(keys []countKey, from counts) (lost int) {
	for _, key := range keys {
		switch c := all[key]; {
		case c != nil:
			c.add(from[key])
		case len(all) < maxCounts:
			all[key] = from[key]
		default:
			lost++
		}
	}

	return lost
}

func (c *count) add(other *count) {
	c.n += other.n
	for i := range other.histogram {
		c.histogram[i] += other.histogram[i]
	}
}

// text is the histogram as PostgreSQL reads an array.
func (c *count) text() string {
	b := []byte{'{'}
	for _, n := range c.histogram {
		b = strconv.AppendInt(b, n, 10)
		b = append(b, ',')
	}
	b[len(b)-1] = '}'
	return string(b)
}

// storeCounts adds counts to the table. What cannot be written is kept for the next time, unless a database
// that is away has let it become too much. Those of a commit whose answer was lost may be counted twice.
func (r *Recorder) storeCounts(ctx context.Context, counted counts) {
	q := r.cfg.DB.Queries()
	for minute, keys := range counted.byMinute() {
		for batch := range slices.Chunk(keys, recordsABatch) {
			err := q.AddStats(ctx, counted.rows(minute, batch))
			if err == nil {
				continue
			}
			r.cfg.Log.Warn("record statistics; they are kept for the next time",
				"n", len(batch), "error", db.Translate(err))
			r.countAgain(batch, counted)
		}
	}
}

func (r *Recorder) countAgain(keys []countKey, counted counts) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if lost := r.counts.putBack(keys, counted); lost > 0 {
		r.cfg.Log.Error("too many statistics wait for the database: some are lost", "n", lost)
	}
}
