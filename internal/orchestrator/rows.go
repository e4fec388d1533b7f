package orchestrator

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

// row is an outbox row that this node has claimed, or will insert.
type row struct {
	app     cloud.AppID
	id      cloud.ID
	token   cloud.ID
	source  string
	op      string
	trigger cloud.ID
	script  cloud.ID
	payload string

	replyTo   cloud.ID
	replyNode string
	origin    string
	runAs     string

	parent, root   cloud.ID
	depth          int
	deadLetter     cloud.ID
	idempotencyKey string
	execution      cloud.ID // of the first attempt

	attempts      int
	interruptions int
	retry         cloud.Retry
	// revision of the app's definitions when the row was claimed, 0 if the node's own copy was current.
	revision int64
}

// newRow is a row to insert.
type newRow struct {
	row
	payloadID cloud.ID // shared payload
	// elsewhere: this node does not start it itself.
	elsewhere bool
}

type endKind uint8

const (
	endNone endKind = iota
	endDone
	endSkip
	endRetry
	endBury
)

// rowEnd is what becomes of a claimed row.
type rowEnd struct {
	kind  endKind
	retry retryEnd
	bury  buryEnd
}

type retryEnd struct {
	attempts, interruptions int
	attempted               bool
	delay                   time.Duration
	err                     string
}

type buryEnd struct {
	letter    cloud.ID
	script    string
	reason    string
	err       cloud.ScriptError
	attempts  int
	execution cloud.ID
}

type handledLetter struct {
	id         cloud.ID
	resolution string
	reason     string
}

type idempotentAnswer struct {
	app       cloud.AppID
	script    cloud.ID
	principal string
	key       string
	execution cloud.ID
	status    int
	headers   string
	body      []byte
	kept      bool
}

type inboxMessage struct {
	id        cloud.ID
	node      string
	script    cloud.ID
	execution cloud.ID
	status    int
	response  string
}

type abandonedAnswer struct {
	app       cloud.AppID
	id        cloud.ID
	script    cloud.ID
	name      string
	execution cloud.ID
	status    int
	summary   string
	reason    string
}

// record is an execution as it is kept.
type record struct {
	app       cloud.AppID
	id        cloud.ID
	script    cloud.ID
	name      string
	version   int
	source    string
	trigger   cloud.ID
	outbox    cloud.ID
	status    cloud.Status
	attempt   int
	depth     int
	root      cloud.ID
	parent    cloud.ID
	principal string
	request   string
	started   time.Time
	duration  time.Duration
	http      int
	err       cloud.ScriptError
	after     cloud.Status
	logs      []cloud.LogLine
	dropped   int
	usage     cloud.Usage
	// kept: it is stored, or on its way. Of the recorder.
	kept bool
}

