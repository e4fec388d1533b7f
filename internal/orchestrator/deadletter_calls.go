package orchestrator

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"
	"unicode/utf8"

	"picloud/db"
	"picloud/internal/cloud"
	"picloud/internal/commit"
)

// What one run may do with dead letters.
const (
	maxLetterChanges = 1000
	maxLetterBytes   = 16 << 20 // of payloads that are replayed
	maxReasonChars   = 1000
	maxLetterList    = 1000 // items of one list
)

// deadLetterCalls answers a run's calls about dead letters. What they ask for is part of the run's commit;
// until then only the run itself sees it.
type deadLetterCalls struct {
	replayer *replayer
	task     *task

	// mu guards everything below: a run's calls may be answered side by side. It is a leaf.
	mu sync.Mutex
	// current collects what is resolved now. Once the response is out, beforeResponse has what came before
	// it.
	current        []commit.ResolveLetter
	beforeResponse []commit.ResolveLetter
	hasResponded   bool
	resolved       map[cloud.ID]string // by this run, with the resolution
	bytes          int                 // of payloads that are replayed
}

func (c *deadLetterCalls) responded() {
	c.mu.Lock()
	defer c.mu.Unlock()

	c.hasResponded = true
	c.beforeResponse = c.current
	c.current = nil
}

// changes are those of the run, or of what it did before its response went out.
func (c *deadLetterCalls) changes() []commit.ResolveLetter {
	c.mu.Lock()
	defer c.mu.Unlock()

	if c.hasResponded {
		return c.beforeResponse
	}
	return c.current
}

// after are the changes of waitUntil work.
func (c *deadLetterCalls) after() []commit.ResolveLetter {
	c.mu.Lock()
	defer c.mu.Unlock()

	return c.current
}

func deadLetterError(format string, args ...any) *cloud.HostError {
	return &cloud.HostError{Name: "DeadLetterError", Message: fmt.Sprintf(format, args...)}
}

func limitError(format string, args ...any) *cloud.HostError {
	return &cloud.HostError{Name: "LimitError", Message: fmt.Sprintf(format, args...)}
}

func (c *deadLetterCalls) call(ctx context.Context, call cloud.DeadLetterCall) (cloud.HostReply, error) {
	switch call := call.(type) {
	case cloud.DeadLetterList:
		return c.list(ctx, call)
	case cloud.DeadLetterGet:
		return c.get(ctx, call)
	case cloud.DeadLetterReplay:
		return c.replay(ctx, call)
	case cloud.DeadLetterResolve:
		return c.resolve(ctx, call)
	default:
		return cloud.HostReply{}, unknownCall()
	}
}

// find reads a letter of the run's app; nil: there is none.
func (c *deadLetterCalls) find(ctx context.Context, text string) (*cloud.DeadLetter, error) {
	id, ok := cloud.ParseID(text)
	if !ok {
		return nil, nil
	}
	letter, err := c.replayer.reader.DeadLetter(ctx, c.task.app.ID, id)
	if err != nil && cloud.CodeOf(err) == cloud.CodeNotFound {
		return nil, nil
	}
	return letter, err
}

// mustFind is find for a call that needs the letter: a DeadLetterError if there is none.
func (c *deadLetterCalls) mustFind(ctx context.Context, text string) (*cloud.DeadLetter, error) {
	letter, err := c.find(ctx, text)
	if err == nil && letter == nil {
		return nil, deadLetterError("no such dead letter")
	}
	return letter, err
}

// applyOwn gives a letter the resolution that this run has given it, if any. c.mu is held.
func (c *deadLetterCalls) applyOwn(letter *cloud.DeadLetter) {
	if resolution := c.resolved[letter.ID]; resolution != "" {
		letter.Resolution = resolution
	}
}

// add takes a resolution into the run's commit. c.mu is held.
func (c *deadLetterCalls) add(l commit.ResolveLetter, resolution string) error {
	if len(c.current)+len(c.beforeResponse) >= maxLetterChanges {
		return limitError("a run can deal with %d dead letters; go on in another", maxLetterChanges)
	}

	l.By = "script:" + c.task.script.Name
	c.current = append(c.current, l)
	if c.resolved == nil {
		c.resolved = map[cloud.ID]string{}
	}
	c.resolved[l.ID] = resolution
	return nil
}

// get returns a letter with the resolution that this run has given it.
func (c *deadLetterCalls) get(ctx context.Context, call cloud.DeadLetterGet) (cloud.HostReply, error) {
	letter, err := c.find(ctx, call.ID)
	if err != nil || letter == nil {
		return cloud.HostReply{}, err
	}

	c.mu.Lock()
	defer c.mu.Unlock()

	c.applyOwn(letter)
	return cloud.HostReply{Found: true, JSON: letterJSON(letter, true)}, nil
}

