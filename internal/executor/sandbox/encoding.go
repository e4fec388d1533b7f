package sandbox

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/dop251/goja"
)

func (i *isolate) utf8Encode(c goja.FunctionCall) goja.Value {
	return i.vm.ToValue(i.vm.NewArrayBuffer(toUTF8(c.Argument(0).String())))
}

func (i *isolate) utf8Decode(c goja.FunctionCall) goja.Value {
	raw, ok := i.bytesOf(c.Argument(0))
	if !ok {
		panic(i.vm.NewTypeError("TextDecoder.decode needs an ArrayBuffer or a view of one"))
	}
	if c.Argument(1).ToBoolean() && !utf8.Valid(raw) {
		panic(i.vm.NewTypeError("the encoded data was not valid utf-8"))
	}
	if !c.Argument(2).ToBoolean() {
		raw = bytes.TrimPrefix(raw, utf8BOM)
	}
	return i.vm.ToValue(strings.ToValidUTF8(string(raw), "\uFFFD"))
}

// addEncoding defines atob and btoa (HTML standard, 8.3).
func (i *isolate) addEncoding() {
	i.global("btoa", func(c goja.FunctionCall) goja.Value {
		s := c.Argument(0).String()
		raw := make([]byte, 0, len(s))
		for _, r := range s {
			if r > 0xff {
				panic(i.vm.NewTypeError("btoa: the string has a character outside of Latin1"))
			}
			raw = append(raw, byte(r))
		}
		return i.vm.ToValue(base64.StdEncoding.EncodeToString(raw))
	})
	i.global("atob", func(c goja.FunctionCall) goja.Value {
		raw, err := decodeBase64(c.Argument(0).String())
		if err != nil {
			panic(i.vm.NewTypeError("atob: the string is not valid base64"))
		}
		runes := make([]rune, len(raw))
		for k, b := range raw {
			runes[k] = rune(b)
		}
		return i.vm.ToValue(string(runes))
	})
}

// addCrypto defines the two members of crypto that need no algorithms.
func (i *isolate) addCrypto() {
	crypto := i.vm.NewObject()
	i.define(crypto, "randomUUID", func(goja.FunctionCall) goja.Value {
		var b [16]byte
		_, _ = rand.Read(b[:])
		b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
		return i.vm.ToValue(uuidString(b))
	})
	i.define(crypto, "getRandomValues", func(c goja.FunctionCall) goja.Value {
		o, ok := c.Argument(0).(*goja.Object)
		if !ok || o.Get("buffer") == nil {
			panic(i.vm.NewTypeError("getRandomValues needs an integer typed array"))
		}
		buf, ok := o.Get("buffer").Export().(goja.ArrayBuffer)
		off, n := o.Get("byteOffset").ToInteger(), o.Get("byteLength").ToInteger()
		if !ok || n > 65536 || off < 0 || off+n > int64(len(buf.Bytes())) {
			panic(i.vm.NewTypeError("getRandomValues fills at most 65536 bytes"))
		}
		_, _ = rand.Read(buf.Bytes()[off : off+n])
		return o
	})
	i.global("crypto", crypto)
}
