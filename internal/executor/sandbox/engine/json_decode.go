package engine

import (
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/dop251/goja"
	"github.com/dop251/goja/unistring"
)

// maxJSONDepth is how deep JSON may nest. The engine's own parser recurses on the Go stack, which kills the
// process when it runs out, and it replaces lone surrogates: JSON.parse and request.json() use this one.
const maxJSONDepth = 2000

// jsonParser reads one text. Its methods report whether they could; if not, i is where they could not.
type jsonParser struct {
	vm    *goja.Runtime
	l     *plainLayout
	names int // of the last object: many are alike
	s     string
	i     int // the next byte of s
	depth int
	deep  bool // the text was refused as it nests too deep
}

// message is that of the SyntaxError for a text that could not be read.
func (p *jsonParser) message() string {
	switch {
	case p.deep:
		return fmt.Sprintf("JSON nests more than %d levels deep", maxJSONDepth)
	case p.i >= len(p.s):
		return "Unexpected end of JSON input"
	default:
		r, _ := utf8.DecodeRuneInString(p.s[p.i:])
		return fmt.Sprintf("Unexpected token %q in JSON at position %d", r, p.i)
	}
}

func (p *jsonParser) space() {
	for p.i < len(p.s) && (p.s[p.i] == ' ' || p.s[p.i] == '\t' || p.s[p.i] == '\n' || p.s[p.i] == '\r') {
		p.i++
	}
}

// value reads any value, from the first byte that is no space.
func (p *jsonParser) value() (goja.Value, bool) {
	p.space()
	if p.i >= len(p.s) {
		return nil, false
	}

	switch first := p.s[p.i]; {
	case first == '{' || first == '[':
		return p.nested(first)
	case first == '"':
		plain, v, ok := p.string()
		if v == nil && ok {
			v = p.vm.ToValue(plain)
		}
		return v, ok
	case first == '-' || first >= '0' && first <= '9':
		return p.number()
	case first == 't':
		return p.word("true", p.vm.ToValue(true))
	case first == 'f':
		return p.word("false", p.vm.ToValue(false))
	case first == 'n':
		return p.word("null", goja.Null())
	default:
		return nil, false
	}
}

// nested reads an object or an array, a level deeper.
func (p *jsonParser) nested(opening byte) (v goja.Value, ok bool) {
	if p.depth >= maxJSONDepth {
		p.deep = true
		return nil, false
	}

	p.i++
	p.depth++
	if opening == '{' {
		v, ok = p.object()
	} else {
		v, ok = p.array()
	}

	p.depth--
	return v, ok
}

// word reads true, false or null, which has the value v.
func (p *jsonParser) word(w string, v goja.Value) (goja.Value, bool) {
	if len(p.s)-p.i < len(w) || p.s[p.i:p.i+len(w)] != w {
		return nil, false
	}
	p.i += len(w)
	return v, true
}

// array reads the items and the closing bracket of an array.
func (p *jsonParser) array() (goja.Value, bool) {
	p.space()
	if p.next(']') {
		return p.vm.NewArray(), true
	}

	var items []any
	for {
		v, ok := p.value()
		if !ok {
			return nil, false
		}
		items = append(items, v)

		p.space()

		switch {
		case p.next(','):
		case p.next(']'):
			return p.vm.NewArray(items...), true
		default:
			return nil, false
		}
	}
}

// next takes a character, if it is the next one.
func (p *jsonParser) next(c byte) bool {
	if p.i >= len(p.s) || p.s[p.i] != c {
		return false
	}
	p.i++
	return true
}

// object reads the members and the closing brace of an object. Members are put into the engine's own tables
// where these are known.
func (p *jsonParser) object() (goja.Value, bool) {
	object := p.vm.NewObject()
	p.space()
	if p.next('}') {
		return object, true
	}

	made := p.l.plainObject(object)
	for {
		name, ok := p.name()
		if !ok {
			return nil, false
		}
		v, ok := p.value()
		if !ok {
			return nil, false
		}
		if made != nil {
			p.put(made, name, v)
		} else {
			_ = object.DefineDataProperty(name, v, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE)
		}

		p.space()

		switch {
		case p.next(','):
		case p.next('}'):
			if made != nil {
				p.names = min(len(made.propNames), maxNames)
			}
			return object, true
		default:
			return nil, false
		}
	}
}

