package sandbox

import (
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/dop251/goja"
)

// maxJSONDepth is how deep JSON may nest. The engine's own parser recurses on the Go stack, which kills the process when it
// runs out, and it replaces lone surrogates: JSON.parse and request.json() use this one.
const maxJSONDepth = 2000

// replaceJSON makes JSON.parse ours. A reviver is rare, and left to the engine once depth and syntax are known to be good.
func (i *isolate) replaceJSON(json *goja.Object) {
	native := i.parse
	fn := i.vm.ToValue(func(c goja.FunctionCall) goja.Value {
		text := c.Argument(0).String()
		v, err := i.parseJSON(text)
		if err != nil {
			panic(err)
		}
		if _, callable := goja.AssertFunction(c.Argument(1)); !callable {
			return v
		}
		v, err = native(json, i.vm.ToValue(text), c.Argument(1))
		if err != nil {
			panic(err)
		}
		return v
	}).(*goja.Object)
	_ = fn.DefineDataProperty("name", i.vm.ToValue("parse"), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	_ = json.DefineDataProperty("parse", fn, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
}

// parseJSON makes the value of a JSON text (ECMA-262, 25.5.1). Its error is a SyntaxError of the runtime.
func (i *isolate) parseJSON(text string) (goja.Value, error) {
	p := jsonParser{vm: i.vm, s: text}
	v, ok := p.value()
	if ok {
		p.space()
		ok = p.i == len(p.s)
	}
	if ok {
		return v, nil
	}
	return nil, i.thrown(i.syntaxError(p.message()))
}

// thrown makes a Go error of a value, as if a script had thrown it.
func (i *isolate) thrown(v goja.Value) error {
	throw, _ := goja.AssertFunction(i.vm.ToValue(func(goja.FunctionCall) goja.Value { panic(v) }))
	_, err := throw(goja.Undefined())
	return err
}

func (i *isolate) syntaxError(message string) goja.Value {
	o, err := i.vm.New(i.syntaxErrorClass, i.vm.ToValue(message))
	if err != nil {
		return i.vm.ToValue(message)
	}
	return o
}

type jsonParser struct {
	vm    *goja.Runtime
	s     string
	i     int
	depth int
	deep  bool
}

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

func (p *jsonParser) value() (goja.Value, bool) {
	p.space()
	if p.i >= len(p.s) {
		return nil, false
	}
	switch c := p.s[p.i]; {
	case c == '{' || c == '[':
		if p.depth++; p.depth > maxJSONDepth {
			p.deep = true
			return nil, false
		}
		p.i++
		defer func() { p.depth-- }()
		if c == '{' {
			return p.object()
		}
		return p.array()
	case c == '"':
		v, _, ok := p.string()
		return v, ok
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	case c == 't':
		return p.word("true", p.vm.ToValue(true))
	case c == 'f':
		return p.word("false", p.vm.ToValue(false))
	case c == 'n':
		return p.word("null", goja.Null())
	default:
		return nil, false
	}
}

func (p *jsonParser) word(w string, v goja.Value) (goja.Value, bool) {
	if len(p.s)-p.i < len(w) || p.s[p.i:p.i+len(w)] != w {
		return nil, false
	}
	p.i += len(w)
	return v, true
}

func (p *jsonParser) array() (goja.Value, bool) {
	var items []any
	for p.space(); ; p.space() {
		if p.i < len(p.s) && p.s[p.i] == ']' && len(items) == 0 {
			p.i++
			return p.vm.NewArray(), true
		}
		v, ok := p.value()
		if !ok {
			return nil, false
		}
		items = append(items, v)
		if p.space(); p.i >= len(p.s) {
			return nil, false
		}
		switch p.s[p.i] {
		case ',':
			p.i++
		case ']':
			p.i++
			return p.vm.NewArray(items...), true
		default:
			return nil, false
		}
	}
}

func (p *jsonParser) object() (goja.Value, bool) {
	o := p.vm.NewObject()
	for first := true; ; first = false {
		p.space()
		if p.i < len(p.s) && p.s[p.i] == '}' && first {
			p.i++
			return o, true
		}
		if p.i >= len(p.s) || p.s[p.i] != '"' {
			return nil, false
		}
		nameValue, name, ok := p.string()
		if !ok {
			return nil, false
		}
		if name == "" {
			name = nameValue.String()
		}
		if p.space(); p.i >= len(p.s) || p.s[p.i] != ':' {
			return nil, false
		}
		p.i++
		v, ok := p.value()
		if !ok {
			return nil, false
		}
		if inherited(name) {
			_ = o.DefineDataProperty(name, v, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE)
		} else {
			_ = o.Set(name, v)
		}
		if p.space(); p.i >= len(p.s) {
			return nil, false
		}
		switch p.s[p.i] {
		case ',':
			p.i++
		case '}':
			p.i++
			return o, true
		default:
			return nil, false
		}
	}
}

// inherited reports names of Object.prototype, which a plain assignment could hand to a setter.
func inherited(name string) bool {
	switch name {
	case "__proto__", "constructor", "toString", "toLocaleString", "valueOf", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable",
		"__defineGetter__", "__defineSetter__", "__lookupGetter__", "__lookupSetter__":
		return true
	default:
		return false
	}
}

func (p *jsonParser) number() (goja.Value, bool) {
	start := p.i
	if p.s[p.i] == '-' {
		p.i++
	}
	digits := func() int {
		from := p.i
		for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
			p.i++
		}
		return p.i - from
	}
	from := p.i
	n := digits()
	if n == 0 || n > 1 && p.s[from] == '0' {
		p.i = from
		return nil, false
	}
	integer := true
	if p.i < len(p.s) && p.s[p.i] == '.' {
		p.i++
		integer = false
		if digits() == 0 {
			return nil, false
		}
	}
	if p.i < len(p.s) && (p.s[p.i] == 'e' || p.s[p.i] == 'E') {
		p.i++
		integer = false
		if p.i < len(p.s) && (p.s[p.i] == '+' || p.s[p.i] == '-') {
			p.i++
		}
		if digits() == 0 {
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

// string reads a string. The Go string is set for what needs no escapes; otherwise the value is what counts.
func (p *jsonParser) string() (v goja.Value, plain string, ok bool) {
	p.i++
	start := p.i
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == '"':
			plain = p.s[start:p.i]
			p.i++
			return p.vm.ToValue(plain), plain, true
		case c == '\\':
			v, ok = p.escaped(start)
			return v, "", ok
		case c < 0x20:
			return nil, "", false
		}
		p.i++
	}
	return nil, "", false
}

// escaped reads a string with escapes as UTF-16, in which lone surrogates can be held.
func (p *jsonParser) escaped(start int) (goja.Value, bool) {
	units := utf16.Encode([]rune(p.s[start:p.i]))
	for p.i < len(p.s) {
		c := p.s[p.i]
		switch {
		case c == '"':
			p.i++
			return goja.StringFromUTF16(units), true
		case c < 0x20:
			return nil, false
		case c != '\\':
			r, size := utf8.DecodeRuneInString(p.s[p.i:])
			units = utf16.AppendRune(units, r)
			p.i += size
			continue
		}
		if p.i+1 >= len(p.s) {
			p.i = len(p.s)
			return nil, false
		}
		if p.s[p.i+1] == 'u' {
			if p.i+6 > len(p.s) {
				p.i = len(p.s)
				return nil, false
			}
			n, err := strconv.ParseUint(p.s[p.i+2:p.i+6], 16, 16)
			if err != nil {
				return nil, false
			}
			units = append(units, uint16(n))
			p.i += 6
			continue
		}
		unit, known := simpleEscape(p.s[p.i+1])
		if !known {
			p.i++
			return nil, false
		}
		units = append(units, unit)
		p.i += 2
	}
	return nil, false
}

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
