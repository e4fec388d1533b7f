package history

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/bits"
	"slices"
	"sync"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
	"picloud/internal/commit"
)

const (
	// recordEvery is the pause between two writes while there is something to write.
	recordEvery = time.Second
	// flushTimeout bounds one write, of everything that is pending.
	flushTimeout = 10 * time.Second
	// statsEvery is how often counted runs are added to the table.
	statsEvery = 10 * time.Second

	// maxPending records and outcomes of waitUntil work, or as many as take maxPendingBytes, wait for the
	// database, also while it is away. What comes when there is no room is dropped and counted.
	maxPending      = 10_000
	maxPendingBytes = 64 << 20
	// recordsABatch is how many records, or counts of one minute, a statement writes.
	recordsABatch = 500

	// lineBytes is about what a line of a log has beside its message.
	lineBytes = 64

	// sampled runs a second and script are kept although nothing else asks for it.
	sampled = 10
	// slow runs are always kept.
	slow = time.Second
)

// Config is what a Recorder needs.
type Config struct {
	DB   *db.DB
	Node string // the name of this node, which each record carries
	Log  *slog.Logger
	// Publish, if set, is given each run that ended, and the rest of its log when waitUntil work ends later.
	// It must neither block nor change the execution.
	Publish func(*cloud.Execution)
	// Quotas, if set, says what an app may use. It is called once a second for each app that runs something,
	// so it should answer from memory.
	Quotas func(cloud.AppID) cloud.Quotas

	// MaxPendingBytes is about how much memory records may take that wait for the database. 0: 64 MiB.
	MaxPendingBytes int
}

// Recorder writes down what runs did, off the path of their callers: the records of runs that committed
// nothing, and the counts of all runs. Nothing is lost while the database is away, as far as there is room.
type Recorder struct {
	cfg Config
	// wakeC says that there is something to write again.
	wakeC  chan struct{}
	pruner pruner

	// mu guards the fields below. No other lock is taken under it, and no statement is sent.
	mu      sync.Mutex
	pending []*cloud.Execution
	afters  []afterUpdate
	bytes   int // about the memory of pending and afters
	dropped int64
	counts  counts
	// recorded is what apps have on record since the last write, by commits and by this.
	recorded map[cloud.AppID]Size
	// totals and durations are of all runs since the process started.
	totals    map[cloud.Status]int64
	durations Durations
	// samples counts the ordinary runs of each script in one second, which began at this Unix time.
	samples map[cloud.ID]int
	second  int64
}

// Entry is an execution of which the Recorder knows whether it is on record. An Entry that Note did not make
// is of a run that is not.
type Entry struct {
	Execution *cloud.Execution
	// kept: it is stored, or on its way to the database.
	kept bool
}

// afterUpdate is the outcome of waitUntil work whose run has been written before.
type afterUpdate struct {
	app  cloud.AppID
	id   cloud.ID
	to   cloud.Status
	logs string // the whole log as it is stored
}

// New returns a Recorder that writes nothing until Run.
func New(cfg Config) *Recorder {
	if cfg.MaxPendingBytes == 0 {
		cfg.MaxPendingBytes = maxPendingBytes
	}
	if cfg.Publish == nil {
		cfg.Publish = func(*cloud.Execution) {}
	}

	if cfg.Quotas == nil {
		cfg.Quotas = func(cloud.AppID) cloud.Quotas { return cloud.Quotas{} }
	}

	return &Recorder{
		cfg:      cfg,
		wakeC:    make(chan struct{}, 1),
		pruner:   pruner{cfg: &cfg, recorded: map[cloud.AppID]Size{}},
		counts:   counts{},
		recorded: map[cloud.AppID]Size{},
		totals:   map[cloud.Status]int64{},
		samples:  map[cloud.ID]int{},
	}
}

// Note counts a run that ended, and keeps its record if it has to be kept and its commit has not written it.
// Nobody may change the execution afterwards. The entry is for After.
func (r *Recorder) Note(e *cloud.Execution, committed bool) Entry {
	r.cfg.Publish(e)
	bucket := bucketOf(e.Duration)

	r.mu.Lock()
	defer r.mu.Unlock()

	idle := len(r.counts) == 0 && len(r.pending) == 0
	r.counts.count(e, bucket)
	r.totals[e.Status]++
	r.durations.Buckets[bucket]++
	r.durations.Sum += e.Duration

	entry := Entry{Execution: e, kept: committed}
	if !committed && (mustKeep(e) || r.sample(e)) {
		entry.kept = r.add(e)
	}
	if entry.kept {
		r.grow(e)
	}
	if idle {
		r.wake()
	}

	return entry
}

