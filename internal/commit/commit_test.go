package commit

import (
	"errors"
	"slices"
	"testing"

	"picloud/internal/cloud"
	"picloud/internal/outbox"
)

// The heaviest verdict of the parts is that of their commit, whichever comes first, and every conflict is
// collected: a run that is repeated must know all the keys to queue for.
func TestVerdict(t *testing.T) {
	t.Parallel()
	errBad := errors.New("bad")
	a, b := keyOf("a"), keyOf("b")

	for name, c := range map[string]struct {
		parts     []Verdict
		want      verdictKind
		conflicts []cloud.KeyRef
		err       error
	}{
		"no part":   {nil, verdictApplies, nil, nil},
		"all apply": {[]Verdict{applies(), applies()}, verdictApplies, nil, nil},
		"conflict outweighs apply": {[]Verdict{applies(), conflict(a), applies()}, verdictConflict,
			[]cloud.KeyRef{a}, nil},
		"conflicts are collected": {[]Verdict{conflict(a), conflict(b)}, verdictConflict,
			[]cloud.KeyRef{a, b}, nil},
		"refused outweighs conflict": {
			[]Verdict{conflict(a), refused(errBad), conflict(b)}, verdictRefused, []cloud.KeyRef{a, b},
			errBad,
		},
		"lost outweighs refused":          {[]Verdict{refused(errBad), lost()}, verdictLost, nil, nil},
		"lost outweighs what comes after": {[]Verdict{lost(), refused(errBad)}, verdictLost, nil, nil},
		"lost outweighs conflict": {[]Verdict{lost(), conflict(a)}, verdictLost, []cloud.KeyRef{a},
			nil},
		"the first of two refusals is why": {[]Verdict{refused(errBad), refused(errAppGone)}, verdictRefused,
			nil, errBad},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var sum Verdict
			for _, part := range c.parts {
				sum = sum.and(part)
			}

			if sum.kind != c.want || !slices.Equal(sum.conflicts, c.conflicts) || sum.err != c.err {
				t.Errorf("verdict %+v", sum)
			}
			r := sum.result()
			if r.Applied != (c.want == verdictApplies) || r.Lost != (c.want == verdictLost) ||
				r.Err != c.err {
				t.Errorf("result %+v", r)
			}
		})
	}
}

// The conflicts of one sum are never written into those of another that begins alike.
func TestVerdictsShareNothing(t *testing.T) {
	t.Parallel()
	first := Verdict{kind: verdictConflict, conflicts: append(make([]cloud.KeyRef, 0, 9), keyOf("a"))}
	one := first.and(conflict(keyOf("b")))
	other := first.and(conflict(keyOf("c")))
	if one.conflicts[1] != keyOf("b") || other.conflicts[1] != keyOf("c") {
		t.Errorf("conflicts %v and %v", one.conflicts, other.conflicts)
	}
}

// A commit's size is that of its checks and writes, and of the answers and payloads it keeps, of all its parts.
func TestSizeOfACommit(t *testing.T) {
	t.Parallel()
	x := commitOf(
		Writes{Checks: []cloud.Check{check("a", 1), check("b", 0)}, Writes: []cloud.Write{set("a", 2, "1")}},
		Audit{},
		writes(remove("c")),
		StoreAnswer{Response: &cloud.Response{Body: []byte("12345")}},
		Enqueue{Row: &outbox.NewRow{Row: outbox.Row{Payload: "1234567"}}},
		ResolveLetter{Replay: &outbox.NewRow{Row: outbox.Row{Payload: "123456789"}}},
		ResolveLetter{},
		Reply{Response: "12345678901"},
	)
	keys, bytes := x.size()
	if keys != 4 || bytes != len("a1c")+5+7+9+11 {
		t.Errorf("%d keys, %d bytes", keys, bytes)
	}
}
