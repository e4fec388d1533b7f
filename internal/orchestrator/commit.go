package orchestrator

import (
	"context"
	"errors"
	"hash/fnv"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"picloud/db"
	"picloud/internal/cloud"
)

// Limits of a group. A commit with more keys than maxGroupKeys goes alone and locks its app instead of its keys.
const (
	maxGroup     = 100
	maxGroupKeys = 1000
)

// patience is how long a commit is tried again while the database does not answer.
const patience = 8 * time.Second

// cause is what the events of a commit descend from.
type cause struct {
	execution cloud.ID
	root      cloud.ID
	depth     int
	principal string
}

// commit is what one run, or one operator's action, wants applied at once.
type commit struct {
	app     cloud.AppID
	cause   cause
	changes cloud.Changes
	// row is the claimed row that must still be ours; end says what becomes of it.
	row *row
	end rowEnd
	// slots are what becomes of a schedule's due slots, if none of them was decided before.
	slots *slotDecision
	// letters are the dead letters that it deals with.
	letters []letterChange
	// handled is what a dead letter handler's run says of its dead letter.
	handled *handledLetter
	enqueue []*newRow
	record  *record
	idem    *idempotentAnswer
	inbox   *inboxMessage
	gone    *abandonedAnswer

	doneCh chan struct{}
	result commitResult
}

type commitResult struct {
	applied bool
	// conflicts are the keys whose check failed, and the dead letters that were resolved meanwhile.
	conflicts []cloud.KeyRef
	// lost: the row's claim, or the idempotency key's reservation, is no longer ours, or the
	// slots were decided by another node.
	lost bool
	// err: the platform failed. unknown: whether the commit took effect cannot be told.
	err     error
	unknown bool
}

var (
	errDatabaseAway = cloud.Errorf(cloud.CodeUnavailable, "the database does not answer; nothing of this run was kept")
	errUnknown      = cloud.Errorf(cloud.CodeUnknown, "the database went away while this run was committed: whether it took effect is unknown")
)

// committer applies commits in groups, one group at a time: what comes while a group is under way shares the next one.
type committer struct {
	o *Orchestrator

	mu    sync.Mutex
	queue []*commit
	wakeC chan struct{}

	groups, commits, conflicts atomic.Int64
}

func newCommitter(o *Orchestrator) *committer {
	return &committer{o: o, wakeC: make(chan struct{}, 1)}
}

// submit hands a commit over; its place in the order is taken when submit returns. wait gives the result.
func (c *committer) submit(x *commit) {
	x.doneCh = make(chan struct{})
	c.mu.Lock()
	c.queue = append(c.queue, x)
	c.mu.Unlock()
	select {
	case c.wakeC <- struct{}{}:
	default:
	}
}

func (x *commit) wait() commitResult {
	<-x.doneCh
	return x.result
}

// do is submit and wait.
func (c *committer) do(x *commit) commitResult {
	c.submit(x)
	return x.wait()
}

func (c *committer) loop() {
	for {
		group := c.next()
		if group == nil {
			select {
			case <-c.wakeC:
				continue
			case <-c.o.ctx.Done():
				c.refuseAll()
				return
			}
		}
		c.apply(group)
		for _, x := range group {
			close(x.doneCh)
		}
	}
}

// refuseAll ends what was submitted too late.
func (c *committer) refuseAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, x := range c.queue {
		x.result = commitResult{err: errDatabaseAway.Because(errStopped)}
		close(x.doneCh)
	}
	c.queue = nil
}

// next takes what waits, in order, within the limits of a group.
func (c *committer) next() []*commit {
	c.mu.Lock()
	defer c.mu.Unlock()
	keys := 0
	n := 0
	for n < len(c.queue) && n < maxGroup {
		keys += len(c.queue[n].changes.Checks) + len(c.queue[n].changes.Writes)
		if n > 0 && keys > maxGroupKeys {
			break
		}
		n++
	}
	if n == 0 {
		return nil
	}
	group := c.queue[:n:n]
	c.queue = c.queue[n:]
	if len(c.queue) == 0 {
		c.queue = nil
	}
	return group
}

