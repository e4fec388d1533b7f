package webassembly

import (
	"fmt"
	"unicode/utf8"
)

// malformedError says where a binary is not one.
type malformedError struct {
	at   int // offset in bytes
	what string
}

func (e *malformedError) Error() string { return fmt.Sprintf("%s at offset %d", e.what, e.at) }

// reader reads a binary. It panics with a malformedError, which parse recovers.
type reader struct {
	all []byte
	at  int
	end int
}

func (r *reader) fail(format string, args ...any) {
	panic(&malformedError{r.at, fmt.Sprintf(format, args...)})
}

func (r *reader) left() int { return r.end - r.at }

func (r *reader) byte() byte {
	if r.left() < 1 {
		r.fail("unexpected end")
	}
	b := r.all[r.at]
	r.at++
	return b
}

func (r *reader) bytes(n uint32) []byte {
	if uint64(n) > uint64(r.left()) {
		r.fail("unexpected end")
	}
	b := r.all[r.at : r.at+int(n)]
	r.at += int(n)
	return b
}

// u32 reads an unsigned number in LEB128, of at most five bytes.
func (r *reader) u32() uint32 {
	var v uint32
	for shift := 0; ; shift += 7 {
		b := r.byte()
		if shift == 28 && b > 0x0f {
			r.fail("a number is too large")
		}
		v |= uint32(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
}

// skipSigned passes over a signed number in LEB128 of at most n bytes; the engine reads it, and judges it.
func (r *reader) skipSigned(n int) {
	for range n {
		if r.byte() < 0x80 {
			return
		}
	}
	r.fail("a number is too large")
}

// s32 reads a signed number in LEB128.
func (r *reader) s32() int32 {
	var v int64

	shift := 0
	for range 5 {
		b := r.byte()
		v |= int64(b&0x7f) << shift
		shift += 7
		if b < 0x80 {
			if b&0x40 != 0 {
				v |= -1 << shift
			}
			return int32(v)
		}
	}
	r.fail("a number is too large")
	return 0
}

// count reads how many items follow, each of which takes at least one byte.
func (r *reader) count() int {
	n := r.u32()
	if uint64(n) > uint64(r.left()) {
		r.fail("more items than bytes")
	}
	return int(n)
}

func (r *reader) name() string {
	b := r.bytes(r.u32())
	if !utf8.Valid(b) {
		r.fail("a name is not UTF-8")
	}
	return string(b)
}

func (r *reader) valueType() valueType {
	t := r.byte()
	if typeNames[t] == "" {
		r.fail("value type 0x%02x is not supported", t)
	}
	return t
}

func (r *reader) refType() valueType {
	t := r.byte()
	if !isReference(t) {
		r.fail("reference type 0x%02x is not supported", t)
	}
	return t
}

func (r *reader) limits() limits {
	flag := r.byte()
	switch flag {
	case 0:
		return limits{min: r.u32()}
	case 1:
		l := limits{min: r.u32()}
		most := r.u32()
		l.max = &most
		if most < l.min {
			r.fail("a maximum is smaller than its minimum")
		}
		return l
	case 2, 3:
		r.fail("shared memories are not supported")
	case 4, 5, 6, 7:
		r.fail("64-bit memories and tables are not supported")
	default:
		r.fail("limits 0x%02x are not supported", flag)
	}
	return limits{}
}

func (r *reader) tableType() tableType {
	element := r.refType()
	return tableType{element: element, limits: r.limits()}
}

// memoryPages is the most pages of 64 KiB that an address of 32 bits reaches.
const memoryPages = 65536

func (r *reader) memoryType() limits {
	l := r.limits()
	if l.min > memoryPages || l.max != nil && *l.max > memoryPages {
		r.fail("a memory has more than %d pages", memoryPages)
	}
	return l
}

func (r *reader) globalType() globalType {
	value := r.valueType()
	mutable := r.byte()
	if mutable > 1 {
		r.fail("mutability 0x%02x is not supported", mutable)
	}
	return globalType{value, mutable == 1}
}
