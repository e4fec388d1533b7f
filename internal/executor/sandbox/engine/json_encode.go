package engine

import (
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/dop251/goja"
)

// maxPlainDepth is how deep plain data may nest. A value that holds itself comes to it, and the engine says
// so.
const maxPlainDepth = 200

// plainJSON gives the JSON text of plain data. It reports false for anything that may not be plain.
func (j *JSON) plainJSON(v goja.Value) ([]byte, bool) {
	w := jsonWriter{l: plain(), of: &j.prototypes}
	if !w.l.ok || !w.of.plain() || !w.value(v, 0) {
		return nil, false
	}
	return w.out, true
}

// jsonWriter writes one value.
type jsonWriter struct {
	l   *plainLayout
	of  *prototypes
	out []byte
}

// value writes a value. It reports false if that is not plain data.
func (w *jsonWriter) value(v goja.Value, depth int) bool {
	switch kindOf(v) {
	case w.l.ascii, w.l.imported, w.l.unicode:
		return w.quote(v.String())
	case w.l.integer:
		w.out = strconv.AppendInt(w.out, v.ToInteger(), 10)
	case w.l.reference:
		o := v.(*goja.Object)
		if depth >= maxPlainDepth {
			return false
		}
		if b := w.l.plainObject(o); b != nil {
			return w.object(b, depth+1)
		}
		return w.array(o, depth+1)
	case w.l.boolean:
		w.out = strconv.AppendBool(w.out, v.ToBoolean())
	case w.l.float:
		if f := v.ToFloat(); math.IsNaN(f) || math.IsInf(f, 0) {
			w.out = append(w.out, "null"...)
		} else {
			w.out = append(w.out, v.String()...)
		}
	case w.l.null:
		w.out = append(w.out, "null"...)
	default:
		return false
	}

	return true
}

// object writes an object whose prototype is Object.prototype or none. Members that are undefined are left
// out.
func (w *jsonWriter) object(b *plainObject, depth int) bool {
	if b.class != "Object" || b.prototype != nil && b.prototype != w.of.object {
		return false
	}

	w.out = append(w.out, '{')

	first := true
	for _, name := range b.propNames {
		if name == "toJSON" || beginsWithDigit(name) {
			return false
		}
		value := b.values[name]
		if value == nil {
			return false
		}
		if kindOf(value) == w.l.undefined {
			continue
		}

		if !first {
			w.out = append(w.out, ',')
		}
		first = false
		if !w.quote(name.String()) {
			return false
		}
		w.out = append(w.out, ':')
		if !w.value(value, depth) {
			return false
		}
	}

	w.out = append(w.out, '}')
	return true
}

// array writes an array. Items that are undefined become null.
func (w *jsonWriter) array(o *goja.Object, depth int) bool {
	items, ok := w.l.list(o, w.of.array)
	if !ok {
		return false
	}

	w.out = append(w.out, '[')
	for k, v := range items {
		if k > 0 {
			w.out = append(w.out, ',')
		}

		switch {
		case v == nil: // a hole: what the prototype has there counts
			return false
		case kindOf(v) == w.l.undefined:
			w.out = append(w.out, "null"...)
		case !w.value(v, depth):
			return false
		}
	}

	w.out = append(w.out, ']')
	return true
}

// quote writes a string. U+FFFD may stand for a lone surrogate, which has a form of its own.
func (w *jsonWriter) quote(s string) bool {
	const hex = "0123456789abcdef"
	out := append(w.out, '"')

	start := 0
	for at := 0; at < len(s); {
		char := s[at]
		if char >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[at:])
			if r == utf8.RuneError {
				return false
			}
			at += size
			continue
		}
		if char >= 0x20 && char != '"' && char != '\\' {
			at++
			continue
		}

		out = append(out, s[start:at]...)
		at++
		start = at

		switch char {
		case '"', '\\':
			out = append(out, '\\', char)
		case '\b':
			out = append(out, '\\', 'b')
		case '\f':
			out = append(out, '\\', 'f')
		case '\n':
			out = append(out, '\\', 'n')
		case '\r':
			out = append(out, '\\', 'r')
		case '\t':
			out = append(out, '\\', 't')
		default:
			out = append(out, '\\', 'u', '0', '0', hex[char>>4], hex[char&15])
		}
	}

	out = append(out, s[start:]...)
	w.out = append(out, '"')

	return true
}
