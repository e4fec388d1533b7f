package nodeapi

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/sandbox/webapi"
)

// What Buffer, which is in lib/buffer.js, is made of.

// addBuffer gives lib/buffer.js the encodings and the searches.
func (n *Node) addBuffer(host *goja.Object) {
	for name, f := range map[string]func(goja.FunctionCall) goja.Value{
		"encode":     n.encodeBytes,
		"decode":     n.decodeText,
		"byteLength": n.byteLength,
		"write":      n.writeText,
		"compare":    n.compareBytes,
		"indexOf":    n.indexOfBytes,
		"isUTF8":     n.isUTF8,
	} {
		n.Define(host, name, f)
	}
}

// bytes gives the memory of a view, the script's own; anything else throws a TypeError.
func (n *Node) bytes(v goja.Value) []byte {
	raw, ok := n.MemoryOf(v)
	if !ok {
		panic(n.VM.NewTypeError("this must be a Buffer, a typed array or an ArrayBuffer"))
	}
	return raw
}

// clamp brings a number of a script into a range.
func clamp(v goja.Value, low, high int) int {
	return int(max(int64(low), min(v.ToInteger(), int64(high))))
}

// encodeBytes is a text for bytes: (bytes, encoding, start, end).
func (n *Node) encodeBytes(c goja.FunctionCall) goja.Value {
	raw := n.bytes(c.Argument(0))
	start := clamp(c.Argument(2), 0, len(raw))
	end := clamp(c.Argument(3), start, len(raw))
	return n.textOf(raw[start:end], c.Argument(1).String())
}

// textOf is bytes in an encoding, by Node's names.
func (n *Node) textOf(raw []byte, encoding string) goja.Value {
	switch encoding {
	case "hex":
		return n.VM.ToValue(hex.EncodeToString(raw))
	case "base64":
		return n.VM.ToValue(base64.StdEncoding.EncodeToString(raw))
	case "base64url":
		return n.VM.ToValue(base64.RawURLEncoding.EncodeToString(raw))
	case "ascii":
		text := bytes.Clone(raw)
		for k := range text {
			text[k] &= 0x7f
		}
		return n.VM.ToValue(string(text))
	case "latin1":
		return n.VM.ToValue(latin1Text(raw))
	case "utf16le":
		units := make([]uint16, len(raw)/2)
		for k := range units {
			units[k] = uint16(raw[2*k]) | uint16(raw[2*k+1])<<8
		}
		return goja.StringFromUTF16(units)
	default:
		return n.VM.ToValue(webapi.DecodeUTF8(raw))
	}
}

// latin1Text has a character for each byte.
func latin1Text(raw []byte) string {
	var text strings.Builder
	text.Grow(len(raw))

	for _, b := range raw {
		text.WriteRune(rune(b))
	}
	return text.String()
}

// decodeText is the bytes of a text: (text, encoding).
func (n *Node) decodeText(c goja.FunctionCall) goja.Value {
	raw := bytesOfText(engine.Text(c.Argument(0)), c.Argument(1).String())
	return n.VM.ToValue(n.VM.NewArrayBuffer(raw))
}

// bytesOfText is a text's bytes in an encoding, by Node's names. What is no hex ends the text; what is no
// base64 is left out.
func bytesOfText(text goja.String, encoding string) []byte {
	switch encoding {
	case "hex":
		return decodeHex(text)
	case "base64", "base64url":
		return decodeBase64(text.String())
	case "ascii", "latin1":
		raw := make([]byte, text.Length())
		for k := range raw {
			raw[k] = byte(text.CharAt(k))
		}
		return raw
	case "utf16le":
		raw := make([]byte, 2*text.Length())
		for k := range text.Length() {
			unit := text.CharAt(k)
			raw[2*k], raw[2*k+1] = byte(unit), byte(unit>>8)
		}
		return raw
	default:
		return engine.UTF8(text.String())
	}
}

// decodeHex reads pairs of digits until something is none.
func decodeHex(text goja.String) []byte {
	raw := make([]byte, 0, text.Length()/2)
	for k := 0; k+1 < text.Length(); k += 2 {
		high, ok1 := hexDigit(text.CharAt(k))
		low, ok2 := hexDigit(text.CharAt(k + 1))
		if !ok1 || !ok2 {
			break
		}
		raw = append(raw, high<<4|low)
	}
	return raw
}

