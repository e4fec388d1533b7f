package realm

import (
	"reflect"

	"github.com/dop251/goja"
)

// Settled is the promise that f made, or one of what it returned or threw.
func (r *Realm) Settled(f func() goja.Value) goja.Value {
	var value goja.Value
	exc := r.VM.Try(func() { value = f() })

	// One promise around another would cost as much as all else of a host call.
	if _, isPromise := AsPromise(value); exc == nil && isPromise {
		return value
	}

	p, resolve, reject := r.VM.NewPromise()
	if exc != nil {
		_ = reject(exc.Value())
	} else {
		_ = resolve(value)
	}

	return r.VM.ToValue(p)
}

// Resolve is Promise.resolve as the engine has it.
func (r *Realm) Resolve(v goja.Value) (goja.Value, error) { return r.resolve(r.promise, v) }

// Then chains native code to a promise with the intrinsic Promise.prototype.then.
func (r *Realm) Then(p goja.Value, f func(goja.Value) goja.Value) goja.Value {
	return r.MustCallOn(r.promiseThen, p, r.VM.ToValue(func(c goja.FunctionCall) goja.Value {
		return f(c.Argument(0))
	}))
}

// Catch chains native code to the rejection of a promise.
func (r *Realm) Catch(p goja.Value, f func(reason goja.Value)) {
	r.MustCallOn(r.promiseThen, p, goja.Undefined(), r.VM.ToValue(func(c goja.FunctionCall) goja.Value {
		f(c.Argument(0))
		return goja.Undefined()
	}))
}

// AsPromise gives the promise that a value is.
func AsPromise(v goja.Value) (*goja.Promise, bool) {
	o, ok := v.(*goja.Object)
	if !ok || o.ExportType() != reflect.TypeFor[*goja.Promise]() {
		return nil, false
	}
	p, ok := o.Export().(*goja.Promise)
	return p, ok
}

// MustCall calls a function of ours and throws what it throws.
func (r *Realm) MustCall(f goja.Callable, args ...goja.Value) goja.Value {
	return r.MustCallOn(f, goja.Undefined(), args...)
}

// MustCallOn is MustCall with a receiver.
func (r *Realm) MustCallOn(f goja.Callable, this goja.Value, args ...goja.Value) goja.Value {
	v, err := f(this, args...)
	if err != nil {
		panic(err)
	}
	return v
}

// maxRejected bounds the rejections that are remembered for the log.
const maxRejected = 100

// trackRejection is called by the engine when a promise is rejected without a handler, and when it gets one
// later.
func (r *Realm) trackRejection(p *goja.Promise, op goja.PromiseRejectionOperation) {
	if op == goja.PromiseRejectionHandle {
		delete(r.rejected, p)
		return
	}

	if r.rejected == nil {
		r.rejected = map[*goja.Promise]struct{}{}
	}
	if len(r.rejected) < maxRejected {
		r.rejected[p] = struct{}{}
	}
}

// Handled takes a promise off the list of unhandled rejections.
func (r *Realm) Handled(p *goja.Promise) { delete(r.rejected, p) }

// TakeRejected gives the promises that were rejected without a handler, once.
func (r *Realm) TakeRejected() map[*goja.Promise]struct{} {
	rejected := r.rejected
	r.rejected = nil
	return rejected
}
