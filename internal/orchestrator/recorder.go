package orchestrator

import (
	"context"
	"errors"
	"maps"
	"math/bits"
	"slices"
	"strconv"
	"sync"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

const (
	recordEvery = time.Second
	// maxPending records and ends of waitUntil work, or as many as take maxPendingBytes, wait for the database, also while it is
	// away; what comes then is dropped and counted.
	maxPending      = 10_000
	maxPendingBytes = 64 << 20
	recordsABatch   = 500
	// sampled runs a second and script are kept although nothing else asks for it.
	sampled = 10
	// slow runs are always kept.
	slow = time.Second
	// statsEvery is how often counted runs are added to the table.
	statsEvery = 10 * time.Second
	// maxCounts bounds the counts, by minute, script and outcome, that wait for a database that is away.
	maxCounts = 100_000
	// buckets of the duration histogram: bucket i counts runs under 2^i ms, the last the rest.
	buckets = 18
)

// recorder keeps what runs did off the hot path: records of runs that committed nothing, and the counts of all.
type recorder struct {
	o     *Orchestrator
	wakeC chan struct{}

	mu      sync.Mutex
	pending []*record
	afters  []afterUpdate
	bytes   int // of pending and afters
	dropped int64
	counts  map[statsKey]*statsCell
	all     map[cloud.Status]int64
	times   Durations
	samples map[cloud.ID]int
	second  int64
	queues  map[cloud.AppID]queueCell
}

type afterUpdate struct {
	app  cloud.AppID
	id   cloud.ID
	to   cloud.Status
	logs string
}

type statsKey struct {
	app     cloud.AppID
	script  cloud.ID
	minute  int64
	outcome cloud.Status
}

type statsCell struct {
	n         int64
	histogram [buckets]int64
}

func (c *statsCell) add(other *statsCell) {
	c.n += other.n
	for k := range other.histogram {
		c.histogram[k] += other.histogram[k]
	}
}

// text is the histogram as PostgreSQL reads an array.
func (c *statsCell) text() string {
	b := []byte{'{'}
	for _, n := range c.histogram {
		b = append(strconv.AppendInt(b, n, 10), ',')
	}
	b[len(b)-1] = '}'
	return string(b)
}

type queueCell struct {
	at   time.Time
	size db.HTTPQueueSizeRow
}

func newRecorder(o *Orchestrator) *recorder {
	return &recorder{o: o, wakeC: make(chan struct{}, 1), counts: map[statsKey]*statsCell{}, all: map[cloud.Status]int64{},
		samples: map[cloud.ID]int{}, queues: map[cloud.AppID]queueCell{}}
}

// note counts a run, and keeps its record if it has to be kept and its commit has not.
func (r *recorder) note(f *finished) {
	rec := f.rec
	r.o.tails.publishRun(rec)
	bucket := min(bits.Len64(uint64(rec.duration.Milliseconds())), buckets-1)
	r.mu.Lock()
	defer r.mu.Unlock()
	idle := len(r.counts) == 0 && len(r.pending) == 0
	k := statsKey{rec.app, rec.script, rec.started.Unix() / 60, rec.status}
	c := r.counts[k]
	if c == nil {
		c = &statsCell{}
		r.counts[k] = c
	}
	c.n++
	c.histogram[bucket]++
	r.all[rec.status]++
	r.times.Buckets[bucket]++
	r.times.Sum += rec.duration
	rec.kept = f.recorded
	if !f.recorded && (r.mustKeep(rec) || r.sample(rec)) {
		r.add(rec)
	}
	if idle {
		r.wake()
	}
}

func (r *recorder) mustKeep(rec *record) bool {
	return rec.status != cloud.Succeeded || len(rec.logs) > 0 || rec.dropped > 0 || !rec.outbox.IsZero() || rec.duration > slow
}

func (r *recorder) sample(rec *record) bool {
	if s := rec.started.Unix(); s != r.second {
		r.second = s
		clear(r.samples)
	}
	r.samples[rec.script]++
	return r.samples[rec.script] <= sampled
}

func (r *recorder) add(rec *record) {
	if r.room(rec.size()) {
		rec.kept = true
		r.pending = append(r.pending, rec)
	}
}

func (r *recorder) addAfter(a afterUpdate) {
	if r.room(len(a.logs)) {
		r.afters = append(r.afters, a)
	}
}

// room takes so many bytes for one more, or counts it as dropped.
func (r *recorder) room(bytes int) bool {
	if len(r.pending)+len(r.afters) >= maxPending || r.bytes+bytes > maxPendingBytes {
		r.dropped++
		return false
	}
	r.bytes += bytes
	return true
}

// size is about the memory that a record takes, in bytes.
func (rec *record) size() int {
	n := 1<<10 + len(rec.request) + len(rec.err.Message) + len(rec.err.Stack)
	for _, l := range rec.logs {
		n += 64 + len(l.Message)
	}
	return n
}

// after records the outcome of waitUntil work.
func (r *recorder) after(rec *record, status cloud.Status, o *cloud.Outcome) {
	rec2 := *rec
	if len(o.Logs) > len(rec.logs) { // the tail has shown the lines from before the response
		tail := rec2
		tail.status, tail.logs = status, o.Logs[len(rec.logs):]
		r.o.tails.publishRun(&tail)
	}
	rec2.after, rec2.logs, rec2.dropped = status, o.Logs, o.LogsDropped
	r.mu.Lock()
	defer r.mu.Unlock()
	if !rec.kept { // an ordinary success so far
		if status != cloud.Succeeded || len(o.Logs) > 0 || o.LogsDropped > 0 {
			r.add(&rec2)
			r.wake()
		}
		return
	}
	for k, p := range r.pending {
		if p == rec {
			r.pending[k] = &rec2
			r.bytes += rec2.size() - rec.size()
			return
		}
	}
	r.addAfter(afterUpdate{rec.app, rec.id, status, logsJSON(o.Logs, o.LogsDropped)})
	r.wake()
}

func (r *recorder) wake() {
	select {
	case r.wakeC <- struct{}{}:
	default:
	}
}

// Durations is a histogram of runs: bucket k has those of less than 2^k milliseconds that are in no bucket before, the last
// one all others.
type Durations struct {
	Buckets [buckets]int64
	Sum     time.Duration
}

func (r *recorder) totals() (map[cloud.Status]int64, Durations, int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.all), r.times, r.dropped
}

