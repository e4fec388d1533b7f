package executor_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"picloud/internal/cloud"
)

// keeping is a script that makes some 3 MiB as often as it is told, and keeps it while the run lasts, or in
// the module.
const keeping = `const module = [];
	export default { async fetch(request) {
		const { mib, keep, fail } = await request.json();
		const kept = keep === "module" ? module : [];
		for (let i = 0; i < mib; i += 3) {
			const some = Array.from({ length: 6000 }, (_, k) => ({ k }));
			if (keep) kept.push(some);
		}
		if (fail) throw new Error("enough");
		return module.length;
	} }`

// logged reports whether a line of an outcome's log has a text.
func logged(o *cloud.Outcome, text string) bool {
	for _, line := range o.Logs {
		if strings.Contains(line.Message, text) {
			return true
		}
	}
	return false
}

// A process is replaced when two thirds of its memory are in use while nothing runs, and the author is told.
// What runs have made and not kept is no reason, however much it was.
func TestFullChild(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds: it fills memory")
	}
	f := newFixture(t)
	s := f.deploy(1, keeping)
	s.Limits = cloud.Limits{Timeout: 30 * time.Second, MemoryMiB: 64}
	f.call(s, `{"mib":3}`) // starts the process

	started := f.pool.Stats().Started
	for _, c := range []struct {
		body string
		want cloud.Status
	}{
		{`{"mib":150}`, cloud.Succeeded},
		{`{"mib":48,"keep":"run"}`, cloud.Succeeded},
		{`{"mib":48,"keep":"run","fail":true}`, cloud.Failed},
		{`{"mib":150}`, cloud.Succeeded},
	} {
		if o := f.call(s, c.body); o.Status != c.want {
			t.Errorf("%s: %s %+v", c.body, o.Status, o.Error)
		}
	}
	// One more may have been started while a run filled the first.
	if n := f.pool.Stats().Started - started; n > 1 {
		t.Errorf("%d processes were started for what was not kept", n)
	}

	s = f.deploy(2, keeping) // whose first process it is
	s.Limits = cloud.Limits{Timeout: 30 * time.Second, MemoryMiB: 64}

	// What is in use is known after a collection, which garbage brings about. A call that comes before the
	// runtime of the last one was given back has a second one, and then one of the two is dropped instead.
	o := f.call(s, `{"mib":36,"keep":"module"}`)
	most := 0

	for k := 0; !logged(&o, "two thirds"); k++ {
		body := `{"mib":45}`
		if k%2 == 0 {
			body = `{"mib":3,"keep":"module"}`
		}
		if o = f.call(s, body); o.Status != cloud.Succeeded {
			t.Fatalf("before the process was replaced: %+v", o)
		}

		kept, err := strconv.Atoi(string(o.Response.Body))
		if err != nil || k == 100 {
			t.Fatalf("nothing of %d was dropped: %+v", most, o)
		}
		if kept < most/2 {
			return
		}
		most = max(most, kept)
	}

	if o = f.call(s, `{"mib":3}`); string(o.Response.Body) != "0" {
		t.Errorf("the module has still %s", o.Response.Body)
	}
}

// A run that needs more than its memory ends with what was in use; whatever others have left goes first, and
// it is the last word only where the run was alone.
func TestRunExceedsMemory(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds: it fills memory")
	}
	f := newFixture(t)
	s := f.deploy(1, keeping)
	s.Limits = cloud.Limits{Timeout: 30 * time.Second, MemoryMiB: 32}

	for _, alone := range []bool{true, false} {
		if !alone {
			f.call(s, `{"mib":0}`) // so that the process had another run
		}
		run, err := f.hold(s, `{"mib":300,"keep":"run"}`, alone, newHeldCalls())
		if err != nil {
			t.Fatal(err)
		}
		o := run.Outcome()
		if o.Status != cloud.OutOfMemory || o.Collateral == alone || o.Error.Name != "MemoryError" ||
			!strings.Contains(o.Error.Message, "more than its 32 MiB of memory") {
			t.Errorf("alone %t: %+v", alone, o)
		}
	}
}

