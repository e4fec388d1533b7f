package sandbox

import (
	"testing"

	"picloud/internal/executor/wire"
)

// A runtime is used again although its run left a timer that lost a race, if no code of the script would hear
// of it. Any other timer, and any other thing that is left, costs the runtime, and the parent is told why.
func TestLeftovers(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		handler string
		why     wire.Loss
	}{
		"nothing":              {`return 1`, 0},
		"a timer that fired":   {`await new Promise((r) => setTimeout(r, 1)); return 1`, 0},
		"a lost race":          {`return Promise.race([1, late()])`, 0},
		"a lost race to fail":  {`return Promise.race([1, fails()])`, 0},
		"two lost races":       {`await Promise.race([1, late()]); return Promise.race([1, late(), fails()])`, 0},
		"a signal's timeout":   {`AbortSignal.timeout(60000); return 1`, 0},
		"code in a timer":      {`setTimeout(() => { globalThis.late = 1 }, 60000); return 1`, wire.LostTimers},
		"code that awaits":     {`(async () => { await late(); globalThis.late = 1 })(); return 1`, wire.LostTimers},
		"code behind a race":   {`Promise.race([late()]).then(() => 1); return 1`, wire.LostTimers},
		"a getter named then":  {`new Promise((r) => setTimeout(r, 60000, evil)); return 1`, wire.LostTimers},
		"a native function":    {`setTimeout([].push.bind([]), 60000, 1); return 1`, wire.LostTimers},
		"an interval":          {`new Promise((r) => setInterval(r, 60000)); return 1`, wire.LostTimers},
		"a promise's function": {`setTimeout(Promise.reject.bind(Promise), 60000, 1); return 1`, wire.LostTimers},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			r, over := f.start(`
				const evil = { get then() { globalThis.late = 1 } };
				export default { async fetch() {
					const late = () => new Promise((r) => setTimeout(r, 60000));
					const fails = () => new Promise((_, r) => setTimeout(r, 60000, new Error("late")));
					`+c.handler+`
				} }`, requestMsg())
			f.next(wire.Done)
			<-over

			if isKept := len(r.prog.idle) == 1; isKept != (c.why == 0) {
				t.Errorf("the runtime is kept: %t", isKept)
			}
			if c.why == 0 {
				return
			}
			m, err := wire.DecodeLost(f.next(wire.Lost))
			if err != nil || m.Why != c.why {
				t.Errorf("told %+v %v, want reason %d", m, err, c.why)
			}
		})
	}
}

// A reason is told to the parent once for each build, not in every run.
func TestLossIsToldOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := aProgram("")

	f.server.tellLoss(p, wire.LostTimers)
	f.server.tellLoss(p, wire.LostTimers)
	f.server.tellLoss(p, wire.LostCalls)

	for _, want := range []wire.Loss{wire.LostTimers, wire.LostCalls} {
		m, err := wire.DecodeLost(f.next(wire.Lost))
		if err != nil || m.Why != want {
			t.Errorf("told %+v %v, want reason %d", m, err, want)
		}
	}
}
