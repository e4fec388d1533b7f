package sandbox

import (
	"github.com/dop251/goja"
)

// maxJSONDepth is how deep JSON may nest. The engine's parser recurses on the Go stack, which kills the process when it
// runs out: a body of two million brackets must be an error in one script and nothing else.
const maxJSONDepth = 2000

// guardJSON puts a check of depth in front of JSON.parse.
func (i *isolate) guardJSON(json *goja.Object) {
	native := i.parse
	guarded := func(c goja.FunctionCall) goja.Value {
		text := c.Argument(0).String()
		if tooDeep(text) {
			panic(i.syntaxError("JSON nests more than 2000 levels deep"))
		}
		args := append([]goja.Value{i.vm.ToValue(text)}, c.Arguments[min(1, len(c.Arguments)):]...)
		v, err := native(json, args...)
		if err != nil {
			panic(err)
		}
		return v
	}
	fn := i.vm.ToValue(guarded).(*goja.Object)
	_ = fn.DefineDataProperty("name", i.vm.ToValue("parse"), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	_ = json.DefineDataProperty("parse", fn, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	i.parse, _ = goja.AssertFunction(fn)
}

func (i *isolate) syntaxError(message string) goja.Value {
	o, err := i.vm.New(i.vm.GlobalObject().Get("SyntaxError"), i.vm.ToValue(message))
	if err != nil {
		return i.vm.ToValue(message)
	}
	return o
}

func (i *isolate) parseJSON(text string) (goja.Value, error) {
	return i.parse(goja.Undefined(), i.vm.ToValue(text))
}

// tooDeep scans brackets outside of strings.
func tooDeep(s string) bool {
	depth, inString := 0, false
	for k := 0; k < len(s); k++ {
		switch c := s[k]; {
		case inString:
			if c == '\\' {
				k++
			} else if c == '"' {
				inString = false
			}
		case c == '"':
			inString = true
		case c == '[' || c == '{':
			if depth++; depth > maxJSONDepth {
				return true
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return false
}