// name reads a member's name and the colon.
func (p *jsonParser) name() (string, bool) {
	p.space()
	if p.i >= len(p.s) || p.s[p.i] != '"' {
		return "", false
	}
	name, escaped, ok := p.string()
	if !ok {
		return "", false
	}

	if escaped != nil {
		name = escaped.String()
	}

	p.space()
	return name, p.next(':')
}

// maxNames bounds the room that is made for names before they are read.
const maxNames = 16

// put sets a member as the engine would, without asking the prototype.
func (p *jsonParser) put(made *plainObject, name string, v goja.Value) {
	key := unistring.NewFromString(name)
	if made.propNames == nil {
		made.propNames = make([]unistring.String, 0, p.names)
	}
	if _, again := made.values[key]; !again {
		made.propNames = append(made.propNames, key)
	}

	made.values[key] = v
}

// number reads a number as JSON has it: no leading zeros, no hexadecimal digits, no bare point. Small
// integers are integers for the engine too.
func (p *jsonParser) number() (goja.Value, bool) {
	start := p.i
	p.next('-')
	first := p.i
	if n := p.digits(); n == 0 || n > 1 && p.s[first] == '0' {
		p.i = first
		return nil, false
	}

	integer := true
	if p.next('.') {
		integer = false
		if p.digits() == 0 {
			return nil, false
		}
	}

	if p.next('e') || p.next('E') {
		integer = false
		if !p.next('+') {
			p.next('-')
		}
		if p.digits() == 0 {
			return nil, false
		}
	}

	text := p.s[start:p.i]
	if integer && len(text) < 16 && text != "-0" {
		v, _ := strconv.ParseInt(text, 10, 64)
		return p.vm.ToValue(v), true
	}

	f, _ := strconv.ParseFloat(text, 64) // out of range is infinity, as in ECMAScript
	return p.vm.ToValue(f), true
}

// digits takes digits, and gives their number.
func (p *jsonParser) digits() int {
	from := p.i
	for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
		p.i++
	}
	return p.i - from
}

// string reads a string; its value is nil when there are no escapes in it.
func (p *jsonParser) string() (plain string, escaped goja.Value, ok bool) {
	p.i++

	start := p.i
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == '"':
			plain = p.s[start:p.i]
			p.i++
			return plain, nil, true
		case c == '\\':
			escaped, ok = p.escaped(start)
			return "", escaped, ok
		case c < 0x20:
			return "", nil, false
		}
		p.i++
	}

	return "", nil, false
}

// escaped reads a string with escapes as UTF-16, in which lone surrogates can be held.
func (p *jsonParser) escaped(start int) (goja.Value, bool) {
	units := utf16.Encode([]rune(p.s[start:p.i]))
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == '"':
			p.i++
			return goja.StringFromUTF16(units), true
		case c < 0x20:
			return nil, false
		case c == '\\':
			unit, ok := p.escape()
			if !ok {
				return nil, false
			}
			units = append(units, unit)
		default:
			r, size := utf8.DecodeRuneInString(p.s[p.i:])
			units = utf16.AppendRune(units, r)
			p.i += size
		}
	}

	return nil, false
}

// escape reads a backslash and what belongs to it. Where it fails is where the message says that it does.
func (p *jsonParser) escape() (unit uint16, ok bool) {
	if p.i+1 >= len(p.s) {
		p.i = len(p.s)
		return 0, false
	}
	if p.s[p.i+1] != 'u' {
		unit, ok = simpleEscape(p.s[p.i+1])
		if !ok {
			p.i++
			return 0, false
		}
		p.i += 2
		return unit, true
	}

	if p.i+6 > len(p.s) {
		p.i = len(p.s)
		return 0, false
	}

	n, err := strconv.ParseUint(p.s[p.i+2:p.i+6], 16, 16)
	if err != nil {
		return 0, false
	}

	p.i += 6
	return uint16(n), true
}

// simpleEscape is the character of an escape other than \u.
func simpleEscape(c byte) (uint16, bool) {
	switch c {
	case '"', '\\', '/':
		return uint16(c), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	default:
		return 0, false
	}
}