// apply applies a group. One that was refused as a whole is repeated one by one, so that nobody suffers from a neighbour; one
// of which nobody knows whether it took effect, or for which there is no database, is not: under other ids it might be applied
// a second time.
func (c *committer) apply(group []*commit) {
	c.groups.Add(1)
	c.commits.Add(int64(len(group)))
	err := c.applyTogether(group)
	var final *cloud.Error
	switch {
	case err == nil:
	case len(group) == 1 || errors.As(err, &final):
		for _, x := range group {
			x.result = failed(err)
		}
	default:
		for _, x := range group {
			x.result = commitResult{}
			if err := c.applyTogether([]*commit{x}); err != nil {
				x.result = failed(err)
			}
		}
	}
}

func failed(err error) commitResult {
	r := commitResult{err: err}
	var ce *cloud.Error
	if errors.As(err, &ce) && ce.Code == cloud.CodeUnknown {
		r.unknown = true
	}
	return r
}

// maxRepeats bounds the repeats of a single commit that lost a deadlock or waited too long for a lock.
const maxRepeats = 5

// applyTogether makes one transaction of a group, and makes it again under the same id when its answer is lost.
func (c *committer) applyTogether(group []*commit) error {
	id := c.o.cfg.IDs.New()
	giveUp := time.Now().Add(patience)
	var sent *effects // of an attempt whose COMMIT may have reached the server
	for repeat := 0; ; repeat++ {
		a := &attempt{c: c, id: id, group: group}
		err := a.run()
		if err == nil {
			if a.appliedBefore {
				sent.settle()
			} else {
				sent.drop()
			}
			return nil
		}
		if a.sent && db.IsConnectionError(err) {
			sent.drop()
			sent = a.effects
		} else {
			a.effects.drop()
		}
		switch {
		case sent == nil && db.IsSQLError(err) && (len(group) > 1 || repeat >= maxRepeats || !isRepeatable(err)):
			return err
		case sent == nil && db.IsSQLError(err):
		case time.Now().After(giveUp) || c.o.ctx.Err() != nil:
			c.o.cfg.Log.Error("commit given up", "executions", executionsOf(group), "sent", sent != nil, "error", err)
			if sent == nil {
				return errDatabaseAway.Because(err)
			}
			switch applied, probeErr := c.probe(id); {
			case probeErr != nil:
				sent.drop()
				return errUnknown.Because(err)
			case applied:
				sent.settle()
				return nil
			default:
				sent.drop()
				return errDatabaseAway.Because(err)
			}
		}
		time.Sleep(min(time.Duration(repeat+1)*20*time.Millisecond, 500*time.Millisecond))
	}
}

// executionsOf names the runs of a group, for the log.
func executionsOf(group []*commit) []string {
	ids := make([]string, len(group))
	for k, x := range group {
		ids[k] = x.cause.execution.String()
	}
	return ids
}

// probe asks once more whether a commit took effect, without sending it again. The insert of its id waits for a
// transaction of the same id that is still under way.
func (c *committer) probe(id cloud.ID) (applied bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	err = c.o.cfg.DB.Commits.AcquireFunc(ctx, func(pooled *pgxpool.Conn) error {
		defer func() { _ = pooled.Conn().Close(ctx) }() // the server rolls back
		p := db.NewPipeline()
		p.Begin()
		p.Open(id, 0, func(isNew bool) { applied = !isNew })
		if err := p.Send(ctx, pooled.Conn()); err != nil || !applied {
			return err
		}
		return confirm(ctx, pooled.Conn())
	})
	return applied, err
}

// confirm ends the transaction that found an earlier attempt applied. What it saw may not have reached a synchronous standby:
// the attempt's connection broke while it waited for that. A commit with something to write waits for all before it.
func confirm(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, "SELECT pg_logical_emit_message(true, 'picloud', 'applied before')"); err != nil {
		return err
	}
	_, err := conn.Exec(ctx, "commit")
	return err
}

// isRepeatable: deadlock_detected, lock_not_available, serialization_failure.
func isRepeatable(err error) bool {
	return db.HasCode(err, "40P01", "55P03", "40001")
}

// attempt is one try to apply a group.
type attempt struct {
	c     *committer
	id    cloud.ID
	group []*commit

	// sent: COMMIT was on its way. appliedBefore: an earlier attempt had taken effect.
	sent          bool
	appliedBefore bool
	effects       *effects
}

// attemptTimeout bounds one try; a lock that is held longer makes it a failure that is repeated.
const attemptTimeout = 20 * time.Second

