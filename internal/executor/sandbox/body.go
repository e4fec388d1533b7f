package sandbox

import (
	"bytes"
	"reflect"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
)

// bodyState is what Request and Response share: bytes that can be read once (Fetch standard, 5.3).
type bodyState struct {
	bytes []byte
	null  bool // no body at all
	used  bool
	// stream is set once a script asked for it, or gave one; whole: it was made of bytes, which count while nobody read it.
	stream goja.Value
	whole  bool
	// far is a body that was fetched and is not here yet.
	far *farBody
}

var utf8BOM = []byte("\xef\xbb\xbf")

// setBody reads a BodyInit and returns the content type that goes with it.
func (i *isolate) setBody(b *bodyState, v goja.Value) (contentType string) {
	if v == nil || goja.IsUndefined(v) || goja.IsNull(v) {
		b.null = true
		return ""
	}
	if raw, ok := i.bytesOf(v); ok {
		b.bytes = raw
		return ""
	}
	if p := stateOf[searchParamsState](v); p != nil {
		b.bytes = []byte(p.encode())
		return "application/x-www-form-urlencoded;charset=UTF-8"
	}
	if contentType, ok := i.setWebBody(b, v); ok {
		return contentType
	}
	b.bytes = engine.UTF8(v.String())
	return "text/plain;charset=UTF-8"
}

// setWebBody takes a stream, a Blob or a form; of scripts that have loaded none of these classes it cannot be one.
func (i *isolate) setWebBody(b *bodyState, v goja.Value) (contentType string, ok bool) {
	if _, isObject := v.(*goja.Object); !isObject || i.web == nil {
		return "", false
	}
	init, isInit := i.mustCall(i.web.bodyInit, v).(*goja.Object)
	if !isInit {
		return "", false
	}
	if s := init.Get("stream"); s != nil {
		b.stream = s
		return "", true
	}
	b.bytes, _ = i.bytesOf(init.Get("bytes"))
	return init.Get("type").String(), true
}

// isUsed reports whether a body was read, or its stream is being read.
func (i *isolate) isUsed(b *bodyState) bool {
	return b.used || b.stream != nil && !i.mustCall(i.loadWeb().untouched, b.stream).ToBoolean()
}

// isStreaming reports a body whose bytes are not there yet.
func (b *bodyState) isStreaming() bool { return b.stream != nil && !b.whole || b.far != nil }

// cloneBody splits a body that nobody has read.
func (i *isolate) cloneBody(b *bodyState, what string) bodyState {
	if i.isUsed(b) {
		panic(i.vm.NewTypeError("cannot clone a %s whose body has been read", what))
	}
	i.streamOf(b)
	twin := *b
	if twin.stream = nil; !b.isStreaming() {
		twin.whole = false
		return twin
	}
	tee, _ := goja.AssertFunction(b.stream.(*goja.Object).Get("tee"))
	branches, err := tee(b.stream)
	if err != nil {
		panic(err)
	}
	b.stream, twin.stream = branches.(*goja.Object).Get("0"), branches.(*goja.Object).Get("1")
	return twin
}

// drainBody is a promise of all bytes of a body that are not here yet.
func (i *isolate) drainBody(b *bodyState) goja.Value {
	if far := b.far; far != nil {
		b.far, b.used = nil, true
		return far.read(i, true, func(raw []byte, _ bool) goja.Value { return i.uint8Array(raw) })
	}
	return i.drain(b.stream)
}

// streamOf makes the stream of a body that was fetched and is not here yet.
func (i *isolate) streamOf(b *bodyState) {
	far := b.far
	if far == nil {
		return
	}
	b.far = nil
	b.stream = i.mustCall(i.loadWeb().fromPull, i.vm.ToValue(func(goja.FunctionCall) goja.Value {
		return far.read(i, false, func(raw []byte, more bool) goja.Value {
			return i.vm.NewArray(i.uint8Array(raw), more)
		})
	}), i.vm.ToValue(func(goja.FunctionCall) goja.Value {
		far.cancel(i)
		return goja.Undefined()
	}))
}

