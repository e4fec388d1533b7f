package history

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
	"picloud/internal/schedule"
)

// States of a finding.
const (
	FindingOK   = "ok"
	FindingWarn = "warn"
	FindingBad  = "bad"
)

// Finding is what one check of the installation says.
type Finding struct{ Check, State, Text string }

// Check is a check that another part of PiCloud makes.
type Check func(context.Context) Finding

// Report is what all checks say, and the apps whose ledger does not add up.
type Report struct {
	Findings   []Finding
	Unbalanced []string // slugs
}

const (
	// maxSkew is how far a node's clock may be from the database's before it is mentioned. Nothing depends on
	// it but the times in logs.
	maxSkew = 2 * time.Second
	// silentAfter is how long a node may say nothing, when there are others, before it is mentioned.
	silentAfter = time.Minute
	// startTime is how long a node may be up without a listener: one that starts is about to listen.
	startTime = 500 * time.Millisecond
)

// Installation is what Examine checks.
type Installation struct {
	DB *db.DB
	// KeyID names the present master key.
	KeyID string
	// Whole has every event counted: a million takes a second. Without it, the ledger says how many
	// there are of more than two thousand.
	Whole bool
	// DataDir is where PiCloud's own PostgreSQL keeps its data; empty if another server has the database.
	DataDir string
}

// Examine checks what should hold in every installation: that no event vanished, nothing is stuck, every
// schedule fires, the nodes are alike, the master key is the one that sealed, and the database keeps what is
// committed. It changes nothing. With an error the report has the findings of the checks before.
func Examine(ctx context.Context, of Installation) (Report, error) {
	e := &examination{Installation: of, db: of.DB, q: of.DB.Queries()}
	checks := []func(context.Context) error{
		e.commit, e.connections, e.durability, e.disk,
		e.hold, e.clock, e.ledgers, e.queue, e.schedules, e.records, e.nodes, e.keys,
	}

	for _, check := range checks {
		if err := check(ctx); err != nil {
			return e.report, explain("examine", err)
		}
	}

	return e.report, nil
}

// examination is the state of one Examine: its checks are methods in the order in which they are made.
type examination struct {
	Installation
	db     *db.DB
	q      *db.Queries
	report Report
	// onHold: events and schedules stand still on purpose, so that they are late says nothing.
	onHold bool
}

// verdict is what a check says in either case.
type verdict struct {
	check string
	// state and problem are those of a check that failed.
	state   string
	problem string
	fine    string
}

// say adds a finding.
func (e *examination) say(failed bool, v verdict) {
	finding := Finding{Check: v.check, State: FindingOK, Text: v.fine}
	if failed {
		finding.State = v.state
		finding.Text = v.problem
	}

	e.report.Findings = append(e.report.Findings, finding)
}

func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (e *examination) hold(ctx context.Context) error {
	hold, err := e.q.Hold(ctx)
	if err != nil {
		return err
	}

	e.onHold = hold.Hold != ""
	e.say(e.onHold, verdict{
		check: "hold",
		state: FindingBad,
		problem: "no event and no schedule runs: " + hold.Hold +
			"; \"picloud release\" ends that, once the installation it was copied from is gone",
		fine: "events and schedules run",
	})
	return nil
}

func (e *examination) clock(ctx context.Context) error {
	asked := time.Now()
	now, err := e.q.DatabaseTime(ctx)
	if err != nil {
		return err
	}

	// The database read its clock about half way between the question and its answer.
	took := time.Since(asked)
	skew := now.Sub(asked.Add(took / 2)).Round(time.Millisecond)
	e.say(skew.Abs() > maxSkew+took, verdict{
		check: "clock",
		state: FindingWarn,
		problem: fmt.Sprintf("this machine's clock is %s from the database's, which alone decides;"+
			" times in logs are off", skew),
		fine: "this machine and the database agree on the time",
	})
	return nil
}

// counted is how many events of an app are looked at.
func (e *examination) counted() int32 {
	if e.Whole {
		return allEvents
	}
	return maxCounted
}

