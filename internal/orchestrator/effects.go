package orchestrator

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

// effects is what a group will do to the database: decided run by run against the state, then sent at once.
type effects struct {
	o  *Orchestrator
	id cloud.ID

	results []decision
	dirty   map[cloud.KeyRef]*keyState // final state of written keys; exists false: deleted
	order   []cloud.KeyRef
	rows    []*newRow
	shared  []sharedPayload
	done    []*row // deleted
	retries []*commit
	buried  []*commit
	slots   []*commit
	ledger  map[ledgerKey]int64

	now     time.Time            // no row of it wakes earlier, by the database's clock
	started []*row               // rows born claimed, with a permit each
	waiting map[cloud.AppID]bool // apps of which a row waits to be claimed
}

type decision struct {
	x      *commit
	result commitResult
}

type sharedPayload struct {
	app     cloud.AppID
	id      cloud.ID
	payload string
}

type ledgerKey struct {
	app  cloud.AppID
	what string
}

func newEffects(o *Orchestrator, id cloud.ID) *effects {
	return &effects{o: o, id: id, dirty: map[cloud.KeyRef]*keyState{}, ledger: map[ledgerKey]int64{}, waiting: map[cloud.AppID]bool{}}
}

// decide applies one commit to the state if its conditions hold there: against the database and against what the runs
// before it in the group wrote.
func (e *effects) decide(st *groupState, x *commit) {
	e.now = st.now
	r := commitResult{applied: true}
	if x.row != nil && st.claimed[x.row.id] != x.row.token || x.idem != nil && !st.reserved[x.idem.execution] {
		r = commitResult{lost: true}
	}
	if s := x.slots; s != nil {
		defs := st.defs[x.app]
		if defs == nil || defs.revision != s.revision || !st.expected[s.trigger].Equal(s.expected) {
			r = commitResult{lost: true}
		}
	}
	for _, ch := range x.changes.Checks {
		if r.applied && st.keys[ch.Key].version != ch.Version {
			r = commitResult{}
		}
		if st.keys[ch.Key].version != ch.Version {
			r.conflicts = append(r.conflicts, ch.Key)
		}
	}
	if needsApp := len(x.changes.Writes) > 0 || len(x.enqueue) > 0 || len(x.letters) > 0; r.applied && needsApp && st.defs[x.app] == nil {
		r = commitResult{err: cloud.Errorf(cloud.CodeNotFound, "the app is gone")}
	}
	for k := range x.letters {
		l, defs := &x.letters[k], st.defs[x.app]
		if r.err == nil && !r.lost && (!st.letters[l.id] || l.replay != nil && (defs == nil || defs.script(l.replay.script) == nil)) {
			r.applied = false
			r.conflicts = append(r.conflicts, l.ref(x.app))
		}
	}
	for _, n := range x.enqueue {
		if r.applied && st.defs[x.app].script(n.script) == nil {
			r = commitResult{err: cloud.Errorf(cloud.CodeConflict, "the script is gone")}
		}
	}
	if !r.applied {
		e.results = append(e.results, decision{x, r})
		return
	}
	for _, w := range x.changes.Writes {
		e.write(st, x, w)
	}
	for _, n := range x.enqueue {
		e.insert(n)
	}
	if x.slots != nil {
		st.expected[x.slots.trigger] = x.slots.next
		e.slots = append(e.slots, x)
	}
	for k := range x.letters {
		st.letters[x.letters[k].id] = false // once in a group
		if n := x.letters[k].replay; n != nil {
			e.insert(n)
		}
	}
	e.endRow(st, x)
	if x.row != nil {
		delete(st.claimed, x.row.id) // this claim has had its end
	}
	if x.idem != nil {
		delete(st.reserved, x.idem.execution)
	}
	e.results = append(e.results, decision{x, r})
}

// write applies one KV write and raises its events.
func (e *effects) write(st *groupState, x *commit, w cloud.Write) {
	k := st.keys[w.Key]
	old := *k
	op := "update"
	switch {
	case w.Delete && !old.exists:
		return
	case w.Delete:
		op = "delete"
		*k = keyState{}
	default:
		if !old.exists {
			op = "insert"
		}
		*k = keyState{exists: true, version: w.Version, value: w.Value}
		switch {
		case w.TTLMillis > 0:
			t := st.now.Add(time.Duration(w.TTLMillis) * time.Millisecond)
			k.expires = &t
		case w.TTLMillis < 0:
			k.expires = old.expires
		}
	}
	if e.dirty[w.Key] == nil {
		e.order = append(e.order, w.Key)
	}
	e.dirty[w.Key] = k
	var matching []*cloud.Trigger
	for _, t := range st.defs[x.app].triggers {
		if t.MatchesKV(w.Key.Collection, op) {
			matching = append(matching, t)
		}
	}
	if len(matching) > 0 {
		e.raise(x, matching, cloud.SourceKV, op, kvPayload(op, w, &old), cloud.ID{}, x.cause.depth+1)
	}
}

