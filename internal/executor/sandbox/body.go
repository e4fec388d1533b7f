package sandbox

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/dop251/goja"
)

// bodyState is what Request and Response share: bytes that can be read once (Fetch standard, 5.3).
type bodyState struct {
	bytes []byte
	null  bool // no body at all
	used  bool
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
	b.bytes = toUTF8(v.String())
	return "text/plain;charset=UTF-8"
}

// toUTF8 replaces lone surrogates, which the engine carries as invalid UTF-8, by U+FFFD.
func toUTF8(s string) []byte {
	if utf8.ValidString(s) {
		return []byte(s)
	}
	return []byte(strings.ToValidUTF8(s, "\uFFFD"))
}

// bytesOf copies an ArrayBuffer or a view of one.
func (i *isolate) bytesOf(v goja.Value) ([]byte, bool) {
	o, ok := v.(*goja.Object)
	if !ok {
		return nil, false
	}
	switch o.ClassName() {
	case "ArrayBuffer":
		if ab, ok := o.Export().(goja.ArrayBuffer); ok {
			return bytes.Clone(ab.Bytes()), true
		}
	case "Object", "Array", "DataView":
		buf, ok := o.Get("buffer").(*goja.Object)
		if !ok || buf.ClassName() != "ArrayBuffer" {
			return nil, false
		}
		ab, ok := buf.Export().(goja.ArrayBuffer)
		if !ok {
			return nil, false
		}
		off, n := o.Get("byteOffset").ToInteger(), o.Get("byteLength").ToInteger()
		all := ab.Bytes()
		if off < 0 || n < 0 || off+n > int64(len(all)) {
			return nil, false
		}
		return bytes.Clone(all[off : off+n]), true
	}
	return nil, false
}

// addBody puts the Body mixin on a prototype.
func (i *isolate) addBody(proto *goja.Object, body func(goja.Value) *bodyState) {
	read := func(name string, convert func([]byte) goja.Value) {
		i.define(proto, name, func(c goja.FunctionCall) goja.Value {
			return i.settled(func() goja.Value {
				b := body(c.This)
				if b.used {
					panic(i.vm.NewTypeError("the body has already been read"))
				}
				b.used = !b.null
				return convert(b.bytes)
			})
		})
	}
	text := func(raw []byte) goja.Value {
		return i.vm.ToValue(strings.ToValidUTF8(string(bytes.TrimPrefix(raw, utf8BOM)), "\uFFFD"))
	}
	read("text", text)
	read("json", func(raw []byte) goja.Value {
		v, err := i.parseJSON(text(raw).String())
		if err != nil {
			panic(err)
		}
		return v
	})
	read("arrayBuffer", func(raw []byte) goja.Value { return i.vm.ToValue(i.vm.NewArrayBuffer(bytes.Clone(raw))) })
	read("bytes", i.uint8Array)
	i.getter(proto, "bodyUsed", func(this goja.Value) goja.Value { return i.vm.ToValue(body(this).used) })
}

func (i *isolate) uint8Array(raw []byte) goja.Value {
	o, err := i.vm.New(i.vm.GlobalObject().Get("Uint8Array"), i.vm.ToValue(i.vm.NewArrayBuffer(bytes.Clone(raw))))
	if err != nil {
		panic(err)
	}
	return o
}
