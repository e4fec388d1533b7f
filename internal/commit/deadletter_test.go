package commit

import (
	"slices"
	"testing"

	"picloud/internal/catalog"
	"picloud/internal/cloud"
	"picloud/internal/outbox"
)

var letter = cloud.ID{0xdd, 1}

func replays(script cloud.ID) ResolveLetter {
	return ResolveLetter{
		ID: letter,
		Replay: &outbox.NewRow{Row: outbox.Row{App: app, ID: cloud.ID{0xb7}, Script: script,
			DeadLetter: letter}},
		By: "ann",
	}
}

// A dead letter is resolved once. A run that finds it resolved at its commit conflicts: it is run again and
// sees so.
func TestResolveLetter(t *testing.T) {
	t.Parallel()
	ignored := ResolveLetter{ID: letter, Reason: "known", By: "ann"}

	for name, c := range map[string]struct {
		app        *catalog.App
		unresolved bool
		parts      []ResolveLetter
		want       []string
		rows       int
	}{
		"replayed": {newApp(), true, []ResolveLetter{replays(script.ID)},
			[]string{"applied"}, 1},
		"ignored": {newApp(), true, []ResolveLetter{ignored}, []string{"applied"}, 0},
		"resolved meanwhile": {newApp(), false, []ResolveLetter{replays(script.ID)},
			[]string{"conflict"}, 0},
		"resolved by a commit ahead": {newApp(), true, []ResolveLetter{ignored, replays(script.ID)},
			[]string{"applied", "conflict"}, 0},
		"replayed twice": {newApp(), true,
			[]ResolveLetter{replays(script.ID), replays(script.ID)}, []string{"applied", "conflict"}, 1},
		"its script is gone": {newApp(), true, []ResolveLetter{replays(cloud.ID{9})},
			[]string{"conflict"}, 0},
		"ignored without its script": {&catalog.App{ID: app, Revision: 7}, true, []ResolveLetter{ignored},
			[]string{"applied"}, 0},
		"the app is gone": {nil, true, []ResolveLetter{replays(script.ID)},
			[]string{"refused: " + errAppGone.Error()}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var commits []*Commit
			for _, part := range c.parts {
				commits = append(commits, commitOf(part))
			}
			f := newFixture(t, c.app, commits...)
			of[*deadLetterSection](f.Group).unresolved = map[cloud.ID]bool{letter: c.unresolved}

			for k, r := range f.expect(t, c.want...) {
				if c.want[k] == "conflict" &&
					!slices.Equal(r.Conflicts, []cloud.KeyRef{LetterRef(app, letter)}) {
					t.Errorf("conflicts %v", r.Conflicts)
				}
			}

			applied := 0
			for _, word := range c.want {
				if word == "applied" {
					applied++
				}
			}
			if n := len(of[*deadLetterSection](f.Group).resolved); n != applied || len(f.rows()) != c.rows ||
				f.count(Enqueued) != int64(c.rows) {
				t.Errorf("%d resolved, %d rows, the ledger counts %d", n, len(f.rows()), f.count(Enqueued))
			}
		})
	}
}

// What is stored says who resolved a letter and how: a replay names its row, an ignored one its reason.
func TestResolutionParams(t *testing.T) {
	t.Parallel()
	replayed := (&resolvedLetter{app, replays(script.ID)}).params()
	if *replayed.Resolution != cloud.DeadLetterReplayed || *replayed.ResolvedBy != "ann" ||
		replayed.Reason != nil || *replayed.ReplayedAs != (cloud.ID{0xb7}) {
		t.Errorf("parameters %+v", replayed)
	}

	ignored := (&resolvedLetter{app, ResolveLetter{ID: letter, Reason: "known",
		By: "script:orders"}}).params()
	if *ignored.Resolution != cloud.DeadLetterIgnored || *ignored.ResolvedBy != "script:orders" ||
		*ignored.Reason != "known" || ignored.ReplayedAs != nil {
		t.Errorf("parameters %+v", ignored)
	}
	if ignored.AppID != int64(app) || ignored.ID != letter {
		t.Errorf("parameters %+v", ignored)
	}
}

// What a handler's run says of its letter is said whatever became of it: the statement decides.
func TestHandleLetter(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, commitOf(HandleLetter{outbox.HandledLetter{ID: letter,
		Resolution: cloud.DeadLetterHandlerFailed, Reason: "a\x00b"}}))
	f.expect(t, "applied")
	p := of[*deadLetterSection](f.Group).handled
	if len(p.Ids) != 1 || p.Ids[0] != letter || p.Apps[0] != int64(app) ||
		p.Resolutions[0] != cloud.DeadLetterHandlerFailed || p.Reasons[0] == "a\x00b" {
		t.Errorf("parameters %+v", p)
	}
}

// The name by which a letter is a key is no key of a script, and each letter has its own.
func TestLetterRef(t *testing.T) {
	t.Parallel()
	one := LetterRef(app, letter)
	if one == LetterRef(app, cloud.ID{1}) || one == LetterRef(2, letter) || one.Key != letter.String() {
		t.Errorf("%v", one)
	}
}
