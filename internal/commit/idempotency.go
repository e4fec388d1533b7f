package commit

import (
	"context"

	"picloud/db"
	"picloud/internal/cloud"
)

// MaxStoredBody bounds the body, in bytes, that is kept for a repeat of a call with an Idempotency-Key.
const MaxStoredBody = 1 << 20

// IdempotencyKey is a caller's key as it was reserved.
type IdempotencyKey struct {
	App       cloud.AppID
	Script    cloud.ID
	Principal string
	Key       string
	// Execution holds the reservation.
	Execution cloud.ID
}

// StoreAnswer keeps a call's answer under its idempotency key, if the reservation is still the execution's:
// else the commit is lost.
type StoreAnswer struct {
	Key      IdempotencyKey
	Response *cloud.Response
}

func (a StoreAnswer) require(g *Group, x *Commit) {
	p := &of[*idempotencySection](g).lock
	p.Apps = append(p.Apps, int64(x.App))
	p.Scripts = append(p.Scripts, a.Key.Script)
	p.Principals = append(p.Principals, a.Key.Principal)
	p.Keys = append(p.Keys, a.Key.Key)
	p.Executions = append(p.Executions, a.Key.Execution)
}

func (a StoreAnswer) decide(g *Group, _ *Commit) Verdict {
	if !of[*idempotencySection](g).reserved[a.Key.Execution] {
		return lost()
	}
	return applies()
}

func (a StoreAnswer) apply(g *Group, x *Commit) {
	s := of[*idempotencySection](g)
	delete(s.reserved, a.Key.Execution) // the reservation is answered

	// A body that is not kept is stored as none; the key says that its answer was too large.
	body := a.Response.Body
	kept := len(body) <= MaxStoredBody
	if body == nil || !kept {
		body = []byte{}
	}
	p := &s.store
	p.Apps = append(p.Apps, int64(x.App))
	p.Scripts = append(p.Scripts, a.Key.Script)
	p.Principals = append(p.Principals, a.Key.Principal)
	p.Keys = append(p.Keys, a.Key.Key)
	p.Statuses = append(p.Statuses, int32(a.Response.Status))
	p.HeaderLists = append(p.HeaderLists, headerList(a.Response.Headers))
	p.Bodies = append(p.Bodies, body)
	p.BodiesKept = append(p.BodiesKept, kept)
}

// headerList is header fields as they are stored: a JSON array of [name, value].
func headerList(fields []cloud.Header) string {
	list := [][2]string{}
	for _, f := range fields {
		list = append(list, [2]string{db.Storable(f.Name), db.Storable(f.Value)})
	}
	return string(cloud.AppendJSON(nil, list))
}

// idempotencySection holds the reservations that a group answers.
type idempotencySection struct {
	lock     db.LockReservationsParams
	reserved map[cloud.ID]bool // by execution

	store db.StoreIdempotencyParams
}

func (s *idempotencySection) read(_ *Group, p *db.Pipeline) {
	if len(s.lock.Keys) == 0 {
		return
	}
	s.reserved = make(map[cloud.ID]bool, len(s.lock.Keys))
	p.Reservations(s.lock, func(execution db.UUID) { s.reserved[execution] = true })
}

func (s *idempotencySection) write(ctx context.Context, g *Group, q *db.Queries) {
	if len(s.store.Keys) == 0 {
		return
	}
	s.store.RetentionUs = g.cfg.IdempotencyRetention.Microseconds()
	_ = q.StoreIdempotency(ctx, s.store)
}
