package orchestrator

import (
	"context"
	"net/http"
	"time"

	"picloud/db"
	"picloud/internal/catalog"
	"picloud/internal/cloud"
	"picloud/internal/commit"
	"picloud/internal/history"
)

// MaxBulk is the most dead letters that one bulk replay takes.
const MaxBulk = 1000

const (
	// bulkLetters and bulkBytes bound what one commit of a bulk replay takes, so that the commits of others
	// wait no longer than for a large run's.
	bulkLetters = 250
	bulkBytes   = 16 << 20
)

// BulkResult is what a bulk replay or a bulk resolution did.
type BulkResult struct {
	// Matched were selected; of these Done were replayed or resolved.
	Matched, Done int
	// Last is the id to go on before, zero when everything was matched.
	Last cloud.ID
	// LastDue is when the last letter of a replay at a rate is due, those of the calls before included, by
	// the database's clock; zero: each was due at once.
	LastDue time.Time
}

// LetterSelection is the dead letters of a bulk action: those named, or the newest ones that a filter
// selects.
type LetterSelection struct {
	// IDs are those named; nil: the filter decides.
	IDs    []cloud.ID
	Filter history.LetterFilter
	// Before is the id to go on before, zero for the newest.
	Before cloud.ID
	// Limit is how many the filter may select, at most MaxBulk.
	Limit int
	// Pace is at which rate a replay's events become due; the zero Pace is all at once.
	Pace Pace
}

// size is the most letters that are selected.
func (s *LetterSelection) size() int {
	if s.IDs != nil {
		return len(s.IDs)
	}
	return s.Limit
}

// ReplayMany replays a selection. What cannot be replayed - resolved meanwhile, without script, with a
// payload that is no request - is left as it is. Letters and their audit row share transactions, up to
// bulkLetters in each. At a rate the events are all in the outbox when it returns, and become due one after
// the other. Errors: invalid for a Pace that is none, and conflict for one while a node of another version
// lives.
func (o *Operations) ReplayMany(
	ctx context.Context,
	app cloud.AppID,
	sel LetterSelection,
	by cloud.Principal,
) (BulkResult, error) {
	clock, err := sel.Pace.start(ctx, o.db, sel.size())
	if err != nil {
		return BulkResult{}, err
	}

	if sel.Pace.PerSecond != 0 {
		if err := o.requireOneVersion(ctx); err != nil {
			return BulkResult{}, err
		}
	}

	b := o.newBulk(app, sel, by)
	b.action = "dead-letter.replay-many"
	b.doneName = "replayed"
	b.lastDue = sel.Pace.After
	b.resolve = func(letter *cloud.DeadLetter) *commit.ResolveLetter {
		row, err := o.replayer.row(b.definitions, letter, by)
		if err != nil {
			return nil
		}
		row.DueAt = clock.next()
		return &commit.ResolveLetter{ID: letter.ID, Replay: row, By: by.Username}
	}

	return b.run(ctx)
}

// ResolveMany marks a selection as ignored, with the operator's reason. Letters that are resolved already are
// left as they are. It shares transactions as ReplayMany does.
func (o *Operations) ResolveMany(
	ctx context.Context,
	app cloud.AppID,
	sel LetterSelection,
	reason string,
	by cloud.Principal,
) (BulkResult, error) {
	b := o.newBulk(app, sel, by)
	b.action = "dead-letter.resolve-many"
	b.doneName = "resolved"
	b.reason = &reason
	b.resolve = func(letter *cloud.DeadLetter) *commit.ResolveLetter {
		if !letter.IsUnresolved() {
			return nil
		}
		return &commit.ResolveLetter{ID: letter.ID, Reason: db.Storable(reason), By: by.Username}
	}

	return b.run(ctx)
}

// bulk resolves the letters of a selection, some in each commit.
type bulk struct {
	o           *Operations
	app         cloud.AppID
	definitions *catalog.App
	sel         LetterSelection
	by          cloud.Principal
	// action is the audit row's, and doneName the member of its detail that counts the letters.
	action, doneName string
	// reason is the operator's for a resolution, nil for a replay.
	reason *string
	// resolve says how a letter is resolved, nil if it cannot be.
	resolve func(*cloud.DeadLetter) *commit.ResolveLetter

	chunk     []commit.ResolveLetter // that waits for its commit
	bytes     int                    // of the chunk's payloads
	seen      map[cloud.ID]bool
	committed bool // at least one chunk
	matched   int
	done      int
	lastDue   time.Time // of what was replayed
}

func (o *Operations) newBulk(app cloud.AppID, sel LetterSelection, by cloud.Principal) *bulk {
	return &bulk{
		o:           o,
		app:         app,
		definitions: o.catalog.App(app),
		sel:         sel,
		by:          by,
		seen:        map[cloud.ID]bool{},
	}
}

// run resolves the selection. It holds the payloads of one page and of one chunk, not those of all.
func (b *bulk) run(ctx context.Context) (BulkResult, error) {
	last, err := b.resolveSelected(ctx)
	if err == nil {
		err = b.flush()
	}
	return BulkResult{Matched: b.matched, Done: b.done, Last: last, LastDue: b.lastDue}, err
}

