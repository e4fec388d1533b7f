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
)

// What one run may do with dead letters.
const (
	maxLetterChanges = 1000
	maxLetterBytes   = 16 << 20 // of payloads that are replayed
	maxReasonChars   = 1000
)

// letterChange is what a commit does with a dead letter that must still be unresolved: it replays it as a fresh row, or,
// without one, marks it as ignored.
type letterChange struct {
	id     cloud.ID
	replay *newRow
	reason string
	by     string
}

// ref names the letter among the keys that a run read, so that a run that finds it resolved at its commit is run again.
func (l *letterChange) ref(app cloud.AppID) cloud.KeyRef {
	return cloud.KeyRef{App: app, Collection: "(dead letter)", Key: l.id.String()} // no collection of a script has such a name
}

func (l *letterChange) queue(ctx context.Context, q *db.Queries, app cloud.AppID) {
	p := db.ResolveDeadLetterParams{AppID: int64(app), ID: l.id, ResolvedBy: &l.by}
	if l.replay != nil {
		row := db.UUID(l.replay.id)
		p.Resolution, p.ReplayedAs = ptr(resolvedReplayed), &row
	} else {
		p.Resolution, p.Reason = ptr(resolvedIgnored), &l.reason
	}
	_ = q.ResolveDeadLetter(ctx, p)
}

// letterCalls answers a run's calls about dead letters. What they ask for is part of the run's commit; until then only the
// run itself sees it.
type letterCalls struct {
	o *Orchestrator
	t *task

	mu          sync.Mutex
	part, first []letterChange // as a KV session splits its writes
	split       bool
	dealt       map[cloud.ID]string // resolutions by this run
	bytes       int
}

func (c *letterCalls) responded() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.split = true
	c.first, c.part = c.part, nil
}

// changes are those of the run, or of what it did before its response went out.
func (c *letterCalls) changes() []letterChange {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.split {
		return c.first
	}
	return c.part
}

// after are the changes of waitUntil work.
func (c *letterCalls) after() []letterChange {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.part
}

func letterError(format string, args ...any) *cloud.HostError {
	return &cloud.HostError{Name: "DeadLetterError", Message: fmt.Sprintf(format, args...)}
}

