package commit

import (
	"context"
	"hash/fnv"
	"slices"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

// Writes are a run's KV writes, with the checks on which they depend. A write raises an event for each
// matching trigger, in the same transaction. Checks of a commit that writes nothing are for the caller to
// leave out.
type Writes cloud.Changes

func (w Writes) require(g *Group, x *Commit) {
	keys := of[*keySection](g)
	for k := range w.Checks {
		keys.add(w.Checks[k].Key)
	}

	for k := range w.Writes {
		keys.add(w.Writes[k].Key).isWritten = true
	}
	if len(w.Writes) > 0 {
		g.requireApp(x.App)
	}
}

func (w Writes) decide(g *Group, x *Commit) Verdict {
	keys := of[*keySection](g)

	var changed []cloud.KeyRef
	for k := range w.Checks {
		check := &w.Checks[k]
		if keys.state[check.Key].version != check.Version {
			changed = append(changed, check.Key)
		}
	}

	switch {
	case len(changed) > 0:
		return conflict(changed...)
	case len(w.Writes) > 0 && g.app(x.App) == nil:
		return refused(errAppGone)
	}

	if err := of[*quotaSection](g).check(keys, x.App, w.Writes); err != nil {
		return refused(err)
	}
	return applies()
}

func (w Writes) apply(g *Group, x *Commit) {
	keys := of[*keySection](g)
	for k := range w.Writes {
		keys.put(g, x, &w.Writes[k])
	}
}

// keySection holds the keys that a group checks or writes.
type keySection struct {
	state map[cloud.KeyRef]*keyState
	order []cloud.KeyRef // as they were required
	dirty []*keyState    // as they were written first
}

// keyState is a key as it is in the database, then as the commits before have left it. A key that is not
// there has version 0.
type keyState struct {
	key cloud.KeyRef
	keyValue
	// size is what the entry has in the database, also when it has expired and is not swept yet, in bytes.
	size int64

	isWritten bool // by some commit of the group, whether or not it applies
	isDirty   bool // by one that applies
}

type keyValue struct {
	exists  bool
	version int64
	value   string // JSON text; "" in the database's state unless an event needs it
	expires *time.Time
}

// add requires a key.
func (s *keySection) add(key cloud.KeyRef) *keyState {
	if k := s.state[key]; k != nil {
		return k
	}
	if s.state == nil {
		s.state = map[cloud.KeyRef]*keyState{}
	}
	k := &keyState{key: key}
	s.state[key] = k
	s.order = append(s.order, key)

	return k
}

// lockNames are the advisory locks of the keys, sorted: every commit takes them in this order.
func (s *keySection) lockNames() []int64 {
	names := make([]int64, len(s.order))
	for k, key := range s.order {
		names[k] = lockName(key)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// lockName is a key's advisory lock. Equal names of different keys only make them wait for each other.
func lockName(k cloud.KeyRef) int64 {
	h := fnv.New64a()

	var app [8]byte
	for i := range app {
		app[i] = byte(int64(k.App) >> (8 * i))
	}
	_, _ = h.Write(app[:])
	_, _ = h.Write([]byte(k.Collection))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(k.Key))

	return int64(h.Sum64())
}

// read queues the present state of every key; values come only where an event may need the old one. What was
// read before is forgotten: an expired entry may have been swept since.
func (s *keySection) read(g *Group, p *db.Pipeline) {
	if len(s.order) == 0 {
		return
	}

	var arg db.CurrentKeysParams
	for k, key := range s.order {
		s.state[key].size = 0
		s.state[key].keyValue = keyValue{}

		arg.Positions = append(arg.Positions, int32(k))
		arg.Apps = append(arg.Apps, int64(key.App))
		arg.Collections = append(arg.Collections, key.Collection)
		arg.Keys = append(arg.Keys, key.Key)
		arg.Wanted = append(arg.Wanted, s.state[key].isWritten && mayRaiseEvents(g, key))
	}
	p.Current(arg, func(r db.CurrentKeysRow) {
		state := s.state[s.order[r.I]]
		state.size = sizeOf(state.key, int(r.Bytes))
		if r.Expired {
			return // absent at once, though not swept yet
		}
		state.keyValue = keyValue{
			exists:  true,
			version: r.Version,
			value:   r.Value,
			expires: r.ExpiresAt,
		}
	})
}

// mayRaiseEvents reports whether some trigger may want the old value of a key.
func mayRaiseEvents(g *Group, key cloud.KeyRef) bool {
	app := g.app(key.App)
	return app == nil || app.CountKVTriggers(key.Collection) > 0
}

// put applies one write to the state and raises its events.
func (s *keySection) put(g *Group, x *Commit, w *cloud.Write) {
	k := s.state[w.Key]
	old := k.keyValue
	if w.Delete && !old.exists {
		return // nothing changes, so nothing is raised
	}

	op := "update"
	switch {
	case w.Delete:
		op = "delete"
		k.keyValue = keyValue{}
	default:
		if !old.exists {
			op = "insert"
		}
		k.keyValue = keyValue{
			exists:  true,
			version: w.Version,
			value:   w.Value,
			expires: expiryOf(w, old.expires, g.now),
		}
	}
	of[*quotaSection](g).add(w.Key.App, sizeAfter(w)-k.size)
	k.size = sizeAfter(w)
	// Several commits of a group may write a key; only what the last of them left is stored.
	if !k.isDirty {
		k.isDirty = true
		s.dirty = append(s.dirty, k)
	}

	if triggers := g.app(x.App).KVTriggers(w.Key.Collection, op); len(triggers) > 0 {
		e := event{
			source:  cloud.SourceKV,
			op:      op,
			payload: kvPayload(op, w, &old),
			depth:   x.Cause.Depth + 1,
		}
		of[*enqueueSection](g).raise(g, x, triggers, e)
	}
}

// expiryOf is when a write's value expires: never, at its TTL from now, or when the value before it did.
func expiryOf(w *cloud.Write, old *time.Time, now time.Time) *time.Time {
	switch {
	case w.TTLMillis > 0:
		at := now.Add(time.Duration(w.TTLMillis) * time.Millisecond)
		return &at
	case w.TTLMillis < 0:
		return old
	default:
		return nil
	}
}

// kvPayload is the event of a KV change. Values are JSON texts already.
func kvPayload(op string, w *cloud.Write, old *keyValue) string {
	b := make([]byte, 0, len(w.Value)+len(old.value)+256)
	b = append(b, `{"op":"`...)
	b = append(b, op...)
	b = append(b, `","collection":`...)
	b = cloud.AppendJSON(b, w.Key.Collection)
	b = append(b, `,"key":`...)
	b = cloud.AppendJSON(b, w.Key.Key)
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

// maxPutBytes is how many bytes of values go into one statement, if there is more than one value.
const maxPutBytes = 1 << 20

// write queues the final state of every key that was written.
func (s *keySection) write(ctx context.Context, _ *Group, q *db.Queries) {
	var put db.PutKeysParams
	var putBytes int
	var apps []int64

	var collections, keys []string
	for _, k := range s.dirty {
		if !k.exists {
			apps = append(apps, int64(k.key.App))
			collections = append(collections, k.key.Collection)
			keys = append(keys, k.key.Key)
			continue
		}
		if putBytes += len(k.value); putBytes > maxPutBytes && len(put.Keys) > 0 {
			_ = q.PutKeys(ctx, put)
			put = db.PutKeysParams{}
			putBytes = len(k.value)
		}
		put.Apps = append(put.Apps, int64(k.key.App))
		put.Collections = append(put.Collections, k.key.Collection)
		put.Keys = append(put.Keys, k.key.Key)
		put.Values = append(put.Values, k.value)
		put.Versions = append(put.Versions, k.version)
		put.Expiries = append(put.Expiries, microseconds(k.expires))
	}

	if len(keys) > 0 {
		_ = q.DeleteKeys(ctx, apps, collections, keys)
	}
	if len(put.Keys) > 0 {
		_ = q.PutKeys(ctx, put)
	}
}

// microseconds since 1970, 0 for no time.
func microseconds(t *time.Time) int64 {
	if t == nil {
		return 0
	}
	return t.UnixMicro()
}
