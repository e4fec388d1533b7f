package orchestrator

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
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
	i := &idempotentAnswer{app: c.Target.App.id, script: c.Target.Script.ID, principal: c.Principal.String(), key: c.IdempotencyKey, execution: execution}
	app := int64(c.Target.App.id)
	hash := requestHash(c.Request)
	q := o.cfg.DB.Queries()
	for range 3 {
		n, err := q.ReserveIdempotency(ctx, db.ReserveIdempotencyParams{AppID: app, ScriptID: i.script, Principal: i.principal, Key: i.key,
			RequestHash: hash, ExecutionID: execution, Node: o.cfg.Node, LeaseUs: reservationLease(c.Target.Script).Microseconds()})
		if err != nil {
			if db.IsConnectionError(err) { // it may have been taken all the same
				o.unfreed.add(o, i)
			}
			return nil, failure(cloud.ID{}, errDatabaseAway.Because(fmt.Errorf("reserve key: %w", db.Translate(err))))
		}
		if n == 1 {
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

// freeKey gives a key back whose run did not commit. An answer that was stored meanwhile stays.
func (o *Orchestrator) freeKey(i *idempotentAnswer) {
	if i == nil {
		return
	}
	if err := o.tryFree(i); err != nil {
		o.cfg.Log.Warn("free idempotency key; trying again", "execution", i.execution.String(), "error", db.Translate(err))
		o.unfreed.add(o, i)
	}
}

func (o *Orchestrator) tryFree(i *idempotentAnswer) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(o.ctx), 5*time.Second)
	defer cancel()
	return o.cfg.DB.Queries().FreeIdempotency(ctx, db.FreeIdempotencyParams{AppID: int64(i.app), ScriptID: i.script, Principal: i.principal, Key: i.key,
		ExecutionID: i.execution})
}

// unfreed are keys that could not be given back while the database was away. Without them whoever repeats a request would be
// told that it is still running, until the reservation ends.
type unfreed struct {
	mu     sync.Mutex
	keys   []*idempotentAnswer
	atWork bool
}

// maxUnfreed bounds them; what is more ends with its reservation.
const maxUnfreed = 10_000

func (u *unfreed) add(o *Orchestrator, i *idempotentAnswer) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.keys) >= maxUnfreed || o.ctx.Err() != nil {
		return
	}
	u.keys = append(u.keys, i)
	if !u.atWork {
		u.atWork = true
		o.wg.Go(func() { u.work(o) })
	}
}

// work tries until every key is free.
func (u *unfreed) work(o *Orchestrator) {
	for {
		u.mu.Lock()
		if len(u.keys) == 0 || o.ctx.Err() != nil {
			u.atWork = false
			u.mu.Unlock()
			return
		}
		i := u.keys[0]
		u.mu.Unlock()
		if err := o.tryFree(i); err != nil {
			select {
			case <-o.ctx.Done():
			case <-time.After(300 * time.Millisecond):
			}
			continue
		}
		u.mu.Lock()
		u.keys = u.keys[1:]
		u.mu.Unlock()
	}
}
