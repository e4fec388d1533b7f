package engine

import (
	"unsafe"

	"github.com/dop251/goja"
)

// method is a function that has nothing of its own but its length and its name, which no assignment changes,
// and the prototype of all functions. Most objects of the platform are such functions, so they are compared
// by what a script can add to them: that takes a pointer for each where a record takes hundreds of bytes.
type method = *plainObject

// asMethod gives the tables of a function, if it is a method; prototype is that of functions.
func asMethod(o, prototype *goja.Object) (method, bool) {
	t := layout().tableOf(o)
	if _, isFunc := goja.AssertFunction(o); !isFunc || t.names == nil || t.tmpl != nil {
		return nil, false
	}

	m := method(wordsOf(o).impl)
	isMirrored := unsafe.Pointer(&m.propNames) == unsafe.Pointer(t.names) && m.val == o
	return m, isMirrored && isMethod(m, prototype)
}

// isMethod reports that a function is a method still. What a script adds comes last, also when it has deleted
// something before.
func isMethod(m method, prototype *goja.Object) bool {
	return len(m.propNames) == 2 && m.propNames[1] == "name" && m.prototype == prototype
}