func (c *letterCalls) call(ctx context.Context, op cloud.HostOp, a cloud.HostArgs) (cloud.HostReply, error) {
	if op == cloud.OpLetterList {
		return c.list(ctx, a)
	}
	id, ok := cloud.ParseID(a.Key)
	if !ok { // nothing has such an id
		if op == cloud.OpLetterGet {
			return cloud.HostReply{}, nil
		}
		return cloud.HostReply{}, letterError("no such dead letter")
	}
	d, err := c.o.DeadLetter(ctx, c.t.app.id, id)
	switch {
	case isNoLetter(err) && op == cloud.OpLetterGet:
		return cloud.HostReply{}, nil
	case isNoLetter(err):
		return cloud.HostReply{}, letterError("no such dead letter")
	case err != nil:
		return cloud.HostReply{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.dealt[id]; r != "" {
		d.Resolution = &r
	}
	switch op {
	case cloud.OpLetterGet:
		return cloud.HostReply{Found: true, JSON: letterJSON(d, true)}, nil
	case cloud.OpLetterReplay:
		return c.replay(d, a)
	case cloud.OpLetterResolve:
		return c.resolve(d, a.Value)
	default:
		return cloud.HostReply{}, &cloud.HostError{Name: "TypeError", Message: "unknown call"}
	}
}

func (c *letterCalls) add(d *DeadLetter, l letterChange, resolution string) error {
	if len(c.part)+len(c.first) >= maxLetterChanges {
		return &cloud.HostError{Name: "LimitError", Message: "a run can deal with 1000 dead letters; go on in another"}
	}
	l.id, l.by = d.ID, "script:"+c.t.script.Name
	c.part = append(c.part, l)
	if c.dealt == nil {
		c.dealt = map[cloud.ID]string{}
	}
	c.dealt[d.ID] = resolution
	return nil
}

// replay differs from an operator's in its depth: a script that replays what fails again must not go on for ever.
func (c *letterCalls) replay(d *DeadLetter, a cloud.HostArgs) (cloud.HostReply, error) {
	if a.Flag {
		if !utf8.ValidString(a.Value) {
			return cloud.HostReply{}, letterError("the payload is not JSON")
		}
		d.Payload = a.Value
	}
	if c.bytes+len(d.Payload) > maxLetterBytes {
		return cloud.HostReply{}, &cloud.HostError{Name: "LimitError", Message: "the dead letters that a run replays can carry 16 MiB; go on in another"}
	}
	n, err := c.o.replayRow(c.o.definitions.app(c.t.app.id), d, c.t.principal)
	if err != nil {
		return cloud.HostReply{}, letterError("%s", safeError(err).Message)
	}
	n.depth = max(n.depth, c.t.depth) + 1
	if n.depth > c.o.cfg.MaxDepth {
		return cloud.HostReply{}, letterError("the chain of events is %d deep already: an operator can replay this one", n.depth-1)
	}
	if err := c.add(d, letterChange{replay: n}, resolvedReplayed); err != nil {
		return cloud.HostReply{}, err
	}
	c.bytes += len(d.Payload)
	return cloud.HostReply{Value: n.id.String()}, nil
}

func (c *letterCalls) resolve(d *DeadLetter, reason string) (cloud.HostReply, error) {
	if err := unresolved(d); err != nil {
		return cloud.HostReply{}, letterError("%s", safeError(err).Message)
	}
	if utf8.RuneCountInString(reason) > maxReasonChars {
		return cloud.HostReply{}, letterError("a reason can have %d characters", maxReasonChars)
	}
	return cloud.HostReply{}, c.add(d, letterChange{reason: clean(reason)}, resolvedIgnored)
}

// list gives unresolved letters without what the run has dealt with.
func (c *letterCalls) list(ctx context.Context, a cloud.HostArgs) (cloud.HostReply, error) {
	before, ok := cloud.ParseID(a.Cursor)
	if a.Cursor != "" && !ok {
		return cloud.HostReply{}, letterError("cursor must be one that list gave")
	}
	limit := min(max(int(a.Number), 1), 1000)
	rows, err := c.o.cfg.DB.Queries().ListLetterHeads(ctx, db.ListLetterHeadsParams{AppID: int64(c.t.app.id), Script: clean(a.Collection),
		Before: before, Max: int32(limit + 1)})
	if err != nil {
		return cloud.HostReply{}, explain("list dead letters", err)
	}
	b := []byte(`{"items":[`)
	cursor := "null"
	c.mu.Lock()
	defer c.mu.Unlock()
	for k := range rows {
		if k == limit {
			cursor = `"` + cloud.ID(rows[k-1].ID).String() + `"`
			break
		}
		r := &rows[k]
		if c.dealt[r.ID] != "" {
			continue
		}
		if b[len(b)-1] == '}' {
			b = append(b, ',')
		}
		b = append(b, letterJSON(&DeadLetter{ID: r.ID, Source: r.Source, Op: r.Op, TriggerID: r.TriggerID, Script: r.Script, Reason: r.Reason,
			Error: r.Error, Attempts: r.Attempts, CreatedAt: r.CreatedAt, Resolution: r.Resolution}, false)...)
	}
	return cloud.HostReply{JSON: string(b) + `],"cursor":` + cursor + `}`}, nil
}

// letterJSON has the fields of the event that a deadLetter handler gets, and what is known besides.
func letterJSON(d *DeadLetter, original bool) string {
	var trigger *string
	if d.TriggerID != nil {
		trigger = ptr(cloud.ID(*d.TriggerID).String())
	}
	v := struct {
		ID         string          `json:"id"`
		Original   json.RawMessage `json:"original,omitempty"`
		Attempts   int32           `json:"attempts"`
		Error      json.RawMessage `json:"error"`
		Trigger    *string         `json:"trigger"`
		Script     string          `json:"script"`
		Source     string          `json:"source"`
		Op         string          `json:"op"`
		Reason     string          `json:"reason"`
		CreatedAt  time.Time       `json:"createdAt"`
		Resolution *string         `json:"resolution"`
	}{ID: cloud.ID(d.ID).String(), Attempts: d.Attempts, Error: ErrorOf(d), Trigger: trigger, Script: d.Script, Source: d.Source, Op: d.Op, Reason: d.Reason,
		CreatedAt: d.CreatedAt.UTC(), Resolution: d.Resolution}
	if original {
		v.Original = json.RawMessage(d.Payload)
	}
	return string(appendJSON(nil, v))
}
