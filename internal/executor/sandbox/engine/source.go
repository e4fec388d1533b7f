package engine

import (
	"sync"
	"unsafe"

	"github.com/dop251/goja"
)

// source is where the engine keeps the text of a function that was written in JavaScript, or nil for any
// other object.
func (l *engineLayout) source(o *goja.Object) *string {
	impl := l.impl(o)
	fields := l.fields(impl.Type())
	if fields == nil || fields.source == nil {
		return nil
	}
	return (*string)(impl.FieldByIndex(fields.source).Addr().UnsafePointer())
}

// hiddenSource is a function of a library of ours: the programs of libraries, and so the places of texts in
// them, are shared by all runtimes of a process.
type hiddenSource struct {
	at   *byte
	name string
}

// hiddenSources has what String says of such functions, as strings.
var hiddenSources sync.Map

// HideSource makes String say of a function that was written in JavaScript what it says of a native one. It
// does nothing for any other object, or if the engine's memory is not Known.
func HideSource(o *goja.Object) {
	if !Known() {
		return
	}
	source := layout().source(o)
	if source == nil {
		return
	}

	key := hiddenSource{at: unsafe.StringData(*source), name: o.Get("name").String()}
	hidden, known := hiddenSources.Load(key)
	if !known {
		hidden = "function " + key.name + "() { [native code] }"
		hiddenSources.Store(key, hidden)
	}

	*source = hidden.(string)
}