func (a *attempt) run() error {
	ctx, cancel := context.WithTimeout(context.Background(), attemptTimeout)
	defer cancel()
	pooled, err := a.c.o.cfg.DB.Commits.Acquire(ctx)
	if err != nil {
		return err
	}
	conn := pooled.Conn()
	defer func() {
		if conn.PgConn().TxStatus() != 'I' {
			_ = conn.Close(ctx) // the server rolls back
		}
		pooled.Release()
	}()
	a.effects = newEffects(a.c.o, a.id)
	st, isNew, err := a.read(ctx, conn)
	if err != nil {
		return err
	}
	if !isNew {
		a.appliedBefore = true
		return confirm(ctx, conn)
	}
	if err := a.refreshDefinitions(ctx, conn, st); err != nil {
		return err
	}
	for _, x := range a.group {
		a.effects.decide(st, x)
	}
	return a.write(ctx, conn)
}

// write sends everything that was decided, with COMMIT, in one round trip.
func (a *attempt) write(ctx context.Context, conn *pgx.Conn) error {
	e := a.effects
	p := db.NewPipeline()
	e.queue(ctx, p.Queries)
	p.Commit()
	a.sent = true
	if err := p.Send(ctx, conn); err != nil {
		return err
	}
	e.settle()
	return nil
}

// groupState is what the database says at the start of a commit, changed by each run of the group as it is decided.
type groupState struct {
	now      time.Time
	defs     map[cloud.AppID]*appDefs
	keys     map[cloud.KeyRef]*keyState
	order    []cloud.KeyRef
	claimed  map[cloud.ID]cloud.ID // rows that are claimed still, with the token of the claim
	reserved map[cloud.ID]bool
	letters  map[cloud.ID]bool
	expected map[cloud.ID]time.Time // first slot to be decided, by trigger
	revision map[cloud.AppID]int64
}

type keyState struct {
	exists  bool
	version int64
	value   string
	expires *time.Time
}

// read opens the transaction, takes the locks and reads what the decisions need.
func (a *attempt) read(ctx context.Context, conn *pgx.Conn) (*groupState, bool, error) {
	st := &groupState{keys: map[cloud.KeyRef]*keyState{}, claimed: map[cloud.ID]cloud.ID{}, reserved: map[cloud.ID]bool{},
		letters: map[cloud.ID]bool{}, expected: map[cloud.ID]time.Time{},
		revision: map[cloud.AppID]int64{}, defs: map[cloud.AppID]*appDefs{}}
	p := db.NewPipeline()
	isNew := false
	p.Begin()
	p.Open(a.id, int64(len(a.group)), func(n bool) { isNew = n })
	apps, bulk := a.collect(st)
	a.lock(ctx, p, st, apps, bulk)
	p.Now(func(t time.Time) { st.now = t })
	if len(apps) > 0 {
		ids := make([]int64, len(apps))
		for k, app := range apps {
			ids[k] = int64(app)
		}
		p.Revisions(ids, func(app, rev int64) { st.revision[cloud.AppID(app)] = rev })
	}
	a.readKeys(p, st)
	a.readClaims(p, st)
	if err := p.Send(ctx, conn); err != nil {
		return nil, false, err
	}
	return st, isNew, nil
}

// collect lists the apps whose definitions matter and the keys, and says whether the group is one big commit.
func (a *attempt) collect(st *groupState) (apps []cloud.AppID, bulk bool) {
	for _, x := range a.group {
		if len(x.changes.Writes) > 0 || len(x.enqueue) > 0 || len(x.letters) > 0 || x.slots != nil || x.end.kind == endBury {
			apps = append(apps, x.app)
		}
		for _, ch := range x.changes.Checks {
			st.addKey(ch.Key)
		}
		for _, w := range x.changes.Writes {
			st.addKey(w.Key)
		}
	}
	slices.Sort(apps)
	apps = slices.Compact(apps)
	for _, app := range apps {
		st.defs[app] = a.c.o.definitions.app(app)
	}
	return apps, len(st.order) > maxGroupKeys
}

func (st *groupState) addKey(k cloud.KeyRef) {
	if st.keys[k] == nil {
		st.keys[k] = &keyState{}
		st.order = append(st.order, k)
	}
}

func (a *attempt) lock(ctx context.Context, p *db.Pipeline, st *groupState, apps []cloud.AppID, bulk bool) {
	ids := make([]int32, len(apps))
	for k, app := range apps {
		ids[k] = int32(app)
	}
	if bulk {
		_ = p.LockApps(ctx, ids)
		return
	}
	if len(ids) > 0 {
		_ = p.LockAppsShared(ctx, ids)
	}
	if len(st.order) == 0 {
		return
	}
	names := make([]int64, len(st.order))
	for k, key := range st.order {
		names[k] = lockName(key)
	}
	slices.Sort(names)
	_ = p.LockKeys(ctx, slices.Compact(names))
}

