package webapi

import (
	"bytes"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/sandbox/realm"
)

// bodyState is what Request and Response share: bytes that can be read once (Fetch standard, 5.3).
type bodyState struct {
	bytes  []byte
	null   bool       // no body at all
	used   bool       // it was read
	stream goja.Value // nil until a script asks for it, or gives one
	whole  bool       // stream was made of bytes, which count until it is read
	far    RemoteBody // a fetched body that the parent still has; nil otherwise
}

// RemoteBody is a body whose bytes are not in this process yet: the parent reads it.
type RemoteBody interface {
	// Read is a promise of what convert makes of the next piece, or, with all, of all that is left; more:
	// there is more to read.
	Read(all bool, convert func(raw []byte, more bool) goja.Value) goja.Value
	// Cancel gives up the rest.
	Cancel()
}

var utf8BOM = []byte("\xef\xbb\xbf")

// setBody reads a BodyInit and returns the content type that goes with it.
func (g *Global) setBody(b *bodyState, v goja.Value) (contentType string) {
	if realm.IsNothing(v) {
		b.null = true
		return ""
	}
	if raw, ok := g.BytesOf(v); ok {
		b.bytes = raw
		return ""
	}
	if p := realm.State[searchParamsState](v); p != nil {
		b.bytes = []byte(p.encode())
		return "application/x-www-form-urlencoded;charset=UTF-8"
	}
	if contentType, ok := g.setWebBody(b, v); ok {
		return contentType
	}

	b.bytes = engine.UTF8(g.text(v))
	return "text/plain;charset=UTF-8"
}

// setWebBody takes a stream, a Blob or a form; of scripts that have loaded none of these classes it cannot
// be one.
func (g *Global) setWebBody(b *bodyState, v goja.Value) (contentType string, ok bool) {
	if _, isObject := v.(*goja.Object); !isObject || g.streams == nil {
		return "", false
	}
	init, isInit := g.MustCall(g.streams.bodyInit, v).(*goja.Object)
	if !isInit {
		return "", false
	}

	if s := init.Get("stream"); s != nil {
		b.stream = s
		return "", true
	}

	b.bytes, _ = g.BytesOf(init.Get("bytes"))
	return init.Get("type").String(), true
}

// isUsed reports whether a body was read, or its stream is being read.
func (g *Global) isUsed(b *bodyState) bool {
	return b.used || b.stream != nil && !g.MustCall(g.loadStreams().untouched, b.stream).ToBoolean()
}

// isStreaming reports a body whose bytes are not there yet.
func (b *bodyState) isStreaming() bool { return b.stream != nil && !b.whole || b.far != nil }

// cloneBody splits a body that was not read yet.
func (g *Global) cloneBody(b *bodyState, what string) bodyState {
	if g.isUsed(b) {
		panic(g.VM.NewTypeError("cannot clone a %s whose body has been read", what))
	}

	g.streamOf(b)
	twin := *b
	twin.stream = nil
	if !b.isStreaming() {
		twin.whole = false // both have the bytes
		return twin
	}

	branches := g.MustCall(g.loadStreams().tee, b.stream).(*goja.Object)
	b.stream = branches.Get("0")
	twin.stream = branches.Get("1")

	return twin
}

// drainBody is a promise of all bytes of a body that are not here yet.
func (g *Global) drainBody(b *bodyState) goja.Value {
	if far := b.far; far != nil {
		b.far = nil
		b.used = true
		return far.Read(true, func(raw []byte, _ bool) goja.Value { return g.Uint8Array(raw) })
	}
	return g.drain(b.stream)
}

// streamOf makes the stream of a body that was fetched and that the parent still has.
func (g *Global) streamOf(b *bodyState) {
	far := b.far
	if far == nil {
		return
	}

	b.far = nil
	pull := func(goja.FunctionCall) goja.Value {
		return far.Read(false, func(raw []byte, more bool) goja.Value {
			return g.VM.NewArray(g.Uint8Array(raw), more)
		})
	}
	cancel := func(goja.FunctionCall) goja.Value {
		far.Cancel()
		return goja.Undefined()
	}
	b.stream = g.MustCall(g.loadStreams().fromPull, g.VM.ToValue(pull), g.VM.ToValue(cancel))
}

// bodyOf finds the body, and the headers that go with it, of a Request or a Response.
type bodyOf func(this goja.Value) (*bodyState, *headersState)

// bodyReader makes a value of all bytes of a body.
type bodyReader func(raw []byte, h *headersState) goja.Value

// addBody puts the Body mixin on a prototype.
func (g *Global) addBody(proto *goja.Object, of bodyOf) {
	g.addReader(proto, of, "text", func(raw []byte, _ *headersState) goja.Value { return g.textOf(raw) })
	g.addReader(proto, of, "json", func(raw []byte, _ *headersState) goja.Value {
		v, err := g.JSON.Decode(g.textOf(raw).String())
		if err != nil {
			panic(err)
		}
		return v
	})
	g.addReader(proto, of, "arrayBuffer", func(raw []byte, _ *headersState) goja.Value {
		return g.VM.ToValue(g.VM.NewArrayBuffer(bytes.Clone(raw)))
	})
	g.addReader(proto, of, "bytes", func(raw []byte, _ *headersState) goja.Value { return g.Uint8Array(raw) })
	g.addReader(proto, of, "blob", func(raw []byte, h *headersState) goja.Value {
		contentType := ""
		if m, ok := extractMIMEType(h); ok {
			contentType = m.String()
		}
		return g.MustCall(g.loadStreams().blob, g.Uint8Array(raw), g.VM.ToValue(contentType))
	})
	g.addReader(proto, of, "formData", g.formData)

	g.Getter(proto, "bodyUsed", func(this goja.Value) goja.Value {
		body, _ := of(this)
		if body.used || body.stream == nil {
			return g.VM.ToValue(body.used)
		}
		return g.VM.ToValue(g.MustCall(g.loadStreams().disturbed, body.stream).ToBoolean())
	})
	g.Getter(proto, "body", func(this goja.Value) goja.Value {
		body, _ := of(this)
		if body.null {
			return goja.Null()
		}

		g.streamOf(body)
		if body.stream == nil && body.used {
			body.stream = g.MustCall(g.loadStreams().spent)
		}
		if body.stream == nil {
			body.stream = g.MustCall(g.loadStreams().fromBytes, g.Uint8Array(body.bytes))
			body.whole = true
		}

		return body.stream
	})
}

// addReader puts a method on a prototype that is a promise of what convert makes of all bytes of the body.
func (g *Global) addReader(proto *goja.Object, of bodyOf, name string, convert bodyReader) {
	g.Define(proto, name, func(c goja.FunctionCall) goja.Value {
		return g.Settled(func() goja.Value {
			body, h := of(c.This)
			if g.isUsed(body) {
				panic(g.VM.NewTypeError("the body has already been read"))
			}

			body.used = !body.null
			if !body.isStreaming() {
				if body.stream != nil {
					g.MustCall(g.loadStreams().spend, body.stream)
				}
				return convert(body.bytes, h)
			}

			return g.Then(g.drainBody(body), func(v goja.Value) goja.Value {
				raw, _ := g.BytesOf(v)
				return convert(raw, h)
			})
		})
	})
}

// textOf decodes a body, without its byte order mark.
func (g *Global) textOf(raw []byte) goja.Value {
	return g.VM.ToValue(DecodeUTF8(bytes.TrimPrefix(raw, utf8BOM)))
}