// bytesOf copies an ArrayBuffer or a view of one.
func (i *isolate) bytesOf(v goja.Value) ([]byte, bool) {
	all, ok := i.memoryOf(v)
	return bytes.Clone(all), ok
}

// memoryOf gives the bytes of an ArrayBuffer or a view of one, the script's own.
func (i *isolate) memoryOf(v goja.Value) ([]byte, bool) {
	o, ok := v.(*goja.Object)
	if !ok {
		return nil, false
	}
	t := o.ExportType()
	if t == reflect.TypeFor[goja.ArrayBuffer]() {
		ab, ok := o.Export().(goja.ArrayBuffer)
		return notNil(ab.Bytes()), ok
	}
	isTyped := t != nil && t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Interface
	if !isTyped && o.Prototype() != i.dataViewProto {
		return nil, false
	}
	buf, ok := o.Get("buffer").(*goja.Object)
	if !ok {
		return nil, false
	}
	ab, ok := buf.Export().(goja.ArrayBuffer)
	if !ok {
		return nil, false
	}
	off, n := o.Get("byteOffset").ToInteger(), o.Get("byteLength").ToInteger()
	all := ab.Bytes()
	if off < 0 || n < 0 || off > int64(len(all)) || n > int64(len(all))-off {
		return nil, false
	}
	return notNil(all[off : off+n]), true
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// addBody puts the Body mixin on a prototype.
func (i *isolate) addBody(proto *goja.Object, of func(goja.Value) (*bodyState, *headersState)) {
	readWith := func(name string, convert func(raw []byte, contentType string) goja.Value) {
		i.define(proto, name, func(c goja.FunctionCall) goja.Value {
			return i.settled(func() goja.Value {
				b, h := of(c.This)
				if i.isUsed(b) {
					panic(i.vm.NewTypeError("the body has already been read"))
				}
				b.used = !b.null
				contentType, _ := h.get("content-type")
				if !b.isStreaming() {
					return convert(b.bytes, contentType)
				}
				return i.then(i.drainBody(b), func(v goja.Value) goja.Value {
					raw, _ := i.bytesOf(v)
					return convert(raw, contentType)
				})
			})
		})
	}
	read := func(name string, convert func([]byte) goja.Value) {
		readWith(name, func(raw []byte, _ string) goja.Value { return convert(raw) })
	}
	text := func(raw []byte) goja.Value {
		return i.vm.ToValue(decodeUTF8(bytes.TrimPrefix(raw, utf8BOM)))
	}
	read("text", text)
	read("json", func(raw []byte) goja.Value {
		v, err := i.json.Decode(text(raw).String())
		if err != nil {
			panic(err)
		}
		return v
	})
	read("arrayBuffer", func(raw []byte) goja.Value { return i.vm.ToValue(i.vm.NewArrayBuffer(bytes.Clone(raw))) })
	read("bytes", i.uint8Array)
	readWith("blob", func(raw []byte, contentType string) goja.Value {
		return i.mustCall(i.loadWeb().blob, i.uint8Array(raw), i.vm.ToValue(contentType))
	})
	readWith("formData", i.formData)
	i.getter(proto, "bodyUsed", func(this goja.Value) goja.Value {
		b, _ := of(this)
		return i.vm.ToValue(b.used || b.stream != nil && i.mustCall(i.loadWeb().disturbed, b.stream).ToBoolean())
	})
	i.getter(proto, "body", func(this goja.Value) goja.Value {
		b, _ := of(this)
		if b.null {
			return goja.Null()
		}
		if i.streamOf(b); b.stream == nil {
			b.stream, b.whole = i.mustCall(i.loadWeb().fromBytes, i.uint8Array(b.bytes)), true
		}
		return b.stream
	})
}

func (i *isolate) uint8Array(raw []byte) goja.Value {
	o, err := i.vm.New(i.vm.GlobalObject().Get("Uint8Array"), i.vm.ToValue(i.vm.NewArrayBuffer(bytes.Clone(raw))))
	if err != nil {
		panic(err)
	}
	return o
}
