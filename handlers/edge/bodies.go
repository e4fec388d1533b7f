package edge

import (
	"bytes"
	"io"
	"sync"

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

// pieceBytes is what a longer body is read into, piece by piece, and the pieces are used again: a slice that
// doubles leaves as much garbage as the body is long, in fresh memory each time, to whoever sends a part of
// it.
const pieceBytes = 64 << 10

type piece = [pieceBytes]byte

var pieces = sync.Pool{New: func() any { return new(piece) }}

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

	var full []*piece
	var last []byte // what follows the full pieces
	defer func() {
		for _, p := range full {
			pieces.Put(p)
		}
	}()

	for {
		if len(last) == pieceBytes {
			full, last = append(full, (*piece)(last)), nil
		}

		if len(last) == cap(last) {
			var err error
			if len(full) == 0 {
				last, err = l.grow(last, min(whole, pieceBytes))
			} else {
				last, err = l.nextPiece()
			}
			if err != nil {
				return nil, err
			}
		}

		n, err := stream.Read(last[len(last):cap(last)])
		last = last[:len(last)+n]

		switch {
		case len(full)*pieceBytes+len(last) > limit:
			return nil, tooLarge(limit)
		case err == io.EOF && len(full)*pieceBytes+len(last) < declared: // the caller hung up in the middle
			return nil, bodyMissing(io.ErrUnexpectedEOF)
		case err == io.EOF && len(full) == 0:
			return last, nil
		case err == io.EOF:
			return join(full, last), nil
		case err != nil:
			return nil, bodyMissing(err)
		}
	}
}

// nextPiece gives an empty piece after having taken it of the budget.
func (l *lease) nextPiece() ([]byte, error) {
	if err := l.take(pieceBytes); err != nil {
		return nil, err
	}
	p, _ := pieces.Get().(*piece)
	return p[:0], nil
}

// grow doubles the room of a body that will have at most whole bytes, after having taken it of the budget.
func (l *lease) grow(body []byte, whole int) ([]byte, error) {
	room := min(max(2*cap(body), 4<<10), whole)
	if err := l.take(int64(room) - max(int64(cap(body)), freeBytes)); err != nil {
		return nil, err
	}

	larger := make([]byte, len(body), room)
	copy(larger, body)

	return larger, nil
}

func (l *lease) take(bytes int64) error {
	if bytes <= 0 {
		return nil
	}
	if !l.pool.TryTake(l.owner, bytes) {
		return errBodies
	}
	l.bytes += bytes

	return nil
}

func join(full []*piece, last []byte) []byte {
	body := make([]byte, 0, len(full)*pieceBytes+len(last))
	for _, p := range full {
		body = append(body, p[:]...)
	}
	return append(body, last...)
}

func bodyMissing(err error) error {
	return cloud.Errorf(cloud.CodeMalformed, "the body did not arrive").Because(err)
}

func tooLarge(limit int) error {
	return cloud.Errorf(cloud.CodeTooLarge, "the body is over %d bytes", limit)
}
