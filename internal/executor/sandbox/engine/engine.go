// Package engine is everything that reads or writes the memory of the JavaScript engine, goja, past its
// exported API: the comparison of a runtime's intrinsics with what they were (Snapshot), JSON that is made
// and read in the engine's own tables (JSON), regular expressions of package regex in place of the engine's
// (RegExp), what scripts see of it in errors and in the texts of functions (CleanErrors, HideSource), and
// what it does otherwise than ECMA-262 (Compile, CopyProxyArguments and their like; docs/upstream/goja.md
// lists the faults). It knows nothing of runs, web APIs or the platform, and it is the only package that uses
// unsafe on goja.
//
// It mirrors goja v0.0.0-20260917113740-793a2a65c13b. What is mirrored:
//
//   - Runtime.global: the offsets of its *Object fields, which are the intrinsics made so far (layout.go)
//   - Object.self, the implementation behind an object, and of it baseObject's class, val, prototype,
//     extensible, values, propNames and symValues, and templatedObject's tmpl
//   - arrayObject's values, length and objCount; nativeFuncObject's f and construct;
//     baseJsFuncObject's src; errorObject's stack
//   - Runtime.vm, and of it the pc of each context in callStack, prg, pc, sp and stack; of a Program its src
//     and srcMap (new_target.go, call_site.go)
//   - regexpObject's pattern and source; regexpPattern; guardedObject's guardedProps; newRegexp's pattern
//     and src; Program's code; asciiString, unicodeString and importedString; vm's interrupted
//   - valueProperty, orderedMap, mapEntry and objectTemplate, as structs of the same form
//
// Fields are looked up by name and type in each process, before the first runtime serves a run. If one of
// them is not what this package knows, nothing is read or written there: Known is false, a Snapshot is never
// intact, so that every run pays for a runtime of its own, and JSON is written by the engine and read through
// its API. TestKnown fails then. TestIntact, TestIntactNames (package sandbox), TestPlainJSON and FuzzJSON
// fail if a field is where it was and does not mean what it meant. A new version of goja is taken when all of
// them pass; docs/design/005-engine-memory.md says more.
package engine

import (
	"unicode/utf8"

	"github.com/dop251/goja"
)

// Known reports whether the engine's memory is laid out as this package mirrors it. It is the same for the
// whole process.
func Known() bool { return layout().ok && plain().ok && regExps().ok }

// UTF8 gives an engine's string, as goja.Value.String returns it, as valid UTF-8: lone surrogates, which
// the engine carries as invalid UTF-8, become U+FFFD.
func UTF8(s string) []byte {
	if utf8.ValidString(s) {
		return []byte(s)
	}

	text := make([]byte, 0, len(s))
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && size == 1 && len(s) >= surrogateSize {
			size = surrogateSize
		}
		text = utf8.AppendRune(text, r)
		s = s[size:]
	}
	return text
}

// surrogateSize is how many bytes a surrogate has in what would be UTF-8 if it were allowed there.
const surrogateSize = 3

// Thrown makes a Go error of a value, as if a script had thrown it in the runtime.
func Thrown(vm *goja.Runtime, v goja.Value) error {
	throw, _ := goja.AssertFunction(vm.ToValue(func(goja.FunctionCall) goja.Value { panic(v) }))
	_, err := throw(goja.Undefined())
	return err
}
