package webassembly

import (
	"slices"

	"github.com/tetratelabs/wazero/api"
)

// valueType is a value type as the binary format writes it (WebAssembly core specification, 5.3).
type valueType = byte

const (
	i32       valueType = 0x7f
	i64       valueType = 0x7e
	f32       valueType = 0x7d
	f64       valueType = 0x7c
	v128      valueType = 0x7b
	funcref   valueType = 0x70
	externref valueType = 0x6f
)

// typeNames are the names that the JavaScript interface gives to value types.
var typeNames = map[valueType]string{
	i32: "i32", i64: "i64", f32: "f32", f64: "f64", v128: "v128", funcref: "anyfunc", externref: "externref",
}

// typeNamed finds a value type by its name; ok is false if there is none.
func typeNamed(name string) (t valueType, ok bool) {
	for t, n := range typeNames {
		if n == name {
			return t, true
		}
	}
	return 0, false
}

func isReference(t valueType) bool { return t == funcref || t == externref }

// externKind is what an import or an export is, as the binary format writes it.
type externKind byte

const (
	kindFunction externKind = iota
	kindTable
	kindMemory
	kindGlobal
)

func (k externKind) String() string {
	return [...]string{"function", "table", "memory", "global"}[k]
}

// funcType is the type of a function.
type funcType struct{ params, results []valueType }

func (t *funcType) equal(other *funcType) bool {
	return slices.Equal(t.params, other.params) && slices.Equal(t.results, other.results)
}

// hasVector reports a value that JavaScript has no form for.
func (t *funcType) hasVector() bool {
	return slices.Contains(t.params, v128) || slices.Contains(t.results, v128)
}

// slots is how many words a call's arguments or results take, whichever are more.
func (t *funcType) slots() int { return max(len(t.params), len(t.results)) }

// limits are the sizes of a memory, in pages, or of a table, in elements.
type limits struct {
	min uint32
	max *uint32 // nil if there is none
}

// admit reports whether what is now as large as size, and may become as large as most, can be imported as
// something of these limits.
func (l limits) admit(size uint32, most *uint32) bool {
	if size < l.min {
		return false
	}
	return l.max == nil || most != nil && *most <= *l.max
}

// tableType and globalType are the types of tables and globals.
type (
	tableType struct {
		limits
		element valueType
	}
	globalType struct {
		value   valueType
		mutable bool
	}
)

// toAPI gives value types as the engine wants them.
func toAPI(types []valueType) []api.ValueType { return slices.Clone(types) }
