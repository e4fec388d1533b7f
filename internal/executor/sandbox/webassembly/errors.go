package webassembly

import (
	_ "embed"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"github.com/dop251/goja"
	"github.com/tetratelabs/wazero/sys"

	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/sandbox/realm"
)

//go:embed errors.js
var errorsSource string

var errorsProgram = sync.OnceValue(func() *goja.Program {
	return engine.MustCompile("picloud:webassembly", errorsSource)
})

// addErrors defines CompileError, LinkError and RuntimeError.
func (a *API) addErrors() {
	library := a.r.RunLibrary(errorsProgram(), a.r.VM.NewObject())
	into := []*goja.Constructor{&a.compileError, &a.linkError, &a.runtimeError}
	k := 0
	a.r.VM.ForOf(library.Get("errors"), func(class goja.Value) bool {
		*into[k], _ = goja.AssertConstructor(class)
		name := class.(*goja.Object).Get("name").String()
		_ = a.Object.DefineDataProperty(name, class, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
		k++
		return true
	})
}

// fail throws an error of one of the three classes.
func (a *API) fail(class goja.Constructor, format string, args ...any) {
	made, err := class(nil, a.r.VM.ToValue(realm.Clip(fmt.Sprintf(format, args...))))
	if err != nil {
		panic(err)
	}
	panic(made)
}

// typeError throws a TypeError.
func (a *API) typeError(format string, args ...any) {
	panic(a.r.VM.NewTypeError("%s", realm.Clip(fmt.Sprintf(format, args...))))
}

// rangeError throws a RangeError.
func (a *API) rangeError(format string, args ...any) {
	a.r.Throw("RangeError", realm.Clip(fmt.Sprintf(format, args...)))
}

// thrownError carries through the engine what a function that a module imports has thrown: an exception of
// the script, or the end of the run.
type thrownError struct{ cause error }

func (e *thrownError) Error() string { return "the script has thrown" }

// trapMark begins the texts of errors that are traps: their cause says which.
const trapMark = "wasm error: "

// throw throws what ended a call: what the script itself has thrown, or a RuntimeError for a trap.
func (a *API) throw(err error) {
	var (
		thrown *thrownError
		fault  runtime.Error
		exit   *sys.ExitError
	)
	switch {
	case errors.As(err, &thrown):
		panic(thrown.cause)
	case errors.As(err, &exit):
		a.fail(a.runtimeError, "the run was interrupted")
	case errors.As(err, &fault):
		panic(fault) // the engine failed: nothing in this process can be relied on
	case strings.HasPrefix(err.Error(), trapMark):
		a.trap(errors.Unwrap(err).Error())
	}

	a.fail(a.runtimeError, "the module failed")
}

// trap throws what a trap is to a script.
func (a *API) trap(what string) {
	if what == "stack overflow" {
		a.rangeError("Maximum call stack size exceeded")
	}
	a.fail(a.runtimeError, "%s", what)
}

// protect runs f, whose JavaScript may throw, where the engine would take that for a failure of its own.
func (a *API) protect(f func()) {
	if exc := a.r.VM.Try(f); exc != nil {
		panic(&thrownError{exc})
	}
}
