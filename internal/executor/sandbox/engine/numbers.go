package engine

import (
	"math/big"
	"reflect"
	"slices"

	"github.com/dop251/goja"
)

// RoundBigInts makes Number give the nearest number to a BigInt (ECMA-262, 21.1.1.1), where the engine takes
// its lowest 64 bits. It does nothing if the engine's memory is not Known.
func RoundBigInts(vm *goja.Runtime) {
	if !Known() {
		return
	}

	class := vm.GlobalObject().Get("Number").(*goja.Object)
	call := layout().function(class)
	nativeCall := *call
	*call = func(c goja.FunctionCall) goja.Value {
		c.Arguments = withRounded(vm, c.Arguments)
		return nativeCall(c)
	}

	construct := layout().constructor(class)
	nativeConstruct := *construct
	*construct = func(args []goja.Value, newTarget *goja.Object) *goja.Object {
		return nativeConstruct(withRounded(vm, args), newTarget)
	}
}

// withRounded is the arguments of Number with a number instead of a BigInt, or of an object that may become
// one.
func withRounded(vm *goja.Runtime, args []goja.Value) []goja.Value {
	if len(args) == 0 {
		return args
	}

	first := args[0]
	o, isObject := first.(*goja.Object)
	if isObject {
		first = toNumeric(vm, o)
	}

	n, isBig := bigInt(first)
	if !isObject && !isBig {
		return args
	}
	if isBig {
		nearest, _ := new(big.Float).SetInt(n).Float64()
		first = vm.ToValue(nearest)
	}

	rounded := slices.Clone(args)
	rounded[0] = first
	return rounded
}

func bigInt(v goja.Value) (*big.Int, bool) {
	if v.ExportType() != reflect.TypeFor[*big.Int]() {
		return nil, false
	}
	if _, isObject := v.(*goja.Object); isObject {
		return nil, false
	}
	n, ok := v.Export().(*big.Int)
	return n, ok
}

// numeric is ToNumeric (ECMA-262, 7.1.3): the minus sign takes numbers and BigInts, and takes itself back.
var numeric = goja.MustCompile("picloud:numeric", "(v) => -(-v)", true)

func toNumeric(vm *goja.Runtime, o *goja.Object) goja.Value {
	f, err := vm.RunProgram(numeric)
	if err != nil {
		panic(err)
	}

	call, _ := goja.AssertFunction(f)
	v, err := call(goja.Undefined(), o)
	if err != nil {
		panic(err)
	}
	return v
}