// kvPayload is the event of a KV change. Values are JSON texts already.
func kvPayload(op string, w cloud.Write, old *keyState) string {
	b := make([]byte, 0, len(w.Value)+len(old.value)+256)
	b = append(b, `{"op":"`...)
	b = append(b, op...)
	b = append(b, `","collection":`...)
	b = appendJSON(b, w.Key.Collection)
	b = append(b, `,"key":`...)
	b = appendJSON(b, w.Key.Key)
	if !w.Delete {
		b = append(b, `,"value":`...)
		b = append(b, w.Value...)
	}
	if old.exists {
		b = append(b, `,"oldValue":`...)
		b = append(b, old.value...)
	}
	return string(append(b, '}'))
}

func appendJSON(b []byte, v any) []byte {
	enc, err := json.Marshal(v)
	if err != nil {
		return append(b, "null"...)
	}
	return append(b, enc...)
}

// raise inserts one row for each trigger; several share one payload.
func (e *effects) raise(x *commit, triggers []*cloud.Trigger, source, op, payload string, letter cloud.ID, depth int) {
	slices.SortFunc(triggers, func(a, b *cloud.Trigger) int { return slices.Compare(a.ID[:], b.ID[:]) })
	var payloadID cloud.ID
	if len(triggers) > 1 {
		payloadID = e.o.cfg.IDs.New()
		e.shared = append(e.shared, sharedPayload{x.app, payloadID, payload})
	}
	for _, t := range triggers {
		e.insert(&newRow{row: row{app: x.app, id: e.o.cfg.IDs.New(), source: source, op: op, trigger: t.ID, script: t.Script, payload: payload,
			origin: x.cause.principal, parent: x.cause.execution, root: x.cause.root, depth: depth, deadLetter: letter,
			execution: e.o.cfg.IDs.New(), retry: t.Retry}, payloadID: payloadID})
	}
}

// insert adds a row; with a free permit it is born claimed and starts right after the commit.
func (e *effects) insert(n *newRow) {
	r := n.row // the attempt's own copy: a repeat decides anew
	e.ledger[ledgerKey{r.app, "enqueued"}]++
	if !e.o.cfg.Idle && !e.o.isDraining() && e.o.Hold() == "" && !n.elsewhere && e.o.gate.tryAcquire(r.app) {
		r.token = e.o.cfg.IDs.New()
		e.started = append(e.started, &r)
	} else {
		e.waiting[r.app] = true
	}
	e.rows = append(e.rows, &newRow{row: r, payloadID: n.payloadID})
}

// endRow moves the claimed row to its next state.
func (e *effects) endRow(st *groupState, x *commit) {
	switch x.end.kind {
	case endNone:
	case endDone:
		e.done = append(e.done, x.row)
		e.ledger[ledgerKey{x.app, "done"}]++
	case endSkip:
		e.done = append(e.done, x.row)
		e.ledger[ledgerKey{x.app, "skipped"}]++
	case endRetry:
		e.retries = append(e.retries, x)
	case endBury:
		e.buried = append(e.buried, x)
		e.done = append(e.done, x.row)
		e.ledger[ledgerKey{x.app, "dead_lettered"}]++
		e.raiseDeadLetter(st, x)
	}
}

// raiseDeadLetter gives the matching dead_letter triggers their rows. Depth is that of the failed row.
func (e *effects) raiseDeadLetter(st *groupState, x *commit) {
	defs := st.defs[x.app]
	if defs == nil {
		return
	}
	r, b := x.row, &x.end.bury
	var matching []*cloud.Trigger
	for _, t := range defs.triggers {
		if t.MatchesDeadLetter(r.source, r.trigger, r.script) {
			matching = append(matching, t)
		}
	}
	if len(matching) == 0 {
		return
	}
	payload := []byte(`{"id":"` + b.letter.String() + `","original":`)
	payload = append(payload, r.payload...)
	payload = append(payload, `,"attempts":`...)
	payload = appendJSON(payload, b.attempts)
	payload = append(payload, `,"error":`...)
	payload = appendJSON(payload, b.err)
	payload = append(payload, `,"trigger":`...)
	if r.trigger.IsZero() {
		payload = append(payload, "null"...)
	} else {
		payload = appendJSON(payload, r.trigger.String())
	}
	payload = append(payload, `,"script":`...)
	payload = append(appendJSON(payload, defs.scriptName(r.script)), '}')
	e.raise(x, matching, cloud.SourceDeadLetter, r.source, string(payload), b.letter, r.depth)
}

