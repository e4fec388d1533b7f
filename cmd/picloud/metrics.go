package main

import (
	"context"
	"picloud/internal/history"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"picloud/internal/executor"
	"picloud/internal/orchestrator"
)

// collector turns the stations' counters into Prometheus metrics when somebody asks.
type collector struct {
	o *orchestrator.Orchestrator
	e *executor.Pool

	runs, permits, waiting, rows, groups, commits, conflicts, dropped, children, started, died, slots, durations, queue, due, letters, overdue, listening *prometheus.Desc
}

func newCollector(o *orchestrator.Orchestrator, e *executor.Pool) *collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("picloud_"+name, help, labels, nil)
	}
	return &collector{o: o, e: e,
		runs:      desc("runs_total", "Runs by outcome.", "outcome"),
		permits:   desc("gate_permits", "Permits of the gate.", "state"),
		waiting:   desc("gate_waiting", "Requests that wait for a permit."),
		rows:      desc("outbox_running", "Outbox rows that this node is running."),
		groups:    desc("commit_groups_total", "Commits of groups of runs."),
		commits:   desc("commits_total", "Runs and operations committed, refused ones included."),
		conflicts: desc("commit_conflicts_total", "Commits refused because a key had changed."),
		dropped:   desc("execution_records_dropped_total", "Execution records dropped because too many waited."),
		children:  desc("sandbox_children", "Sandbox processes alive."),
		started:   desc("sandbox_started_total", "Sandbox processes started."),
		durations: desc("run_duration_seconds", "Time of runs on this node."),
		queue:     desc("outbox_rows", "Events in the queues of the whole installation.", "state"),
		due:       desc("outbox_overdue_seconds", "For how long the most overdue event that waits has been due."),
		letters:   desc("dead_letters_unresolved", "Dead letters that nobody has dealt with."),
		overdue:   desc("schedule_overdue_seconds", "For how long the most overdue schedule should have fired."),
		slots:     desc("schedule_slots_total", "Slots of schedules that this node decided.", "state"),
		listening: desc("listening", "1 if what other nodes say reaches this one, 0 while it polls."),
		died:      desc("sandbox_died_total", "Sandbox processes that died with work in hand."),
	}
}

// Describe names the metrics.
func (c *collector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect reads the counters.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s, e := c.o.Stats(), c.e.Stats()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	for outcome, n := range s.Outcomes {
		counter(c.runs, n, string(outcome))
	}
	gauge(c.permits, float64(s.PermitsFree), "free")
	gauge(c.permits, float64(s.PermitsAll), "all")
	gauge(c.waiting, float64(s.WaitingAtGate))
	gauge(c.rows, float64(s.RunningRows))
	listening := 0.0
	if s.Listening {
		listening = 1
	}
	gauge(c.listening, listening)
	counter(c.groups, s.Commits.Groups)
	counter(c.commits, s.Commits.Commits)
	counter(c.conflicts, s.Commits.Conflicts)
	counter(c.dropped, s.RecordsDropped)
	gauge(c.children, float64(e.Children))
	counter(c.started, e.Started)
	counter(c.died, e.Died)
	for state, n := range s.Slots {
		counter(c.slots, n, state)
	}
	ch <- histogram(c.durations, &s.Durations)
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	f, err := c.o.History.QueueFacts(ctx)
	if err != nil {
		return // what this node knows by itself is told all the same
	}
	gauge(c.queue, float64(f.Waiting), "waiting")
	gauge(c.queue, float64(f.Running), "running")
	gauge(c.due, float64(f.DueUs)/1e6)
	gauge(c.letters, float64(f.Unresolved))
	gauge(c.overdue, float64(f.ScheduleUs)/1e6)
}

// scrapeTimeout is how long the database may take to count.
const scrapeTimeout = 3 * time.Second

func histogram(d *prometheus.Desc, t *history.Durations) prometheus.Metric {
	cumulative := map[float64]uint64{}
	n := uint64(0)
	for k, v := range t.Buckets {
		n += uint64(v)
		if k < len(t.Buckets)-1 {
			cumulative[float64(uint64(1)<<k)/1000] = n
		}
	}
	return prometheus.MustNewConstHistogram(d, n, t.Sum.Seconds(), cumulative)
}