// lockName is a key's advisory lock: equal names of different keys only make them wait for each other.
func lockName(k cloud.KeyRef) int64 {
	h := fnv.New64a()
	var b [8]byte
	for i := range b {
		b[i] = byte(int64(k.App) >> (8 * i))
	}
	_, _ = h.Write(b[:])
	_, _ = h.Write([]byte(k.Collection))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(k.Key))
	return int64(h.Sum64())
}

func (a *attempt) readKeys(p *db.Pipeline, st *groupState) {
	if len(st.order) == 0 {
		return
	}
	written := map[cloud.KeyRef]bool{}
	for _, x := range a.group {
		for _, w := range x.changes.Writes {
			written[w.Key] = true
		}
	}
	arg := db.CurrentKeysParams{}
	for k, key := range st.order {
		arg.Positions = append(arg.Positions, int32(k))
		arg.Apps = append(arg.Apps, int64(key.App))
		arg.Collections = append(arg.Collections, key.Collection)
		arg.Keys = append(arg.Keys, key.Key)
		arg.Wanted = append(arg.Wanted, written[key] && st.raisesEvents(key))
	}
	p.Current(arg, func(r db.CurrentKeysRow) {
		if r.Expired {
			return
		}
		*st.keys[st.order[r.I]] = keyState{exists: true, version: r.Version, value: r.Value, expires: r.ExpiresAt}
	})
}

// raisesEvents reports whether some trigger may want the old value of a key.
func (st *groupState) raisesEvents(k cloud.KeyRef) bool {
	a := st.defs[k.App]
	if a == nil {
		return true
	}
	for _, t := range a.triggers {
		if t.Enabled && t.Kind == cloud.SourceKV && cloud.MatchesCollection(t.Collection, k.Collection) {
			return true
		}
	}
	return false
}

func (a *attempt) readClaims(p *db.Pipeline, st *groupState) {
	var apps []int64
	var ids, tokens []db.UUID
	var letterApps []int64
	var letters []db.UUID
	var slotApps []int64
	var slotTriggers []db.UUID
	var res db.LockReservationsParams
	for _, x := range a.group {
		if x.row != nil {
			apps, ids, tokens = append(apps, int64(x.row.app)), append(ids, x.row.id), append(tokens, x.row.token)
		}
		for k := range x.letters {
			letterApps, letters = append(letterApps, int64(x.app)), append(letters, x.letters[k].id)
		}
		if x.slots != nil {
			slotApps, slotTriggers = append(slotApps, int64(x.app)), append(slotTriggers, x.slots.trigger)
		}
		if i := x.idem; i != nil {
			res.Apps, res.Scripts = append(res.Apps, int64(x.app)), append(res.Scripts, i.script)
			res.Principals, res.Keys = append(res.Principals, i.principal), append(res.Keys, i.key)
			res.Executions = append(res.Executions, i.execution)
		}
	}
	if len(ids) > 0 {
		p.Claimed(apps, ids, tokens, func(id, token db.UUID) { st.claimed[id] = token })
	}
	if len(letters) > 0 {
		p.Unresolved(letterApps, letters, func(id db.UUID) { st.letters[id] = true })
	}
	if len(slotTriggers) > 0 {
		p.Schedules(slotApps, slotTriggers, func(trigger db.UUID, next time.Time) { st.expected[trigger] = next })
	}
	if len(res.Keys) > 0 {
		p.Reservations(res, func(id db.UUID) { st.reserved[id] = true })
	}
}

// refreshDefinitions makes the triggers of the decision those that the database had when the commit began. Values that
// turn out to be wanted only now are read again.
func (a *attempt) refreshDefinitions(ctx context.Context, conn *pgx.Conn, st *groupState) error {
	stale := false
	for app, have := range st.defs {
		rev, exists := st.revision[app]
		if !exists {
			st.defs[app] = nil
			continue
		}
		if have != nil && have.revision >= rev {
			continue
		}
		fresh, err := a.c.o.definitions.reload(ctx, app)
		if err != nil {
			return err
		}
		st.defs[app] = fresh
		stale = true
	}
	if !stale {
		return nil
	}
	p := db.NewPipeline()
	a.readKeys(p, st)
	return p.Send(ctx, conn)
}
