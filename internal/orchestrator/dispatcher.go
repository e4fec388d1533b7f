package orchestrator

import (
	"context"
	"fmt"
	"sync"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

const (
	// retryAfterError is the pause after a claim that failed.
	retryAfterError = time.Second
	// afterClaim is how soon after a claim that took all it saw the scout looks whether there is more.
	afterClaim = time.Second
	// parkedFor is how long a row that was claimed as its trigger was disabled waits before somebody looks again. Those
	// that were waiting then are parked by the manager, until the trigger is enabled.
	parkedFor = 5 * time.Minute
)

// sources are the kinds of rows that this version runs; others are left alone.
var sources = []string{cloud.SourceHTTP, cloud.SourceKV, cloud.SourceCron, cloud.SourceDeadLetter}

// dispatcher claims due rows as far as there are permits, and runs them. It sleeps until something wakes it: a
// notification, a commit of this node, a permit, or what the scout found.
type dispatcher struct {
	o     *Orchestrator
	wakeC chan struct{}
	due   *due
	scout *scout

	mu      sync.Mutex
	running map[cloud.ID]*claim // by claim token and row: tokens are unique to a claim of one row here
}

// claim is a row that this node is running.
type claim struct {
	row     *row
	renewed time.Time
	lost    bool
	run     Run
}

func newDispatcher(o *Orchestrator) *dispatcher {
	d := &dispatcher{o: o, wakeC: make(chan struct{}, 1), due: newDue(), running: map[cloud.ID]*claim{}}
	d.scout = newScout(d)
	return d
}

// wake makes the dispatcher claim what is known to be due.
func (d *dispatcher) wake() {
	select {
	case d.wakeC <- struct{}{}:
	default:
	}
}

// tell says that rows of an app may be due, which do not wake before a time of the database's clock.
func (d *dispatcher) tell(app cloud.AppID, since time.Time) {
	d.due.add(app, since)
	d.wake()
}

func (d *dispatcher) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.running)
}

func (d *dispatcher) loop() {
	for {
		select {
		case <-d.o.ctx.Done():
			return
		case <-d.o.draining:
			return
		case <-d.wakeC:
		}
		d.look()
	}
}

// look claims until nothing is known to be due.
func (d *dispatcher) look() {
	for !d.due.empty() && d.o.Hold() == "" {
		permits := d.o.gate.reserve(d.o.cfg.Permits)
		if permits < d.o.cfg.Permits/2 && d.count() > d.o.cfg.Permits/2 { // under load, claim many at a time
			d.giveBack(permits)
			permits = 0
		}
		if permits == 0 {
			d.awaitPermit()
			if d.o.isDraining() || d.o.ctx.Err() != nil {
				return
			}
			continue
		}
		if err := d.claim(permits); err != nil {
			d.o.cfg.Log.Error("claim due rows", "error", err)
			d.scout.askAll(retryAfterError)
			return
		}
	}
}

// awaitPermit sleeps until a permit may be free; wake-ups meanwhile change nothing, there is work already.
func (d *dispatcher) awaitPermit() {
	select {
	case <-d.o.gate.freed:
	case <-d.o.ctx.Done():
	case <-d.o.draining:
	}
}

// claim takes due rows for the permits it was given, and starts them.
func (d *dispatcher) claim(permits int) error {
	ctx, cancel := context.WithTimeout(d.o.ctx, 10*time.Second)
	defer cancel()
	look, token, asked := d.due.look(), d.o.cfg.IDs.New(), time.Now()
	rows, err := db.New(d.o.cfg.DB.Control).ClaimDue(ctx, db.ClaimDueParams{Apps: look.apps, Sinces: look.sinces, Sources: sources, Max: int32(permits),
		Node: d.o.cfg.Node, Token: token, LeaseUs: d.o.cfg.Lease.Microseconds()})
	d.giveBack(permits - len(rows))
	if err != nil {
		return fmt.Errorf("claim: %w", db.Translate(err))
	}
	for k := range rows {
		r := claimedRow(&rows[k], token)
		d.o.gate.assign(r.app)
		d.start(r, asked)
	}
	seen := int64(0)
	if len(rows) > 0 {
		seen = rows[0].Seen
	}
	d.due.claimed(look, rows, seen < int64(permits))
	if seen == 0 || seen > int64(len(rows)) { // what somebody else looked at may be left to us
		d.scout.ask(0)
	} else {
		d.scout.ask(afterClaim)
	}
	return nil
}

