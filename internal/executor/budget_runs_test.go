package executor_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/executor"
	"picloud/internal/testkit"
)

// heldCalls are host calls that are answered when the test says so.
type heldCalls struct {
	cameCh chan struct{} // one for each call
	goCh   chan struct{} // closed when calls are answered
}

func newHeldCalls() *heldCalls {
	return &heldCalls{cameCh: make(chan struct{}, 100), goCh: make(chan struct{})}
}

func (*heldCalls) Responded() {}

func (h *heldCalls) Call(ctx context.Context, _ uint64, _ cloud.HostCall) (cloud.HostReply, error) {
	h.cameCh <- struct{}{}

	select {
	case <-h.goCh:
	case <-ctx.Done():
	}
	return cloud.HostReply{Found: true, Value: "1"}, nil
}

// holding is a script that keeps some MiB of memory while it waits for a call.
const holding = `import { kv } from "picloud";
	export default { async fetch(request) {
		const kept = [];
		for (let mib = Number(await request.text()); mib > 0; mib--) kept.push(new Uint8Array(1 << 20).fill(7));
		await kv.collection("c").get("k");
		return kept.length;
	} }`

// boundedFixture is a fixture whose children share a budget, in MiB.
func boundedFixture(t *testing.T, budgetMiB int) *fixture {
	f := newFixture(t)
	f.pool.Close()
	f.pool = executor.New(executor.Config{
		Launcher:  &executor.Launcher{Command: []string{testkit.Binary(t), "sandbox"}},
		BudgetMiB: budgetMiB,
		MemoryMiB: 128,
		MaxBody:   10 << 20,
		Log:       slog.New(slog.DiscardHandler),
		Code: func(_ context.Context, _ cloud.AppID, build cloud.ID) (string, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.codes[build], nil
		},
	})
	t.Cleanup(f.pool.Close)
	return f
}

// hold starts a run that keeps memory until calls are answered.
func (f *fixture) hold(s *cloud.Script, mib string, alone bool, calls *heldCalls) (*executor.Run, error) {
	return f.pool.Run(f.t.Context(), &cloud.RunSpec{
		Execution: f.ids.New(),
		Root:      f.ids.New(),
		App:       s.App,
		Script:    s,
		Handler:   "fetch",
		Request:   &cloud.Request{Method: "POST", URL: "http://x.test/", Body: []byte(mib)},
		Deadline:  time.Now().Add(s.Limits.Timeout),
		Calls:     calls,
		Alone:     alone,
	})
}

// Runs that are repeated alone have no more children at once than their app's share of the memory: the others
// wait until one has ended, and all succeed.
func TestRunsAloneShareMemory(t *testing.T) {
	t.Parallel()
	f := boundedFixture(t, 600)
	s := f.deploy(1, holding)
	s.Limits.Timeout = notTimed
	calls := newHeldCalls()

	const runs = 12

	var all sync.WaitGroup
	for range runs {
		all.Go(func() {
			run, err := f.hold(s, "1", true, calls)
			if err != nil {
				t.Errorf("run: %v", err)
				return
			}
			if o := run.Outcome(); o.Status != cloud.Succeeded {
				t.Errorf("outcome %+v", o)
			}
			run.Release(true)
		})
	}

	// Of 600 MiB half is the app's: two children of 128 and what each has itself, and the idle compiler.
	<-calls.cameCh
	<-calls.cameCh
	if n := f.pool.Stats().Children; n > 4 {
		t.Errorf("%d children", n)
	}

	select {
	case <-calls.cameCh:
		t.Error("a third run is under way")
	default:
	}

	// Another app finds room meanwhile.
	hello := f.deploy(2, `export default () => 1`)
	hello.Limits.Timeout = notTimed
	if o := f.call(hello, ""); o.Status != cloud.Succeeded {
		t.Errorf("another app: %+v", o)
	}

	close(calls.goCh)
	all.Wait()
}