// drop gives back what a failed attempt had taken.
func (e *effects) drop() {
	if e == nil {
		return
	}
	for _, r := range e.started {
		e.o.gate.releaseDispatched(r.app)
	}
	e.started = nil
}

// settle tells everybody that the commit took effect.
func (e *effects) settle() {
	for _, d := range e.results {
		d.x.result = d.result
		if len(d.result.conflicts) > 0 {
			e.o.committer.conflicts.Add(1)
		}
	}
	for _, r := range e.started {
		e.o.dispatcher.startBorn(r)
	}
	for app := range e.waiting {
		e.o.dispatcher.tell(app, e.now)
		e.o.tellPeers(app, e.now)
	}
	for _, d := range e.results {
		if d.result.applied && d.x.inbox != nil {
			e.o.notifyPeers(channelInbox, d.x.inbox.node)
		}
		if d.result.applied && d.x.end.kind == endRetry {
			e.o.dispatcher.scout.ask(d.x.end.retry.delay)
		}
	}
}

// queue sends the decided changes; every statement takes all of its kind at once.
func (e *effects) queue(ctx context.Context, q *db.Queries) {
	var records []*record
	for _, d := range e.results {
		if !d.result.applied {
			continue
		}
		if d.x.record != nil {
			records = append(records, d.x.record)
		}
		for k := range d.x.letters {
			d.x.letters[k].queue(ctx, q, d.x.app)
		}
	}
	e.queueKeys(ctx, q)
	e.queueRows(ctx, q)
	e.queueBuried(ctx, q)
	e.queueEnds(ctx, q)
	e.queueAnswers(ctx, q)
	e.queueSlots(ctx, q)
	if len(records) > 0 {
		_ = q.InsertExecutions(ctx, executionRows(e.o.cfg.Node, records))
	}
	if len(e.ledger) > 0 {
		arg := db.CountLedgerParams{CommitID: e.id}
		for k, n := range e.ledger {
			arg.Apps, arg.Counters, arg.Amounts = append(arg.Apps, int64(k.app)), append(arg.Counters, k.what), append(arg.Amounts, n)
		}
		_ = q.CountLedger(ctx, arg)
	}
}

func (e *effects) queueKeys(ctx context.Context, q *db.Queries) {
	var put db.PutKeysParams
	var apps []int64
	var collections, keys []string
	for _, k := range e.order {
		s := e.dirty[k]
		if !s.exists {
			apps, collections, keys = append(apps, int64(k.App)), append(collections, k.Collection), append(keys, k.Key)
			continue
		}
		put.Apps, put.Collections, put.Keys = append(put.Apps, int64(k.App)), append(put.Collections, k.Collection), append(put.Keys, k.Key)
		put.Values, put.Versions = append(put.Values, s.value), append(put.Versions, s.version)
		expires := int64(0)
		if s.expires != nil {
			expires = s.expires.UnixMicro()
		}
		put.Expiries = append(put.Expiries, expires)
	}
	if len(keys) > 0 {
		_ = q.DeleteKeys(ctx, apps, collections, keys)
	}
	if len(put.Keys) > 0 {
		_ = q.PutKeys(ctx, put)
	}
}

func (e *effects) queueRows(ctx context.Context, q *db.Queries) {
	if len(e.shared) > 0 {
		var apps []int64
		var ids []db.UUID
		var payloads []string
		for _, s := range e.shared {
			apps, ids, payloads = append(apps, int64(s.app)), append(ids, s.id), append(payloads, s.payload)
		}
		_ = q.InsertPayloads(ctx, apps, ids, payloads)
	}
	if len(e.rows) > 0 {
		_ = q.InsertOutbox(ctx, outboxRows(e.o.cfg.Node, e.o.cfg.Lease, e.rows))
	}
}

func (e *effects) queueBuried(ctx context.Context, q *db.Queries) {
	if len(e.buried) == 0 {
		return
	}
	var p db.BuryOutboxParams
	for _, x := range e.buried {
		b := &x.end.bury
		p.Apps, p.Ids, p.Letters = append(p.Apps, int64(x.app)), append(p.Ids, x.row.id), append(p.Letters, b.letter)
		p.Scripts, p.Reasons = append(p.Scripts, b.script), append(p.Reasons, b.reason)
		p.Errors = append(p.Errors, string(appendJSON(nil, b.err)))
		p.AttemptCounts, p.Executions = append(p.AttemptCounts, int32(b.attempts)), append(p.Executions, b.execution)
		p.ErrorGroups = append(p.ErrorGroups, cloud.ErrorGroup(b.err.Name, b.err.Message))
	}
	_ = q.BuryOutbox(ctx, p)
}

