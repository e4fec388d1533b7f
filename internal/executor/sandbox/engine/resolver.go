package engine

import (
	"sync"

	"github.com/dop251/goja"
)

// resolvers are the native functions behind those that the engine passes to the executor of a promise.
var resolvers = sync.OnceValue(func() (codes [2]uintptr) {
	vm := goja.New()
	v, err := vm.RunString(`let both; new Promise((resolve, reject) => { both = [resolve, reject] }); both`)
	if err != nil {
		return codes
	}

	for k, name := range []string{"0", "1"} {
		o, ok := v.(*goja.Object).Get(name).(*goja.Object)
		if !ok {
			return codes
		}
		code, _, native := layout().code(o)
		if native {
			codes[k] = code
		}
	}
	return codes
})

// SettlesPromise reports whether a function is one that the engine has passed to the executor of a promise:
// to call it does nothing but settle the promise. It reports false if the engine's memory is not Known.
func SettlesPromise(v goja.Value) bool {
	o, ok := v.(*goja.Object)
	if !ok || !Known() {
		return false
	}

	code, _, native := layout().code(o)
	codes := resolvers()
	return native && code != 0 && (code == codes[0] || code == codes[1])
}
