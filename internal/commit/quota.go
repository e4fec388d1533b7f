package commit

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"picloud/db"
	"picloud/internal/cloud"
)

// quotaSection holds the KV bytes of apps that have a quota of them. Its rows are locked from the decision to
// the commit, so that two nodes never give the same bytes away. An app without that quota is not in it.
type quotaSection struct {
	kv map[cloud.AppID]*kvUse
}

// kvUse is what an app may have and has, after the commits before.
type kvUse struct {
	limit, used int64
	isDirty     bool
}

// read queues the quotas of the apps whose keys are written.
func (s *quotaSection) read(g *Group, p *db.Pipeline) {
	var apps []int64
	for key, k := range of[*keySection](g).state {
		if app := g.app(key.App); k.isWritten && app != nil && app.Quotas.KVBytes != nil {
			apps = append(apps, int64(key.App))
		}
	}
	if len(apps) == 0 {
		return
	}

	slices.Sort(apps)
	s.kv = map[cloud.AppID]*kvUse{}
	p.KVUse(slices.Compact(apps), func(r db.LockKVUseRow) {
		s.kv[cloud.AppID(r.AppID)] = &kvUse{limit: r.KvBytes, used: r.KvUsed}
	})
}

const (
	// roomBatch and roomBatches bound the expired entries that a commit deletes of one app.
	roomBatch   = 5000
	roomBatches = 10
)

// makeRoom deletes expired entries of the apps whose quota may not suffice for what the group writes: they
// are absent for everybody, so they must not stand in the way until they are swept. No other transaction
// deletes entries of the app meanwhile, or counts them, since the lock of its quota is held.
func (g *Group) makeRoom(ctx context.Context, conn *pgx.Conn) error {
	for app, use := range of[*quotaSection](g).kv {
		missing := use.used + g.bytesSet(app) - use.limit
		for batch := 0; missing > 0 && batch < roomBatches; batch++ {
			gone, err := db.New(conn).DeleteExpiredOfApp(ctx, int64(app), g.now, roomBatch)
			if err != nil {
				return err
			}

			missing -= g.forget(app, use, gone)
			if len(gone) < roomBatch {
				break
			}
		}
	}
	return nil
}

// bytesSet is the size of all entries of an app that the group's commits set.
func (g *Group) bytesSet(app cloud.AppID) (bytes int64) {
	for _, x := range g.commits {
		for _, part := range x.Parts {
			if w, ok := part.(Writes); ok && x.App == app {
				for k := range w.Writes {
					bytes += sizeAfter(&w.Writes[k])
				}
			}
		}
	}
	return bytes
}

// forget takes entries that were deleted out of the group's state. It gives their size.
func (g *Group) forget(app cloud.AppID, use *kvUse, gone []db.DeleteExpiredOfAppRow) (bytes int64) {
	keys := of[*keySection](g)
	for k := range gone {
		e := &gone[k]
		bytes += e.Bytes
		if state := keys.state[cloud.KeyRef{App: app, Collection: e.Collection, Key: e.Key}]; state != nil {
			state.size = 0
		}
	}

	use.used -= bytes
	use.isDirty = use.isDirty || bytes > 0
	return bytes
}

// check refuses writes that make an app's KV grow over its quota. What makes it no larger always passes, so
// that an app can be brought below a quota that was made smaller.
func (s *quotaSection) check(keys *keySection, app cloud.AppID, writes []cloud.Write) error {
	use := s.kv[app]
	if use == nil {
		return nil
	}

	growth := keys.growth(writes)
	if growth <= 0 || use.used+growth <= use.limit {
		return nil
	}
	return cloud.Errorf(cloud.CodeQuota,
		"the app's quota of %d bytes of KV does not suffice: it keeps %d, and this would add %d; nothing "+
			"was written. Delete entries, or ask an instance admin for a larger quota",
		use.limit, use.used, growth).With("quota", cloud.QuotaKVBytes)
}

// add counts bytes that an app has more, or fewer.
func (s *quotaSection) add(app cloud.AppID, bytes int64) {
	if use := s.kv[app]; use != nil && bytes != 0 {
		use.used += bytes
		use.isDirty = true
	}
}

// write queues what the apps have now.
func (s *quotaSection) write(ctx context.Context, _ *Group, q *db.Queries) {
	var apps, used []int64
	for app, use := range s.kv {
		if use.isDirty {
			apps = append(apps, int64(app))
			used = append(used, use.used)
		}
	}

	if len(apps) > 0 {
		_ = q.SetKVUse(ctx, apps, used)
	}
}

// growth is how many bytes of KV there are more after some writes, if they are applied now.
func (s *keySection) growth(writes []cloud.Write) int64 {
	after := make(map[cloud.KeyRef]int64, len(writes))
	var growth int64

	for k := range writes {
		w := &writes[k]
		state := s.state[w.Key]
		size, isWritten := after[w.Key]
		if !isWritten {
			size = state.size
		}
		// The deletion of what has expired changes nothing: it stays until somebody needs its room.
		if w.Delete && !isWritten && !state.exists {
			continue
		}

		after[w.Key] = sizeAfter(w)
		growth += after[w.Key] - size
	}

	return growth
}

// sizeAfter is what a write's entry has in the database, as queries/quotas.sql counts it.
func sizeAfter(w *cloud.Write) int64 {
	if w.Delete {
		return 0
	}
	return sizeOf(w.Key, len(w.Value))
}

func sizeOf(key cloud.KeyRef, value int) int64 {
	return int64(len(key.Collection) + len(key.Key) + value)
}