// giveBack returns permits that no row was claimed for.
func (d *dispatcher) giveBack(permits int) {
	for range permits {
		d.o.gate.unreserve()
	}
}

// startBorn starts a row that was inserted as claimed; its permit is taken already.
func (d *dispatcher) startBorn(r *row) { d.start(r, time.Now()) }

// start runs a claimed row in a goroutine that owns its permit.
func (d *dispatcher) start(r *row, claimedAt time.Time) {
	c := &claim{row: r, renewed: claimedAt}
	d.mu.Lock()
	d.running[r.id] = c
	d.mu.Unlock()
	d.scout.ask(d.o.cfg.Lease) // should its end not be committed
	p := &permit{gate: d.o.gate, app: r.app, dispatched: true}
	d.o.runs.Go(func() {
		defer func() {
			d.mu.Lock()
			if d.running[r.id] == c {
				delete(d.running, r.id)
			}
			d.mu.Unlock()
			p.release()
		}()
		d.run(c, p)
	})
}

// run brings a claimed row to its next state.
func (d *dispatcher) run(c *claim, p *permit) {
	r := c.row
	ctx := d.o.ctx
	app, err := d.o.definitions.atLeast(ctx, r.app, r.revision)
	if err != nil {
		d.o.cfg.Log.Error("run row", "row", r.id.String(), "execution", r.execution.String(), "error", err)
		return // the lease ends and somebody tries again
	}
	if app == nil {
		return // the app is being deleted, and its rows with it
	}
	script := app.script(r.script)
	t := &task{app: app, script: script, row: r, source: r.source, trigger: r.trigger, parent: r.parent, root: r.root, depth: r.depth,
		attempt: r.attempts + 1, event: r.payload, idemKey: r.idempotencyKey, alone: r.interruptions >= aloneAfter, permit: p,
		onStart: func(run Run) { d.started(c, run) }}
	t.execution = r.execution
	if r.attempts > 0 {
		t.execution = d.o.cfg.IDs.New()
	}
	if t.idemKey == "" {
		t.idemKey = r.root.String()
	}
	if script == nil {
		t.script = &cloud.Script{ID: r.script, App: r.app}
		d.endUnrun(t, cloud.Outcome{Status: cloud.Refused, Error: cloud.ScriptError{Name: "Refused", Message: "the script was deleted"}})
		return
	}
	if r.depth > d.o.cfg.MaxDepth {
		d.endUnrun(t, cloud.Outcome{Status: cloud.Skipped, Error: cloud.ScriptError{Name: "Skipped",
			Message: fmt.Sprintf("the chain of events is %d deep; at most %d are run", r.depth, d.o.cfg.MaxDepth)}})
		return
	}
	if !r.replyTo.IsZero() && r.interruptions > 0 { // its client was told, or went; it is never run again
		d.endUnrun(t, cloud.Outcome{Status: cloud.Interrupted, Error: cloud.ScriptError{Name: "Interrupted",
			Message: "the node that ran it was lost; nothing of the run was kept"}})
		return
	}
	if !d.prepare(t) {
		return
	}
	if rest := d.o.perform(ctx, t); rest != nil {
		rest()
	}
}

// prepare decides whom the run acts as and what it is given; false: the row was ended or parked.
func (d *dispatcher) prepare(t *task) bool {
	r := t.row
	t.handler = handlerOf(r.source)
	if r.source == cloud.SourceHTTP {
		t.principal = cloud.ParsePrincipal(r.runAs)
		req, err := requestOf(r.payload)
		if err != nil {
			d.endUnrun(t, cloud.Outcome{Status: cloud.Failed, Error: cloud.ScriptError{Name: "TypeError",
				Message: "the payload is not an HTTP request: " + err.Error()}})
			return false
		}
		t.request = req
		return true
	}
	trigger := t.app.triggers[r.trigger]
	switch {
	case trigger == nil && r.runAs != "": // replayed by an operator after the trigger was deleted
		t.principal = cloud.ParsePrincipal(r.runAs)
	case trigger == nil:
		d.endUnrun(t, refusedOutcome("the trigger was deleted"))
		return false
	case trigger.Refusal != "":
		d.endUnrun(t, refusedOutcome(trigger.Refusal))
		return false
	case !trigger.Enabled:
		d.park(r)
		return false
	default:
		t.principal = cloud.Principal{Username: trigger.Registrant, Kind: cloud.PrincipalRegistrant}
	}
	return true
}

