package webapi

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/realm"
)

// consoleLevels maps console methods to the levels of log lines.
var consoleLevels = map[string]string{
	"debug": "debug", "log": "info", "info": "info", "warn": "warn", "error": "error", "trace": "debug", "dir": "info",
}

// addConsole defines console (Console standard). Counts, timers and groups are the run's.
func (g *Global) addConsole() {
	console := g.VM.NewObject()
	for method, level := range consoleLevels {
		g.Define(console, method, g.Logger(level))
	}
	add := func(name string, f func(r *Run, c goja.FunctionCall)) {
		g.Define(console, name, func(c goja.FunctionCall) goja.Value {
			if g.run != nil {
				f(g.run, c)
			}
			return goja.Undefined()
		})
	}
	label := func(c goja.FunctionCall) string {
		if l := c.Argument(0); !goja.IsUndefined(l) {
			return l.String()
		}
		return "default"
	}
	add("assert", func(r *Run, c goja.FunctionCall) {
		if !c.Argument(0).ToBoolean() {
			r.Log("error", strings.TrimSuffix("Assertion failed: "+g.line(c.Arguments[min(1, len(c.Arguments)):]), ": "))
		}
	})
	add("count", func(r *Run, c goja.FunctionCall) {
		if r.console.counts == nil {
			r.console.counts = map[string]int{}
		}
		r.console.counts[label(c)]++
		r.Log("info", fmt.Sprintf("%s: %d", label(c), r.console.counts[label(c)]))
	})
	add("countReset", func(r *Run, c goja.FunctionCall) { delete(r.console.counts, label(c)) })
	add("time", func(r *Run, c goja.FunctionCall) {
		if r.console.timers == nil {
			r.console.timers = map[string]time.Time{}
		}
		r.console.timers[label(c)] = time.Now()
	})
	elapsed := func(r *Run, c goja.FunctionCall, rest []goja.Value) {
		if at, ok := r.console.timers[label(c)]; ok {
			text := fmt.Sprintf("%s: %s", label(c), time.Since(at).Round(time.Microsecond))
			r.Log("info", strings.TrimSpace(text+" "+g.line(rest)))
		}
	}
	add("timeLog", func(r *Run, c goja.FunctionCall) { elapsed(r, c, c.Arguments[min(1, len(c.Arguments)):]) })
	add("timeEnd", func(r *Run, c goja.FunctionCall) {
		elapsed(r, c, nil)
		delete(r.console.timers, label(c))
	})
	group := func(r *Run, c goja.FunctionCall) {
		if len(c.Arguments) > 0 {
			r.Log("info", g.line(c.Arguments))
		}
		r.console.depth = min(r.console.depth+1, maxGroups)
	}
	add("group", group)
	add("groupCollapsed", group)
	add("groupEnd", func(r *Run, _ goja.FunctionCall) { r.console.depth = max(r.console.depth-1, 0) })
	add("table", func(r *Run, c goja.FunctionCall) { r.Log("info", g.line(c.Arguments[:min(1, len(c.Arguments))])) })
	g.Watch(console)
	g.SetGlobal("console", console)
}

// maxGroups bounds the indentation of log lines.
const maxGroups = 20

// consoleState is what console keeps for a run.
type consoleState struct {
	counts map[string]int
	timers map[string]time.Time
	depth  int
}

// Logger is a function that records one line at a level.
func (g *Global) Logger(level string) func(goja.FunctionCall) goja.Value {
	return func(c goja.FunctionCall) goja.Value {
		if g.run != nil {
			g.run.Log(level, g.line(c.Arguments))
		}
		return goja.Undefined()
	}
}

