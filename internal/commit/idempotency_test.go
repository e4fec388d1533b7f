package commit

import (
	"testing"

	"picloud/internal/cloud"
)

func answers(body []byte) *Commit {
	key := IdempotencyKey{App: app, Script: script.ID, Principal: "key:ann", Key: "once",
		Execution: cause.Execution}
	headers := []cloud.Header{{Name: "x-a", Value: "b\x00"}}
	return commitOf(StoreAnswer{Key: key, Response: &cloud.Response{Status: 201, Headers: headers,
		Body: body}}, writes(set("k", 1, "1")))
}

// An answer is kept under a reservation that is the execution's still. If it is not, nothing of the run is:
// somebody else has taken the call over.
func TestStoreAnswer(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		reserved bool
		commits  []*Commit
		want     []string
	}{
		"reserved":                {true, []*Commit{answers([]byte("ok"))}, []string{"applied"}},
		"the reservation is lost": {false, []*Commit{answers([]byte("ok"))}, []string{"lost"}},
		"it is answered only once": {true, []*Commit{answers([]byte("ok")), answers([]byte("ok"))},
			[]string{"applied", "lost"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, newApp(), c.commits...)
			of[*idempotencySection](f.Group).reserved = map[cloud.ID]bool{cause.Execution: c.reserved}
			f.expect(t, c.want...)

			stored, written := len(of[*idempotencySection](f.Group).store.Keys),
				len(of[*keySection](f.Group).dirty)
			want := 0
			if c.reserved {
				want = 1
			}
			if stored != want || written != want {
				t.Errorf("%d answers and %d keys are written", stored, written)
			}
		})
	}
}

// A body of at most MaxStoredBody bytes is kept. Of a larger one it is kept that there was an answer.
func TestStoredBody(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		body []byte
		size int
		kept bool
	}{
		"none":           {nil, 0, true},
		"small":          {[]byte("ok"), 2, true},
		"the largest":    {make([]byte, MaxStoredBody), MaxStoredBody, true},
		"one byte over":  {make([]byte, MaxStoredBody+1), 0, false},
		"empty, but set": {[]byte{}, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, newApp(), answers(c.body))
			of[*idempotencySection](f.Group).reserved = map[cloud.ID]bool{cause.Execution: true}
			f.expect(t, "applied")

			p := of[*idempotencySection](f.Group).store
			if p.Bodies[0] == nil || len(p.Bodies[0]) != c.size || p.BodiesKept[0] != c.kept {
				t.Errorf("%d bytes, kept: %v", len(p.Bodies[0]), p.BodiesKept[0])
			}
			if p.Statuses[0] != 201 || p.Keys[0] != "once" || p.Principals[0] != "key:ann" ||
				p.Scripts[0] != script.ID {
				t.Errorf("parameters %+v", p)
			}
		})
	}
}

// Header fields are stored as pairs, in their order, without what PostgreSQL cannot take.
func TestHeaderList(t *testing.T) {
	t.Parallel()

	for want, fields := range map[string][]cloud.Header{
		`[]`:                               nil,
		`[["set-cookie","a"],["x","\"b"]]`: {{Name: "set-cookie", Value: "a"}, {Name: "x", Value: `"b`}},
	} {
		if got := headerList(fields); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := headerList([]cloud.Header{{Name: "x", Value: "\x00"}}); got == `[["x","\u0000"]]` {
		t.Errorf("%s cannot be stored", got)
	}
}