// loop writes once a second while there is something to write, and sleeps otherwise.
func (r *recorder) loop() {
	var lastStats time.Time // the first counts are written with the first records
	for {
		select {
		case <-r.wakeC:
		case <-r.o.ctx.Done():
			r.flush(true)
			return
		}
		for {
			pause := time.NewTimer(recordEvery)
			select {
			case <-pause.C:
			case <-r.o.ctx.Done():
				pause.Stop()
				r.flush(true)
				return
			}
			withStats := time.Since(lastStats) >= statsEvery
			if withStats {
				lastStats = time.Now()
			}
			if idle := r.flush(withStats); idle {
				break
			}
		}
	}
}

// flush writes what is pending; it reports whether nothing is left.
func (r *recorder) flush(stats bool) (idle bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r.mu.Lock()
	records, afters := r.pending, r.afters
	r.pending, r.afters, r.bytes = nil, nil, 0
	var counts map[statsKey]*statsCell
	if stats {
		counts = r.counts
		r.counts = map[statsKey]*statsCell{}
	}
	r.mu.Unlock()
	q := r.o.cfg.DB.Queries()
	r.store(ctx, q, records, afters)
	for minute, keys := range byMinute(counts) {
		for batch := range slices.Chunk(keys, recordsABatch) {
			if err := q.AddStats(ctx, statsRows(minute, batch, counts)); err != nil {
				r.o.cfg.Log.Warn("record statistics; they are kept for the next time", "n", len(batch), "error", db.Translate(err))
				r.countAgain(batch, counts)
			}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.pending) == 0 && len(r.afters) == 0 && len(r.counts) == 0
}

// store writes records, then ends of waitUntil work. Both may be written twice: they are kept for the next time when the
// database is away, and its answer may have been lost.
func (r *recorder) store(ctx context.Context, q *db.Queries, records []*record, afters []afterUpdate) {
	var err error
	for len(records) > 0 {
		n := min(len(records), recordsABatch)
		err = db.Translate(q.InsertExecutions(ctx, executionRows(r.o.cfg.Node, records[:n])))
		if errors.Is(err, db.ErrUnavailable) {
			break
		}
		if err != nil {
			r.o.cfg.Log.Error("record executions", "n", n, "error", err)
			r.mu.Lock()
			r.dropped += int64(n)
			r.mu.Unlock()
		}
		records = records[n:]
	}
	for len(records) == 0 && len(afters) > 0 {
		a := afters[0]
		err = db.Translate(q.SetAfterStatus(ctx, db.SetAfterStatusParams{AppID: int64(a.app), ID: a.id, AfterStatus: string(a.to), Logs: a.logs}))
		if errors.Is(err, db.ErrUnavailable) {
			break
		}
		if err != nil {
			r.o.cfg.Log.Error("record waitUntil outcome", "error", err)
		}
		afters = afters[1:]
	}
	if len(records)+len(afters) == 0 {
		return
	}
	r.o.cfg.Log.Warn("record executions; they are kept for the next time", "n", len(records)+len(afters), "error", err)
	r.mu.Lock()
	defer r.mu.Unlock()
	records, afters = append(records, r.pending...), append(afters, r.afters...)
	r.pending, r.afters, r.bytes = nil, nil, 0
	for _, rec := range records {
		r.add(rec)
	}
	for _, a := range afters {
		r.addAfter(a)
	}
}

func byMinute(counts map[statsKey]*statsCell) map[int64][]statsKey {
	keys := map[int64][]statsKey{}
	for k := range counts {
		keys[k.minute] = append(keys[k.minute], k)
	}
	return keys
}

func statsRows(minute int64, keys []statsKey, counts map[statsKey]*statsCell) db.AddStatsParams {
	p := db.AddStatsParams{Minute: time.Unix(minute*60, 0).UTC()}
	for _, k := range keys {
		c := counts[k]
		p.Apps, p.Scripts, p.Outcomes = append(p.Apps, int64(k.app)), append(p.Scripts, k.script), append(p.Outcomes, string(k.outcome))
		p.Amounts, p.Histograms = append(p.Amounts, c.n), append(p.Histograms, c.text())
	}
	return p
}

// countAgain takes counts back that could not be written, unless a database that is away has let them become too many. Those of
// a commit whose answer was lost may be counted twice.
func (r *recorder) countAgain(keys []statsKey, counts map[statsKey]*statsCell) {
	r.mu.Lock()
	defer r.mu.Unlock()
	lost := 0
	for _, k := range keys {
		switch c := r.counts[k]; {
		case c != nil:
			c.add(counts[k])
		case len(r.counts) < maxCounts:
			r.counts[k] = counts[k]
		default:
			lost++
		}
	}
	if lost > 0 {
		r.o.cfg.Log.Error("too many statistics wait for the database: some are lost", "n", lost)
	}
}

// queueSize is what an app holds of rows from HTTP, read at most once a second.
func (r *recorder) queueSize(ctx context.Context, app cloud.AppID) (db.HTTPQueueSizeRow, error) {
	r.mu.Lock()
	c, ok := r.queues[app]
	r.mu.Unlock()
	if ok && time.Since(c.at) < time.Second {
		return c.size, nil
	}
	size, err := r.o.cfg.DB.Queries().HTTPQueueSize(ctx, int64(app))
	if err != nil {
		return size, db.Translate(err)
	}
	r.mu.Lock()
	r.queues[app] = queueCell{time.Now(), size}
	r.mu.Unlock()
	return size, nil
}
