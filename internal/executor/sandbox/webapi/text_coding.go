package webapi

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/charset"
	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/sandbox/realm"
)

// What TextEncoder and TextDecoder, which are in base.js, are made of (Encoding standard).

func (g *Global) utf8Encode(c goja.FunctionCall) goja.Value {
	return g.VM.ToValue(g.VM.NewArrayBuffer(engine.UTF8(c.Argument(0).String())))
}

// utf8Decode decodes a whole text: (bytes, fatal, ignoreBOM).
func (g *Global) utf8Decode(c goja.FunctionCall) goja.Value {
	raw := g.toDecode(c.Argument(0))
	fatal := c.Argument(1).ToBoolean()
	keepBOM := c.Argument(2).ToBoolean()
	if fatal && !utf8.Valid(raw) {
		panic(g.VM.NewTypeError("the encoded data was not valid utf-8"))
	}

	if !keepBOM {
		raw = bytes.TrimPrefix(raw, utf8BOM)
	}

	return g.VM.ToValue(DecodeUTF8(raw))
}

// toDecode copies the bytes that a script wants decoded; anything else throws a TypeError.
func (g *Global) toDecode(v goja.Value) []byte {
	raw, ok := g.BytesOf(v)
	if !ok {
		panic(g.VM.NewTypeError("TextDecoder.decode needs an ArrayBuffer or a view of one"))
	}
	return raw
}

// utf8DecodePart decodes what is left of the last part and this one, and keeps the bytes of a character
// whose end has not come, unless this part is the last (Encoding standard, 7.2): (rest, part, fatal,
// ignoreBOM, more). It gives the text, the bytes that it keeps, and whether it took off a byte order mark.
func (g *Global) utf8DecodePart(c goja.FunctionCall) goja.Value {
	raw, _ := g.BytesOf(c.Argument(0))
	if part := c.Argument(1); !goja.IsUndefined(part) {
		raw = append(raw, g.toDecode(part)...)
	}

	fatal := c.Argument(2).ToBoolean()
	keepBOM := c.Argument(3).ToBoolean()
	more := c.Argument(4).ToBoolean()

	kept := 0
	if more {
		kept = incomplete(raw)
		if !keepBOM && len(raw)-kept < len(utf8BOM) && bytes.HasPrefix(utf8BOM, raw) {
			kept = len(raw) // it may become a byte order mark
		}
	}

	text, tail := raw[:len(raw)-kept], raw[len(raw)-kept:]
	if fatal && !utf8.Valid(text) {
		panic(g.VM.NewTypeError("the encoded data was not valid utf-8"))
	}

	isMarked := !keepBOM && bytes.HasPrefix(text, utf8BOM)
	if isMarked {
		text = text[len(utf8BOM):]
	}

	out := g.VM.NewObject()
	_ = out.Set("bom", isMarked)
	_ = out.Set("text", DecodeUTF8(text))
	_ = out.Set("rest", goja.Null())
	if kept > 0 {
		_ = out.Set("rest", g.Uint8Array(tail))
	}

	return out
}

// incomplete is the number of bytes at the end that begin a character and do not end it.
func incomplete(raw []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(raw); n++ {
		tail := raw[len(raw)-n:]
		if !utf8.RuneStart(tail[0]) {
			continue
		}
		if tail[0] >= utf8.RuneSelf && !utf8.FullRune(tail) {
			return n
		}
		return 0
	}

	return 0
}

// DecodeUTF8 replaces what is no UTF-8 as the Encoding standard does (7.1): one U+FFFD for each longest
// beginning of a character that does not go on, where Go would put one for the whole run.
func DecodeUTF8(raw []byte) string {
	if utf8.Valid(raw) {
		return string(raw)
	}

	var b strings.Builder
	for len(raw) > 0 {
		r, n := utf8.DecodeRune(raw)
		if r == utf8.RuneError && n == 1 {
			n = brokenLen(raw)
		}
		b.WriteRune(r)
		raw = raw[n:]
	}

	return b.String()
}

// brokenLen is the length of the beginning of a character that raw starts with and that is not completed.
func brokenLen(raw []byte) int {
	need := 0 // bytes that follow the first
	switch c := raw[0]; {
	case c >= 0xc2 && c <= 0xdf:
		need = 1
	case c >= 0xe0 && c <= 0xef:
		need = 2
	case c >= 0xf0 && c <= 0xf4:
		need = 3
	}

	low, high := byte(0x80), byte(0xbf) // of the second byte
	switch raw[0] {                     // neither overlong, nor a surrogate, nor beyond Unicode
	case 0xe0:
		low = 0xa0
	case 0xed:
		high = 0x9f
	case 0xf0:
		low = 0x90
	case 0xf4:
		high = 0x8f
	}

	n := 1
	for n <= need && n < len(raw) && raw[n] >= low && raw[n] <= high {
		low, high = 0x80, 0xbf
		n++
	}

	return n
}

// encodeInto writes the UTF-8 of as many characters of a text as have room (Encoding standard, 7.4): (text,
// bytes). It gives the number of code units that were read and of bytes that were written.
func (g *Global) encodeInto(c goja.FunctionCall) goja.Value {
	source := engine.Text(c.Argument(0))
	into, ok := g.MemoryOf(c.Argument(1))
	if !ok || !isByteArray(c.Argument(1)) {
		panic(g.VM.NewTypeError("TextEncoder.encodeInto needs a Uint8Array"))
	}

	read, written := 0, 0
	for read < source.Length() {
		r, units := engine.CharacterAt(source, read)
		if written+utf8.RuneLen(r) > len(into) {
			break
		}
		written += utf8.EncodeRune(into[written:], r)
		read += units
	}

	out := g.VM.NewObject()
	_ = out.Set("read", read)
	_ = out.Set("written", written)
	return out
}

// isByteArray reports a Uint8Array, or a Uint8ClampedArray, which the engine does not tell from it.
func isByteArray(v goja.Value) bool {
	o, ok := v.(*goja.Object)
	return ok && o.ExportType() == reflect.TypeFor[[]byte]()
}

// decoder finds the encoding of a label (Encoding standard, 4.2): its name, and unless that is "utf-8" a
// function that decodes it.
func (g *Global) decoder(c goja.FunctionCall) goja.Value {
	label := c.Argument(0).String()
	name, ok := charset.Name(label)
	if !ok {
		g.Throw("RangeError", fmt.Sprintf("the encoding label %q is not known", realm.Clip(label)))
	}

	object := g.VM.NewObject()
	_ = object.Set("name", name)
	if name == "utf-8" {
		return object
	}

	d := charset.New(name)
	g.Define(object, "decode", func(c goja.FunctionCall) goja.Value { // (part, fatal, more)
		var part []byte
		if v := c.Argument(0); !goja.IsUndefined(v) {
			part = g.toDecode(v)
		}

		text, ok := d.Decode(part, c.Argument(2).ToBoolean())
		if fatal := c.Argument(1).ToBoolean(); fatal && !ok {
			d.Reset()
			panic(g.VM.NewTypeError("the encoded data was not valid %s", name))
		}

		return g.VM.ToValue(string(text))
	})

	return object
}
