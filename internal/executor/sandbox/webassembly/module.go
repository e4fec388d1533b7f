package webassembly

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/dop251/goja"
	"github.com/tetratelabs/wazero"

	"picloud/internal/executor/sandbox/realm"
)

// module is what an instance of WebAssembly.Module carries.
type module struct {
	*binary
	code     wazero.CompiledModule
	tooLarge string // why it cannot be instantiated here; empty if it can
}

// addModule defines Module (5.1).
func (a *API) addModule() {
	a.moduleClass = a.r.ClassIn(a.Object, "Module", 1, func(c goja.ConstructorCall) *goja.Object {
		return a.r.Wrap(a.compile(a.source(c.Argument(0))), c)
	})

	static := func(name string, length int, f func(*module, goja.FunctionCall) goja.Value) {
		a.r.Method(a.moduleClass.Ctor, name, length, func(c goja.FunctionCall) goja.Value {
			return f(a.moduleOf(c.Argument(0)), c)
		})
	}
	static("exports", 1, func(m *module, _ goja.FunctionCall) goja.Value { return a.exportsOf(m) })
	static("imports", 1, func(m *module, _ goja.FunctionCall) goja.Value { return a.importsOf(m) })
	static("customSections", 2, func(m *module, c goja.FunctionCall) goja.Value {
		if len(c.Arguments) < 2 || goja.IsUndefined(c.Argument(1)) {
			a.typeError("WebAssembly.Module.customSections needs the name of a section")
		}
		return a.customSections(m, c.Argument(1).ToString())
	})
}

// source copies the bytes of a module.
func (a *API) source(v goja.Value) []byte {
	raw, ok := a.r.BytesOf(v)
	if !ok {
		a.typeError("the bytes of a module must be an ArrayBuffer or a view of one")
	}
	return raw
}

// moduleOf is the Module that an argument must be.
func (a *API) moduleOf(v goja.Value) *module {
	m := realm.State[module](v)
	if m == nil {
		a.typeError("the argument must be a WebAssembly.Module")
	}
	return m
}

// check reads, checks and compiles a module. Its error is for the script's author.
func (a *API) check(raw []byte) (*module, error) {
	if len(raw) > maxModuleBytes {
		return nil, fmt.Errorf("the module has %d MiB; %d are allowed", len(raw)>>20, maxModuleBytes>>20)
	}

	b, err := parse(raw)
	if err != nil {
		return nil, err
	}
	rewritten := b.forEngine(a.maxPages())
	b.sections = nil // lead to all of the bytes

	code, err := a.runtime().CompileModule(a.ctx, rewritten)
	if err != nil {
		return nil, fmt.Errorf("%s", plain(err))
	}

	return &module{binary: b, code: code, tooLarge: b.tooLarge(a.maxPages())}, nil
}

// plain is the engine's message without the names that only the rewritten module has.
func plain(err error) string {
	text := strings.ReplaceAll(err.Error(), "\x00", "")
	first, _, _ := strings.Cut(text, "\n")
	return first
}

// compile makes a module of bytes. It throws a CompileError.
func (a *API) compile(raw []byte) *module {
	m, err := a.check(raw)
	if err != nil {
		a.fail(a.compileError, "%s", err.Error())
	}

	a.code.add(m.code)
	a.learnTypes(m.binary)
	return m
}

// learnTypes notes the types of a module's functions, by which references are looked up.
func (a *API) learnTypes(b *binary) {
	for k := range b.types {
		a.learnType(&b.types[k])
	}
}

func (a *API) learnType(t *funcType) {
	key := string(t.params) + ">" + string(t.results) // no value type is written so
	if !a.known[key] {
		a.known[key] = true
		a.types = append(a.types, t)
	}
}

// dictionary is a plain object of strings, in order.
func (a *API) dictionary(pairs ...[2]string) goja.Value {
	o := a.r.VM.NewObject()
	for _, p := range pairs {
		_ = o.DefineDataProperty(p[0], a.r.VM.ToValue(p[1]), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE)
	}
	return o
}

func (a *API) exportsOf(m *module) goja.Value {
	list := make([]any, len(m.exports))
	for k, x := range m.exports {
		list[k] = a.dictionary([2]string{"name", x.name}, [2]string{"kind", x.kind.String()})
	}
	return a.r.VM.NewArray(list...)
}

func (a *API) importsOf(m *module) goja.Value {
	list := make([]any, len(m.imports))
	for k, i := range m.imports {
		list[k] = a.dictionary(
			[2]string{"module", i.module}, [2]string{"name", i.name}, [2]string{"kind", i.kind.String()},
		)
	}
	return a.r.VM.NewArray(list...)
}

func (a *API) customSections(m *module, name goja.Value) goja.Value {
	var list []any
	for _, s := range m.customs {
		if a.r.VM.ToValue(s.name).StrictEquals(name) {
			list = append(list, a.r.VM.ToValue(a.r.VM.NewArrayBuffer(bytes.Clone(realm.NotNil(s.content)))))
		}
	}
	return a.r.VM.NewArray(list...)
}
