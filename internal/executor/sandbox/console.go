package sandbox

import (
	"strings"
	"time"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// consoleLevels maps console methods to the levels of log lines.
var consoleLevels = map[string]string{
	"debug": "debug", "log": "info", "info": "info", "warn": "warn", "error": "error", "trace": "debug",
}

func (i *isolate) addConsole() {
	console := i.vm.NewObject()
	for method, level := range consoleLevels {
		i.define(console, method, i.logger(level))
	}
	i.console = console
	i.global("console", console)
}

// logger is a function that records one line at a level.
func (i *isolate) logger(level string) func(goja.FunctionCall) goja.Value {
	return func(c goja.FunctionCall) goja.Value {
		if i.cur == nil {
			return goja.Undefined()
		}
		var b strings.Builder
		for k, a := range c.Arguments {
			if k > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(i.format(a))
			if b.Len() > i.cur.msg.MaxLogBytes {
				break
			}
		}
		i.cur.log(level, b.String())
		return goja.Undefined()
	}
}

// format renders a value for a person: strings as they are, errors with their stack, the rest as JSON.
func (i *isolate) format(v goja.Value) string {
	o, ok := v.(*goja.Object)
	if !ok {
		return v.String()
	}
	if o.ClassName() == "Error" {
		e := i.describe(o, nil)
		if e.Stack != "" {
			return e.Stack
		}
		return e.Name + ": " + e.Message
	}
	if _, isFunc := goja.AssertFunction(o); isFunc {
		return "[function]"
	}
	text, err := i.stringify(goja.Undefined(), o)
	if err != nil || goja.IsUndefined(text) {
		return "[" + o.ClassName() + "]"
	}
	return text.String()
}

// log sends a line to the parent, within the run's limits; what is over is counted there.
func (r *run) log(level, message string) {
	message = strings.ToValidUTF8(message, "\uFFFD")
	if r.logLines++; r.logLines > r.msg.MaxLogLines+1 {
		return // the parent has seen one too many and says so
	}
	if r.logBytes += len(message); r.logBytes > r.msg.MaxLogBytes && len(message) > 1024 {
		message = message[:1024]
	}
	line := cloud.LogLine{At: time.Now(), Level: level, Message: message}
	_ = r.s.w.Send(wire.Log, r.id, func(e *wire.Encoder) { wire.EncodeLog(e, &line) })
}
