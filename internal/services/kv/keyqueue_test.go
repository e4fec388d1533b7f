package kv

import (
	"context"
	"testing"
	"testing/synctest"

	"picloud/internal/cloud"
)

// A run whose process dies while it waits for its turn takes none: nobody would give it back, and everybody behind would wait
// out their time at the key for ever.
func TestTurnsOfTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		store := &Store{turns: turns{byKey: map[cloud.KeyRef]*turn{}}}
		key := cloud.KeyRef{App: 1, Collection: "c", Key: "hot"}
		first, dead, next, late := store.Open(1), store.Open(1), store.Open(1), store.Open(1)
		store.turns.enter(ctx, first, key)
		entered := make(chan *Session, 2)
		for _, s := range []*Session{dead, next} {
			go func() { store.turns.enter(ctx, s, key); entered <- s }()
			synctest.Wait() // it stands in line
		}
		dead.Finished()
		first.Settled()
		synctest.Wait()
		if store.turns.byKey[key].holder != next {
			t.Error("the turn did not go to the run that lives")
		}
		next.Finished()
		store.turns.enter(ctx, dead, key) // a call that was still on its way
		if len(store.turns.byKey) != 0 {
			t.Errorf("somebody still has a turn: %+v", store.turns.byKey)
		}
		store.turns.enter(ctx, late, key)
		if store.turns.byKey[key].holder != late {
			t.Error("the key is not free")
		}
	})
}
