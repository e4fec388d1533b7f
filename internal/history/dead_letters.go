package history

import (
	"context"
	"encoding/json"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

// LetterFilter selects dead letters. Zero fields select everything; State is unresolved (default), resolved
// or all.
type LetterFilter struct {
	State   string
	Script  string
	Source  string
	Trigger cloud.ID
	// ErrorGroup is what cloud.ErrorGroup made of the error.
	ErrorGroup string
	// From is included, To is not: when the event was given up.
	From, To time.Time
	// Search is a text in the error or the payload, whatever the case.
	Search string
}

// storable makes the texts of a filter comparable: what PostgreSQL cannot store matches nothing.
func (f LetterFilter) storable() LetterFilter {
	f.Script = db.Storable(f.Script)
	f.Source = db.Storable(f.Source)
	f.ErrorGroup = db.Storable(f.ErrorGroup)
	f.Search = db.Storable(f.Search)
	if f.To.IsZero() {
		f.To = endOfTime
	}
	return f
}

// onlyGroups: the filter tells whole groups from others, whose counts are kept.
func (f LetterFilter) onlyGroups() bool {
	return f.Source == "" && f.Trigger.IsZero() && f.From.IsZero() && f.To.IsZero() && f.Search == ""
}

// endOfTime is after every dead letter.
var endOfTime = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// escaped is a text as it stands within a JSON string.
func escaped(text string) string {
	quoted := string(cloud.AppendJSON(nil, text))
	return quoted[1 : len(quoted)-1]
}

// letterSize is the long texts of a dead letter, in bytes.
func letterSize(row *db.DeadLetter) int {
	return len(row.Payload) + len(row.Error) + len(db.OrZero(row.ResolveReason))
}

// DeadLetters lists dead letters, newest first, older than the id before: at most limit, and MaxListBytes.
// more says that others follow.
func (r *Reader) DeadLetters(
	ctx context.Context, app cloud.AppID, f LetterFilter, before cloud.ID, limit int,
) (list []cloud.DeadLetter, more bool, err error) {
	if f.State == "" {
		f.State = "unresolved"
	}
	f = f.storable()

	rows, err := r.db.Queries().ListDeadLetters(ctx, db.ListDeadLettersParams{
		AppID:      int64(app),
		Before:     before,
		State:      f.State,
		Script:     f.Script,
		Source:     f.Source,
		TriggerID:  f.Trigger,
		ErrorGroup: f.ErrorGroup,
		Max:        int32(limit) + 1, // one more tells whether there is another page
		MaxBytes:   MaxListBytes,
		RowBytes:   rowBytes,
		FromTime:   f.From,
		ToTime:     f.To,
		Search:     f.Search,
		Escaped:    escaped(f.Search),
	})

	rows, more = cutPage(rows, limit, letterSize)

	list = make([]cloud.DeadLetter, len(rows))
	for k := range rows {
		list[k] = deadLetterOf(&rows[k])
	}
	return list, more, explain("list dead letters", err)
}

// CountMatching counts the unresolved ones that a filter selects, whatever its state.
func (r *Reader) CountMatching(ctx context.Context, app cloud.AppID, f LetterFilter) (int64, error) {
	kept := f.onlyGroups()
	f = f.storable()

	if kept {
		n, err := r.db.Queries().CountUnresolvedLike(ctx, int64(app), f.Script, f.ErrorGroup)
		return n, explain("count dead letters", err)
	}

	n, err := r.db.Queries().CountMatching(ctx, db.CountMatchingParams{
		AppID:      int64(app),
		Script:     f.Script,
		Source:     f.Source,
		TriggerID:  f.Trigger,
		ErrorGroup: f.ErrorGroup,
		FromTime:   f.From,
		ToTime:     f.To,
		Search:     f.Search,
		Escaped:    escaped(f.Search),
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
func (r *Reader) DeadLetter(ctx context.Context, app cloud.AppID, id cloud.ID) (*cloud.DeadLetter, error) {
	row, err := r.db.Queries().DeadLetterByID(ctx, int64(app), id)
	switch {
	case db.IsNotFound(err):
		return nil, cloud.Errorf(cloud.CodeNotFound, "no such dead letter")
	case err != nil:
		return nil, explain("read dead letter", err)
	}

	letter := deadLetterOf(&row)
	return &letter, nil
}

// deadLetterOf reads a dead letter as it is stored.
func deadLetterOf(row *db.DeadLetter) cloud.DeadLetter {
	return cloud.DeadLetter{
		App:            cloud.AppID(row.AppID),
		ID:             row.ID,
		Outbox:         row.OutboxID,
		Source:         row.Source,
		Op:             row.Op,
		Trigger:        db.OrZero(row.TriggerID),
		Script:         row.ScriptID,
		Name:           row.Script,
		Payload:        row.Payload,
		Reason:         row.Reason,
		Error:          letterError(row.Error),
		Attempts:       int(row.Attempts),
		ErrorGroup:     row.ErrorGroup,
		Depth:          int(row.Depth),
		Root:           row.RootID,
		Parent:         db.OrZero(row.ParentID),
		LastExecution:  db.OrZero(row.LastExecutionID),
		Origin:         row.OriginPrincipal,
		RunAs:          row.RunAs,
		IdempotencyKey: row.IdempotencyKey,
		FirstAttempt:   row.FirstAttemptAt,
		LastAttempt:    row.LastAttemptAt,
		Created:        row.CreatedAt,
		Resolution:     db.OrZero(row.Resolution),
		ResolvedAt:     row.ResolvedAt,
		ResolvedBy:     db.OrZero(row.ResolvedBy),
		ResolveReason:  db.OrZero(row.ResolveReason),
		ReplayedAs:     db.OrZero(row.ReplayedAs),
		ReplayOf:       db.OrZero(row.ReplayOf),
	}
}

// letterError reads the error of a dead letter: JSON, or the plain reason of a letter that no run made.
func letterError(text string) cloud.ScriptError {
	var e cloud.ScriptError
	if json.Unmarshal([]byte(text), &e) != nil {
		return cloud.ScriptError{Name: "Error", Message: text}
	}
	return e
}

// DeadLettersForScript lists unresolved letters for a script, newest first, without their payloads: at most
// limit, and MaxListBytes. script "" is any. Of each only what a list shows is read.
func (r *Reader) DeadLettersForScript(
	ctx context.Context, app cloud.AppID, script string, before cloud.ID, limit int,
) (list []cloud.DeadLetter, more bool, err error) {
	rows, err := r.db.Queries().ListLetterHeads(ctx, db.ListLetterHeadsParams{
		AppID:    int64(app),
		Script:   db.Storable(script),
		Before:   before,
		Max:      int32(limit) + 1,
		MaxBytes: MaxListBytes,
		RowBytes: rowBytes,
	})

	rows, more = cutPage(rows, limit, func(row *db.ListLetterHeadsRow) int { return len(row.Error) })

	list = make([]cloud.DeadLetter, len(rows))
	for k := range rows {
		list[k] = letterHead(app, &rows[k])
	}
	return list, more, explain("list dead letters", err)
}

// letterHead is a dead letter without its payload.
func letterHead(app cloud.AppID, row *db.ListLetterHeadsRow) cloud.DeadLetter {
	return cloud.DeadLetter{
		App:        app,
		ID:         row.ID,
		Source:     row.Source,
		Op:         row.Op,
		Trigger:    db.OrZero(row.TriggerID),
		Name:       row.Script,
		Reason:     row.Reason,
		Error:      letterError(row.Error),
		Attempts:   int(row.Attempts),
		Created:    row.CreatedAt,
		Resolution: db.OrZero(row.Resolution),
	}
}