func (e *examination) ledgers(ctx context.Context) error {
	apps, err := e.q.DoctorApps(ctx)
	if err != nil {
		return err
	}

	ids := make([]cloud.AppID, len(apps))
	for i, app := range apps {
		ids[i] = cloud.AppID(app.ID)
	}
	all, err := conservations(ctx, e.db, ids, e.counted())
	if err != nil {
		return err
	}

	long := int64(0)
	for _, app := range apps {
		c := all[cloud.AppID(app.ID)]
		if !c.Balanced {
			e.report.Unbalanced = append(e.report.Unbalanced, app.Slug)
		}
		if !c.Exact {
			long++
		}
	}

	fine := "every event of " + plural(int64(len(apps)), "app") + " is accounted for"
	if long > 0 {
		fine = fmt.Sprintf("%s, but for %s of over %d events, which only \"picloud doctor\" counts", fine,
			plural(long, "queue"), maxCounted)
	}

	unbalanced := e.report.Unbalanced
	e.say(len(unbalanced) > 0, verdict{
		check: "conservation",
		state: FindingBad,
		problem: "the ledger does not add up in " + strings.Join(unbalanced, ", ") +
			": an event vanished or came from nowhere; keep the database as it is",
		fine: fine,
	})
	return nil
}

func (e *examination) queue(ctx context.Context) error {
	if e.onHold { // nobody takes a row over, nor runs it
		return nil
	}
	facts, err := e.q.DoctorQueue(ctx, e.counted()+1)
	if err != nil {
		return err
	}
	if err := e.unknownHolders(ctx); err != nil {
		return err
	}

	e.say(facts.Abandoned > 0, verdict{
		check: "leases",
		state: FindingBad,
		problem: plural(facts.Abandoned, "event") +
			" held by a node that has not renewed the lease for over a minute, and nobody takes over:" +
			" is a node running?",
		fine: "no event belongs to a node that is gone",
	})
	if facts.Ahead > 0 { // there is no need to mention it otherwise
		e.say(true, verdict{
			check: "leases",
			state: FindingWarn,
			problem: plural(facts.Ahead, "lease") + " with a later end than any can have:" +
				" the database's clock was ahead; a running node mends that within ten minutes",
		})
	}
	e.say(facts.Overdue > 0, verdict{
		check: "queue",
		state: FindingWarn,
		problem: plural(facts.Overdue, "event") +
			" due for over five minutes: there are too few permits, or no node runs",
		fine: "no event waits longer than it should",
	})
	return nil
}

// unknownHolders looks for rows and leases of nodes that never were or are long gone. Nobody works on such a
// row before its lease ends, and what a lease is for stands still as long.
func (e *examination) unknownHolders(ctx context.Context) error {
	held, err := e.q.DoctorUnknownHolders(ctx)
	if err != nil {
		return err
	}

	for _, found := range []struct {
		n    int64
		what string
	}{
		{held.Rows, "event"},
		{held.Leases, "lease"},
	} {
		if found.n == 0 {
			continue
		}
		e.say(true, verdict{
			check: "leases",
			state: FindingWarn,
			problem: plural(found.n, found.what) +
				" held by a node that is not in the table of nodes: others take over when the time is up",
		})
	}

	return nil
}

func (e *examination) schedules(ctx context.Context) error {
	if e.onHold { // none fires
		return nil
	}
	facts, err := e.q.DoctorSchedules(ctx)
	if err != nil {
		return err
	}

	e.say(facts.Overdue > 0, verdict{
		check: "schedules",
		state: FindingBad,
		problem: plural(facts.Overdue, "schedule") +
			" should have fired over a minute ago and did not: is a node running?",
		fine: "every schedule fires as it should",
	})
	if facts.Lost > 0 { // there is no need to mention it otherwise
		e.say(true, verdict{
			check: "schedules",
			state: FindingBad,
			problem: plural(facts.Lost, "enabled cron trigger") +
				" without a next slot: disable and enable what has none",
		})
	}

	return e.nextSlots(ctx)
}

// nextSlots looks for schedules that wait for a later time than they should.
func (e *examination) nextSlots(ctx context.Context) error {
	rows, err := e.q.DoctorNextSlots(ctx)
	if err != nil {
		return err
	}

	late := int64(0)
	for i := range rows {
		if waitsTooLong(&rows[i]) {
			late++
		}
	}
	if late == 0 { // there is no need to mention it otherwise
		return nil
	}

	e.say(true, verdict{
		check: "schedules",
		state: FindingBad,
		problem: plural(late, "schedule") + " with a later next slot than it can have: the database's clock" +
			" was ahead, or the row was changed by hand; a running node mends that within minutes," +
			" and otherwise give the trigger its schedule anew",
	})
	return nil
}

