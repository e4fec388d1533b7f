package orchestrator

import (
	"context"
	"encoding/json"
	"net/http"

	"picloud/db"
	"picloud/internal/catalog"
	"picloud/internal/cloud"
	"picloud/internal/commit"
	"picloud/internal/history"
	"picloud/internal/outbox"
)

// replayer deals with dead letters, for operators and for scripts.
type replayer struct {
	ids       *cloud.IDSource
	db        *db.DB
	catalog   *catalog.Catalog
	committer *commit.Committer
	reader    *history.Reader
	maxDepth  int
}

// MaxBulk is the most dead letters that one bulk replay takes.
const MaxBulk = 1000

const (
	// bulkLetters and bulkBytes bound what one commit of a bulk replay takes, so that the commits of others
	// wait no longer than for a large run's.
	bulkLetters = 250
	bulkBytes   = 16 << 20
)

// unresolved refuses a letter that somebody has dealt with.
func unresolved(letter *cloud.DeadLetter) error {
	if !letter.IsUnresolved() {
		return cloud.Errorf(cloud.CodeConflict, "the dead letter is resolved already: %s", letter.Resolution)
	}
	return nil
}

// Replay puts a dead letter back into the outbox as a fresh row, with its payload or an edited one (JSON
// text), and marks it replayed, in one transaction with its audit row. It returns the new row's id. Of two at
// once the second finds the letter resolved.
func (o *Operations) Replay(
	ctx context.Context,
	app cloud.AppID,
	id cloud.ID,
	payload string,
	by cloud.Principal,
) (cloud.ID, error) {
	letter, err := o.replayer.reader.DeadLetter(ctx, app, id)
	if err != nil {
		return cloud.ID{}, err
	}
	edited := payload != "" && payload != letter.Payload
	if edited {
		letter.Payload = payload
	}
	definitions := o.catalog.App(app)
	row, err := o.replayer.row(definitions, letter, by)
	if err != nil {
		return cloud.ID{}, err
	}

	x := &commit.Commit{App: app, Parts: []commit.Part{
		commit.ResolveLetter{ID: id, Replay: row, By: by.Username},
		audit(definitions, by, "dead-letter.replay", id.String(), map[string]bool{"edited": edited}),
	}}
	if err := letterError(o.committer.Do(x)); err != nil {
		return cloud.ID{}, err
	}

	return row.ID, nil
}

// letterError is the error of a commit that resolves dead letters, nil if it was applied.
func letterError(result commit.Result) error {
	switch {
	case result.Err != nil:
		return safeError(result.Err)
	case !result.Applied:
		return cloud.Errorf(
			cloud.CodeConflict,
			"the dead letter was resolved, or its script deleted, meanwhile",
		)
	default:
		return nil
	}
}

// row is the fresh row of an unresolved letter: attempt 0, nobody waits for it, same trigger, script, depth
// and root.
func (r *replayer) row(
	app *catalog.App,
	letter *cloud.DeadLetter,
	by cloud.Principal,
) (*outbox.NewRow, error) {
	if err := r.check(app, letter); err != nil {
		return nil, err
	}

	row := outbox.Row{
		App:            app.ID,
		ID:             r.ids.New(),
		Source:         letter.Source,
		Op:             letter.Op,
		Trigger:        letter.Trigger,
		Script:         letter.Script,
		Payload:        letter.Payload,
		Origin:         letter.Origin,
		RunAs:          letter.RunAs,
		Parent:         letter.Parent,
		Root:           letter.Root,
		Depth:          letter.Depth,
		DeadLetter:     letter.ID,
		IdempotencyKey: letter.IdempotencyKey,
		Execution:      r.ids.New(),
		Retry:          cloud.DefaultRetry(),
	}
	if !letter.LastExecution.IsZero() {
		row.Parent = letter.LastExecution
	}

	trigger := app.Triggers[letter.Trigger]
	switch {
	case letter.Trigger.IsZero():
	case trigger != nil:
		row.Retry = trigger.Retry
	default: // an event of a deleted trigger runs as the operator
		row.RunAs = by.String()
	}

	return &outbox.NewRow{Row: row}, nil
}

// check refuses a letter that cannot be replayed.
func (r *replayer) check(app *catalog.App, letter *cloud.DeadLetter) error {
	if err := unresolved(letter); err != nil {
		return err
	}
	if app == nil || app.Script(letter.Script) == nil {
		return cloud.Errorf(cloud.CodeConflict,
			"the script %q is gone: deploy it under that name again and send the event anew", letter.Name)
	}

	// What the operator edited must be an event again.
	if !json.Valid([]byte(letter.Payload)) {
		return cloud.Errorf(cloud.CodeInvalid, "the payload is not JSON")
	}
	if letter.Source == cloud.SourceHTTP {
		if _, _, err := decodeRequest(letter.Payload); err != nil {
			return cloud.Errorf(
				cloud.CodeInvalid,
				"the payload of an http event needs method, url, headers and body: %s",
				err,
			)
		}
	}

	return nil
}

// BulkReplay is what a bulk replay did.
type BulkReplay struct {
	Matched, Replayed int
	// Last is the id to go on before, zero when everything was matched.
	Last cloud.ID
}

// LetterSelection is the dead letters of a bulk replay: those named, or the newest ones that a filter
// selects.
type LetterSelection struct {
	// IDs are those named; nil: the filter decides.
	IDs    []cloud.ID
	Filter history.LetterFilter
	// Before is the id to go on before, zero for the newest.
	Before cloud.ID
	// Limit is how many the filter may select, at most MaxBulk.
	Limit int
}

