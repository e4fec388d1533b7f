package kv

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"picloud/internal/cloud"
)

// maxDepth is how deep a value may nest.
const maxDepth = 500

// CheckValue returns an error unless text can be stored as a value: code too-large for more than 256 KiB,
// code invalid for what is not JSON, nests over 500 deep, or has a number beyond the range of a double.
func CheckValue(text string) error {
	if len(text) > MaxValue {
		return tooLong(cloud.CodeTooLarge, len(text))
	}
	p := parser{text: text}
	return p.document(nil)
}

// Normalize checks a JSON text and returns it as JSON.stringify(JSON.parse(text)) would: numbers as doubles,
// integer-like member names first and ascending, the last of equal names in the place of the first, no white
// space. Every error is of code invalid, also that for a result over 256 KiB.
func Normalize(text string) (string, error) {
	// The result may be much shorter: escapes shrink, and white space goes.
	if len(text) > 8*MaxValue {
		return "", cloud.Errorf(cloud.CodeInvalid, "the value is over %d bytes of JSON", MaxValue)
	}

	p := parser{text: text}
	var out strings.Builder
	if err := p.document(&out); err != nil {
		return "", err
	}

	if out.Len() > MaxValue {
		return "", tooLong(cloud.CodeInvalid, out.Len())
	}
	return out.String(), nil
}

func tooLong(code cloud.Code, size int) error {
	return cloud.Errorf(code, "the value has %d bytes of JSON; at most %d are allowed", size, MaxValue)
}

// formatNumber writes a finite number as JSON.stringify does.
func formatNumber(f float64) string {
	if f == 0 {
		return "0" // also for -0
	}
	b, _ := json.Marshal(f) // encoding/json formats numbers as ECMAScript does
	return string(b)
}

// parser reads JSON (RFC 8259) by recursive descent. Its methods take the builder to which they write what
// they read in the form of JSON.stringify; nil only checks the text. A method is called at the first byte of
// what it reads.
type parser struct {
	text  string
	pos   int // of the next byte
	depth int // open arrays and objects
}

func (p *parser) fail(why string) error {
	return cloud.Errorf(cloud.CodeInvalid, "the value is not JSON: %s at byte %d", why, p.pos)
}

// at reports whether the next byte is c.
func (p *parser) at(c byte) bool { return p.pos < len(p.text) && p.text[p.pos] == c }

// skip reads c if it is the next byte.
func (p *parser) skip(c byte) bool {
	if !p.at(c) {
		return false
	}
	p.pos++
	return true
}

