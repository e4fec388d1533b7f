package commit

import (
	"context"

	"picloud/db"
	"picloud/internal/cloud"
	"picloud/internal/outbox"
)

// ResolveLetter resolves a dead letter that must still be unresolved: it replays it as a fresh row, or,
// without one, marks it as ignored.
type ResolveLetter struct {
	ID     cloud.ID
	Replay *outbox.NewRow
	// Reason is why it is ignored, storable.
	Reason string
	// By is the operator's name, or "script:" and the script's.
	By string
}

// LetterRef names a dead letter among the keys that a run read, so that a run which finds it resolved at its
// commit is run again. No collection of a script has such a name.
func LetterRef(app cloud.AppID, letter cloud.ID) cloud.KeyRef {
	return cloud.KeyRef{App: app, Collection: "(dead letter)", Key: letter.String()}
}

func (l ResolveLetter) require(g *Group, x *Commit) {
	s := of[*deadLetterSection](g)
	s.apps = append(s.apps, int64(x.App))
	s.ids = append(s.ids, l.ID)
	g.requireApp(x.App)
}

func (l ResolveLetter) decide(g *Group, x *Commit) Verdict {
	app := g.app(x.App)
	switch {
	case app == nil:
		return refused(errAppGone)
	case !of[*deadLetterSection](g).unresolved[l.ID]:
		return conflict(LetterRef(x.App, l.ID))
	case l.Replay != nil && app.Script(l.Replay.Script) == nil:
		return conflict(LetterRef(x.App, l.ID))
	default:
		return applies()
	}
}

func (l ResolveLetter) apply(g *Group, x *Commit) {
	s := of[*deadLetterSection](g)
	delete(s.unresolved, l.ID) // once in a group
	s.resolved = append(s.resolved, resolvedLetter{x.App, l})
	if l.Replay != nil {
		of[*enqueueSection](g).insert(g, l.Replay)
	}
}

// HandleLetter is what a dead-letter handler's run says of its dead letter. It applies whatever became of the
// letter meanwhile: the statement never overwrites what an operator decided.
type HandleLetter struct{ outbox.HandledLetter }

func (h HandleLetter) require(*Group, *Commit) {}

func (h HandleLetter) decide(*Group, *Commit) Verdict { return applies() }

func (h HandleLetter) apply(g *Group, x *Commit) {
	p := &of[*deadLetterSection](g).handled
	p.Apps = append(p.Apps, int64(x.App))
	p.Ids = append(p.Ids, h.ID)
	p.Resolutions = append(p.Resolutions, h.Resolution)
	p.Reasons = append(p.Reasons, db.Storable(h.Reason))
}

// deadLetterSection holds the dead letters that a group resolves.
type deadLetterSection struct {
	apps       []int64
	ids        []db.UUID
	unresolved map[cloud.ID]bool

	resolved []resolvedLetter
	handled  db.HandleDeadLettersParams
}

type resolvedLetter struct {
	app cloud.AppID
	ResolveLetter
}

func (s *deadLetterSection) read(_ *Group, p *db.Pipeline) {
	if len(s.ids) == 0 {
		return
	}
	s.unresolved = make(map[cloud.ID]bool, len(s.ids))
	p.Unresolved(s.apps, s.ids, func(id db.UUID) { s.unresolved[id] = true })
}

func (s *deadLetterSection) write(ctx context.Context, _ *Group, q *db.Queries) {
	for k := range s.resolved {
		_ = q.ResolveDeadLetter(ctx, s.resolved[k].params())
	}
	if len(s.handled.Ids) > 0 {
		_ = q.HandleDeadLetters(ctx, s.handled)
	}
}

func (l *resolvedLetter) params() db.ResolveDeadLetterParams {
	p := db.ResolveDeadLetterParams{AppID: int64(l.app), ID: l.ID, ResolvedBy: &l.By}
	resolution := cloud.DeadLetterIgnored
	if l.Replay != nil {
		resolution = cloud.DeadLetterReplayed
		row := db.UUID(l.Replay.ID)
		p.ReplayedAs = &row
	} else {
		p.Reason = &l.Reason
	}
	p.Resolution = &resolution

	return p
}
