package webassembly

import "github.com/dop251/goja"

// externs are the values of a script that its modules hold as externref: the engine has their number. null is
// 0.
type externs struct {
	values []goja.Value // that of number 1 is the first
	known  map[any]uint64
}

// handle is the number of a value. Values that are the same have the same one, but for floating-point numbers
// and BigInts.
func (e *externs) handle(v goja.Value) uint64 {
	if goja.IsNull(v) {
		return 0
	}

	var key any
	switch v := v.(type) {
	case *goja.Object, *goja.Symbol:
		key = v
	case goja.String:
		key = v.String()
	default:
		switch exported := v.Export().(type) {
		case nil, bool, int64:
			key = exported // nil: undefined
		}
		if key == nil && !goja.IsUndefined(v) {
			return e.add(v)
		}
	}

	if n, ok := e.known[key]; ok {
		return n
	}
	if e.known == nil {
		e.known = map[any]uint64{}
	}
	n := e.add(v)
	e.known[key] = n
	return n
}

func (e *externs) add(v goja.Value) uint64 {
	e.values = append(e.values, v)
	return uint64(len(e.values))
}

// value is the value of a number.
func (e *externs) value(n uint64) goja.Value {
	if n == 0 || n > uint64(len(e.values)) {
		return goja.Null()
	}
	return e.values[n-1]
}
