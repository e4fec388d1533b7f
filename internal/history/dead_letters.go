package history

import (
	"context"
	"encoding/json"

	"picloud/db"
	"picloud/internal/cloud"
)

// DeadLetter is a dead letter as it is stored.
type DeadLetter = db.DeadLetter

// LetterFilter selects dead letters. Zero fields select everything; State is unresolved (default), resolved
// or all.
type LetterFilter struct {
	State   string
	Script  string
	Source  string
	Trigger cloud.ID
	// ErrorGroup is what cloud.ErrorGroup made of the error.
	ErrorGroup string
}

// storable makes the texts of a filter comparable: what PostgreSQL cannot store matches nothing.
func (f LetterFilter) storable() LetterFilter {
	f.Script = db.Storable(f.Script)
	f.Source = db.Storable(f.Source)
	f.ErrorGroup = db.Storable(f.ErrorGroup)
	return f
}

// DeadLetters lists dead letters, newest first, older than the id before.
func (r *Reader) DeadLetters(
	ctx context.Context, app cloud.AppID, f LetterFilter, before cloud.ID, limit int,
) ([]DeadLetter, error) {
	if f.State == "" {
		f.State = "unresolved"
	}
	f = f.storable()

	list, err := r.db.Queries().ListDeadLetters(ctx, db.ListDeadLettersParams{
		AppID:      int64(app),
		Before:     before,
		State:      f.State,
		Script:     f.Script,
		Source:     f.Source,
		TriggerID:  f.Trigger,
		ErrorGroup: f.ErrorGroup,
		Max:        int32(limit),
	})
	return list, explain("list dead letters", err)
}

// CountMatching counts the unresolved ones that a filter selects, whatever its state.
func (r *Reader) CountMatching(ctx context.Context, app cloud.AppID, f LetterFilter) (int64, error) {
	f = f.storable()
	n, err := r.db.Queries().CountMatching(ctx, db.CountMatchingParams{
		AppID:      int64(app),
		Script:     f.Script,
		Source:     f.Source,
		TriggerID:  f.Trigger,
		ErrorGroup: f.ErrorGroup,
	})
	return n, explain("count dead letters", err)
}

// LetterGroup is the unresolved dead letters of one script that failed alike.
type LetterGroup = db.GroupDeadLettersRow

// GroupDeadLetters groups the unresolved ones by script and error, the largest group first.
func (r *Reader) GroupDeadLetters(ctx context.Context, app cloud.AppID, limit int) ([]LetterGroup, error) {
	list, err := r.db.Queries().GroupDeadLetters(ctx, int64(app), int32(limit))
	return list, explain("group dead letters", err)
}

// CountDeadLetters counts the unresolved ones.
func (r *Reader) CountDeadLetters(ctx context.Context, app cloud.AppID) (int64, error) {
	n, err := r.db.Queries().CountUnresolved(ctx, int64(app))
	return n, explain("count dead letters", err)
}

// CountDeadLettersOf counts the unresolved ones of several apps. Apps without any are not in the map.
func (r *Reader) CountDeadLettersOf(ctx context.Context, apps []cloud.AppID) (map[cloud.AppID]int64, error) {
	rows, err := r.db.Queries().CountUnresolvedOfApps(ctx, appIDs(apps))
	out := make(map[cloud.AppID]int64, len(rows))
	for _, row := range rows {
		out[cloud.AppID(row.AppID)] = row.N
	}
	return out, explain("count dead letters", err)
}

// DeadLetter finds one. Without it the error is CodeNotFound.
func (r *Reader) DeadLetter(ctx context.Context, app cloud.AppID, id cloud.ID) (*DeadLetter, error) {
	letter, err := r.db.Queries().DeadLetterByID(ctx, int64(app), id)
	if isNotFound(err) {
		return nil, cloud.Errorf(cloud.CodeNotFound, "no such dead letter")
	}
	return &letter, explain("read dead letter", err)
}

// IsUnresolved reports whether somebody has yet to deal with a dead letter. One whose handler failed still
// counts.
func IsUnresolved(letter *DeadLetter) bool {
	return cloud.IsUnresolved(letter.Resolution)
}

// ErrorOf is a dead letter's error as JSON: name, message and stack. Letters that no run made have only a
// reason.
func ErrorOf(letter *DeadLetter) json.RawMessage {
	if text := json.RawMessage(letter.Error); json.Valid(text) {
		return text
	}

	text, err := json.Marshal(cloud.ScriptError{Name: "Error", Message: letter.Error})
	if err != nil {
		return json.RawMessage("null")
	}

	return text
}