// slotSlack is how much later than its next slot a schedule may wait without being mentioned: it may just
// have fired, and the clock may have been put back a little.
const slotSlack = time.Minute

// waitsTooLong reports whether a schedule waits for a later slot than its next one that has not fired, or
// fires later than its jitter allows.
func waitsTooLong(row *db.DoctorNextSlotsRow) bool {
	jitter := time.Duration(row.JitterMs) * time.Millisecond
	if row.FireAt.After(row.NextSlot.Add(jitter + slotSlack)) {
		return true
	}

	cron, _, err := schedule.Parse(row.Schedule, row.Timezone)
	if err != nil {
		return false // the node that is to fire it says why it cannot
	}

	next := cron.Next(row.Now.Add(slotSlack))
	for slices.ContainsFunc(row.Fired, next.Equal) {
		next = cron.Next(next)
	}
	return !next.IsZero() && row.NextSlot.After(next)
}

// records mentions executions of days without a partition. They are records like others, but for their time.
func (e *examination) records(ctx context.Context) error {
	n, err := e.q.DoctorMisplaced(ctx)
	if err != nil {
		return err
	}
	if n == 0 { // there is no need to mention it otherwise
		return nil
	}

	e.say(true, verdict{
		check: "executions",
		state: FindingWarn,
		problem: plural(n, "execution") + " of days that have no partition: a node's clock was days from" +
			" the database's; such records get their place on their day, or go when they are old",
	})
	return nil
}

func (e *examination) nodes(ctx context.Context) error {
	nodes, err := e.q.ListNodes(ctx)
	if err != nil {
		return err
	}

	table := readNodes(nodes, time.Now())
	e.say(len(table.versions) > 1, verdict{
		check: "versions",
		state: FindingWarn,
		problem: "the nodes have different versions, " + strings.Join(table.versions, " and ") +
			": finish the upgrade",
		fine: plural(int64(len(nodes)), "node") + ", all of one version",
	})
	e.say(len(table.silent) > 0, verdict{
		check:   "nodes",
		state:   FindingWarn,
		problem: "not heard of for over a minute: " + strings.Join(table.silent, ", "),
		fine:    "every node has been heard of",
	})
	e.say(len(table.unreached) > 0, verdict{
		check: "listening",
		state: FindingWarn,
		problem: "no notification reaches " + strings.Join(table.unreached, ", ") +
			": it looks for news every second instead; DATABASE_URL may lead to a pooler in transaction mode",
		fine: "notifications reach every node",
	})
	return nil
}

// nodeTable is what the table of nodes says: the versions that there are, the names of nodes that have said
// nothing lately, and of those that no notification reaches.
type nodeTable struct {
	versions, silent, unreached []string
}

func readNodes(nodes []Node, now time.Time) nodeTable {
	var t nodeTable
	for i := range nodes {
		node := &nodes[i]
		if !slices.Contains(t.versions, node.Version) {
			t.versions = append(t.versions, node.Version)
		}

		// One that says nothing is not asked for its listener besides.
		switch {
		case len(nodes) > 1 && now.Sub(node.SeenAt) > silentAfter:
			t.silent = append(t.silent, node.Name)
		case node.ListenerPid == nil && node.SeenAt.Sub(node.StartedAt) > startTime:
			t.unreached = append(t.unreached, node.Name)
		}
	}

	return t
}

func (e *examination) keys(ctx context.Context) error {
	rows, err := e.q.DoctorKeys(ctx)
	if err != nil {
		return err
	}

	others := int64(0)
	for _, row := range rows {
		if row.KeyID != e.KeyID {
			others += row.N
		}
	}

	e.say(others > 0, verdict{
		check: "master key",
		state: FindingBad,
		problem: plural(others, "variable") +
			" sealed by another master key than PICLOUD_SECRET_KEY cannot be opened",
		fine: "variables and secrets are sealed by the present master key",
	})
	return nil
}