// A run for which no memory becomes free ends in its time, with a sentence. Idle children are ended for it
// before it waits.
func TestNoMemory(t *testing.T) {
	t.Parallel()
	f := boundedFixture(t, 150)

	var scripts []*cloud.Script
	for app := range cloud.AppID(6) {
		s := f.deploy(app+1, holding)
		s.Limits.Timeout = notTimed
		scripts = append(scripts, s)
	}

	// Two children of 75 MiB, half of the budget each, are all that fit; what was idle has ended for them.
	calls := newHeldCalls()

	var held []*executor.Run
	for _, s := range scripts[:2] {
		run, err := f.hold(s, "1", true, calls)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, run)
	}

	s := scripts[2]
	s.Limits.Timeout = 100 * time.Millisecond
	_, err := f.hold(s, "1", true, calls)
	var refused *cloud.Error
	if !errors.As(err, &refused) || refused.Code != cloud.CodeUnavailable {
		t.Errorf("without memory: %v", err)
	}
	if n := f.pool.Stats().Children; n != 2 {
		t.Errorf("%d children, want 2", n)
	}

	// Who waits goes on as soon as another has ended.
	s.Limits.Timeout = notTimed
	waitingCh := make(chan error, 1)
	go func() {
		_, err := f.hold(s, "1", true, calls)
		waitingCh <- err
	}()
	close(calls.goCh)

	for _, run := range held {
		if o := run.Outcome(); o.Status != cloud.Succeeded {
			t.Errorf("outcome %+v", o)
		}
		run.Release(true)
	}
	if err := <-waitingCh; err != nil {
		t.Errorf("after memory became free: %v", err)
	}
}

// A run is to blame for its child's memory only if no other run was in the child: what others left there may
// be what did not fit.
func TestMemoryIsBlamedOnWhoWasAlone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	hog := f.deploy(1, `export default async (r) => { let s = await r.text(); for (;;) s += s }`)
	hog.Limits.Timeout = notTimed
	hello := f.deploy(1, `export default () => 1`)
	hello.Limits.Timeout = notTimed

	if o := f.call(hog, "x"); o.Status != cloud.OutOfMemory || o.Collateral {
		t.Errorf("the first in its child: %+v", o)
	}
	if o := f.call(hello, ""); o.Status != cloud.Succeeded {
		t.Errorf("outcome %+v", o)
	}
	if o := f.call(hog, "x"); o.Status != cloud.OutOfMemory || !o.Collateral {
		t.Errorf("in the child of another: %+v", o)
	}

	run, err := f.hold(hog, "x", true, newHeldCalls())
	if err != nil {
		t.Fatal(err)
	}
	if o := run.Outcome(); o.Status != cloud.OutOfMemory || o.Collateral {
		t.Errorf("alone: %+v", o)
	}
}

// Children that grow together beyond the budget do not stay: one is ended, and its run may be repeated, since
// it did nothing wrong.
func TestOverrun(t *testing.T) {
	t.Parallel()
	f := boundedFixture(t, 200)
	calls := newHeldCalls()

	outcomeCh := make(chan cloud.Outcome, 3)
	for app := range cloud.AppID(3) {
		s := f.deploy(app+1, holding)
		s.Limits.Timeout = notTimed
		go func() {
			run, err := f.hold(s, "70", false, calls)
			if err != nil {
				t.Errorf("run: %v", err)
				outcomeCh <- cloud.Outcome{}
				return
			}
			outcomeCh <- run.Outcome()
			run.Release(true)
		}()
	}

	// Three of 70 MiB and what a process has itself are more than 200.
	first := <-outcomeCh
	if first.Status != cloud.Interrupted || !first.Collateral {
		t.Errorf("outcome %+v", first)
	}
	close(calls.goCh)

	for range 2 {
		if o := <-outcomeCh; o.Status != cloud.Succeeded {
			t.Errorf("outcome %+v", o)
		}
	}
}
