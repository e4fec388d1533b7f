package main

import (
	"context"
	"picloud/internal/history"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"picloud/internal/executor"
	"picloud/internal/orchestrator"
)

// collector turns the counters of the orchestrator and the executor into Prometheus metrics at each scrape.
// docs/operating.md explains every one of them to operators.
type collector struct {
	orchestrator *orchestrator.Orchestrator
	executor     *executor.Pool

	// Of this node.
	runs, durations            *prometheus.Desc
	permits, waiting           *prometheus.Desc
	rows, slots, listening     *prometheus.Desc
	groups, commits, conflicts *prometheus.Desc
	dropped                    *prometheus.Desc
	children, started, died    *prometheus.Desc

	// Of the whole installation, counted by the database.
	queue, due, letters, overdue *prometheus.Desc
}

func newCollector(o *orchestrator.Orchestrator, e *executor.Pool) *collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("picloud_"+name, help, labels, nil)
	}
	return &collector{
		orchestrator: o,
		executor:     e,

		runs:      desc("runs_total", "Runs by outcome.", "outcome"),
		durations: desc("run_duration_seconds", "Time of runs on this node."),
		permits:   desc("gate_permits", "Permits of the gate.", "state"),
		waiting:   desc("gate_waiting", "Requests that wait for a permit."),
		rows:      desc("outbox_running", "Outbox rows that this node is running."),
		slots:     desc("schedule_slots_total", "Slots of schedules that this node decided.", "state"),
		listening: desc("listening", "1 if what other nodes say reaches this one, 0 while it polls."),
		groups:    desc("commit_groups_total", "Commits of groups of runs."),
		commits:   desc("commits_total", "Runs and operations committed, refused ones included."),
		conflicts: desc("commit_conflicts_total", "Commits refused because a key had changed."),
		dropped: desc("execution_records_dropped_total",
			"Execution records dropped because too many waited."),
		children: desc("sandbox_children", "Sandbox processes alive."),
		started:  desc("sandbox_started_total", "Sandbox processes started."),
		died:     desc("sandbox_died_total", "Sandbox processes that died with work in hand."),

		queue: desc("outbox_rows", "Events in the queues of the whole installation.", "state"),
		due: desc("outbox_overdue_seconds",
			"For how long the most overdue event that waits has been due."),
		letters: desc("dead_letters_unresolved", "Dead letters that nobody has dealt with."),
		overdue: desc("schedule_overdue_seconds",
			"For how long the most overdue schedule should have fired."),
	}
}

// Describe names the metrics.
func (c *collector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect reads the counters. If the database does not answer in time, the metrics of this node are sent all
// the same.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	c.collectNode(ch)

	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	facts, err := c.orchestrator.History.QueueFacts(ctx)
	if err != nil {
		return
	}

	gauge(ch, c.queue, float64(facts.Waiting), "waiting")
	gauge(ch, c.queue, float64(facts.Running), "running")
	gauge(ch, c.due, float64(facts.DueUs)/1e6)
	gauge(ch, c.letters, float64(facts.Unresolved))
	gauge(ch, c.overdue, float64(facts.ScheduleUs)/1e6)
}

func (c *collector) collectNode(ch chan<- prometheus.Metric) {
	stats := c.orchestrator.Stats()
	for outcome, n := range stats.Outcomes {
		counter(ch, c.runs, n, string(outcome))
	}
	ch <- histogram(c.durations, &stats.Durations)
	gauge(ch, c.permits, float64(stats.PermitsFree), "free")
	gauge(ch, c.permits, float64(stats.PermitsAll), "all")
	gauge(ch, c.waiting, float64(stats.WaitingAtGate))

	gauge(ch, c.rows, float64(stats.RunningRows))

	for state, n := range stats.Slots {
		counter(ch, c.slots, n, state)
	}
	listening := 0.0
	if stats.Listening {
		listening = 1
	}

	gauge(ch, c.listening, listening)

	counter(ch, c.groups, stats.Commits.Groups)
	counter(ch, c.commits, stats.Commits.Commits)
	counter(ch, c.conflicts, stats.Commits.Conflicts)
	counter(ch, c.dropped, stats.RecordsDropped)

	sandboxes := c.executor.Stats()
	gauge(ch, c.children, float64(sandboxes.Children))
	counter(ch, c.started, sandboxes.Started)
	counter(ch, c.died, sandboxes.Died)
}

func gauge(ch chan<- prometheus.Metric, d *prometheus.Desc, v float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func counter(ch chan<- prometheus.Metric, d *prometheus.Desc, v int64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
}

// scrapeTimeout is how long the database may take to count.
const scrapeTimeout = 3 * time.Second

// histogram makes cumulative buckets in seconds of the orchestrator's, whose bounds are powers of two in
// milliseconds. The last one has no bound: Prometheus knows it as +Inf, from the count.
func histogram(d *prometheus.Desc, t *history.Durations) prometheus.Metric {
	cumulative := map[float64]uint64{}

	count := uint64(0)
	for k, v := range t.Buckets {
		count += uint64(v)
		if k < len(t.Buckets)-1 {
			cumulative[float64(uint64(1)<<k)/1000] = count
		}
	}

	return prometheus.MustNewConstHistogram(d, count, t.Sum.Seconds(), cumulative)
}
