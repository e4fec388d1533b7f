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

// CheckValue refuses what cannot be stored: over 256 KiB, not JSON, nested over 500 deep, numbers outside of double.
func CheckValue(text string) error {
	if len(text) > MaxValue {
		return cloud.Errorf(cloud.CodeTooLarge, "the value has %d bytes of JSON; at most %d are allowed", len(text), MaxValue)
	}
	p := parser{s: text}
	return p.document(nil)
}

// Normalize checks a JSON text and writes it as JSON.stringify(JSON.parse(text)) would: numbers as doubles, integer-like
// member names first and ascending, the last of equal names in the place of the first, no white space.
func Normalize(text string) (string, error) {
	if len(text) > 8*MaxValue { // escapes shrink; white space goes
		return "", cloud.Errorf(cloud.CodeInvalid, "the value is over %d bytes of JSON", MaxValue)
	}
	p := parser{s: text}
	var b strings.Builder
	if err := p.document(&b); err != nil {
		return "", err
	}
	if b.Len() > MaxValue {
		return "", cloud.Errorf(cloud.CodeInvalid, "the value has %d bytes of JSON; at most %d are allowed", b.Len(), MaxValue)
	}
	return b.String(), nil
}

func formatNumber(f float64) string {
	if f == 0 {
		return "0" // JSON.stringify(-0)
	}
	b, _ := json.Marshal(f) // encoding/json formats numbers as ECMAScript does
	return string(b)
}

// parser reads JSON (RFC 8259) and, if asked, writes it anew.
type parser struct {
	s     string
	i     int
	depth int
}

func (p *parser) fail(why string) error {
	return cloud.Errorf(cloud.CodeInvalid, "the value is not JSON: %s at byte %d", why, p.i)
}

func (p *parser) document(b *strings.Builder) error {
	if !utf8.ValidString(p.s) {
		return p.fail("invalid UTF-8")
	}
	if err := p.value(b); err != nil {
		return err
	}
	p.space()
	if p.i < len(p.s) {
		return p.fail("something after the end")
	}
	return nil
}

func (p *parser) space() {
	for p.i < len(p.s) && (p.s[p.i] == ' ' || p.s[p.i] == '\t' || p.s[p.i] == '\n' || p.s[p.i] == '\r') {
		p.i++
	}
}

func write(b *strings.Builder, s string) {
	if b != nil {
		b.WriteString(s)
	}
}

func (p *parser) value(b *strings.Builder) error {
	p.space()
	if p.i >= len(p.s) {
		return p.fail("unexpected end")
	}
	switch c := p.s[p.i]; {
	case c == '{':
		return p.nested(func() error { return p.object(b) })
	case c == '[':
		return p.nested(func() error { return p.array(b) })
	case c == '"':
		s, err := p.string()
		write(b, s)
		return err
	case c == '-' || c >= '0' && c <= '9':
		return p.number(b)
	}
	for _, word := range []string{"true", "false", "null"} {
		if strings.HasPrefix(p.s[p.i:], word) {
			p.i += len(word)
			write(b, word)
			return nil
		}
	}
	return p.fail("unexpected character")
}

func (p *parser) nested(f func() error) error {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxDepth {
		return cloud.Errorf(cloud.CodeInvalid, "the value nests more than %d deep", maxDepth)
	}
	p.i++
	return f()
}

func (p *parser) array(b *strings.Builder) error {
	write(b, "[")
	p.space()
	for first := true; ; first = false {
		if first && p.i < len(p.s) && p.s[p.i] == ']' {
			break
		}
		if err := p.value(b); err != nil {
			return err
		}
		p.space()
		if p.i >= len(p.s) || p.s[p.i] != ',' {
			break
		}
		p.i++
		write(b, ",")
	}
	return p.close(']', b)
}

func (p *parser) close(c byte, b *strings.Builder) error {
	if p.i >= len(p.s) || p.s[p.i] != c {
		return p.fail("expected , or " + string(c))
	}
	p.i++
	write(b, string(c))
	return nil
}

type member struct {
	name, value string
	index       int64 // array index, -1 for other names
}

func (p *parser) object(b *strings.Builder) error {
	var members []member
	places := map[string]int{}
	p.space()
	for first := true; ; first = false {
		p.space()
		if first && p.i < len(p.s) && p.s[p.i] == '}' {
			break
		}
		if p.i >= len(p.s) || p.s[p.i] != '"' {
			return p.fail("expected a member name")
		}
		name, err := p.string()
		if err != nil {
			return err
		}
		p.space()
		if p.i >= len(p.s) || p.s[p.i] != ':' {
			return p.fail("expected :")
		}
		p.i++
		var v *strings.Builder
		if b != nil {
			v = &strings.Builder{}
		}
		if err := p.value(v); err != nil {
			return err
		}
		if b != nil {
			if at, ok := places[name]; ok {
				members[at].value = v.String()
			} else {
				places[name] = len(members)
				members = append(members, member{name, v.String(), arrayIndex(name)})
			}
		}
		p.space()
		if p.i >= len(p.s) || p.s[p.i] != ',' {
			break
		}
		p.i++
	}
	if b != nil {
		writeMembers(b, members)
	}
	return p.close('}', b)
}