func hexDigit(unit uint16) (byte, bool) {
	switch {
	case '0' <= unit && unit <= '9':
		return byte(unit - '0'), true
	case 'a' <= unit && unit <= 'f':
		return byte(unit-'a') + 10, true
	case 'A' <= unit && unit <= 'F':
		return byte(unit-'A') + 10, true
	}
	return 0, false
}

// decodeBase64 reads both alphabets, up to the first padding, and leaves out what is in neither.
func decodeBase64(text string) []byte {
	digits := make([]byte, 0, len(text))
	for k := range len(text) {
		switch b := text[k]; {
		case b == '=':
			return finishBase64(digits)
		case b == '-':
			digits = append(digits, '+')
		case b == '_':
			digits = append(digits, '/')
		case b == '+' || b == '/' || '0' <= b && b <= '9' || 'A' <= b && b <= 'Z' || 'a' <= b && b <= 'z':
			digits = append(digits, b)
		}
	}
	return finishBase64(digits)
}

// finishBase64 decodes digits. A single one at the end stands for nothing.
func finishBase64(digits []byte) []byte {
	if len(digits)%4 == 1 {
		digits = digits[:len(digits)-1]
	}
	raw := make([]byte, base64.RawStdEncoding.DecodedLen(len(digits)))
	size, _ := base64.RawStdEncoding.Decode(raw, digits) // the digits are all of the alphabet
	return raw[:size]
}

// byteLength is how many bytes a text has: (text, encoding). For hex and base64 it is Node's estimate.
func (n *Node) byteLength(c goja.FunctionCall) goja.Value {
	text := engine.Text(c.Argument(0))
	length := text.Length()

	switch c.Argument(1).String() {
	case "hex":
		length /= 2
	case "base64", "base64url":
		for range 2 {
			if length > 0 && text.CharAt(length-1) == '=' {
				length--
			}
		}
		length = length * 3 / 4
	case "utf16le":
		length *= 2
	case "ascii", "latin1":
	default:
		length = len(engine.UTF8(text.String()))
	}

	return n.VM.ToValue(length)
}

// writeText writes as much of a text as has room, no half characters: (bytes, text, encoding, offset,
// length). It gives the number of bytes.
func (n *Node) writeText(c goja.FunctionCall) goja.Value {
	raw := n.bytes(c.Argument(0))
	encoding := c.Argument(2).String()
	text := bytesOfText(engine.Text(c.Argument(1)), encoding)

	offset := clamp(c.Argument(3), 0, len(raw))
	room := clamp(c.Argument(4), 0, len(raw)-offset)
	if encoding == "utf16le" {
		room &^= 1
	}
	if len(text) > room {
		text = text[:room]
		for encoding == "utf8" && len(text) > 0 && !utf8.Valid(text) {
			text = text[:len(text)-1]
		}
	}

	return n.VM.ToValue(copy(raw[offset:], text))
}

func (n *Node) compareBytes(c goja.FunctionCall) goja.Value {
	return n.VM.ToValue(bytes.Compare(n.bytes(c.Argument(0)), n.bytes(c.Argument(1))))
}

func (n *Node) isUTF8(c goja.FunctionCall) goja.Value {
	return n.VM.ToValue(utf8.Valid(n.bytes(c.Argument(0))))
}

// indexOfBytes finds bytes in others, at a multiple of unit: (bytes, searched, from, forward, unit). It gives
// -1 if they are not there.
func (n *Node) indexOfBytes(c goja.FunctionCall) goja.Value {
	raw, searched := n.bytes(c.Argument(0)), n.bytes(c.Argument(1))
	from := clamp(c.Argument(2), 0, len(raw))
	forward := c.Argument(3).ToBoolean()
	unit := clamp(c.Argument(4), 1, 2)

	if len(searched) == 0 {
		return n.VM.ToValue(from)
	}
	if len(searched) > len(raw) {
		return n.VM.ToValue(-1)
	}

	if !forward {
		from = min(from, len(raw)-len(searched))
		for at := bytes.LastIndex(raw[:from+len(searched)], searched); at >= 0; {
			if at%unit == 0 {
				return n.VM.ToValue(at)
			}
			at = bytes.LastIndex(raw[:at+len(searched)-1], searched)
		}
		return n.VM.ToValue(-1)
	}

	for from <= len(raw)-len(searched) {
		at := bytes.Index(raw[from:], searched)
		if at < 0 {
			break
		}
		if from += at; from%unit == 0 {
			return n.VM.ToValue(from)
		}
		from++
	}
	return n.VM.ToValue(-1)
}