// After records the outcome of waitUntil work, once for a run. The outcome's log is the whole log of the run.
func (r *Recorder) After(entry Entry, status cloud.Status, outcome *cloud.Outcome) {
	before := entry.Execution
	if len(outcome.Logs) > len(before.Logs) {
		// The tail has shown the lines from before the response.
		rest := *before
		rest.Status = status
		rest.Logs = outcome.Logs[len(before.Logs):]
		r.cfg.Publish(&rest)
	}

	// A copy, since others may be reading the execution: the tail's followers, and a write in progress.
	complete := *before
	complete.After = status
	complete.Logs = outcome.Logs
	complete.LogsDropped = outcome.LogsDropped

	r.mu.Lock()
	defer r.mu.Unlock()

	if !entry.kept {
		// An ordinary success so far, which its waitUntil work can make worth a record.
		if status != cloud.Succeeded || len(outcome.Logs) > 0 || outcome.LogsDropped > 0 {
			r.add(&complete)
			r.wake()
		}
		return
	}

	// A record that waits is completed; one that was written, or is being written, is updated.
	if i := slices.Index(r.pending, before); i >= 0 {
		r.pending[i] = &complete
		r.bytes += sizeOf(&complete) - sizeOf(before)
		return
	}
	r.addAfter(afterUpdate{
		app:  before.App,
		id:   before.ID,
		to:   status,
		logs: commit.LogsJSON(outcome.Logs, outcome.LogsDropped),
	})
	r.wake()
}

// mustKeep reports whether a run is kept however many there are like it.
func mustKeep(e *cloud.Execution) bool {
	return e.Status != cloud.Succeeded || len(e.Logs) > 0 || e.LogsDropped > 0 ||
		!e.Outbox.IsZero() || e.Duration > slow
}

// sample reports whether a run is among the first of its script in its second. The caller holds mu.
func (r *Recorder) sample(e *cloud.Execution) bool {
	if second := e.Started.Unix(); second != r.second {
		r.second = second
		clear(r.samples)
	}

	r.samples[e.Script]++
	return r.samples[e.Script] <= sampled
}

// grow counts a record that was kept, for the quotas. The caller holds mu.
func (r *Recorder) grow(e *cloud.Execution) {
	size := r.recorded[e.App]
	size.N++

	for _, line := range e.Logs {
		size.Bytes += int64(len(line.Message) + lineBytes)
	}
	r.recorded[e.App] = size
}

// add takes a record if there is room. The caller holds mu.
func (r *Recorder) add(e *cloud.Execution) bool {
	if !r.room(sizeOf(e)) {
		return false
	}
	r.pending = append(r.pending, e)
	return true
}

// addAfter takes an outcome of waitUntil work if there is room. The caller holds mu.
func (r *Recorder) addAfter(a afterUpdate) {
	if r.room(len(a.logs)) {
		r.afters = append(r.afters, a)
	}
}

// room takes so many bytes for one more, or counts it as dropped. The caller holds mu.
func (r *Recorder) room(bytes int) bool {
	if len(r.pending)+len(r.afters) >= maxPending || r.bytes+bytes > r.cfg.MaxPendingBytes {
		r.dropped++
		return false
	}
	r.bytes += bytes
	return true
}

// sizeOf is about the memory that a record takes, in bytes.
func sizeOf(e *cloud.Execution) int {
	n := 1<<10 + len(e.Request) + len(e.Error.Message) + len(e.Error.Stack)
	for _, line := range e.Logs {
		n += lineBytes + len(line.Message)
	}
	return n
}

func (r *Recorder) wake() {
	select {
	case r.wakeC <- struct{}{}:
	default:
	}
}

// Durations is a histogram of runs: bucket k has those of less than 2^k milliseconds that are in no bucket
// before, the last one all others.
type Durations struct {
	Buckets [buckets]int64
	Sum     time.Duration
}

// bucketOf is the bucket of a histogram to which a duration belongs.
func bucketOf(d time.Duration) int {
	return min(bits.Len64(uint64(d.Milliseconds())), buckets-1)
}

