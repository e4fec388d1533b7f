package edge

import (
	"bytes"
	"io"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/fairshare"
)

// freeBytes of a body are not counted, as its headers are not: most bodies are smaller.
const freeBytes = 16 << 10

// errBodies refuses a body, or a request whose caller has not read what it asked for.
var errBodies = cloud.Errorf(cloud.CodeUnavailable,
	"the bodies of requests and answers under way take all the memory that this server has for them, "+
		"or all that one caller may have; try again when others are done")

// bodies bounds the memory that the bodies of requests take from their arrival to the end of their request,
// and the bodies of answers while their caller reads them. Callers (auth.ClientOf) share it: one alone may
// have half.
type bodies struct {
	pool   *fairshare.Pool[string]
	budget int64 // bytes
}

func newBodies(budget int64) *bodies {
	return &bodies{pool: fairshare.New[string](budget), budget: budget}
}

// CheckRoom refuses a caller that has its share of the memory for bodies already, with answers that it does
// not read for one. The error is unavailable.
func (e *Edge) CheckRoom(c *fiber.Ctx) error {
	b := e.bodies
	if b.pool.Free() > b.budget/2 { // nobody has more than half
		return nil
	}

	owner := auth.ClientOf(e.Client(c))
	if b.pool.Held(owner) >= b.pool.Free() {
		return errBodies
	}

	return nil
}

// ChargeAnswer charges the caller for the body of an answer until sent is called; nil if the body is too
// small to count. The answer is given however much that is: it is in memory, and what it tells has been done.
func (e *Edge) ChargeAnswer(c *fiber.Ctx) (sent func()) {
	res := c.Response()
	if res.IsBodyStream() || len(res.Body()) <= freeBytes {
		return nil
	}

	owner := auth.ClientOf(e.Client(c))
	size := int64(len(res.Body()))
	e.bodies.pool.Charge(owner, size)

	return func() { e.bodies.pool.Give(owner, size) }
}

// lease is what a request's body has taken of the budget.
type lease struct {
	pool  *fairshare.Pool[string]
	owner string
	bytes int64
}

// leaseKey is where a request keeps its lease.
type leaseKey struct{}

// ReleaseBody gives back what ReadBody has taken for a request that is over. It reports whether anybody had
// the body read.
func ReleaseBody(ctx *fasthttp.RequestCtx) (read bool) {
	l, read := ctx.UserValue(leaseKey{}).(*lease)
	if read {
		l.pool.Give(l.owner, l.bytes)
	}
	return read
}

// ReadBody reads at most limit bytes, until ReleaseBody. A longer body is dropped, up to four times the
// limit, so that the client sees the 413 instead of a broken connection. Memory is taken as the body arrives,
// not as its header promises. Errors: too-large, malformed if it does not arrive, unavailable when the bodies
// of others or of the same caller leave no room.
func (e *Edge) ReadBody(c *fiber.Ctx, limit int) ([]byte, error) {
	stream := c.Request().BodyStream()
	if stream == nil {
		return bytes.Clone(c.Request().Body()), nil
	}
	l := &lease{pool: e.bodies.pool, owner: auth.ClientOf(e.Client(c))}
	c.Context().SetUserValue(leaseKey{}, l)

	body, err := l.read(stream, c.Request().Header.ContentLength(), limit)
	if err == nil {
		return body, nil
	}

	if cloud.CodeOf(err) == cloud.CodeTooLarge {
		_, _ = io.Copy(io.Discard, io.LimitReader(stream, 4*int64(limit)))
	}
	// What still comes of the body must not be taken for the next request.
	c.Context().SetConnectionClose()

	return nil, err
}

// read reads a body of a declared length, below 0 for an unknown one.
func (l *lease) read(stream io.Reader, declared, limit int) ([]byte, error) {
	if declared > limit {
		return nil, tooLarge(limit)
	}

	// One byte more than what fits tells a body that ends there from a longer one.
	whole := limit + 1
	if declared >= 0 {
		whole = declared + 1
	}

	var body []byte
	for {
		if len(body) == cap(body) {
			var err error
			if body, err = l.grow(body, whole); err != nil {
				return nil, err
			}
		}

		n, err := stream.Read(body[len(body):cap(body)])

		body = body[:len(body)+n]
		switch {
		case len(body) > limit:
			return nil, tooLarge(limit)
		case err == io.EOF:
			return body, nil
		case err != nil:
			return nil, cloud.Errorf(cloud.CodeMalformed, "the body did not arrive").Because(err)
		}
	}
}

// grow doubles the room of a body that will have at most whole bytes, after having taken it of the budget.
func (l *lease) grow(body []byte, whole int) ([]byte, error) {
	room := min(max(2*cap(body), 4<<10), whole)

	if more := int64(room) - max(int64(cap(body)), freeBytes); more > 0 {
		if !l.pool.TryTake(l.owner, more) {
			return nil, errBodies
		}
		l.bytes += more
	}

	larger := make([]byte, len(body), room)
	copy(larger, body)

	return larger, nil
}

func tooLarge(limit int) error {
	return cloud.Errorf(cloud.CodeTooLarge, "the body is over %d bytes", limit)
}
