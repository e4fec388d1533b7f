package engine

import (
	"unsafe"

	"github.com/dop251/goja"
)

// importedString mirrors goja's: a string of Go's, of which it finds out later whether it is ASCII.
type importedString struct {
	s       string
	u       []uint16
	scanned bool
}

// RawText gives a string's memory, without copying: bytes if all of them are ASCII, else UTF-16 code units.
// Both are only to be read.
func RawText(s goja.String) (ascii []byte, units []uint16) {
	l := plain()
	data := (*[2]unsafe.Pointer)(unsafe.Pointer(&s))[1]

	switch kindOf(s) {
	case l.ascii:
		return bytesOf(*(*string)(data)), nil
	case l.unicode:
		return nil, (*(*[]uint16)(data))[1:] // the first is a mark of the engine's
	case l.imported:
		_ = s.Length() // the engine finds out
		imported := (*importedString)(data)
		if imported.u == nil {
			return bytesOf(imported.s), nil
		}
		return nil, imported.u[1:]
	}

	// There is no other kind.
	for k := range s.Length() {
		units = append(units, s.CharAt(k))
	}
	return nil, units
}

func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// findTexts reports whether strings lie in memory as RawText reads them.
func (l *plainLayout) findTexts(vm *goja.Runtime) bool {
	for _, text := range []string{"a", "more than sixteen bytes", "\u00e9 more than sixteen bytes"} {
		s, ok := vm.ToValue(text).(goja.String)
		if !ok {
			return false
		}

		ascii, units := RawText(s)
		if len(ascii)+len(units) != s.Length() {
			return false
		}

		for k := range s.Length() {
			if units != nil && units[k] != s.CharAt(k) || ascii != nil && uint16(ascii[k]) != s.CharAt(k) {
				return false
			}
		}
	}
	return true
}