// Totals are the runs of this process by outcome and by duration, and how many records were dropped.
func (r *Recorder) Totals() (runs map[cloud.Status]int64, durations Durations, dropped int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.totals), r.durations, r.dropped
}

// Run writes once a second while there is something to write, and sleeps otherwise. When ctx ends it writes
// what is left and returns nil.
func (r *Recorder) Run(ctx context.Context) error {
	var lastStats time.Time // zero, so that the first counts are written with the first records
	for {
		select {
		case <-r.wakeC:
		case <-ctx.Done():
			r.flush(true)
			return nil
		}

		for idle := false; !idle; {
			pause := time.NewTimer(recordEvery)
			select {
			case <-pause.C:
			case <-ctx.Done():
				pause.Stop()
				r.flush(true)
				return nil
			}

			withStats := time.Since(lastStats) >= statsEvery
			if withStats {
				lastStats = time.Now()
			}
			idle = r.flush(withStats)
		}
	}
}

// flush writes what is pending, with the counts if stats is set. It reports whether nothing is left. It has a
// time of its own, since it also runs when everything else has been told to stop.
func (r *Recorder) flush(stats bool) (idle bool) {
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()

	r.mu.Lock()
	records := r.pending
	afters := r.afters
	r.pending = nil
	r.afters = nil
	r.bytes = 0
	recorded := r.recorded
	r.recorded = map[cloud.AppID]Size{}

	var counted counts
	if stats {
		counted = r.counts
		r.counts = counts{}
	}
	r.mu.Unlock()

	r.store(ctx, records, afters)
	r.storeCounts(ctx, counted)
	r.pruner.prune(ctx, recorded)

	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.pending) == 0 && len(r.afters) == 0 && len(r.counts) == 0
}

// store writes records, then outcomes of waitUntil work. Both may be written twice: they are kept for the
// next time when the database is away, and its answer may have been lost.
func (r *Recorder) store(ctx context.Context, records []*cloud.Execution, afters []afterUpdate) {
	records, err := r.storeRecords(ctx, records)
	if err == nil {
		afters, err = r.storeAfters(ctx, afters)
	}
	if err == nil {
		return
	}

	n := len(records) + len(afters)
	r.cfg.Log.Warn("record executions; they are kept for the next time", "n", n, "error", err)

	// What is left is older than what came meanwhile, so it stands in front.
	r.mu.Lock()
	defer r.mu.Unlock()

	records = append(records, r.pending...)
	afters = append(afters, r.afters...)
	r.pending = nil
	r.afters = nil

	r.bytes = 0
	for _, e := range records {
		r.add(e)
	}

	for _, a := range afters {
		r.addAfter(a)
	}
}

// storeRecords writes records in batches. It returns those that are left when the database is away; a batch
// that it refuses is dropped, since it would be refused again.
func (r *Recorder) storeRecords(ctx context.Context, records []*cloud.Execution) ([]*cloud.Execution, error) {
	q := r.cfg.DB.Queries()
	for len(records) > 0 {
		n := min(len(records), recordsABatch)
		rows := commit.ExecutionRows(r.cfg.Node, records[:n])
		err := db.Translate(q.InsertExecutions(ctx, rows))
		if errors.Is(err, db.ErrUnavailable) {
			return records, err
		}
		if err != nil {
			r.cfg.Log.Error("record executions", "n", n, "error", err)
			r.drop(n)
		}
		records = records[n:]
	}

	return nil, nil
}

// storeAfters writes outcomes of waitUntil work. It returns those that are left when the database is away.
func (r *Recorder) storeAfters(ctx context.Context, afters []afterUpdate) ([]afterUpdate, error) {
	q := r.cfg.DB.Queries()
	for len(afters) > 0 {
		a := afters[0]
		err := db.Translate(q.SetAfterStatus(ctx, db.SetAfterStatusParams{
			AppID:       int64(a.app),
			ID:          a.id,
			AfterStatus: string(a.to),
			Logs:        a.logs,
		}))
		if errors.Is(err, db.ErrUnavailable) {
			return afters, err
		}
		if err != nil {
			r.cfg.Log.Error("record waitUntil outcome", "error", err)
		}
		afters = afters[1:]
	}

	return nil, nil
}

func (r *Recorder) drop(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropped += int64(n)
}
