package webapi

import (
	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/realm"
)

// What the run loop needs of the Response that a handler returned. Its body may be a stream, of which it
// wants either all bytes or a piece at a time.

// IsResponse reports whether a value is a Response.
func IsResponse(v goja.Value) bool { return realm.State[Response](v) != nil }

// PendingBody is a promise of all bytes of a Response whose body is a stream, for SetBody. It is nil if the
// bytes are there, or if ResponseOf will refuse the Response.
func (g *Global) PendingBody(v goja.Value) goja.Value {
	r := realm.State[Response](v)
	if r == nil || !r.body.isStreaming() || g.isUsed(&r.body) {
		return nil
	}
	return g.drainBody(&r.body)
}

// SetBody gives a Response the bytes that PendingBody promised.
func (g *Global) SetBody(v, raw goja.Value) {
	r := realm.State[Response](v)
	r.body.bytes, _ = g.BytesOf(raw)
	r.body.stream = nil
}

// BodyStream is the body of a Response that is read piece by piece.
type BodyStream struct {
	reader goja.Value // of the script's stream; nil if far is set
	far    RemoteBody // a fetched body that is passed on
}

// TakeStream takes the stream of a Response that is made of one. It reports false if there is none, or if
// ResponseOf will refuse the Response.
func (g *Global) TakeStream(v goja.Value) (BodyStream, bool) {
	r := realm.State[Response](v)
	if r == nil || !r.body.isStreaming() || g.isUsed(&r.body) || r.status == 0 {
		return BodyStream{}, false
	}

	s := BodyStream{far: r.body.far}
	if s.far == nil {
		s.reader = g.MustCall(g.loadStreams().reader, r.body.stream)
	}

	r.body = bodyState{}
	return s, true
}

// NextPiece asks for the next piece and calls give with it when it is there. It returns a promise that is
// rejected when the stream fails.
func (g *Global) NextPiece(s BodyStream, give func(raw []byte, last bool)) goja.Value {
	if s.far != nil {
		return s.far.Read(false, func(raw []byte, more bool) goja.Value {
			give(raw, !more)
			return goja.Undefined()
		})
	}

	return g.Then(g.MustCall(g.loadStreams().piece, s.reader), func(v goja.Value) goja.Value {
		raw, ok := g.BytesOf(v)
		give(raw, !ok)
		return goja.Undefined()
	})
}

// CancelStream gives up the rest of a stream. It returns the promise of the script's cancel function, or nil.
func (g *Global) CancelStream(s BodyStream) *goja.Promise {
	if s.far != nil {
		s.far.Cancel()
		return nil
	}
	p, _ := realm.AsPromise(g.MustCall(g.loadStreams().giveUp, s.reader))
	return p
}
