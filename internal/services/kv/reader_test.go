package kv

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"picloud/db"
	"picloud/internal/cloud"
)

// Reads that arrive while all statements are under way share the next one.
func TestWaitingReadsShareAStatement(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		goOnCh := make(chan struct{})
		var mu sync.Mutex
		var sizes []int
		r := &reader{query: func(ctx context.Context, params db.ReadKeysParams) ([]db.ReadKeysRow, error) {
			mu.Lock()
			sizes = append(sizes, len(params.Keys))
			mu.Unlock()
			<-goOnCh
			return f.query(ctx, params)
		}}

		const reads = 2*maxBatch + maxReaders

		results := make(chan string, reads)
		for n := range reads {
			key := fmt.Sprint(n)
			f.commit(key, Entry{Value: key, Version: 1})
			go func() {
				entry, err := r.get(t.Context(), ref(key))
				wrong := ""
				if err != nil || entry.Value != key {
					wrong = fmt.Sprintf("key %s: %+v %v", key, entry, err)
				}
				results <- wrong
			}()
			synctest.Wait() // it waits in a statement, or for the next
		}
		close(goOnCh)

		for range reads {
			if wrong := <-results; wrong != "" {
				t.Error(wrong)
			}
		}

		synctest.Wait()
		if len(sizes) != 4 || sizes[0] != 1 || sizes[1] != 1 || sizes[2] != maxBatch || sizes[3] != maxBatch {
			t.Errorf("%d reads took statements of %v keys", reads, sizes)
		}
		if r.busy != 0 || len(r.waiting) != 0 {
			t.Errorf("%d goroutines and %d reads are left", r.busy, len(r.waiting))
		}
	})
}

// An error of the shared statement reaches every reader.
func TestFailedReadFailsAll(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	r := &reader{query: func(context.Context, db.ReadKeysParams) ([]db.ReadKeysRow, error) {
		return nil, broken
	}}
	batch := []*read{
		{key: ref("a"), doneCh: make(chan struct{})},
		{key: ref("b"), doneCh: make(chan struct{})},
	}

	r.read(batch)

	for _, rd := range batch {
		<-rd.doneCh
		if !errors.Is(rd.err, broken) {
			t.Errorf("%s: %v", rd.key.Key, rd.err)
		}
	}
}

// A caller that is gone does not wait for the statement, and does not end it for the others.
func TestReadOfACallerThatIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.commit("k", Entry{Value: "1", Version: 5})
		goOnCh := make(chan struct{})
		f.reader.query = func(ctx context.Context, params db.ReadKeysParams) ([]db.ReadKeysRow, error) {
			<-goOnCh
			return f.query(ctx, params)
		}

		gone := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(gone)
		if _, err := f.reader.get(ctx, ref("k")); !errors.Is(err, gone) {
			t.Errorf("the caller that is gone got %v", err)
		}

		stays := make(chan cloud.HostReply)
		go func() { stays <- f.get(f.Open(1), "k") }()
		synctest.Wait()
		close(goOnCh)
		if reply := <-stays; reply.Version != 5 {
			t.Errorf("the other caller read %+v", reply)
		}
	})
}