// replay differs from an operator's in its depth: a script that replays what fails again must not go on for
// ever.
func (c *deadLetterCalls) replay(
	ctx context.Context, call cloud.DeadLetterReplay,
) (cloud.HostReply, error) {
	letter, err := c.mustFind(ctx, call.ID)
	if err != nil {
		return cloud.HostReply{}, err
	}

	c.mu.Lock()
	defer c.mu.Unlock()

	c.applyOwn(letter)
	if call.HasPayload {
		if !utf8.ValidString(call.Payload) {
			return cloud.HostReply{}, deadLetterError("the payload is not JSON")
		}
		letter.Payload = call.Payload
	}
	if c.bytes+len(letter.Payload) > maxLetterBytes {
		return cloud.HostReply{}, limitError(
			"the dead letters that a run replays can carry %d MiB; go on in another",
			maxLetterBytes>>20,
		)
	}

	row, err := c.replayer.row(c.replayer.catalog.App(c.task.app.ID), letter, c.task.principal)
	if err != nil {
		return cloud.HostReply{}, deadLetterError("%s", safeError(err).Message)
	}
	row.Depth = max(row.Depth, c.task.depth) + 1
	if row.Depth > c.replayer.maxDepth {
		return cloud.HostReply{}, deadLetterError(
			"the chain of events is %d deep already: an operator can replay this one",
			row.Depth-1,
		)
	}

	if err := c.add(commit.ResolveLetter{ID: letter.ID, Replay: row}, cloud.DeadLetterReplayed); err != nil {
		return cloud.HostReply{}, err
	}
	c.bytes += len(letter.Payload)
	return cloud.HostReply{Value: row.ID.String()}, nil
}

// resolve marks a letter as dealt with.
func (c *deadLetterCalls) resolve(
	ctx context.Context, call cloud.DeadLetterResolve,
) (cloud.HostReply, error) {
	letter, err := c.mustFind(ctx, call.ID)
	if err != nil {
		return cloud.HostReply{}, err
	}

	c.mu.Lock()
	defer c.mu.Unlock()

	c.applyOwn(letter)
	if err := unresolved(letter); err != nil {
		return cloud.HostReply{}, deadLetterError("%s", safeError(err).Message)
	}
	if utf8.RuneCountInString(call.Reason) > maxReasonChars {
		return cloud.HostReply{}, deadLetterError("a reason can have %d characters", maxReasonChars)
	}
	l := commit.ResolveLetter{ID: letter.ID, Reason: db.Storable(call.Reason)}
	return cloud.HostReply{}, c.add(l, cloud.DeadLetterIgnored)
}

// list gives unresolved letters, without those that the run has resolved.
func (c *deadLetterCalls) list(ctx context.Context, call cloud.DeadLetterList) (cloud.HostReply, error) {
	before, ok := cloud.ParseID(call.Cursor)
	if call.Cursor != "" && !ok {
		return cloud.HostReply{}, deadLetterError("cursor must be one that list gave")
	}
	limit := min(max(call.Limit, 1), maxLetterList)
	reader := c.replayer.reader
	letters, more, err := reader.DeadLettersForScript(ctx, c.task.app.ID, call.Script, before, limit)
	if err != nil {
		return cloud.HostReply{}, err
	}

	cursor := "null"
	if more {
		cursor = `"` + letters[len(letters)-1].ID.String() + `"`
	}
	return cloud.HostReply{JSON: `{"items":[` + c.items(letters) + `],"cursor":` + cursor + `}`}, nil
}

// items are letters as JSON, separated by commas.
func (c *deadLetterCalls) items(letters []cloud.DeadLetter) string {
	c.mu.Lock()
	defer c.mu.Unlock()

	var b []byte
	for k := range letters {
		if c.resolved[letters[k].ID] != "" {
			continue
		}
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = append(b, letterJSON(&letters[k], false)...)
	}
	return string(b)
}

// letterJSON has the fields of the event that a deadLetter handler gets, and what is known besides.
func letterJSON(letter *cloud.DeadLetter, withOriginal bool) string {
	v := struct {
		ID         string            `json:"id"`
		Original   json.RawMessage   `json:"original,omitempty"`
		Attempts   int               `json:"attempts"`
		Error      cloud.ScriptError `json:"error"`
		Trigger    *string           `json:"trigger"`
		Script     string            `json:"script"`
		Source     string            `json:"source"`
		Op         string            `json:"op"`
		Reason     string            `json:"reason"`
		CreatedAt  time.Time         `json:"createdAt"`
		Resolution *string           `json:"resolution"`
	}{
		ID:         letter.ID.String(),
		Attempts:   letter.Attempts,
		Error:      letter.Error,
		Trigger:    orNil(letter.Trigger.String()),
		Script:     letter.Name,
		Source:     letter.Source,
		Op:         letter.Op,
		Reason:     letter.Reason,
		CreatedAt:  letter.Created.UTC(),
		Resolution: orNil(letter.Resolution),
	}
	if withOriginal {
		v.Original = json.RawMessage(letter.Payload)
	}
	return string(cloud.AppendJSON(nil, v))
}

// orNil is null in JSON for an empty text.
func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