// clean makes a text storable: PostgreSQL's text holds neither NUL nor invalid UTF-8.
func clean(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func logsJSON(lines []cloud.LogLine, dropped int) string {
	if len(lines) == 0 && dropped == 0 {
		return ""
	}
	if dropped > 0 {
		lines = append(lines[:len(lines):len(lines)], cloud.LogLine{At: time.Now().UTC(), Level: "warn",
			Message: fmt.Sprintf("the log limit of a run (%d lines, %d KiB) was reached; %d more lines were dropped", cloud.MaxLogLines, cloud.MaxLogBytes>>10, dropped)})
	}
	return string(appendJSON(nil, lines))
}

func executionRows(node string, records []*record) db.InsertExecutionsParams {
	p := db.InsertExecutionsParams{Node: node}
	for _, r := range records {
		p.Apps, p.Ids, p.ScriptIds = append(p.Apps, int64(r.app)), append(p.Ids, r.id), append(p.ScriptIds, r.script)
		p.Scripts, p.Versions, p.Sources = append(p.Scripts, r.name), append(p.Versions, int32(r.version)), append(p.Sources, r.source)
		p.Triggers, p.OutboxIds = append(p.Triggers, r.trigger), append(p.OutboxIds, r.outbox)
		p.Statuses, p.Attempts, p.Depths = append(p.Statuses, string(r.status)), append(p.Attempts, int32(r.attempt)), append(p.Depths, int32(r.depth))
		p.Roots, p.Parents = append(p.Roots, r.root), append(p.Parents, r.parent)
		p.Principals, p.Requests = append(p.Principals, r.principal), append(p.Requests, clean(r.request))
		p.StartTimes, p.Durations = append(p.StartTimes, r.started), append(p.Durations, r.duration.Microseconds())
		p.HttpStatuses = append(p.HttpStatuses, int32(r.http))
		p.ErrorNames, p.ErrorMessages = append(p.ErrorNames, clean(r.err.Name)), append(p.ErrorMessages, clean(r.err.Message))
		p.ErrorStacks, p.AfterStatuses = append(p.ErrorStacks, clean(r.err.Stack)), append(p.AfterStatuses, string(r.after))
		p.Logs = append(p.Logs, logsJSON(r.logs, r.dropped))
		p.CpuUs, p.MemoryKib = append(p.CpuUs, r.usage.CPU.Microseconds()), append(p.MemoryKib, r.usage.MemoryKiB)
	}
	return p
}

func outboxRows(node string, lease time.Duration, rows []*newRow) db.InsertOutboxParams {
	p := db.InsertOutboxParams{Node: node, LeaseUs: lease.Microseconds()}
	for _, r := range rows {
		p.Apps, p.Ids, p.Sources, p.Ops = append(p.Apps, int64(r.app)), append(p.Ids, r.id), append(p.Sources, r.source), append(p.Ops, r.op)
		p.Triggers, p.Scripts = append(p.Triggers, r.trigger), append(p.Scripts, r.script)
		payload := r.payload
		if !r.payloadID.IsZero() {
			payload = ""
		}
		p.Payloads, p.PayloadIds = append(p.Payloads, payload), append(p.PayloadIds, r.payloadID)
		p.ReplyTos, p.ReplyNodes = append(p.ReplyTos, r.replyTo), append(p.ReplyNodes, r.replyNode)
		p.Origins, p.RunsAs = append(p.Origins, r.origin), append(p.RunsAs, r.runAs)
		p.Parents, p.Roots, p.Depths = append(p.Parents, r.parent), append(p.Roots, r.root), append(p.Depths, int32(r.depth))
		p.DeadLetters, p.IdempotencyKeys = append(p.DeadLetters, r.deadLetter), append(p.IdempotencyKeys, r.idempotencyKey)
		p.Executions, p.AttemptLimits = append(p.Executions, r.execution), append(p.AttemptLimits, int32(r.retry.MaxAttempts))
		p.Backoffs, p.BaseDelaysMs = append(p.Backoffs, r.retry.Backoff), append(p.BaseDelaysMs, int32(r.retry.Base.Milliseconds()))
		p.MaxDelaysMs, p.Jitters = append(p.MaxDelaysMs, int32(r.retry.Max.Milliseconds())), append(p.Jitters, r.retry.Jitter)
		p.Tokens = append(p.Tokens, r.token)
	}
	return p
}

func abandonedRows(list []*abandonedAnswer) db.InsertAbandonedParams {
	var p db.InsertAbandonedParams
	for _, a := range list {
		p.Apps, p.Ids, p.ScriptIds = append(p.Apps, int64(a.app)), append(p.Ids, a.id), append(p.ScriptIds, a.script)
		p.Scripts, p.Executions = append(p.Scripts, a.name), append(p.Executions, a.execution)
		p.Statuses, p.Summaries, p.Reasons = append(p.Statuses, int32(a.status)), append(p.Summaries, clean(a.summary)), append(p.Reasons, a.reason)
	}
	return p
}

// claimedRow is a row as ClaimDue gave it.
func claimedRow(c *db.ClaimDueRow, token cloud.ID) *row {
	r := &row{app: cloud.AppID(c.AppID), id: c.ID, token: token, source: c.Source, op: c.Op, script: c.ScriptID, payload: c.Payload,
		replyNode: c.ReplyNode, origin: c.OriginPrincipal, runAs: c.RunAs, root: c.RootID, depth: int(c.Depth), idempotencyKey: c.IdempotencyKey,
		execution: c.ExecutionID, attempts: int(c.AttemptCount), interruptions: int(c.Interruptions), revision: c.Revision,
		retry: cloud.Retry{MaxAttempts: int(c.MaxAttempts), Backoff: c.Backoff, Base: time.Duration(c.BaseMs) * time.Millisecond,
			Max: time.Duration(c.MaxMs) * time.Millisecond, Jitter: c.Jitter}}
	for _, f := range []struct {
		to   *cloud.ID
		from *db.UUID
	}{{&r.trigger, c.TriggerID}, {&r.replyTo, c.ReplyTo}, {&r.parent, c.ParentID}, {&r.deadLetter, c.DeadLetterID}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	return r
}

func isNotFound(err error) bool { return errors.Is(db.Translate(err), db.ErrNotFound) }

// httpPayload is the event of an http row.
type httpPayload struct {
	Method       string      `json:"method"`
	URL          string      `json:"url"`
	Headers      [][2]string `json:"headers"`
	Body         string      `json:"body"`
	BodyEncoding string      `json:"body_encoding"`
	Params       [][2]string `json:"params,omitempty"`
}

func (p *httpPayload) decode(text string) error { return json.Unmarshal([]byte(text), p) }
