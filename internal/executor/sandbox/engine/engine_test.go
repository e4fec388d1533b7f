package engine

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/dop251/goja"
)

// The engine's memory is what this package mirrors. If it is not, nothing breaks, but every run pays for a
// new runtime and all JSON is the engine's: a new version of goja is not taken before this passes.
func TestKnown(t *testing.T) {
	t.Parallel()

	if !layout().ok {
		t.Error("goja's tables of properties are not laid out as layout.go knows them")
	}
	if !plain().ok {
		t.Error("goja's plain objects and arrays are not laid out as plain.go knows them")
	}
}

// Whoever takes another version of goja has read what this package mirrors of it: the package's comment names the version.
func TestVersion(t *testing.T) {
	t.Parallel()

	module, err := os.ReadFile("../../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	comment, err := os.ReadFile("engine.go")
	if err != nil {
		t.Fatal(err)
	}

	_, rest, _ := strings.Cut(string(module), "github.com/dop251/goja ")
	version, _, _ := strings.Cut(rest, "\n")
	if !strings.Contains(string(comment), "It mirrors goja "+version+".") {
		t.Errorf("go.mod has goja %s, which engine.go does not name", version)
	}
}

// A snapshot notices what a script changed of the engine's own objects and of those it was given, and
// nothing else.
func TestSnapshot(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		script string
		intact bool
	}{
		{`1`, true}, {`[1].map((x) => x); new Map(); "x".padEnd(3)`, true}, {`globalThis.mine = 1`, true}, {`new Int8Array(1); new EvalError()`, true},
		{`Array.prototype.map = 1`, false}, {`Math.max = Math.min`, false}, {`delete Array.prototype.map`, false}, {`given.x = 1`, false}, {`given.method = 1`, false},
		{`Object.setPrototypeOf(given, null)`, false}, {`method.x = 1`, false}, {`delete method.length; method.x = 1`, false}, {`Object.setPrototypeOf(method, null)`, false},
		{`method.length + method.name`, true}, {`Int8Array.prototype.x = 1`, false}, {`Array.prototype[Symbol.iterator] = 1`, false},
	} {
		t.Run(c.script, func(t *testing.T) {
			t.Parallel()

			vm := goja.New()
			given := vm.NewObject()
			_ = given.Set("method", func() {})
			_ = vm.Set("given", given)
			_ = vm.Set("method", given.Get("method"))
			s := Take(vm, Reachable(vm, []*goja.Object{given}))
			if _, err := vm.RunString(c.script); err != nil {
				t.Fatal(err)
			}

			if got := s.Intact(); got != c.intact {
				t.Errorf("intact: %t, want %t", got, c.intact)
			}
			if c.intact && !s.Intact() {
				t.Error("intact once, and not when asked again")
			}
		})
	}
}

// A runtime of which there is no record is never used again.
func TestNoSnapshot(t *testing.T) {
	t.Parallel()

	var s *Snapshot
	if s.Intact() {
		t.Error("a snapshot that was not taken is intact")
	}
}

// An array that hangs on one of our objects is looked at like any other object.
func TestReachableArray(t *testing.T) {
	t.Parallel()

	vm := goja.New()
	v, err := vm.RunString(`({list: Object.assign([1, 2], {own: {}}), empty: []})`)
	if err != nil {
		t.Fatal(err)
	}
	root := v.(*goja.Object)
	own := root.Get("list").(*goja.Object).Get("own").(*goja.Object)
	if found := Reachable(vm, []*goja.Object{root}); !slices.Contains(found, own) {
		t.Errorf("what hangs on an array is not among the %d objects", len(found))
	}

	before := Take(vm, Reachable(vm, []*goja.Object{root}))
	if !before.Intact() {
		t.Error("it is not what it was")
	}
	if _, err := vm.RunString(`0`); err != nil {
		t.Fatal(err)
	}
	_ = root.Get("list").(*goja.Object).Set("own", 1)
	if before.Intact() {
		t.Error("a change was not seen")
	}
}
