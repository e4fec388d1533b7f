package realm

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
)

// SetErrors gives the realm the error classes that native code throws by name, and DOMException.
func (r *Realm) SetErrors(classes *goja.Object, newDOMException goja.Callable) {
	r.errorClasses, r.newDOMException = classes, newDOMException
	for _, name := range classes.Keys() {
		r.errors[name], _ = goja.AssertConstructor(classes.Get(name))
	}
}

// ErrorClass is one of the classes that SetErrors gave.
func (r *Realm) ErrorClass(name string) goja.Value { return r.errorClasses.Get(name) }

// Throw raises an Error of a name in the realm's error classes.
func (r *Realm) Throw(name, message string) { panic(r.NewError(name, message)) }

// NewError makes an Error of a name in the realm's error classes; of any other it makes a KvError.
func (r *Realm) NewError(name, message string) goja.Value {
	ctor := r.errors[name]
	if ctor == nil {
		ctor = r.errors["KvError"]
	}

	o, err := ctor(nil, r.VM.ToValue(message))
	if err != nil {
		return r.VM.ToValue(message)
	}

	return o
}

// ErrorAt is an Error of a name in the realm's error classes whose stack is that of the host call which
// failed.
func (r *Realm) ErrorAt(name, message string, site []goja.StackFrame) goja.Value {
	made := r.NewError(name, message)

	if o, ok := made.(*goja.Object); ok {
		stack := name + ": " + message
		if f := frames(site); f != "" {
			stack += "\n" + f
		}
		_ = o.DefineDataProperty("stack", r.VM.ToValue(stack),
			goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	}

	return made
}

// DOMException is a DOMException of a name (Web IDL, 2.8.1).
func (r *Realm) DOMException(name, format string, args ...any) goja.Value {
	return r.MustCall(r.newDOMException, r.VM.ToValue(fmt.Sprintf(format, args...)), r.VM.ToValue(name))
}

// ScriptError describes what was thrown, in the author's file, line and column.
func (r *Realm) ScriptError(err error) *cloud.ScriptError {
	var interrupted *goja.InterruptedError
	var overflow *goja.StackOverflowError
	var exc *goja.Exception

	switch {
	case errors.As(err, &interrupted):
		return &cloud.ScriptError{
			Name:    "TimeoutError",
			Message: "the run was interrupted",
			Stack:   frames(interrupted.Stack()),
		}
	case errors.As(err, &overflow):
		return &cloud.ScriptError{
			Name:    "RangeError",
			Message: "Maximum call stack size exceeded",
			Stack:   frames(overflow.Stack()),
		}
	case errors.As(err, &exc):
		return r.Describe(exc.Value(), exc.Stack())
	default:
		return &cloud.ScriptError{Name: "Error", Message: err.Error()}
	}
}

// Describe reads an Error's fields, with its causes at the end of the stack; of what is no Error, which a
// script can throw too, it gives the JSON or the text. The getters of a hostile object run under the run's
// own clock.
func (r *Realm) Describe(v goja.Value, stack []goja.StackFrame) *cloud.ScriptError {
	described := &cloud.ScriptError{Name: "Error", Stack: frames(stack)}
	exc := r.VM.Try(func() {
		if o, ok := v.(*goja.Object); ok && o.ClassName() == "Error" {
			describeError(described, o)
			if causes := r.causesOf(o); causes != "" {
				described.Stack = Clip(firstFrames(described.Stack) + causes)
			}
			return
		}
		described.Message = Clip("uncaught " + r.thrownText(v))
	})
	if exc != nil {
		described.Message = "an error that cannot be described: reading it threw again"
	}

	return described
}

// maxStackText is how much of a stack is looked at, in bytes: what stays of it is less.
const maxStackText = 8 * cloud.MaxErrorText

// describeError reads the fields of an Error, whose getters may throw.
func describeError(e *cloud.ScriptError, o *goja.Object) {
	if name := o.Get("name"); Given(name) {
		e.Name = Clip(name.String())
	}
	if message := o.Get("message"); Given(message) {
		e.Message = Clip(message.String())
	}
	if stack := o.Get("stack"); Given(stack) {
		text := stack.String()
		e.Stack = Clip(cleanStack(text[:min(len(text), maxStackText)]))
	}
}

// thrownText is a value that was thrown and is no Error.
func (r *Realm) thrownText(v goja.Value) string {
	object, ok := v.(*goja.Object)
	if !ok {
		return v.String()
	}

	if _, isFunc := goja.AssertFunction(object); !isFunc {
		if text, err := r.JSON.EncodeByEngine(object); err == nil && !goja.IsUndefined(text) {
			return text.String()
		}
	}

	return object.String()
}

// Clip shortens a text to cloud.MaxErrorText bytes, at the boundary of a character, and makes it valid UTF-8.
func Clip(s string) string {
	if len(s) <= cloud.MaxErrorText {
		return strings.ToValidUTF8(s, "\uFFFD")
	}

	cut := cloud.MaxErrorText
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}

	return strings.ToValidUTF8(s[:cut], "\uFFFD") + cloud.CutMark
}

// frames lists script frames as V8 does. Columns that come out of a source map count from 0; ours count
// from 1.
func frames(stack []goja.StackFrame) string {
	var text strings.Builder
	for _, f := range stack {
		pos := f.Position()
		if pos.Filename == "" || strings.HasPrefix(pos.Filename, libraryPrefix) {
			continue // native code, or a library of ours
		}

		if name := f.FuncName(); name != "" && name != "<anonymous>" {
			fmt.Fprintf(&text, "    at %s (%s:%d:%d)\n", name, pos.Filename, pos.Line, pos.Column+1)
		} else {
			fmt.Fprintf(&text, "    at %s:%d:%d\n", pos.Filename, pos.Line, pos.Column+1)
		}
		if text.Len() > cloud.MaxErrorText {
			break
		}
	}

	return strings.TrimRight(text.String(), "\n")
}

// framePosition is the column and the bytecode offset at the end of a frame, as in "main.ts:4:8(12)".
var framePosition = regexp.MustCompile(`:(\d+)\(\d+\)`)

// libraryPrefix begins the names of our own programs, whose frames are not the author's.
const libraryPrefix = "picloud:"

// BaseLibrary is the name of the program that every runtime has run.
const BaseLibrary = libraryPrefix + "base"

// cleanStack turns the engine's stack text into V8's: no bytecode offsets, no frames of native code or
// base.js.
func cleanStack(s string) string {
	lines := strings.Split(s, "\n")

	out := lines[:0]
	for _, l := range lines {
		t, isFrame := strings.CutPrefix(l, "\tat ")
		if !isFrame {
			out = append(out, l)
			continue
		}

		if strings.Contains(t, libraryPrefix) || strings.Contains(t, "(native)") {
			continue
		}
		out = append(out, "    at "+framePosition.ReplaceAllStringFunc(t, func(s string) string {
			m := framePosition.FindStringSubmatch(s)
			column, _ := strconv.Atoi(m[1])
			return ":" + strconv.Itoa(column+1)
		}))
	}

	return strings.TrimRight(strings.Join(out, "\n"), "\n")
}