// Scripts whose code does not fit into one process are spread over several and stay there, compiled.
func TestSpread(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds: it compiles much code")
	}
	f := newFixture(t)
	code := "const b=1,c={d(){}},e=2;function a(){}\n" + strings.Repeat("a(b,c.d(e));", 40_000)

	var scripts []*cloud.Script
	for k := range 6 {
		s := f.deploy(1, fmt.Sprintf("%s\nlet n = 0; export default () => %d + ++n", code, 10*k))
		s.Limits.MemoryMiB = 48
		s.Limits.Timeout = notTimed
		scripts = append(scripts, s)
	}

	for round := 1; round <= 3; round++ {
		for k, s := range scripts {
			o := f.call(s, "")
			if o.Status != cloud.Succeeded || string(o.Response.Body) != fmt.Sprint(10*k+round) {
				t.Errorf("script %d, call %d: %+v", k, round, o)
			}
		}
	}
}

// Where no memory is left for another process, the programs that were used longest ago make room, and come
// back when they are needed.
func TestProgramsMakeRoom(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds: it compiles much code")
	}
	f := boundedFixture(t, 70) // one process beside the idle compiler
	code := "const b=1,c={d(){}},e=2;function a(){}\n" + strings.Repeat("a(b,c.d(e));", 40_000)

	var scripts []*cloud.Script
	for k := range 6 {
		s := f.deploy(1, fmt.Sprintf("%s\nexport default () => %d", code, k))
		s.Limits.MemoryMiB = 48
		s.Limits.Timeout = notTimed
		scripts = append(scripts, s)
	}

	for range 2 {
		for k, s := range scripts {
			o := f.call(s, "")
			if o.Status != cloud.Succeeded || string(o.Response.Body) != fmt.Sprint(k) {
				t.Errorf("script %d: %+v", k, o)
			}
		}
	}
}

// Runs of a script whose runtime has most of the memory wait for each other: a second runtime would not fit.
// One that would wait for too long is made again in a process of its own.
func TestLargeRuntimeIsShared(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds: it fills memory")
	}
	f := newFixture(t)
	s := f.deploy(1, `
		import { kv } from "picloud";
		const some = () => Array.from({ length: 6000 }, (_, k) => ({ k }));
		const state = Array.from({ length: 8 }, some); // some 20 MiB
		let n = 0;
		export default async (request) => {
			const what = await request.text();
			if (what === "hold") await kv.collection("c").get("k");
			await new Promise((r) => setTimeout(r, Number(what) || 0));
			return state.length + n++;
		}`)
	s.Limits = cloud.Limits{Timeout: notTimed, MemoryMiB: 48}
	if o := f.call(s, "0"); o.Status != cloud.Succeeded {
		t.Fatalf("outcome %+v", o)
	}

	var mu sync.Mutex
	seen := map[string]bool{}

	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			o := f.call(s, "10")
			if o.Status != cloud.Succeeded {
				t.Errorf("outcome %+v", o)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			seen[string(o.Response.Body)] = true
		})
	}
	all.Wait()

	for n := 9; n < 15; n++ {
		if !seen[fmt.Sprint(n)] {
			t.Errorf("no run was number %d of the runtime: %v", n, seen)
		}
	}

	calls := newHeldCalls()
	long, err := f.hold(s, "hold", false, calls)
	if err != nil {
		t.Fatal(err)
	}
	outcomeCh := make(chan cloud.Outcome, 1)
	go func() { outcomeCh <- long.Outcome() }()
	<-calls.cameCh
	o := f.call(s, "0")
	if o.Status != cloud.OutOfMemory || !o.Collateral {
		t.Errorf("beside a long run: %+v", o)
	}
	close(calls.goCh)
	if o := <-outcomeCh; o.Status != cloud.Succeeded {
		t.Errorf("the long run: %+v", o)
	}
	long.Release(true)
}
