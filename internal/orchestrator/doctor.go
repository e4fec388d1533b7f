package orchestrator

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

// States of a finding.
const (
	FindingOK   = "ok"
	FindingWarn = "warn"
	FindingBad  = "bad"
)

// Finding is what one check of the installation says.
type Finding struct{ Check, State, Text string }

// Report is what all checks say, and the apps whose ledger does not add up.
type Report struct {
	Findings   []Finding
	Unbalanced []string
}

// maxSkew is how far a node's clock may be from the database's before it is mentioned. Nothing depends on it but the times in
// logs.
const maxSkew = 2 * time.Second

// Examine checks what should hold in every installation: that no event vanished, nothing is stuck, every schedule fires, the
// nodes are alike and the master key is the one that sealed. It changes nothing. keyID names the present master key.
func Examine(ctx context.Context, d *db.DB, keyID string) (Report, error) {
	e := &examination{ctx: ctx, d: d, q: d.Queries()}
	for _, check := range []func() error{e.hold, e.clock, e.ledgers, e.queue, e.schedules, e.nodes, func() error { return e.keys(keyID) }} {
		if err := check(); err != nil {
			return e.report, explain("examine", err)
		}
	}
	return e.report, nil
}

// Examine checks the installation that this node belongs to.
func (o *Orchestrator) Examine(ctx context.Context) (Report, error) {
	return Examine(ctx, o.cfg.DB, o.cfg.Opener.KeyID())
}

type examination struct {
	ctx    context.Context
	d      *db.DB
	q      *db.Queries
	report Report
}

// say adds a finding: bad, or ok with another text.
func (e *examination) say(check string, isBad bool, state, bad, good string) {
	if isBad {
		e.report.Findings = append(e.report.Findings, Finding{check, state, bad})
		return
	}
	e.report.Findings = append(e.report.Findings, Finding{check, FindingOK, good})
}

func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (e *examination) hold() error {
	h, err := e.q.Hold(e.ctx)
	if err != nil {
		return err
	}
	e.say("hold", h.Hold != "", FindingBad, "no event and no schedule runs: "+h.Hold+"; \"picloud release\" ends that, once the installation it was copied from is gone", "events and schedules run")
	return nil
}

func (e *examination) clock() error {
	asked := time.Now()
	now, err := e.q.DatabaseTime(e.ctx)
	if err != nil {
		return err
	}
	took := time.Since(asked)
	skew := now.Sub(asked.Add(took / 2)).Round(time.Millisecond)
	e.say("clock", skew.Abs() > maxSkew+took, FindingWarn, fmt.Sprintf("this machine's clock is %s from the database's, which alone decides; times in logs are off", skew),
		"this machine and the database agree on the time")
	return nil
}

func (e *examination) ledgers() error {
	apps, err := e.q.DoctorApps(e.ctx)
	if err != nil {
		return err
	}
	ids := make([]cloud.AppID, len(apps))
	for k, a := range apps {
		ids[k] = cloud.AppID(a.ID)
	}
	all, err := conservations(e.ctx, e.d, ids)
	if err != nil {
		return err
	}
	for _, a := range apps {
		if !all[cloud.AppID(a.ID)].Balanced {
			e.report.Unbalanced = append(e.report.Unbalanced, a.Slug)
		}
	}
	broken := e.report.Unbalanced
	e.say("conservation", len(broken) > 0, FindingBad, "the ledger does not add up in "+strings.Join(broken, ", ")+": an event vanished or came from nowhere; keep the database as it is",
		"every event of "+plural(int64(len(apps)), "app")+" is accounted for")
	return nil
}

func (e *examination) queue() error {
	r, err := e.q.DoctorQueue(e.ctx)
	if err != nil {
		return err
	}
	e.say("leases", r.Abandoned > 0, FindingBad, plural(r.Abandoned, "event")+" held by a node that has not renewed the lease for over a minute, and nobody takes over: is a node running?",
		"no event belongs to a node that is gone")
	e.say("queue", r.Overdue > 0, FindingWarn, plural(r.Overdue, "event")+" due for over five minutes: there are too few permits, or no node runs", "no event waits longer than it should")
	return nil
}

func (e *examination) schedules() error {
	r, err := e.q.DoctorSchedules(e.ctx)
	if err != nil {
		return err
	}
	e.say("schedules", r.Overdue > 0, FindingBad, plural(r.Overdue, "schedule")+" should have fired over a minute ago and did not: is a node running?", "every schedule fires as it should")
	if r.Lost > 0 {
		e.report.Findings = append(e.report.Findings, Finding{"schedules", FindingBad, plural(r.Lost, "enabled cron trigger") + " without a next slot: disable and enable what has none"})
	}
	return nil
}

func (e *examination) nodes() error {
	nodes, err := e.q.ListNodes(e.ctx)
	if err != nil {
		return err
	}
	var versions, silent, deaf []string
	for _, n := range nodes {
		if !slices.Contains(versions, n.Version) {
			versions = append(versions, n.Version)
		}
		if len(nodes) > 1 && time.Since(n.SeenAt) > time.Minute {
			silent = append(silent, n.Name)
		} else if n.ListenerPid == nil && n.SeenAt.Sub(n.StartedAt) > pollEvery/2 { // one that starts is about to listen
			deaf = append(deaf, n.Name)
		}
	}
	e.say("versions", len(versions) > 1, FindingWarn, "the nodes have different versions, "+strings.Join(versions, " and ")+": finish the upgrade", plural(int64(len(nodes)), "node")+", all of one version")
	e.say("nodes", len(silent) > 0, FindingWarn, "not heard of for over a minute: "+strings.Join(silent, ", "), "every node has been heard of")
	e.say("listening", len(deaf) > 0, FindingWarn, "no notification reaches "+strings.Join(deaf, ", ")+": it looks for news every second instead; DATABASE_URL may lead to a pooler in transaction mode",
		"notifications reach every node")
	return nil
}

func (e *examination) keys(keyID string) error {
	rows, err := e.q.DoctorKeys(e.ctx)
	if err != nil {
		return err
	}
	other := int64(0)
	for _, r := range rows {
		if r.KeyID != keyID {
			other += r.N
		}
	}
	e.say("master key", other > 0, FindingBad, plural(other, "variable")+" sealed by another master key than PICLOUD_SECRET_KEY cannot be opened", "variables and secrets are sealed by the present master key")
	return nil
}
