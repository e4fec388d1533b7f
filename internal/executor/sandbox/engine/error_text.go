package engine

import (
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/dop251/goja"
)

// constructFunc is what makes the instances of a native class.
type constructFunc = func(args []goja.Value, newTarget *goja.Object) *goja.Object

// constructor finds where a native class keeps its constructFunc, or nil if that is not known.
func (l *engineLayout) constructor(class *goja.Object) *constructFunc {
	impl := l.impl(class)
	f, ok := impl.Type().FieldByName("construct")
	if !ok || f.Type != reflect.TypeFor[constructFunc]() {
		return nil
	}
	return (*constructFunc)(impl.FieldByIndex(f.Index).Addr().UnsafePointer())
}

// function finds where a native function keeps what it calls, or nil if that is not known.
func (l *engineLayout) function(o *goja.Object) *func(goja.FunctionCall) goja.Value {
	impl := l.impl(o)
	f, ok := impl.Type().FieldByName("f")
	if !ok || f.Type != reflect.TypeFor[func(goja.FunctionCall) goja.Value]() {
		return nil
	}
	return (*func(goja.FunctionCall) goja.Value)(impl.FieldByIndex(f.Index).Addr().UnsafePointer())
}

// frames finds where an error keeps its stack, or nil if that is not known.
func (l *engineLayout) frames(made *goja.Object) *[]goja.StackFrame {
	impl := l.impl(made)
	f, ok := impl.Type().FieldByName("stack")
	if !ok || f.Type != reflect.TypeFor[[]goja.StackFrame]() {
		return nil
	}
	return (*[]goja.StackFrame)(impl.FieldByIndex(f.Index).Addr().UnsafePointer())
}

// cleanedErrors are the classes of errors that have frames of libraries in their stacks, or objects in their
// messages.
var cleanedErrors = [...]string{
	"Error", "TypeError", "RangeError", "SyntaxError", "ReferenceError", "URIError", "AggregateError",
}

// CleanErrors keeps what is not the script's out of the errors that a script sees, and says what is missing
// in them. The engine writes an object that has no text, as Object.create(null), into a message as Go prints
// it, with addresses. Stacks lose the frames of native functions, and of programs whose names begin with
// library. What instead has is put behind the message that a name is not defined. It does nothing if the
// engine's memory is not Known.
func CleanErrors(vm *goja.Runtime, library string, instead map[string]string) {
	if !Known() {
		return
	}

	l := layout()
	isForeign := func(f goja.StackFrame) bool {
		name := f.SrcName()
		return name == "<native>" || strings.HasPrefix(name, library)
	}

	for _, name := range cleanedErrors {
		construct := l.constructor(vm.GlobalObject().Get(name).(*goja.Object))
		native := *construct
		*construct = func(args []goja.Value, newTarget *goja.Object) *goja.Object {
			made := native(cleanMessage(vm, args, instead), newTarget)
			if frames := l.frames(made); frames != nil {
				*frames = slices.DeleteFunc(*frames, isForeign)
			}
			return made
		}
	}
}

var (
	// printedPanic is what Go writes for a value whose text could not be made, as that threw.
	printedPanic = regexp.MustCompile(`(?s)%!s\(PANIC=String method: .*\)`)
	// printedMissing is what Go writes where a value is missing.
	printedMissing = regexp.MustCompile(` ?%!s\(MISSING\)`)
)

// cleanMessage is the arguments of an error with a message that has nothing which Go has written into it.
func cleanMessage(vm *goja.Runtime, args []goja.Value, instead map[string]string) []goja.Value {
	if len(args) == 0 {
		return args
	}
	message, isText := args[0].(goja.String)
	if !isText {
		return args
	}

	text := message.String()
	switch {
	case strings.HasPrefix(text, "Could not convert &") && strings.HasSuffix(text, " to primitive"):
		text = "Cannot convert object to primitive value"
	case strings.Contains(text, "%!s("):
		text = printedPanic.ReplaceAllString(text, "an object")
		text = printedMissing.ReplaceAllString(text, "")
	default:
		text = explain(vm, text)
	}

	if advice := instead[missingName(text)]; advice != "" {
		text += ": " + advice
	}
	if text == message.String() {
		return args
	}
	return append([]goja.Value{vm.ToValue(text)}, args[1:]...)
}
