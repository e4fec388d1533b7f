package engine

import (
	"strings"

	"github.com/dop251/goja"
)

// SourceHost gives a library of ours what it needs to add source texts to JSON: the engine's stringify and
// parse, and sources, which lists the texts of primitive values in the form of the value that they make.
func (j *JSON) SourceHost(host *goja.Object) {
	stringify := j.stringify
	_ = host.Set("stringify", func(c goja.FunctionCall) goja.Value {
		text, err := stringify(goja.Undefined(), c.Arguments...)
		if err != nil {
			panic(err)
		}
		return text
	})
	_ = host.Set("parse", func(c goja.FunctionCall) goja.Value {
		value, err := j.Decode(c.Argument(0).String())
		if err != nil {
			panic(err)
		}
		return value
	})
	_ = host.Set("sources", func(c goja.FunctionCall) goja.Value {
		s := jsonSources{vm: j.vm, text: c.Argument(0).String()}
		return s.value()
	})
}

// SetFunctions takes the library's stringify for whatever is not plain data, and its parse for texts with a
// reviver.
func (j *JSON) SetFunctions(library *goja.Object) {
	j.stringify, _ = goja.AssertFunction(library.Get("stringify"))
	j.parse, _ = goja.AssertFunction(library.Get("parse"))
}

// jsonSources reads a text that is known to be JSON.
type jsonSources struct {
	vm   *goja.Runtime
	text string
	at   int
}

// value gives the text of a primitive value, or a list of what value gives of the parts.
func (s *jsonSources) value() goja.Value {
	s.space()

	switch s.text[s.at] {
	case '[':
		return s.array()
	case '{':
		return s.object()
	case '"':
		return s.vm.ToValue(s.quoted())
	default:
		end := strings.IndexAny(s.text[s.at:], ",]} \t\r\n")
		if end < 0 {
			end = len(s.text) - s.at
		}
		word := s.text[s.at : s.at+end]
		s.at += end
		return s.vm.ToValue(word)
	}
}

func (s *jsonSources) array() goja.Value {
	var items []any
	for s.at++; !s.ends(']'); s.separator() {
		items = append(items, s.value())
	}
	return s.vm.NewArray(items...)
}

// object gives a list of names and what value gives, by turns.
func (s *jsonSources) object() goja.Value {
	var members []any
	for s.at++; !s.ends('}'); s.separator() {
		s.space()
		members = append(members, s.name())
		s.space()
		s.at++ // the colon
		members = append(members, s.value())
	}
	return s.vm.NewArray(members...)
}

// name reads a string, as the parser does.
func (s *jsonSources) name() goja.Value {
	p := jsonParser{vm: s.vm, l: plain(), s: s.text, i: s.at}
	text, v, _ := p.string()
	s.at = p.i
	if v == nil {
		v = s.vm.ToValue(text)
	}
	return v
}

// ends reports, and passes, the end of an array or object.
func (s *jsonSources) ends(with byte) bool {
	s.space()
	if s.text[s.at] != with {
		return false
	}
	s.at++
	return true
}

// separator passes a comma, if there is one.
func (s *jsonSources) separator() {
	s.space()
	if s.text[s.at] == ',' {
		s.at++
	}
}

func (s *jsonSources) space() {
	for s.at < len(s.text) && strings.IndexByte(" \t\r\n", s.text[s.at]) >= 0 {
		s.at++
	}
}

// quoted passes a string and gives it as it is written.
func (s *jsonSources) quoted() string {
	from := s.at
	for s.at++; s.text[s.at] != '"'; s.at++ {
		if s.text[s.at] == '\\' {
			s.at++
		}
	}
	s.at++
	return s.text[from:s.at]
}
