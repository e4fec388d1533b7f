package orchestrator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
	"picloud/internal/commit"
	"picloud/internal/history"
)

// reservationLease is how long a key stays reserved when its node's state is unknown.
func reservationLease(s *cloud.Script) time.Duration { return s.Limits.Timeout*6 + 10*time.Second }

// ValidIdempotencyKey reports whether a key has 1 to 255 visible ASCII characters.
func ValidIdempotencyKey(key string) bool {
	if key == "" || len(key) > 255 {
		return false
	}
	return !strings.ContainsFunc(key, func(r rune) bool { return r < 0x21 || r > 0x7e })
}

// idempotencyKeys reserves the keys of calls, and frees those whose run did not commit. The answer of one
// that did is stored by its commit (commit.StoreAnswer).
type idempotencyKeys struct {
	node string
	db   *db.DB
	log  *slog.Logger
	// answers knows what each app keeps.
	answers *history.AppSizes
	// wakeC says that keys are to be freed again.
	wakeC chan struct{}

	// mu guards unfreed: keys that could not be freed while the database was away. Without them whoever
	// repeats a request would be told that it is still running, until the reservation ends. It is a leaf.
	mu      sync.Mutex
	unfreed []*commit.IdempotencyKey
}

// What an app may keep for Idempotency-Keys.
const (
	maxAnswers     = 100_000
	maxAnswerBytes = 256 << 20
)

const (
	// maxUnfreed bounds the keys that wait to be freed; what is more ends with its reservation.
	maxUnfreed = 10_000
	// freeTimeout bounds one statement that frees a key, freePause is the pause after one that failed.
	freeTimeout = 5 * time.Second
	freePause   = 300 * time.Millisecond
)

// reserve takes the call's idempotency key, or gives the answer that the key has already. nil, nil: the call
// has no key.
func (k *idempotencyKeys) reserve(
	ctx context.Context,
	c *HTTPCall,
	execution cloud.ID,
) (*commit.IdempotencyKey, *HTTPReply) {
	if c.IdempotencyKey == "" {
		return nil, nil
	}
	if !ValidIdempotencyKey(c.IdempotencyKey) {
		return nil, failure(
			cloud.ID{},
			cloud.Errorf(cloud.CodeInvalid, "Idempotency-Key has 1 to 255 visible ASCII characters"),
		)
	}

	key := &commit.IdempotencyKey{
		App:       c.Target.App.ID,
		Script:    c.Target.Script.ID,
		Principal: keyOwner(c),
		Key:       c.IdempotencyKey,
		Execution: execution,
	}
	full := k.hasRoom(ctx, key.App)
	hash := requestHash(c.Request)
	// A key that is taken may be freed before its answer is read; then it can be had.
	for range 3 {
		if full == nil {
			reserved, err := k.tryReserve(ctx, key, hash, reservationLease(c.Target.Script))
			if err != nil {
				return nil, failure(cloud.ID{}, cloud.ErrDatabaseAway.Because(err))
			}
			if reserved {
				return key, nil
			}
		}

		record, err := k.db.Queries().IdempotencyRecord(ctx, db.IdempotencyRecordParams{
			AppID: int64(key.App), ScriptID: key.Script, Principal: key.Principal, Key: key.Key,
		})
		if db.IsNotFound(err) && full != nil {
			return nil, failure(cloud.ID{}, full)
		}
		if db.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, failure(
				cloud.ID{},
				cloud.ErrDatabaseAway.Because(fmt.Errorf("read key: %w", db.Translate(err))),
			)
		}
		return nil, replayed(&record, hash)
	}

	return nil, failure(cloud.ID{}, cloud.ErrDatabaseAway)
}

// hasRoom refuses new keys of an app that holds too many: each is kept for a day, and whoever may call a
// script can send as many as he likes. Answers that are there already are given all the same.
func (k *idempotencyKeys) hasRoom(ctx context.Context, app cloud.AppID) *cloud.Error {
	size, err := k.answers.Of(ctx, app)
	if err != nil {
		return cloud.ErrDatabaseAway.Because(err)
	}
	if size.N >= maxAnswers || size.Bytes >= maxAnswerBytes {
		return cloud.Errorf(
			cloud.CodeQuota,
			"the app keeps %d answers of %d bytes for their Idempotency-Key, and takes no other key: "+
				"send the request without one, or when some of them have ended",
			size.N,
			size.Bytes,
		)
	}

	return nil
}

