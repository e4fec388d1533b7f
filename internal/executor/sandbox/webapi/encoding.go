package webapi

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/dop251/goja"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/transform"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/sandbox/realm"
)

func (g *Global) utf8Encode(c goja.FunctionCall) goja.Value {
	return g.VM.ToValue(g.VM.NewArrayBuffer(engine.UTF8(c.Argument(0).String())))
}

func (g *Global) utf8Decode(c goja.FunctionCall) goja.Value {
	raw, ok := g.BytesOf(c.Argument(0))
	if !ok {
		panic(g.VM.NewTypeError("TextDecoder.decode needs an ArrayBuffer or a view of one"))
	}
	if c.Argument(1).ToBoolean() && !utf8.Valid(raw) {
		panic(g.VM.NewTypeError("the encoded data was not valid utf-8"))
	}
	if !c.Argument(2).ToBoolean() {
		raw = bytes.TrimPrefix(raw, utf8BOM)
	}
	return g.VM.ToValue(decodeUTF8(raw))
}

// decodeUTF8 replaces what is no UTF-8 as the Encoding standard does (7.1): one U+FFFD for each longest beginning of a
// character that does not go on, where Go would put one for the whole run.
func decodeUTF8(raw []byte) string {
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
	low, high, need := byte(0x80), byte(0xbf), 0
	switch c := raw[0]; {
	case c >= 0xc2 && c <= 0xdf:
		need = 1
	case c >= 0xe0 && c <= 0xef:
		need = 2
	case c >= 0xf0 && c <= 0xf4:
		need = 3
	}
	switch raw[0] { // neither overlong, nor a surrogate, nor beyond Unicode
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

// addBase64 defines atob and btoa (HTML standard, 8.3).
func (g *Global) addBase64() {
	g.SetGlobal("btoa", func(c goja.FunctionCall) goja.Value {
		s := c.Argument(0).String()
		raw := make([]byte, 0, len(s))
		for _, r := range s {
			if r > 0xff {
				panic(g.DOMException("InvalidCharacterError", "btoa: the string has a character outside of Latin1"))
			}
			raw = append(raw, byte(r))
		}
		return g.VM.ToValue(base64.StdEncoding.EncodeToString(raw))
	})
	g.SetGlobal("atob", func(c goja.FunctionCall) goja.Value {
		raw, err := decodeBase64(c.Argument(0).String())
		if err != nil {
			panic(g.DOMException("InvalidCharacterError", "atob: the string is not valid base64"))
		}
		runes := make([]rune, len(raw))
		for k, b := range raw {
			runes[k] = rune(b)
		}
		return g.VM.ToValue(string(runes))
	})
}

// addCrypto defines the two members of crypto that need no algorithms.
func (g *Global) addCrypto() {
	class := g.AbstractClass("Crypto")
	crypto := class.Proto
	g.Define(crypto, "randomUUID", func(goja.FunctionCall) goja.Value {
		var b [16]byte
		_, _ = rand.Read(b[:])
		b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
		return g.VM.ToValue(cloud.ID(b).String())
	})
	g.Define(crypto, "getRandomValues", func(c goja.FunctionCall) goja.Value {
		raw, ok := g.MemoryOf(c.Argument(0))
		if !ok {
			panic(g.VM.NewTypeError("getRandomValues needs an integer typed array"))
		}
		if len(raw) > 65536 {
			panic(g.DOMException("QuotaExceededError", "getRandomValues fills at most 65536 bytes"))
		}
		_, _ = rand.Read(raw)
		return c.Argument(0)
	})
	// Made when it is asked for, before the module if its code names it: a runtime without it starts sooner.
	g.Getter(crypto, "subtle", func(goja.Value) goja.Value {
		return g.loadSubtle()
	})
	g.SetGlobal("crypto", g.Singleton(class))
}

// decoder makes the decoder of an encoding other than UTF-8, by its label (Encoding standard, 4.2).
func (g *Global) decoder(c goja.FunctionCall) goja.Value {
	enc, err := htmlindex.Get(c.Argument(0).String())
	name := ""
	if err == nil {
		name, err = htmlindex.Name(enc)
	}
	if err != nil || name == "replacement" {
		g.Throw("RangeError", fmt.Sprintf("the encoding label %q is not known", realm.Clip(c.Argument(0).String())))
	}
	d := enc.NewDecoder()
	var rest []byte
	o := g.VM.NewObject()
	_ = o.Set("name", name)
	g.Define(o, "decode", func(c goja.FunctionCall) goja.Value {
		src := rest
		if part := c.Argument(0); !goja.IsUndefined(part) {
			raw, ok := g.BytesOf(part)
			if !ok {
				panic(g.VM.NewTypeError("TextDecoder.decode needs an ArrayBuffer or a view of one"))
			}
			src = append(src, raw...)
		}
		fatal, more := c.Argument(1).ToBoolean(), c.Argument(2).ToBoolean()
		var out []byte
		buf := make([]byte, 4096)
		for {
			wrote, read, err := d.Transform(buf, src, !more)
			out, src = append(out, buf[:wrote]...), src[read:]
			if !errors.Is(err, transform.ErrShortDst) {
				break
			}
		}
		rest = bytes.Clone(src)
		if !more {
			rest = nil
			d.Reset()
		}
		if fatal && bytes.ContainsRune(out, utf8.RuneError) {
			panic(g.VM.NewTypeError("the encoded data was not valid %s", name))
		}
		return g.VM.ToValue(string(out))
	})
	return o
}

// utf8DecodePart decodes what is left of the last part and this one, and keeps the bytes of a character whose end has not
// come, unless this part is the last (Encoding standard, 7.2).
func (g *Global) utf8DecodePart(c goja.FunctionCall) goja.Value {
	rest, _ := g.BytesOf(c.Argument(0))
	raw := rest
	if !goja.IsUndefined(c.Argument(1)) {
		part, ok := g.BytesOf(c.Argument(1))
		if !ok {
			panic(g.VM.NewTypeError("TextDecoder.decode needs an ArrayBuffer or a view of one"))
		}
		raw = append(raw, part...)
	}
	fatal, keepBOM, more := c.Argument(2).ToBoolean(), c.Argument(3).ToBoolean(), c.Argument(4).ToBoolean()
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
	if !keepBOM {
		text = bytes.TrimPrefix(text, utf8BOM)
	}
	out := g.VM.NewObject()
	_ = out.Set("text", decodeUTF8(text))
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
		if utf8.RuneStart(tail[0]) {
			if tail[0] >= utf8.RuneSelf && !utf8.FullRune(tail) {
				return n
			}
			return 0
		}
	}
	return 0
}

func decodeBase64(s string) ([]byte, error) {
	s = strings.Map(func(r rune) rune {
		if r == ' ' || r == '\t' || r == '\n' || r == '\f' || r == '\r' {
			return -1
		}
		return r
	}, s)
	s = strings.TrimRight(s, "=")
	return base64.RawStdEncoding.DecodeString(s)
}
