package orchestrator

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

// maxStored bounds the body that is kept for a repeat.
const maxStored = 1 << 20

// reservationLease bounds how long a key stays taken by a node that is neither heard of nor known to be gone.
func reservationLease(s *cloud.Script) time.Duration { return s.Limits.Timeout*6 + 10*time.Second }

// ValidIdempotencyKey: 1 to 255 visible ASCII characters.
func ValidIdempotencyKey(k string) bool {
	if k == "" || len(k) > 255 {
		return false
	}
	return !strings.ContainsFunc(k, func(r rune) bool { return r < 0x21 || r > 0x7e })
}

// reserve takes the call's idempotency key, or gives the answer that the key has already. nil, nil: the call has no key.
func (o *Orchestrator) reserve(ctx context.Context, c *HTTPCall, execution cloud.ID) (*idempotentAnswer, *HTTPReply) {
	if c.IdempotencyKey == "" {
		return nil, nil
	}
	if !ValidIdempotencyKey(c.IdempotencyKey) {
		return nil, failure(cloud.ID{}, cloud.Errorf(cloud.CodeInvalid, "Idempotency-Key has 1 to 255 visible ASCII characters"))
	}
	i := &idempotentAnswer{script: c.Target.Script.ID, principal: c.Principal.String(), key: c.IdempotencyKey, execution: execution}
	app := int64(c.Target.App.id)
	hash := requestHash(c.Request)
	q := o.cfg.DB.Read()
	for range 3 {
		n, err := q.ReserveIdempotency(ctx, db.ReserveIdempotencyParams{AppID: app, ScriptID: i.script, Principal: i.principal, Key: i.key,
			RequestHash: hash, ExecutionID: execution, Node: o.cfg.Node, LeaseUs: reservationLease(c.Target.Script).Microseconds()})
		if err != nil {
			return nil, failure(cloud.ID{}, errDatabaseAway.Because(fmt.Errorf("reserve key: %w", db.Translate(err))))
		}
		if n == 1 {
			i.app = c.Target.App.id
			return i, nil
		}
		rec, err := q.IdempotencyRecord(ctx, db.IdempotencyRecordParams{AppID: app, ScriptID: i.script, Principal: i.principal, Key: i.key})
		if isNotFound(err) {
			continue // freed meanwhile
		}
		if err != nil {
			return nil, failure(cloud.ID{}, errDatabaseAway.Because(fmt.Errorf("read key: %w", db.Translate(err))))
		}
		return nil, replayed(&rec, hash)
	}
	return nil, failure(cloud.ID{}, errDatabaseAway)
}

// replayed is the answer to a call whose key is taken.
func replayed(rec *db.Idempotency, hash []byte) *HTTPReply {
	id := cloud.ID(rec.ExecutionID)
	switch {
	case string(rec.RequestHash) != string(hash):
		return failure(cloud.ID{}, cloud.Errorf(cloud.CodeInvalid, "this Idempotency-Key was used with another request"))
	case rec.StatusCode == nil:
		r := failure(id, cloud.Errorf(cloud.CodeConflict, "a request with this Idempotency-Key is still running"))
		r.RetryAfter = 1
		return r
	case rec.Body == nil:
		return failure(id, cloud.Errorf(cloud.CodeConflict, "the request with this Idempotency-Key is done, but its answer was over %d bytes and is not kept", maxStored))
	}
	res := &cloud.Response{Status: int(*rec.StatusCode), Body: rec.Body}
	var headers [][2]string
	if json.Unmarshal([]byte(rec.Headers), &headers) == nil {
		for _, h := range headers {
			res.Headers = append(res.Headers, cloud.Header{Name: h[0], Value: h[1]})
		}
	}
	return &HTTPReply{Response: res, Status: res.Status, Execution: id, Replayed: true}
}

// requestHash covers what makes two requests the same: method, path, query and body.
func requestHash(r *cloud.Request) []byte {
	h := sha256.New()
	target := r.URL
	if u, err := url.Parse(r.URL); err == nil {
		target = u.EscapedPath() + "?" + u.RawQuery
	}
	fmt.Fprintf(h, "%s\n%s\n", r.Method, target)
	_, _ = h.Write(r.Body)
	return h.Sum(nil)
}

// fill adds what a repeat of the call will be sent.
func (i *idempotentAnswer) fill(r *cloud.Response) {
	i.status = r.Status
	headers := [][2]string{}
	for _, h := range r.Headers {
		headers = append(headers, [2]string{clean(h.Name), clean(h.Value)})
	}
	i.headers = string(appendJSON(nil, headers))
	i.body, i.kept = r.Body, len(r.Body) <= maxStored
	if i.body == nil || !i.kept {
		i.body = []byte{}
	}
}

// freeKey gives a key back whose run did not commit.
func (o *Orchestrator) freeKey(i *idempotentAnswer) {
	if i == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(o.ctx), 5*time.Second)
	defer cancel()
	err := o.cfg.DB.Read().FreeIdempotency(ctx, db.FreeIdempotencyParams{AppID: int64(i.app), ScriptID: i.script, Principal: i.principal, Key: i.key,
		ExecutionID: i.execution})
	if err != nil { // the reservation ends by itself
		o.cfg.Log.Warn("free idempotency key", "status", http.StatusText(i.status), "error", db.Translate(err))
	}
}
