// Package charset decodes text as the Encoding standard of the WHATWG does: every encoding by all of its
// labels, in pieces, with each byte that is wrong told. The tables are those of golang.org/x/text; its
// decoders do not tell an error from an encoded U+FFFD, and have other bytes undefined. It knows no UTF-8,
// which package webapi decodes itself, and encodes nothing.
package charset

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// Name is the name of an encoding, in lower case, that a label stands for (Encoding standard, 4.2). It
// reports false for an unknown label, and for those of the encoding "replacement", with which nothing is
// decoded.
func Name(label string) (string, bool) {
	label = strings.Trim(label, "\t\n\f\r ")
	for k := range len(label) {
		if label[k] <= ' ' || label[k] >= utf8.RuneSelf {
			return "", false // where x/text would still find white space, or letters of another case
		}
	}

	enc, err := htmlindex.Get(label)
	if err != nil {
		return "", false
	}
	name, err := htmlindex.Name(enc)
	return name, err == nil && name != "replacement"
}

// splitter finds the next character of a text that is not empty: its value and its length in bytes. A length
// of 0 says that its end has not come. The value is negative if the bytes are wrong, and second is that of a
// second character, or 0.
type splitter func(text []byte) (value, second rune, size int)

// wrong is the value of bytes that stand for nothing, and nothing that of bytes which only switch a state.
const (
	wrong   rune = -1
	nothing rune = -2
)

// Decoder decodes one text, in pieces.
type Decoder struct {
	name string
	next splitter
	rest []byte // of a character whose end has not come
}

// New makes a decoder of an encoding that Name gave, other than "utf-8".
func New(name string) *Decoder {
	d := &Decoder{name: name}
	d.reset()
	return d
}

// Decode gives the text of a piece in UTF-8, with U+FFFD for what is wrong; it reports whether there was any.
// more says that the piece is not the last. After the last the decoder begins anew.
func (d *Decoder) Decode(piece []byte, more bool) (text []byte, ok bool) {
	ok = true
	source := append(d.rest, piece...)
	text = make([]byte, 0, len(source)+len(source)/2)

	for len(source) > 0 {
		value, second, size := d.next(source)
		if size == 0 && more {
			break
		}
		if size == 0 { // a character without an end, or a sequence, of which only the beginning is wrong
			value, size = wrong, len(source)
			if source[0] == escape {
				size = 1
			}
		}
		source = source[size:]

		switch {
		case value == wrong:
			ok = false
			text = utf8.AppendRune(text, utf8.RuneError)
		case value >= 0:
			text = utf8.AppendRune(text, value)
		}
		if second != 0 {
			text = utf8.AppendRune(text, second)
		}
	}

	d.rest = append([]byte(nil), source...)
	if !more {
		d.Reset()
	}
	return text, ok
}

// Reset makes the decoder begin anew.
func (d *Decoder) Reset() {
	d.rest = nil
	d.reset()
}

// reset gives the decoder a splitter in its first state.
func (d *Decoder) reset() {
	switch d.name {
	case "utf-16le":
		d.next = splitUTF16(1)
	case "utf-16be":
		d.next = splitUTF16(0)
	case "gbk", "gb18030":
		d.next = splitGB18030(tableOf(simplifiedchinese.GB18030))
	case "big5":
		d.next = splitBig5(tableOf(traditionalchinese.Big5))
	case "euc-kr":
		d.next = splitEUCKR(tableOf(korean.EUCKR))
	case "euc-jp":
		d.next = splitEUCJP(tableOf(japanese.EUCJP))
	case "shift_jis":
		d.next = splitShiftJIS(tableOf(japanese.ShiftJIS))
	case "iso-2022-jp":
		d.next = (&iso2022jp{jis: tableOf(japanese.EUCJP)}).split
	default:
		d.next = splitSingle(d.name)
	}
}

// splitSingle decodes an encoding of one byte a character. What x/text leaves undefined below 0xA0 is a
// control character in the standard's indexes.
func splitSingle(name string) splitter {
	enc, err := htmlindex.Get(strings.TrimSuffix(name, "-i")) // only the order of display differs
	table, ok := enc.(*charmap.Charmap)
	if err != nil || !ok {
		return func([]byte) (rune, rune, int) { return wrong, 0, 1 }
	}

	return func(text []byte) (rune, rune, int) {
		b := text[0]
		switch r := table.DecodeByte(b); {
		case r != utf8.RuneError:
			return r, 0, 1
		case b < 0xa0:
			return rune(b), 0, 1
		default:
			return wrong, 0, 1
		}
	}
}

// table looks up what the bytes of one character stand for.
type table func(character ...byte) rune

// tableOf is the table behind a decoder of x/text.
func tableOf(enc encoding.Encoding) table {
	decoder := enc.NewDecoder()
	var out [2 * utf8.UTFMax]byte

	return func(character ...byte) rune {
		decoder.Reset()
		wrote, _, err := decoder.Transform(out[:], character, true)
		r, size := utf8.DecodeRune(out[:wrote])
		if err != nil || r == utf8.RuneError || size != wrote {
			return wrong
		}
		return r
	}
}
