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
	"debug": "debug",
	"trace": "debug",
	"log":   "info",
	"info":  "info",
	"dir":   "info",
	"warn":  "warn",
	"error": "error",
}

// maxGroups bounds the indentation of log lines.
const maxGroups = 20

// consoleState is what console keeps for a run.
type consoleState struct {
	counts map[string]int
	timers map[string]time.Time
	depth  int // of groups
}

// addConsole defines console (Console standard). Counts, timers and groups are the run's.
func (g *Global) addConsole() {
	console := g.VM.NewObject()
	for method, level := range consoleLevels {
		g.Define(console, method, g.Logger(level))
	}

	for _, method := range []struct {
		name string
		call func(r *Run, c goja.FunctionCall)
	}{
		{"assert", g.consoleAssert},
		{"count", g.consoleCount},
		{"countReset", func(r *Run, c goja.FunctionCall) { delete(r.console.counts, consoleLabel(c)) }},
		{"time", g.consoleTime},
		{"timeLog", func(r *Run, c goja.FunctionCall) { g.logElapsed(r, c, argumentsFrom(c, 1)) }},
		{"timeEnd", func(r *Run, c goja.FunctionCall) {
			g.logElapsed(r, c, nil)
			delete(r.console.timers, consoleLabel(c))
		}},
		{"group", g.consoleGroup},
		{"groupCollapsed", g.consoleGroup},
		{"groupEnd", func(r *Run, _ goja.FunctionCall) { r.console.depth = max(r.console.depth-1, 0) }},
		{"table", func(r *Run, c goja.FunctionCall) {
			r.Log("info", g.line(c.Arguments[:min(1, len(c.Arguments))]))
		}},
	} {
		g.Define(console, method.name, func(c goja.FunctionCall) goja.Value {
			if g.run != nil { // nobody reads what a module logs between runs
				method.call(g.run, c)
			}
			return goja.Undefined()
		})
	}

	g.Watch(console)
	g.SetGlobal("console", console)
}

// consoleLabel is the label of a count or a timer.
func consoleLabel(c goja.FunctionCall) string {
	if l := c.Argument(0); !goja.IsUndefined(l) {
		return l.String()
	}
	return "default"
}

// argumentsFrom are the arguments of a call from the nth on.
func argumentsFrom(c goja.FunctionCall, n int) []goja.Value {
	return c.Arguments[min(n, len(c.Arguments)):]
}

func (g *Global) consoleAssert(r *Run, c goja.FunctionCall) {
	if !c.Argument(0).ToBoolean() {
		r.Log("error", strings.TrimSuffix("Assertion failed: "+g.line(argumentsFrom(c, 1)), ": "))
	}
}

func (g *Global) consoleCount(r *Run, c goja.FunctionCall) {
	label := consoleLabel(c)
	if r.console.counts == nil {
		r.console.counts = map[string]int{}
	}
	r.console.counts[label]++
	r.Log("info", fmt.Sprintf("%s: %d", label, r.console.counts[label]))
}

func (g *Global) consoleTime(r *Run, c goja.FunctionCall) {
	if r.console.timers == nil {
		r.console.timers = map[string]time.Time{}
	}
	r.console.timers[consoleLabel(c)] = time.Now()
}

func (g *Global) logElapsed(r *Run, c goja.FunctionCall, rest []goja.Value) {
	label := consoleLabel(c)
	if started, ok := r.console.timers[label]; ok {
		text := fmt.Sprintf("%s: %s", label, time.Since(started).Round(time.Microsecond))
		r.Log("info", strings.TrimSpace(text+" "+g.line(rest)))
	}
}

func (g *Global) consoleGroup(r *Run, c goja.FunctionCall) {
	if len(c.Arguments) > 0 {
		r.Log("info", g.line(c.Arguments))
	}
	r.console.depth = min(r.console.depth+1, maxGroups)
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
		if g.run != nil && b.Len() > g.run.MaxLogBytes { // the rest would be cut off
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
		specifier := format[k]
		switch {
		case specifier == '%':
			b.WriteByte('%')
		case strings.IndexByte("sdifoOc", specifier) < 0 || taken == len(args):
			b.WriteString(format[k-1 : k+1])
		default:
			g.specifier(b, specifier, args[taken])
			taken++
		}
	}

	return taken
}

// specifier writes one argument as a specifier wants it; %c, a style, writes nothing.
func (g *Global) specifier(b *strings.Builder, specifier byte, a goja.Value) {
	if specifier == 'c' {
		return
	}
	if specifier != 'd' && specifier != 'i' && specifier != 'f' {
		b.WriteString(g.format(a))
		return
	}

	// Converting these to a number would throw, or run the script's code.
	_, isSymbol := a.(*goja.Symbol)
	_, isObject := a.(*goja.Object)
	if isSymbol || isObject {
		b.WriteString("NaN")
		return
	}

	n := a.ToFloat()
	if specifier == 'i' {
		n = math.Trunc(n)
	}

	b.WriteString(g.VM.ToValue(n).String())
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
	count := 0
	exc := g.VM.Try(func() {
		g.VM.ForOf(o, func(v goja.Value) bool {
			if count++; count > maxElements {
				return true // counted, not shown
			}

			if count > 1 {
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

	return fmt.Sprintf("%s(%d) {%s}", name, count, b.String()), true
}