// line renders the arguments of a call, with the format specifiers of the first (Console standard, 2.2.1).
func (g *Global) line(args []goja.Value) string {
	var b strings.Builder
	if len(args) > 1 {
		if f, ok := args[0].(goja.String); ok && strings.Contains(f.String(), "%") {
			args = args[g.specifiers(&b, f.String(), args[1:])+1:]
			if len(args) > 0 {
				b.WriteByte(' ')
			}
		}
	}
	for k, a := range args {
		if k > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(g.format(a))
		if g.run != nil && b.Len() > g.run.MaxLogBytes {
			break
		}
	}
	return b.String()
}

// specifiers writes a format string and returns how many arguments it took.
func (g *Global) specifiers(b *strings.Builder, format string, args []goja.Value) (taken int) {
	for k := 0; k < len(format); k++ {
		if format[k] != '%' || k+1 == len(format) {
			b.WriteByte(format[k])
			continue
		}
		k++
		switch c := format[k]; {
		case c == '%':
			b.WriteByte('%')
		case strings.IndexByte("sdifoOc", c) < 0 || taken == len(args):
			b.WriteString(format[k-1 : k+1])
		default:
			a := args[taken]
			taken++
			_, isSymbol := a.(*goja.Symbol)
			_, isObject := a.(*goja.Object)
			switch {
			case c == 'c': // a style
			case (c == 'd' || c == 'i' || c == 'f') && (isSymbol || isObject):
				b.WriteString("NaN")
			case c == 'd' || c == 'i':
				n := a.ToFloat()
				if c == 'i' {
					n = math.Trunc(n)
				}
				b.WriteString(g.VM.ToValue(n).String())
			case c == 'f':
				b.WriteString(g.VM.ToValue(a.ToFloat()).String())
			default:
				b.WriteString(g.format(a))
			}
		}
	}
	return taken
}

// format renders a value for a person: strings as they are, errors with their stack, the rest as JSON.
func (g *Global) format(v goja.Value) string {
	o, ok := v.(*goja.Object)
	if !ok {
		return v.String()
	}
	if o.ClassName() == "Error" {
		e := g.Describe(o, nil)
		if e.Stack != "" {
			return e.Stack
		}
		return e.Name + ": " + e.Message
	}
	if _, isFunc := goja.AssertFunction(o); isFunc {
		return "[function]"
	}
	if list, ok := g.elements(o); ok {
		return list
	}
	text, err := g.JSON.Encode(o)
	if err != nil || text == nil {
		return "[" + o.ClassName() + "]"
	}
	return string(text)
}

// maxElements is how many elements of a Map, a Set or a typed array are shown.
const maxElements = 100

// maxNested is how deep Maps and Sets within each other are shown.
const maxNested = 4

// elements renders what JSON has no form for: Map, Set and views of bytes.
func (g *Global) elements(o *goja.Object) (string, bool) {
	name := ""
	switch t := o.ExportType(); {
	case t == reflect.TypeFor[[][2]any]():
		name = "Map"
	case t == reflect.TypeFor[[]any]() && o.ClassName() == "Object":
		name = "Set"
	}
	if raw, ok := g.MemoryOf(o); ok {
		return fmt.Sprintf("[%d bytes: %x]", len(raw), raw[:min(len(raw), maxElements)]), true
	}
	if name == "" {
		return "", false
	}
	if g.formatting >= maxNested {
		return "[" + name + "]", true
	}
	g.formatting++
	defer func() { g.formatting-- }()
	var b strings.Builder
	n := 0
	exc := g.VM.Try(func() {
		g.VM.ForOf(o, func(v goja.Value) bool {
			if n++; n > maxElements {
				return true
			}
			if n > 1 {
				b.WriteString(", ")
			}
			if pair, ok := v.(*goja.Object); ok && name == "Map" {
				b.WriteString(g.format(pair.Get("0")) + " => " + g.format(pair.Get("1")))
			} else {
				b.WriteString(g.format(v))
			}
			return b.Len() < realm.MaxErrorText
		})
	})
	if exc != nil {
		return "[" + name + "]", true
	}
	return fmt.Sprintf("%s(%d) {%s}", name, n, b.String()), true
}