// resolveSelected reads the letters of the selection and resolves them. last is the id to go on before, zero
// when everything was matched.
func (b *bulk) resolveSelected(ctx context.Context) (last cloud.ID, err error) {
	if b.sel.IDs != nil {
		return cloud.ID{}, b.resolveNamed(ctx)
	}

	b.sel.Filter.State = "unresolved"

	before := b.sel.Before
	for b.matched < b.sel.Limit {
		letters, more, err := b.o.replayer.reader.DeadLetters(
			ctx, b.app, b.sel.Filter, before, b.sel.Limit-b.matched)
		if err != nil {
			return cloud.ID{}, err
		}

		for k := range letters {
			if err := b.add(&letters[k]); err != nil {
				return cloud.ID{}, err
			}
		}
		if !more {
			return cloud.ID{}, nil
		}
		before = letters[len(letters)-1].ID
	}
	return before, nil
}

// resolveNamed resolves those of the selection's ids that there are.
func (b *bulk) resolveNamed(ctx context.Context) error {
	for _, id := range b.sel.IDs {
		letter, err := b.o.replayer.reader.DeadLetter(ctx, b.app, id)
		if cloud.CodeOf(err) == cloud.CodeNotFound && err != nil {
			continue
		}
		if err == nil {
			err = b.add(letter)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// add takes a letter in, if it can be resolved, and once: one that is named twice counts once, and a commit
// must not replay it twice. A chunk that is full is committed.
func (b *bulk) add(letter *cloud.DeadLetter) error {
	if b.seen[letter.ID] {
		return nil
	}
	b.seen[letter.ID] = true
	b.matched++

	resolution := b.resolve(letter)
	if resolution == nil {
		return nil
	}

	size := 0
	if resolution.Replay != nil {
		size = len(resolution.Replay.Payload)
	}
	if len(b.chunk) >= bulkLetters || len(b.chunk) > 0 && b.bytes+size > bulkBytes {
		if err := b.commitChunk(); err != nil {
			return err
		}
	}
	b.chunk = append(b.chunk, *resolution)
	b.bytes += size

	return nil
}

// flush commits what waits. An operator's action that finds nothing to do is audited all the same.
func (b *bulk) flush() error {
	if len(b.chunk) == 0 && b.committed {
		return nil
	}
	return b.commitChunk()
}

func (b *bulk) commitChunk() error {
	err := b.commit(b.chunk)
	b.chunk = nil
	b.bytes = 0
	b.committed = true
	return err
}

// commit resolves letters in one transaction with their audit row. Letters that somebody else resolved
// meanwhile are left out, which makes it a smaller commit each time.
func (b *bulk) commit(letters []commit.ResolveLetter) error {
	for {
		x := &commit.Commit{App: b.app}
		for _, letter := range letters {
			x.Parts = append(x.Parts, letter)
		}
		x.Parts = append(
			x.Parts,
			audit(b.definitions, b.by, b.action, "", b.detail(len(letters))),
		)

		result := b.o.committer.Do(x)
		switch {
		case result.Applied:
			b.count(letters)
			return nil
		case len(result.Conflicts) == 0:
			return serverError(letterError(result))
		}
		letters = without(letters, b.app, result.Conflicts)
	}
}

// count adds letters that were resolved.
func (b *bulk) count(letters []commit.ResolveLetter) {
	b.done += len(letters)
	for _, letter := range letters {
		if letter.Replay != nil && letter.Replay.DueAt.After(b.lastDue) {
			b.lastDue = letter.Replay.DueAt
		}
	}
}

// detail is what the audit row says of a chunk.
func (b *bulk) detail(done int) map[string]any {
	detail := map[string]any{b.doneName: done}
	if b.reason != nil {
		detail["reason"] = *b.reason
	}
	if rate := b.sel.Pace.PerSecond; rate != 0 {
		detail["rate"] = rate
	}
	if b.sel.IDs != nil {
		return detail
	}

	f := b.sel.Filter
	detail["script"] = f.Script
	detail["source"] = f.Source
	detail["trigger"] = f.Trigger.String()
	detail["error"] = f.ErrorGroup
	if f.Search != "" {
		detail["q"] = f.Search
	}
	if !f.From.IsZero() {
		detail["from"] = f.From
	}
	if !f.To.IsZero() {
		detail["to"] = f.To
	}

	return detail
}

func without(letters []commit.ResolveLetter, app cloud.AppID, refs []cloud.KeyRef) []commit.ResolveLetter {
	gone := map[cloud.KeyRef]bool{}
	for _, ref := range refs {
		gone[ref] = true
	}

	var rest []commit.ResolveLetter
	for _, letter := range letters {
		if !gone[commit.LetterRef(app, letter.ID)] {
			rest = append(rest, letter)
		}
	}

	return rest
}

// serverError returns err if the server failed, and nil if only these dead letters cannot be replayed.
func serverError(err error) error {
	if err == nil {
		return nil
	}
	if cloud.StatusOf(cloud.CodeOf(err)) >= http.StatusInternalServerError {
		return err
	}

	return nil
}