func refusedOutcome(why string) cloud.Outcome {
	return cloud.Outcome{Status: cloud.Refused, Error: cloud.ScriptError{Name: "Refused", Message: why}}
}

func handlerOf(source string) string {
	switch source {
	case cloud.SourceHTTP:
		return "fetch"
	case cloud.SourceCron:
		return "scheduled"
	case cloud.SourceDeadLetter:
		return "deadLetter"
	default:
		return source
	}
}

// endUnrun ends a row without running its script.
func (d *dispatcher) endUnrun(t *task, outcome cloud.Outcome) {
	a := &try{o: d.o, t: t, started: time.Now()}
	a.fail(a.finish(outcome))
}

// park lets a row of a disabled trigger wait until the trigger is enabled.
func (d *dispatcher) park(r *row) {
	d.o.committer.do(&commit{app: r.app, row: r, end: rowEnd{kind: endRetry,
		retry: retryEnd{attempts: r.attempts, interruptions: r.interruptions, delay: parkedFor, err: "trigger disabled"}}})
}

// started remembers the run, so that it can be cancelled when the lease is lost.
func (d *dispatcher) started(c *claim, run Run) {
	d.mu.Lock()
	c.run = run
	lost := c.lost
	d.mu.Unlock()
	if lost {
		run.Cancel()
	}
}

// renewals keeps the leases of running rows. It sleeps while nothing runs longer than a moment.
func (d *dispatcher) renewals() {
	every := d.o.cfg.Lease / 3
	tick := time.NewTimer(every)
	defer tick.Stop()
	for {
		select {
		case <-d.o.ctx.Done():
			return
		case <-tick.C:
		}
		d.renew()
		tick.Reset(every)
	}
}

func (d *dispatcher) renew() {
	var arg db.RenewLeasesParams
	asked := time.Now()
	d.mu.Lock()
	for _, c := range d.running {
		if !c.lost {
			arg.Apps, arg.Ids, arg.Tokens = append(arg.Apps, int64(c.row.app)), append(arg.Ids, c.row.id), append(arg.Tokens, c.row.token)
		}
	}
	d.mu.Unlock()
	if len(arg.Ids) == 0 {
		return
	}
	arg.LeaseUs = d.o.cfg.Lease.Microseconds()
	ctx, cancel := context.WithTimeout(d.o.ctx, d.o.cfg.Lease/3)
	defer cancel()
	ids, err := db.New(d.o.cfg.DB.Control).RenewLeases(ctx, arg)
	if err != nil {
		d.o.cfg.Log.Error("renew leases", "rows", len(arg.Ids), "error", db.Translate(err))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range ids {
		if c := d.running[id]; c != nil {
			c.renewed = asked
		}
	}
	for _, c := range d.running { // what could not be renewed in time is nobody's any more: stop before another node starts it
		if !c.lost && time.Since(c.renewed) > d.o.cfg.Lease*2/3 {
			c.lost = true
			if c.run != nil {
				c.run.Cancel()
			}
		}
	}
}

// release gives back what still runs when the grace of a shutdown is over. The runs are stopped first; whatever they did
// cannot be committed any more, since their rows lose the claim.
func (d *dispatcher) release() {
	d.mu.Lock()
	var apps []int64
	var ids, tokens []db.UUID
	for _, c := range d.running {
		c.lost = true
		if c.run != nil {
			c.run.Cancel()
		}
		apps, ids, tokens = append(apps, int64(c.row.app)), append(ids, c.row.id), append(tokens, c.row.token)
	}
	d.mu.Unlock()
	if len(ids) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := d.o.cfg.DB.Queries().ReleaseClaims(ctx, apps, ids, tokens); err != nil {
		d.o.cfg.Log.Error("release claims", "rows", len(ids), "error", db.Translate(err))
	}
}
