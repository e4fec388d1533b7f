package engine

import "github.com/dop251/goja"

// JSON reads and writes JSON in one runtime: plain data in the engine's own tables, all else by the
// engine's own functions. It belongs to the goroutine that uses the runtime.
type JSON struct {
	vm               *goja.Runtime
	stringify, parse goja.Callable // the engine's own
	prototypes       prototypes
	syntaxError      goja.Value // the class
}

// NewJSON makes JSON.parse and JSON.stringify of a new runtime ours. A reviver is rare, and left to the
// engine once depth and syntax are known to be good; so are a replacer and indentation.
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
		value, err := j.Decode(text)
		if err != nil {
			panic(err)
		}
		if _, callable := goja.AssertFunction(c.Argument(1)); !callable {
			return value
		}

		value, err = j.parse(object, vm.ToValue(text), c.Argument(1))
		if err != nil {
			panic(err)
		}

		return value
	})

	return j
}

// replace defines a function of the JSON object with the attributes that the engine's own has.
func (j *JSON) replace(object *goja.Object, name string, length int, f func(goja.FunctionCall) goja.Value) {
	fn := j.vm.ToValue(f).(*goja.Object)
	_ = fn.DefineDataProperty("name", j.vm.ToValue(name), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	_ = fn.DefineDataProperty("length", j.vm.ToValue(length),
		goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	_ = object.DefineDataProperty(name, fn, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
}

// Encode gives the JSON text of a value (ECMA-262, 25.5.2) in UTF-8, or nil if it has none. Its error is
// what a script threw.
func (j *JSON) Encode(v goja.Value) ([]byte, error) {
	if text, ok := j.plainJSON(v); ok {
		return text, nil
	}

	text, err := j.stringify(goja.Undefined(), v)
	if err != nil || goja.IsUndefined(text) {
		return nil, err
	}

	return UTF8(text.String()), nil
}

// EncodeByEngine is JSON.stringify as the engine has it, whatever a script made of the global function.
func (j *JSON) EncodeByEngine(v goja.Value) (goja.Value, error) {
	return j.stringify(goja.Undefined(), v)
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
