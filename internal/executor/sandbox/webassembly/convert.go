package webassembly

import (
	"math"
	"math/big"

	"github.com/dop251/goja"
)

// toWord converts a value of a script to one of a module (ToWebAssemblyValue). It throws what the conversion
// throws.
func (a *API) toWord(v goja.Value, t valueType) uint64 {
	switch t {
	case i32:
		return uint64(uint32(toInt32(v)))
	case i64:
		return uint64(a.toInt64(v))
	case f32:
		return uint64(math.Float32bits(float32(v.ToNumber().ToFloat())))
	case f64:
		return math.Float64bits(v.ToNumber().ToFloat())
	case funcref:
		return a.toRef(v)
	case externref:
		return a.externs.handle(v)
	}

	a.typeError("a v128 has no form in JavaScript")
	return 0
}

// toValue converts a value of a module to one of a script (ToJSValue).
func (a *API) toValue(w uint64, t valueType) goja.Value {
	switch t {
	case i32:
		return a.r.VM.ToValue(int64(int32(uint32(w))))
	case i64:
		return a.r.VM.ToValue(big.NewInt(int64(w)))
	case f32:
		return a.r.VM.ToValue(float64(math.Float32frombits(uint32(w))))
	case f64:
		return a.r.VM.ToValue(math.Float64frombits(w))
	case funcref:
		return a.fromRef(w)
	case externref:
		return a.externs.value(w)
	}

	a.typeError("a v128 has no form in JavaScript")
	return nil
}

// toInt32 is ToInt32 of the language (ECMA-262, 7.1.6).
func toInt32(v goja.Value) int32 {
	f := v.ToNumber().ToFloat()
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return 0
	case math.Abs(f) >= 1<<62:
		f = math.Mod(f, 1<<32)
	}
	return int32(int64(f))
}

// toInt64 is ToBigInt64 of the language (ECMA-262, 7.1.15).
func (a *API) toInt64(v goja.Value) int64 {
	wrapped := a.r.MustCall(a.asIntN, a.r.VM.ToValue(64), v)
	n, _ := wrapped.Export().(*big.Int)
	if n == nil {
		return 0
	}
	return n.Int64()
}

// enforced reads a number of 32 bits (Web IDL's [EnforceRange] unsigned long).
func (a *API) enforced(v goja.Value, what string) uint32 {
	f := v.ToNumber().ToFloat()
	if math.IsNaN(f) || math.IsInf(f, 0) {
		a.typeError("%s must be a finite number", what)
	}
	if f = math.Trunc(f); f < 0 || f > math.MaxUint32 {
		a.typeError("%s must be from 0 to 4294967295", what)
	}
	return uint32(f)
}

// descriptor reads an argument that must be an object.
func (a *API) descriptor(v goja.Value, what string) *goja.Object {
	o, ok := v.(*goja.Object)
	if !ok {
		a.typeError("%s must be an object", what)
	}
	return o
}

// size reads an optional size of a descriptor.
func (a *API) size(o *goja.Object, name string) *uint32 {
	v := o.Get(name)
	if v == nil || goja.IsUndefined(v) {
		return nil
	}
	n := a.enforced(v, name)
	return &n
}

// sizes reads the members initial and maximum of a descriptor, of which the first must be there.
func (a *API) sizes(o *goja.Object) limits {
	initial := a.size(o, "initial")
	if initial == nil {
		a.typeError("initial must be there")
	}
	return limits{min: *initial, max: a.size(o, "maximum")}
}