func (p *parser) space() {
	for p.pos < len(p.text) {
		switch p.text[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

func write(out *strings.Builder, s string) {
	if out != nil {
		out.WriteString(s)
	}
}

func (p *parser) document(out *strings.Builder) error {
	if !utf8.ValidString(p.text) {
		return p.fail("invalid UTF-8")
	}
	if err := p.value(out); err != nil {
		return err
	}

	p.space()
	if p.pos < len(p.text) {
		return p.fail("something after the end")
	}
	return nil
}

func (p *parser) value(out *strings.Builder) error {
	p.space()
	if p.pos >= len(p.text) {
		return p.fail("unexpected end")
	}

	switch c := p.text[p.pos]; {
	case c == '{':
		return p.nested(out, p.object)
	case c == '[':
		return p.nested(out, p.array)
	case c == '"':
		s, err := p.string()
		write(out, s)
		return err
	case c == '-' || c >= '0' && c <= '9':
		return p.number(out)
	default:
		return p.word(out)
	}
}

func (p *parser) word(out *strings.Builder) error {
	for _, word := range []string{"true", "false", "null"} {
		if strings.HasPrefix(p.text[p.pos:], word) {
			p.pos += len(word)
			write(out, word)
			return nil
		}
	}
	return p.fail("unexpected character")
}

// nested reads an array or an object behind its bracket. The limit keeps the recursion of every reader of the
// value small.
func (p *parser) nested(out *strings.Builder, read func(*strings.Builder) error) error {
	p.depth++
	defer func() { p.depth-- }()

	if p.depth > maxDepth {
		return cloud.Errorf(cloud.CodeInvalid, "the value nests more than %d deep", maxDepth)
	}
	p.pos++
	return read(out)
}

func (p *parser) array(out *strings.Builder) error {
	write(out, "[")
	p.space()
	if p.at(']') {
		return p.close(']', out)
	}

	for {
		if err := p.value(out); err != nil {
			return err
		}
		p.space()
		if !p.skip(',') {
			return p.close(']', out)
		}
		write(out, ",")
	}
}

func (p *parser) close(bracket byte, out *strings.Builder) error {
	if !p.skip(bracket) {
		return p.fail("expected , or " + string(bracket))
	}
	write(out, string(bracket))
	return nil
}

func (p *parser) object(out *strings.Builder) error {
	var members []member
	places := map[string]int{} // in members, of each name
	p.space()

	for more := !p.at('}'); more; more = p.skip(',') {
		name, err := p.memberName()
		if err != nil {
			return err
		}

		// A value is written apart, since its place among the members is known only at their end.
		var value *strings.Builder
		if out != nil {
			value = &strings.Builder{}
		}
		if err := p.value(value); err != nil {
			return err
		}
		if out != nil {
			members = setMember(members, places, member{name, value.String(), arrayIndex(name)})
		}
		p.space()
	}

	if out != nil {
		writeMembers(out, members)
	}
	return p.close('}', out)
}

// memberName reads a member's name and the colon behind it. The name keeps its quotes.
func (p *parser) memberName() (string, error) {
	p.space()
	if !p.at('"') {
		return "", p.fail("expected a member name")
	}

	name, err := p.string()
	if err != nil {
		return "", err
	}

	p.space()
	if !p.skip(':') {
		return "", p.fail("expected :")
	}
	return name, nil
}

// number reads a number and writes it as the nearest double.
func (p *parser) number(out *strings.Builder) error {
	start := p.pos
	if !p.integer() || !p.fraction() || !p.exponent() {
		return p.fail("malformed number")
	}

	text := p.text[start:p.pos]
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) {
		return cloud.Errorf(cloud.CodeInvalid, "the number %s is outside of what JavaScript can hold",
			cloud.Shorten(text))
	}
	write(out, formatNumber(f))
	return nil
}

// integer reads the digits before the point, which start with 0 only if there is one.
func (p *parser) integer() bool {
	p.skip('-')
	zero := p.at('0')
	n := p.digits()
	return n == 1 || n > 1 && !zero
}

// fraction reads the point and its digits, if there are any.
func (p *parser) fraction() bool { return !p.skip('.') || p.digits() > 0 }

// exponent reads the exponent, if there is one.
func (p *parser) exponent() bool {
	if !p.skip('e') && !p.skip('E') {
		return true
	}
	if !p.skip('+') {
		p.skip('-')
	}
	return p.digits() > 0
}

// digits reads digits and returns their number.
func (p *parser) digits() int {
	start := p.pos
	for p.pos < len(p.text) && p.text[p.pos] >= '0' && p.text[p.pos] <= '9' {
		p.pos++
	}
	return p.pos - start
}

// string reads a string and returns it, with its quotes, as JSON.stringify writes it.
func (p *parser) string() (string, error) {
	var out strings.Builder
	out.WriteByte('"')
	p.pos++

	for p.pos < len(p.text) {
		switch c := p.text[p.pos]; {
		case c == '"':
			p.pos++
			out.WriteByte('"')
			return out.String(), nil
		case c < 0x20:
			return "", p.fail("control character in a string")
		case c == '\\':
			if err := p.escape(&out); err != nil {
				return "", err
			}
		default:
			end := p.pos
			for end < len(p.text) && p.text[end] != '"' && p.text[end] != '\\' && p.text[end] >= 0x20 {
				end++
			}
			out.WriteString(p.text[p.pos:end])
			p.pos = end
		}
	}
	return "", p.fail("unfinished string")
}

func (p *parser) escape(out *strings.Builder) error {
	if p.pos+1 >= len(p.text) {
		return p.fail("unfinished escape")
	}

	c := p.text[p.pos+1]
	if k := strings.IndexByte(`"\/bfnrt`, c); k >= 0 {
		p.pos += 2
		writeRune(out, rune("\"\\/\b\f\n\r\t"[k]))
		return nil
	}
	if c != 'u' {
		return p.fail("unknown escape")
	}
	return p.unicodeEscape(out)
}

// unicodeEscape reads \uXXXX, or two of them that are a surrogate pair.
func (p *parser) unicodeEscape(out *strings.Builder) error {
	r, err := p.hex4()
	if err != nil {
		return err
	}

	isHigh := r >= 0xd800 && r < 0xdc00
	if isHigh && strings.HasPrefix(p.text[p.pos:], `\u`) {
		afterHigh := p.pos
		low, err := p.hex4()
		if err != nil {
			return err
		}

		if low >= 0xdc00 && low < 0xe000 {
			r = (r-0xd800)<<10 + (low - 0xdc00) + 0x10000
		} else {
			p.pos = afterHigh // the high surrogate stands alone
		}
	}
	writeRune(out, r)
	return nil
}

func (p *parser) hex4() (rune, error) {
	if p.pos+6 > len(p.text) {
		return 0, p.fail("unfinished escape")
	}
	n, err := strconv.ParseUint(p.text[p.pos+2:p.pos+6], 16, 32)
	if err != nil {
		return 0, p.fail("malformed escape")
	}
	p.pos += 6
	return rune(n), nil
}

// writeRune follows QuoteJSONString (ECMA-262, 25.5.2.2): lone surrogates stay escaped.
func writeRune(out *strings.Builder, r rune) {
	const hexDigits = "0123456789abcdef"
	if k := strings.IndexRune("\"\\\b\f\n\r\t", r); k >= 0 && r < 0x80 {
		out.WriteByte('\\')
		out.WriteByte(`"\bfnrt`[k])
		return
	}

	isSurrogate := r >= 0xd800 && r < 0xe000
	if r < 0x20 || isSurrogate {
		out.WriteString(`\u`)

		for shift := 12; shift >= 0; shift -= 4 {
			out.WriteByte(hexDigits[r>>shift&15])
		}
		return
	}
	out.WriteRune(r)
}

type member struct {
	name  string // with its quotes
	value string
	index int64 // array index, -1 for other names
}

// setMember adds a member. A name that is there already keeps its place and takes the new value, as in
// JSON.parse.
func setMember(members []member, places map[string]int, m member) []member {
	if at, ok := places[m.name]; ok {
		members[at].value = m.value
		return members
	}
	places[m.name] = len(members)
	return append(members, m)
}

// writeMembers writes members without the closing brace, in the order of a JavaScript object: array indexes
// first, ascending, then all other names.
func writeMembers(out *strings.Builder, members []member) {
	slices.SortStableFunc(members, func(x, y member) int {
		switch {
		case x.index >= 0 && y.index >= 0:
			return int(x.index - y.index)
		case x.index >= 0:
			return -1
		case y.index >= 0:
			return 1
		default:
			return 0
		}
	})

	out.WriteByte('{')

	for k, m := range members {
		if k > 0 {
			out.WriteByte(',')
		}
		out.WriteString(m.name)
		out.WriteByte(':')
		out.WriteString(m.value)
	}
}

// arrayIndex returns the value of a canonical array index (ECMA-262, 6.1.7), quotes included, or -1.
func arrayIndex(quoted string) int64 {
	digits := quoted[1 : len(quoted)-1]
	if digits == "" || len(digits) > 10 || len(digits) > 1 && digits[0] == '0' {
		return -1
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || n >= math.MaxUint32 {
		return -1
	}
	return int64(n)
}
