package webapi

import (
	"testing"
	"time"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/realm"
)

// cases are scripts, each the body of an async function, with the text of what it returns, or of the error
// that it throws.
type cases map[string]string

func (c cases) check(t *testing.T) {
	t.Helper()

	for script, want := range c {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			if got := outcomeOf(t, script); got != want {
				t.Errorf("gives %q, want %q", got, want)
			}
		})
	}
}

// outcomeOf runs a script to its end, with its timers.
func outcomeOf(t *testing.T, script string) string {
	t.Helper()

	g, r := newGlobal(t)
	v, err := g.VM.RunString("(async () => {" + script + "})()")
	if err != nil {
		t.Fatal(err)
	}

	promise, _ := realm.AsPromise(v)
	for promise.State() == goja.PromiseStatePending {
		timer := r.Timers.Earliest()
		if timer == nil {
			return "never settles"
		}
		time.Sleep(time.Until(timer.Due))
		if err := r.Timers.Fire(timer); err != nil {
			t.Fatal(err)
		}
	}

	if promise.State() == goja.PromiseStateRejected {
		e := g.Describe(promise.Result(), nil)
		return e.Name + ": " + e.Message
	}
	return promise.Result().String()
}