// keyOwner names whoever may have the answer that a key stands for: PiCloud's principal by its id, and the
// user of the script by the credential that the script itself looks at. Without either it is empty.
func keyOwner(c *HTTPCall) string {
	owner := ""
	if !c.Principal.IsZero() {
		owner = fmt.Sprintf("%s:%d", c.Principal.Kind, c.Principal.UserID)
	}

	hash := sha256.New()

	hasCredential := false
	for _, h := range c.Request.Headers {
		name := strings.ToLower(h.Name)
		if name == "authorization" || name == "cookie" {
			hasCredential = true
			fmt.Fprintf(hash, "%s %d %s\n", name, len(h.Value), h.Value)
		}
	}
	if hasCredential {
		owner += "#" + hex.EncodeToString(hash.Sum(nil))
	}

	return owner
}

func (k *idempotencyKeys) tryReserve(
	ctx context.Context,
	key *commit.IdempotencyKey,
	hash []byte,
	lease time.Duration,
) (bool, error) {
	n, err := k.db.Queries().ReserveIdempotency(ctx, db.ReserveIdempotencyParams{
		AppID:       int64(key.App),
		ScriptID:    key.Script,
		Principal:   key.Principal,
		Key:         key.Key,
		RequestHash: hash,
		ExecutionID: key.Execution,
		Node:        k.node,
		LeaseUs:     lease.Microseconds(),
	})
	if err != nil {
		if db.IsConnectionError(err) { // the key may have been taken all the same
			k.freeLater(key)
		}
		return false, fmt.Errorf("reserve key: %w", db.Translate(err))
	}

	return n == 1, nil
}

// replayed is the answer to a call whose key is taken.
func replayed(record *db.Idempotency, hash []byte) *HTTPReply {
	id := cloud.ID(record.ExecutionID)
	switch {
	case string(record.RequestHash) != string(hash):
		return failure(
			cloud.ID{},
			cloud.Errorf(cloud.CodeInvalid, "this Idempotency-Key was used with another request"),
		)
	case record.StatusCode == nil:
		r := failure(
			id,
			cloud.Errorf(cloud.CodeConflict, "a request with this Idempotency-Key is still running"),
		)
		r.RetryAfter = 1
		return r
	case record.Body == nil:
		return failure(id, cloud.Errorf(
			cloud.CodeConflict,
			"the request with this Idempotency-Key is done, but its answer was over %d bytes and is not kept",
			commit.MaxStoredBody,
		))
	}

	response := &cloud.Response{Status: int(*record.StatusCode), Body: record.Body}
	var headers [][2]string
	if json.Unmarshal([]byte(record.Headers), &headers) == nil {
		for _, h := range headers {
			response.Headers = append(response.Headers, cloud.Header{Name: h[0], Value: h[1]})
		}
	}

	return &HTTPReply{Response: response, Status: response.Status, Execution: id, Replayed: true}
}

// requestHash covers what makes two requests the same: method, path, query and body.
func requestHash(r *cloud.Request) []byte {
	target := r.URL
	if u, err := url.Parse(r.URL); err == nil {
		target = u.EscapedPath() + "?" + u.RawQuery
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n", r.Method, target)
	_, _ = h.Write(r.Body)

	return h.Sum(nil)
}

// free gives a key back whose run did not commit; nil is no key. An answer that was stored meanwhile stays.
func (k *idempotencyKeys) free(key *commit.IdempotencyKey) {
	if key == nil {
		return
	}
	if err := k.tryFree(key); err != nil {
		k.log.Warn(
			"free idempotency key; trying again",
			"execution",
			key.Execution.String(),
			"error",
			db.Translate(err),
		)
		k.freeLater(key)
	}
}

// tryFree does not end with a request or the node: a key must not stay taken because its caller has gone.
func (k *idempotencyKeys) tryFree(key *commit.IdempotencyKey) error {
	ctx, cancel := context.WithTimeout(context.Background(), freeTimeout)
	defer cancel()

	return k.db.Queries().FreeIdempotency(ctx, db.FreeIdempotencyParams{
		AppID: int64(
			key.App,
		), ScriptID: key.Script, Principal: key.Principal, Key: key.Key, ExecutionID: key.Execution,
	})
}

func (k *idempotencyKeys) freeLater(key *commit.IdempotencyKey) {
	k.mu.Lock()
	if len(k.unfreed) < maxUnfreed {
		k.unfreed = append(k.unfreed, key)
	}
	k.mu.Unlock()

	select {
	case k.wakeC <- struct{}{}:
	default:
	}
}

// Run frees keys that could not be freed at once, until ctx ends.
func (k *idempotencyKeys) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-k.wakeC:
		}
		k.freeAll(ctx)
	}
}

// freeAll tries until every key is free.
func (k *idempotencyKeys) freeAll(ctx context.Context) {
	for ctx.Err() == nil {
		k.mu.Lock()
		if len(k.unfreed) == 0 {
			k.mu.Unlock()
			return
		}
		key := k.unfreed[0]
		k.mu.Unlock()

		if err := k.tryFree(key); err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(freePause):
			}
			continue
		}

		k.mu.Lock()
		k.unfreed = k.unfreed[1:]
		k.mu.Unlock()
	}
}