// ReplayMany replays a selection. What cannot be replayed - resolved meanwhile, without script, with a
// payload that is no request - is left as it is. Letters and their audit row share transactions, up to
// bulkLetters in each.
func (o *Operations) ReplayMany(
	ctx context.Context,
	app cloud.AppID,
	sel LetterSelection,
	by cloud.Principal,
) (BulkReplay, error) {
	letters, out, err := o.selectLetters(ctx, app, sel)
	if err != nil {
		return out, err
	}

	bulk := bulkReplay{
		o:           o,
		app:         app,
		definitions: o.catalog.App(app),
		sel:         sel,
		by:          by,
		added:       map[cloud.ID]bool{},
	}
	for k := range letters {
		row, err := o.replayer.row(bulk.definitions, &letters[k], by)
		if err == nil {
			bulk.add(letters[k].ID, row)
		}
	}
	err = bulk.commitAll()
	out.Replayed = bulk.replayed

	return out, err
}

// selectLetters reads the letters of a selection.
func (o *Operations) selectLetters(
	ctx context.Context,
	app cloud.AppID,
	sel LetterSelection,
) ([]cloud.DeadLetter, BulkReplay, error) {
	var out BulkReplay

	var letters []cloud.DeadLetter
	for _, id := range sel.IDs {
		letter, err := o.replayer.reader.DeadLetter(ctx, app, id)
		switch {
		case cloud.CodeOf(err) == cloud.CodeNotFound && err != nil:
			continue
		case err != nil:
			return nil, out, err
		}
		letters = append(letters, *letter)
	}

	if sel.IDs == nil {
		sel.Filter.State = "unresolved"
		var err error
		letters, err = o.replayer.reader.DeadLetters(ctx, app, sel.Filter, sel.Before, sel.Limit+1)
		if err != nil {
			return nil, out, err
		}
		if len(letters) > sel.Limit {
			letters = letters[:sel.Limit]
			out.Last = letters[sel.Limit-1].ID
		}
	}
	out.Matched = len(letters)

	return letters, out, nil
}

// bulkReplay commits the rows of a bulk replay, some at a time.
type bulkReplay struct {
	o           *Operations
	app         cloud.AppID
	definitions *catalog.App
	sel         LetterSelection
	by          cloud.Principal

	chunks   [][]commit.ResolveLetter
	bytes    int // of the last chunk's payloads
	added    map[cloud.ID]bool
	replayed int
}

// add takes a letter in, once: a commit must not replay one twice because it was named twice.
func (b *bulkReplay) add(letter cloud.ID, row *outbox.NewRow) {
	if b.added[letter] {
		return
	}
	b.added[letter] = true

	last := len(b.chunks) - 1
	if last < 0 || len(b.chunks[last]) >= bulkLetters || b.bytes+len(row.Payload) > bulkBytes {
		b.chunks = append(b.chunks, nil)
		b.bytes = 0
		last++
	}
	b.chunks[last] = append(b.chunks[last], commit.ResolveLetter{ID: letter, Replay: row, By: b.by.Username})
	b.bytes += len(row.Payload)
}

// commitAll commits every chunk. An operator's action that finds nothing to do is audited all the same.
func (b *bulkReplay) commitAll() error {
	if len(b.chunks) == 0 {
		b.chunks = append(b.chunks, nil)
	}

	for _, chunk := range b.chunks {
		if err := b.commit(chunk); err != nil {
			return err
		}
	}

	return nil
}

// commit replays letters in one transaction with their audit row. Letters that somebody else resolved
// meanwhile are left out, which makes it a smaller commit each time.
func (b *bulkReplay) commit(letters []commit.ResolveLetter) error {
	for {
		x := &commit.Commit{App: b.app}
		for _, letter := range letters {
			x.Parts = append(x.Parts, letter)
		}
		x.Parts = append(
			x.Parts,
			audit(b.definitions, b.by, "dead-letter.replay-many", "", b.detail(len(letters))),
		)

		result := b.o.committer.Do(x)
		switch {
		case result.Applied:
			b.replayed += len(letters)
			return nil
		case len(result.Conflicts) == 0:
			return serverError(letterError(result))
		}
		letters = without(letters, b.app, result.Conflicts)
	}
}

// detail is what the audit row says of a chunk.
func (b *bulkReplay) detail(replayed int) map[string]any {
	detail := map[string]any{"replayed": replayed}
	if b.sel.IDs == nil {
		detail["script"] = b.sel.Filter.Script
		detail["source"] = b.sel.Filter.Source
		detail["trigger"] = b.sel.Filter.Trigger.String()
		detail["error"] = b.sel.Filter.ErrorGroup
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

// Resolve marks a dead letter as ignored, with the operator's reason.
func (o *Operations) Resolve(
	ctx context.Context,
	app cloud.AppID,
	id cloud.ID,
	reason string,
	by cloud.Principal,
) (*cloud.DeadLetter, error) {
	letter, err := o.replayer.reader.DeadLetter(ctx, app, id)
	if err == nil {
		err = unresolved(letter)
	}
	if err != nil {
		return nil, err
	}

	x := &commit.Commit{App: app, Parts: []commit.Part{
		commit.ResolveLetter{ID: id, Reason: db.Storable(reason), By: by.Username},
		audit(
			o.catalog.App(app),
			by,
			"dead-letter.resolve",
			id.String(),
			map[string]string{"reason": reason},
		),
	}}
	if err := letterError(o.committer.Do(x)); err != nil {
		return nil, err
	}

	return o.replayer.reader.DeadLetter(ctx, app, id)
}
