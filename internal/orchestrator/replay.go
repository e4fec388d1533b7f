package orchestrator

import (
	"context"
	"encoding/json"

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
