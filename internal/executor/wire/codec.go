package wire

import (
	"encoding/binary"
	"math"
)

// Encoder appends fields to the body of a frame.
type Encoder struct{ b []byte }

// Uint appends an unsigned number.
func (e *Encoder) Uint(v uint64) { e.b = binary.AppendUvarint(e.b, v) }

// Int appends a signed number.
func (e *Encoder) Int(v int64) { e.b = binary.AppendVarint(e.b, v) }

// Float appends a double.
func (e *Encoder) Float(v float64) { e.b = binary.LittleEndian.AppendUint64(e.b, math.Float64bits(v)) }

// Bool appends a flag.
func (e *Encoder) Bool(v bool) {
	var flag byte
	if v {
		flag = 1
	}
	e.b = append(e.b, flag)
}

// String appends a string.
func (e *Encoder) String(s string) {
	e.Uint(uint64(len(s)))
	e.b = append(e.b, s...)
}

// Bytes appends a byte string.
func (e *Encoder) Bytes(s []byte) {
	e.Uint(uint64(len(s)))
	e.b = append(e.b, s...)
}

// Raw appends bytes without a length: the rest of the frame.
func (e *Encoder) Raw(s []byte) { e.b = append(e.b, s...) }

// Decoder reads the fields of a body, in the order in which they were appended. After the first malformed
// field every method returns a zero value, so that callers check Err once, in the end.
type Decoder struct {
	b   []byte // what is left
	bad bool
}

// NewDecoder returns a Decoder of a body, which it does not copy.
func NewDecoder(body []byte) *Decoder { return &Decoder{b: body} }

// Err returns ErrProtocol if a field was malformed, or if bytes are left over.
func (d *Decoder) Err() error {
	if d.bad || len(d.b) > 0 {
		return ErrProtocol
	}
	return nil
}

// Uint reads an unsigned number.
func (d *Decoder) Uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		return d.fail()
	}
	d.b = d.b[n:]
	return v
}

// Int reads a signed number.
func (d *Decoder) Int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		return int64(d.fail())
	}
	d.b = d.b[n:]
	return v
}

// Float reads a double.
func (d *Decoder) Float() float64 {
	if len(d.b) < 8 {
		d.fail()
		return 0
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(d.b))
	d.b = d.b[8:]
	return v
}

// Bool reads a flag; any byte but 0 and 1 is malformed.
func (d *Decoder) Bool() bool {
	if len(d.b) < 1 || d.b[0] > 1 {
		d.fail()
		return false
	}
	v := d.b[0] == 1
	d.b = d.b[1:]
	return v
}

// String reads a string.
func (d *Decoder) String() string { return string(d.Bytes()) }

// Bytes reads a byte string; it aliases the frame's body.
func (d *Decoder) Bytes() []byte {
	n := d.Uint()
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

// Count reads how many items follow. A number that could not fit in what is left is malformed, so that a
// small frame cannot make its reader allocate much.
func (d *Decoder) Count() int {
	n := d.Uint()
	if n > uint64(len(d.b)) {
		d.fail()
		return 0
	}
	return int(n)
}

// fail makes every further read return zero values. Its result is for those of numbers.
func (d *Decoder) fail() uint64 {
	d.bad = true
	d.b = nil
	return 0
}
