package engine

import (
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/dop251/goja"
	"github.com/dop251/goja/unistring"
)

// maxJSONDepth is how deep JSON may nest. The engine's own parser recurses on the Go stack, which kills the process when it
// runs out, and it replaces lone surrogates: JSON.parse and request.json() use this one.
const maxJSONDepth = 2000

// JSON reads and writes JSON in one runtime: plain data in the engine's own tables, all else by the engine's own functions. It
// belongs to the goroutine that uses the runtime.
type JSON struct {
	vm               *goja.Runtime
	stringify, parse goja.Callable // the engine's own
	prototypes       prototypes
	syntaxError      goja.Value // the class
}

// NewJSON makes JSON.parse and JSON.stringify of a new runtime ours. A reviver is rare, and left to the engine once depth and
// syntax are known to be good; so are a replacer and indentation.
func NewJSON(vm *goja.Runtime) *JSON {
	object := vm.GlobalObject().Get("JSON").(*goja.Object)
	j := &JSON{vm: vm, prototypes: prototypesOf(vm), syntaxError: vm.GlobalObject().Get("SyntaxError")}
	j.stringify, _ = goja.AssertFunction(object.Get("stringify"))
	j.parse, _ = goja.AssertFunction(object.Get("parse"))
	j.replace(object, "stringify", 3, func(c goja.FunctionCall) goja.Value {
		if goja.IsUndefined(c.Argument(1)) && goja.IsUndefined(c.Argument(2)) {
			if text, ok := j.plainJSON(c.Argument(0)); ok {
				return vm.ToValue(string(text))
			}
		}
		text, err := j.stringify(object, c.Arguments...)
		if err != nil {
			panic(err)
		}
		return text
	})
	j.replace(object, "parse", 2, func(c goja.FunctionCall) goja.Value {
		text := c.Argument(0).String()
		v, err := j.Decode(text)
		if err != nil {
			panic(err)
		}
		if _, callable := goja.AssertFunction(c.Argument(1)); !callable {
			return v
		}
		v, err = j.parse(object, vm.ToValue(text), c.Argument(1))
		if err != nil {
			panic(err)
		}
		return v
	})
	return j
}

// replace defines a function of the JSON object with the attributes that the engine's own has.
func (j *JSON) replace(object *goja.Object, name string, length int, f func(goja.FunctionCall) goja.Value) {
	fn := j.vm.ToValue(f).(*goja.Object)
	_ = fn.DefineDataProperty("name", j.vm.ToValue(name), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	_ = fn.DefineDataProperty("length", j.vm.ToValue(length), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	_ = object.DefineDataProperty(name, fn, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
}

// Decode makes the value of a JSON text (ECMA-262, 25.5.1). Its error is a SyntaxError of the runtime.
func (j *JSON) Decode(text string) (goja.Value, error) {
	p := jsonParser{vm: j.vm, l: plain(), s: text}
	v, ok := p.value()
	if ok {
		p.space()
		ok = p.i == len(p.s)
	}
	if ok {
		return v, nil
	}
	return nil, Thrown(j.vm, j.SyntaxError(p.message()))
}

// SyntaxError makes an instance of the runtime's own SyntaxError.
func (j *JSON) SyntaxError(message string) goja.Value {
	o, err := j.vm.New(j.syntaxError, j.vm.ToValue(message))
	if err != nil {
		return j.vm.ToValue(message)
	}
	return o
}

type jsonParser struct {
	vm    *goja.Runtime
	l     *plainLayout
	names int // of the last object: many are alike
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
		plain, v, ok := p.string()
		if v == nil && ok {
			v = p.vm.ToValue(plain)
		}
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
	made := p.l.plainObject(o)
	for first := true; ; first = false {
		p.space()
		if p.i < len(p.s) && p.s[p.i] == '}' && first {
			p.i++
			return o, true
		}
		if p.i >= len(p.s) || p.s[p.i] != '"' {
			return nil, false
		}
		name, escaped, ok := p.string()
		if !ok {
			return nil, false
		}
		if escaped != nil {
			name = escaped.String()
		}
		if p.space(); p.i >= len(p.s) || p.s[p.i] != ':' {
			return nil, false
		}
		p.i++
		v, ok := p.value()
		if !ok {
			return nil, false
		}
		if made != nil { // as the engine would, without asking the prototype
			key := unistring.NewFromString(name)
			if made.propNames == nil {
				made.propNames = make([]unistring.String, 0, p.names)
			}
			if _, again := made.values[key]; !again {
				made.propNames = append(made.propNames, key)
			}
			made.values[key] = v
		} else {
			_ = o.DefineDataProperty(name, v, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE)
		}
		if p.space(); p.i >= len(p.s) {
			return nil, false
		}
		switch p.s[p.i] {
		case ',':
			p.i++
		case '}':
			p.i++
			if made != nil {
				p.names = min(len(made.propNames), 16)
			}
			return o, true
		default:
			return nil, false
		}
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