func (e *effects) queueEnds(ctx context.Context, q *db.Queries) {
	if len(e.done) > 0 {
		var apps []int64
		var ids []db.UUID
		for _, r := range e.done {
			apps, ids = append(apps, int64(r.app)), append(ids, r.id)
		}
		_ = q.DeleteOutbox(ctx, apps, ids)
	}
	if len(e.retries) > 0 {
		var p db.RetryOutboxParams
		for _, x := range e.retries {
			r := &x.end.retry
			p.Apps, p.Ids = append(p.Apps, int64(x.app)), append(p.Ids, x.row.id)
			p.Attempts, p.Interruptions = append(p.Attempts, int32(r.attempts)), append(p.Interruptions, int32(r.interruptions))
			p.Errors, p.Attempted = append(p.Errors, clean(r.err)), append(p.Attempted, r.attempted)
			p.Delays = append(p.Delays, r.delay.Microseconds())
		}
		_ = q.RetryOutbox(ctx, p)
	}
	var h db.HandleDeadLettersParams
	for _, d := range e.results {
		if l := d.x.handled; d.result.applied && l != nil {
			h.Apps, h.Ids = append(h.Apps, int64(d.x.app)), append(h.Ids, l.id)
			h.Resolutions, h.Reasons = append(h.Resolutions, l.resolution), append(h.Reasons, clean(l.reason))
		}
	}
	if len(h.Ids) > 0 {
		_ = q.HandleDeadLetters(ctx, h)
	}
}

// queueAnswers stores idempotent answers, answers for other nodes, and those that nobody waits for any more.
func (e *effects) queueAnswers(ctx context.Context, q *db.Queries) {
	idem := db.StoreIdempotencyParams{RetentionUs: e.o.cfg.IdempotencyRetention.Microseconds()}
	var in db.InsertInboxParams
	var gone []*abandonedAnswer
	for _, d := range e.results {
		if !d.result.applied {
			continue
		}
		if i := d.x.idem; i != nil {
			idem.Apps, idem.Scripts, idem.Principals = append(idem.Apps, int64(d.x.app)), append(idem.Scripts, i.script), append(idem.Principals, i.principal)
			idem.Keys, idem.Statuses = append(idem.Keys, i.key), append(idem.Statuses, int32(i.status))
			idem.HeaderLists, idem.Bodies, idem.BodiesKept = append(idem.HeaderLists, i.headers), append(idem.Bodies, i.body), append(idem.BodiesKept, i.kept)
		}
		if m := d.x.inbox; m != nil {
			in.Ids, in.Apps, in.Nodes = append(in.Ids, m.id), append(in.Apps, int64(d.x.app)), append(in.Nodes, m.node)
			in.Scripts, in.Executions = append(in.Scripts, m.script), append(in.Executions, m.execution)
			in.Statuses, in.Responses = append(in.Statuses, int32(m.status)), append(in.Responses, m.response)
		}
		if d.x.gone != nil {
			gone = append(gone, d.x.gone)
		}
	}
	if len(idem.Keys) > 0 {
		_ = q.StoreIdempotency(ctx, idem)
	}
	if len(in.Ids) > 0 {
		_ = q.InsertInbox(ctx, in)
	}
	if len(gone) > 0 {
		_ = q.InsertAbandoned(ctx, abandonedRows(gone))
	}
}

// queueSlots records slots and moves their schedules on.
func (e *effects) queueSlots(ctx context.Context, q *db.Queries) {
	if len(e.slots) == 0 {
		return
	}
	var in db.InsertSlotsParams
	var move db.MoveSchedulesParams
	for _, x := range e.slots {
		move.Apps, move.Ids = append(move.Apps, int64(x.app)), append(move.Ids, x.slots.trigger)
		move.NextSlots, move.FireAts = append(move.NextSlots, x.slots.next), append(move.FireAts, x.slots.fireAt)
		for _, s := range x.slots.slots {
			in.Apps, in.Ids, in.Slots = append(in.Apps, int64(x.app)), append(in.Ids, x.slots.trigger), append(in.Slots, s.at)
			in.States, in.Reasons, in.Executions = append(in.States, s.state), append(in.Reasons, s.reason), append(in.Executions, s.execution)
		}
	}
	_ = q.InsertSlots(ctx, in)
	_ = q.MoveSchedules(ctx, move)
}