func writeMembers(b *strings.Builder, members []member) {
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
	b.WriteByte('{')
	for k, m := range members {
		if k > 0 {
			b.WriteByte(',')
		}
		b.WriteString(m.name)
		b.WriteByte(':')
		b.WriteString(m.value)
	}
}

// arrayIndex is the value of a canonical array index (ECMA-262, 6.1.7), quotes included, or -1.
func arrayIndex(quoted string) int64 {
	s := quoted[1 : len(quoted)-1]
	if s == "" || len(s) > 10 || len(s) > 1 && s[0] == '0' {
		return -1
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n >= math.MaxUint32 {
		return -1
	}
	return int64(n)
}

func (p *parser) number(b *strings.Builder) error {
	start := p.i
	digits := func() bool {
		from := p.i
		for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
			p.i++
		}
		return p.i > from
	}
	if p.s[p.i] == '-' {
		p.i++
	}
	zero := p.i < len(p.s) && p.s[p.i] == '0'
	from := p.i
	if !digits() || zero && p.i-from > 1 {
		return p.fail("malformed number")
	}
	if p.i < len(p.s) && p.s[p.i] == '.' {
		p.i++
		if !digits() {
			return p.fail("malformed number")
		}
	}
	if p.i < len(p.s) && (p.s[p.i] == 'e' || p.s[p.i] == 'E') {
		p.i++
		if p.i < len(p.s) && (p.s[p.i] == '+' || p.s[p.i] == '-') {
			p.i++
		}
		if !digits() {
			return p.fail("malformed number")
		}
	}
	f, err := strconv.ParseFloat(p.s[start:p.i], 64)
	if err != nil || math.IsInf(f, 0) {
		return cloud.Errorf(cloud.CodeInvalid, "the number %s is outside of what JavaScript can hold", cloud.Shorten(p.s[start:p.i]))
	}
	write(b, formatNumber(f))
	return nil
}

// string reads a string and gives it, with its quotes, as JSON.stringify writes it.
func (p *parser) string() (string, error) {
	var b strings.Builder
	b.WriteByte('"')
	for p.i++; p.i < len(p.s); {
		switch c := p.s[p.i]; {
		case c == '"':
			p.i++
			b.WriteByte('"')
			return b.String(), nil
		case c < 0x20:
			return "", p.fail("control character in a string")
		case c != '\\':
			end := p.i
			for end < len(p.s) && p.s[end] != '"' && p.s[end] != '\\' && p.s[end] >= 0x20 {
				end++
			}
			b.WriteString(p.s[p.i:end])
			p.i = end
		default:
			if err := p.escape(&b); err != nil {
				return "", err
			}
		}
	}
	return "", p.fail("unfinished string")
}

func (p *parser) escape(b *strings.Builder) error {
	if p.i+1 >= len(p.s) {
		return p.fail("unfinished escape")
	}
	c := p.s[p.i+1]
	if k := strings.IndexByte(`"\/bfnrt`, c); k >= 0 {
		p.i += 2
		writeRune(b, rune("\"\\/\b\f\n\r\t"[k]))
		return nil
	}
	if c != 'u' {
		return p.fail("unknown escape")
	}
	r, err := p.hex4()
	if err != nil {
		return err
	}
	if r >= 0xd800 && r < 0xdc00 && strings.HasPrefix(p.s[p.i:], `\u`) {
		back := p.i
		low, err := p.hex4()
		if err != nil {
			return err
		}
		if low >= 0xdc00 && low < 0xe000 {
			r = (r-0xd800)<<10 + (low - 0xdc00) + 0x10000
		} else {
			p.i = back
		}
	}
	writeRune(b, r)
	return nil
}

func (p *parser) hex4() (rune, error) {
	if p.i+6 > len(p.s) {
		return 0, p.fail("unfinished escape")
	}
	n, err := strconv.ParseUint(p.s[p.i+2:p.i+6], 16, 32)
	if err != nil {
		return 0, p.fail("malformed escape")
	}
	p.i += 6
	return rune(n), nil
}

// writeRune follows QuoteJSONString (ECMA-262, 25.5.2.2): lone surrogates stay escaped.
func writeRune(b *strings.Builder, r rune) {
	const hexDigits = "0123456789abcdef"
	if k := strings.IndexRune("\"\\\b\f\n\r\t", r); k >= 0 && r < 0x80 {
		b.WriteByte('\\')
		b.WriteByte(`"\bfnrt`[k])
		return
	}
	if r < 0x20 || r >= 0xd800 && r < 0xe000 {
		b.WriteString(`\u`)
		for shift := 12; shift >= 0; shift -= 4 {
			b.WriteByte(hexDigits[r>>shift&15])
		}
		return
	}
	b.WriteRune(r)
}
