package outbox

import (
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

// Sources are the kinds of rows that this version runs; others are left alone.
var Sources = []string{cloud.SourceHTTP, cloud.SourceKV, cloud.SourceCron, cloud.SourceDeadLetter}

// Row is an outbox row that this node has claimed, or will insert.
type Row struct {
	App cloud.AppID
	ID  cloud.ID
	// Token is that of the claim, zero for a row that waits. Whoever ends the row must hold it.
	Token   cloud.ID
	Source  string
	Op      string
	Trigger cloud.ID // zero: an HTTP request
	Script  cloud.ID
	Payload string // JSON text

	// ReplyTo is the inbox entry of a client that waits at ReplyNode; zero: nobody waits.
	ReplyTo   cloud.ID
	ReplyNode string
	// Origin is the principal that caused the row.
	Origin string
	// RunAs is the principal of an HTTP row; a trigger's rows run as its registrant.
	RunAs string

	Parent     cloud.ID
	Root       cloud.ID
	Depth      int
	DeadLetter cloud.ID // the letter that it replays, or that its handler gets

	IdempotencyKey string
	Execution      cloud.ID // of the first attempt

	Attempts      int
	Interruptions int
	Retry         cloud.Retry

	// Revision is that of the app's definitions when the row was claimed, 0 for a row that this node inserted
	// itself.
	Revision int64
}

// NewRow is a row to insert.
type NewRow struct {
	Row
	// PayloadID names a payload that several rows share; zero: the row carries its own.
	PayloadID cloud.ID
	// DueAt is when the row becomes due, by the database's clock; zero or past: at once.
	DueAt time.Time
}

// InsertParams makes the parameters that insert rows. Those with a token are claimed by the node from the
// start.
func InsertParams(node string, lease time.Duration, rows []*NewRow) db.InsertOutboxParams {
	p := db.InsertOutboxParams{Node: node, LeaseUs: lease.Microseconds()}
	for _, r := range rows {
		p.Apps = append(p.Apps, int64(r.App))
		p.Ids = append(p.Ids, r.ID)
		p.Sources = append(p.Sources, r.Source)
		p.Ops = append(p.Ops, r.Op)
		p.Triggers = append(p.Triggers, r.Trigger)
		p.Scripts = append(p.Scripts, r.Script)

		payload := r.Payload
		if !r.PayloadID.IsZero() {
			payload = ""
		}
		p.Payloads = append(p.Payloads, payload)
		p.PayloadIds = append(p.PayloadIds, r.PayloadID)

		p.ReplyTos = append(p.ReplyTos, r.ReplyTo)
		p.ReplyNodes = append(p.ReplyNodes, r.ReplyNode)
		p.Origins = append(p.Origins, r.Origin)
		p.RunsAs = append(p.RunsAs, r.RunAs)
		p.Parents = append(p.Parents, r.Parent)
		p.Roots = append(p.Roots, r.Root)
		p.Depths = append(p.Depths, int32(r.Depth))
		p.DeadLetters = append(p.DeadLetters, r.DeadLetter)
		p.IdempotencyKeys = append(p.IdempotencyKeys, r.IdempotencyKey)
		p.Executions = append(p.Executions, r.Execution)

		p.AttemptLimits = append(p.AttemptLimits, int32(r.Retry.MaxAttempts))
		p.Backoffs = append(p.Backoffs, r.Retry.Backoff)
		p.BaseDelaysMs = append(p.BaseDelaysMs, int32(r.Retry.Base.Milliseconds()))
		p.MaxDelaysMs = append(p.MaxDelaysMs, int32(r.Retry.Max.Milliseconds()))
		p.Jitters = append(p.Jitters, r.Retry.Jitter)
		p.Tokens = append(p.Tokens, r.Token)
		p.DueAts = append(p.DueAts, r.DueAt)
	}

	return p
}

// claimedRow is a row as ClaimDue returned it.
func claimedRow(c *db.ClaimDueRow, token cloud.ID) *Row {
	return &Row{
		App:            cloud.AppID(c.AppID),
		ID:             c.ID,
		Token:          token,
		Source:         c.Source,
		Op:             c.Op,
		Trigger:        db.OrZero(c.TriggerID),
		Script:         c.ScriptID,
		Payload:        c.Payload,
		ReplyTo:        db.OrZero(c.ReplyTo),
		ReplyNode:      c.ReplyNode,
		Origin:         c.OriginPrincipal,
		RunAs:          c.RunAs,
		Parent:         db.OrZero(c.ParentID),
		Root:           c.RootID,
		Depth:          int(c.Depth),
		DeadLetter:     db.OrZero(c.DeadLetterID),
		IdempotencyKey: c.IdempotencyKey,
		Execution:      c.ExecutionID,
		Attempts:       int(c.AttemptCount),
		Interruptions:  int(c.Interruptions),
		Revision:       c.Revision,
		Retry: cloud.Retry{
			MaxAttempts: int(c.MaxAttempts),
			Backoff:     c.Backoff,
			Base:        time.Duration(c.BaseMs) * time.Millisecond,
			Max:         time.Duration(c.MaxMs) * time.Millisecond,
			Jitter:      c.Jitter,
		},
	}
}
