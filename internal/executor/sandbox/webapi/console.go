package webapi

import (
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strings"
	"time"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
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
	_ = console.SetPrototype(g.VM.NewObject()) // as a namespace object of Web IDL (3.13)

	_ = console.DefineDataPropertySymbol(goja.SymToStringTag, g.VM.ToValue("console"),
		goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	for method, level := range consoleLevels {
		g.Define(console, method, g.Logger(level))
	}

	for _, method := range []struct {
		name string
		call func(r *Run, c goja.FunctionCall)
	}{
		{"assert", g.consoleAssert},
		{"count", g.consoleCount},
		{"countReset", func(r *Run, c goja.FunctionCall) { delete(r.console.counts, g.consoleLabel(c)) }},
		{"time", g.consoleTime},
		{"timeLog", func(r *Run, c goja.FunctionCall) { g.logElapsed(r, c, argumentsFrom(c, 1)) }},
		{"timeEnd", func(r *Run, c goja.FunctionCall) {
			g.logElapsed(r, c, nil)
			delete(r.console.timers, g.consoleLabel(c))
		}},
		{"group", g.consoleGroup},
		{"groupCollapsed", g.consoleGroup},
		{"groupEnd", func(r *Run, _ goja.FunctionCall) { r.console.depth = max(r.console.depth-1, 0) }},
		{"table", func(r *Run, c goja.FunctionCall) {
			r.Log("info", g.line(c.Arguments[:min(1, len(c.Arguments))]))
		}},
	} {
		g.Define(console, method.name, func(c goja.FunctionCall) goja.Value {
			if g.run != nil { // without a run there is no log
				method.call(g.run, c)
			}
			return goja.Undefined()
		})
	}

	g.SetGlobal("console", console)
}

// consoleLabel is the label of a count or a timer.
func (g *Global) consoleLabel(c goja.FunctionCall) string {
	if l := c.Argument(0); !goja.IsUndefined(l) {
		return g.text(l)
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
	label := g.consoleLabel(c)
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
	r.console.timers[g.consoleLabel(c)] = time.Now()
}

func (g *Global) logElapsed(r *Run, c goja.FunctionCall, rest []goja.Value) {
	label := g.consoleLabel(c)
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
	var text strings.Builder
	if len(args) > 1 {
		if f, ok := args[0].(goja.String); ok && strings.Contains(f.String(), "%") {
			args = args[g.specifiers(&text, f.String(), args[1:])+1:]
			if len(args) > 0 {
				text.WriteByte(' ')
			}
		}
	}

	for k, a := range args {
		if k > 0 {
			text.WriteByte(' ')
		}
		text.WriteString(g.format(a))
		if g.run != nil && text.Len() > g.run.MaxLogBytes { // the rest would be cut off
			break
		}
	}

	return text.String()
}

// specifiers writes a format string and returns how many arguments it took.
func (g *Global) specifiers(out *strings.Builder, format string, args []goja.Value) (taken int) {
	for at := 0; at < len(format); at++ {
		if format[at] != '%' || at+1 == len(format) {
			out.WriteByte(format[at])
			continue
		}

		at++

		specifier := format[at]
		switch {
		case specifier == '%':
			out.WriteByte('%')
		case strings.IndexByte("sdifoOc", specifier) < 0 || taken == len(args):
			out.WriteString(format[at-1 : at+1])
		default:
			g.specifier(out, specifier, args[taken])
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

	if digits, isBigInt := bigInt(a); isBigInt {
		b.WriteString(digits)
		if specifier != 'f' { // which parses the digits
			b.WriteByte('n')
		}
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
	if digits, isBigInt := bigInt(v); isBigInt {
		return digits + "n"
	}

	object, ok := v.(*goja.Object)
	if !ok {
		return v.String()
	}
	if object.ClassName() == "Error" {
		e := g.Describe(object, nil)
		if e.Stack != "" {
			return e.Stack
		}
		return e.Name + ": " + e.Message
	}
	if _, isFunc := goja.AssertFunction(object); isFunc {
		return "[function]"
	}
	if list, ok := g.elements(object); ok {
		return list
	}

	text, err := g.JSON.Encode(object)
	if err != nil || text == nil {
		return "[" + object.ClassName() + "]"
	}

	return string(text)
}

// bigInt gives the digits of a BigInt.
func bigInt(v goja.Value) (digits string, ok bool) {
	if _, isObject := v.(*goja.Object); isObject || v.ExportType() != reflect.TypeFor[*big.Int]() {
		return "", false
	}
	return v.String(), true
}

// maxElements is how many elements of a Map, a Set or a typed array are shown.
const maxElements = 100

// maxNested is how deep Maps and Sets within each other are shown.
const maxNested = 4

// elements renders what JSON has no form for: Map, Set and views of bytes.
func (g *Global) elements(object *goja.Object) (string, bool) {
	name := ""
	switch t := object.ExportType(); {
	case t == reflect.TypeFor[[][2]any]():
		name = "Map"
	case t == reflect.TypeFor[[]any]() && object.ClassName() == "Object":
		name = "Set"
	}

	if raw, ok := g.MemoryOf(object); ok {
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

	var text strings.Builder
	count := 0
	exc := g.VM.Try(func() {
		g.VM.ForOf(object, func(element goja.Value) bool {
			if count++; count > maxElements {
				return true // counted, not shown
			}

			if count > 1 {
				text.WriteString(", ")
			}
			if pair, ok := element.(*goja.Object); ok && name == "Map" {
				text.WriteString(g.format(pair.Get("0")) + " => " + g.format(pair.Get("1")))
			} else {
				text.WriteString(g.format(element))
			}

			return text.Len() < cloud.MaxErrorText
		})
	})
	if exc != nil {
		return "[" + name + "]", true
	}

	return fmt.Sprintf("%s(%d) {%s}", name, count, text.String()), true
}
