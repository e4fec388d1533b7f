package wire

import (
	"encoding/binary"
	"math"
)

// Encoder appends fields to a frame.
type Encoder struct{ b []byte }

// Uint appends a number.
func (e *Encoder) Uint(v uint64) { e.b = binary.AppendUvarint(e.b, v) }

// Int appends a signed number.
func (e *Encoder) Int(v int64) { e.b = binary.AppendVarint(e.b, v) }

// Float appends a double.
func (e *Encoder) Float(v float64) { e.b = binary.LittleEndian.AppendUint64(e.b, math.Float64bits(v)) }

// Bool appends a flag.
func (e *Encoder) Bool(v bool) {
	if v {
		e.b = append(e.b, 1)
	} else {
		e.b = append(e.b, 0)
	}
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

// Decoder reads fields. After the first malformed field every read gives zero values; Err tells.
type Decoder struct {
	b   []byte
	bad bool
}

// NewDecoder reads from body.
func NewDecoder(body []byte) *Decoder { return &Decoder{b: body} }

// Err is ErrProtocol once a field was malformed or bytes are left over.
func (d *Decoder) Err() error {
	if d.bad || len(d.b) > 0 {
		return ErrProtocol
	}
	return nil
}

// Uint reads a number.
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

// Bool reads a flag.
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

// Count reads how many items follow; it refuses more than could fit in what is left.
func (d *Decoder) Count() int {
	n := d.Uint()
	if n > uint64(len(d.b)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *Decoder) fail() uint64 {
	d.bad = true
	d.b = nil
	return 0
}
