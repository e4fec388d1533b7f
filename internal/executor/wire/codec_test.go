package wire

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// Fields read back in the order in which they were appended, whatever their values.
func TestFieldsReadBack(t *testing.T) {
	t.Parallel()
	uints := []uint64{0, 1, 127, 128, math.MaxUint64}
	ints := []int64{0, -1, 63, 64, math.MinInt64, math.MaxInt64}
	floats := []float64{0, math.Copysign(0, -1), 0.1, math.Inf(1), math.MaxFloat64}
	texts := []string{"", "x", "é\x00", strings.Repeat("long", 100)}

	d := NewDecoder(encoded(func(e *Encoder) {
		for _, v := range uints {
			e.Uint(v)
		}

		for _, v := range ints {
			e.Int(v)
		}

		for _, v := range floats {
			e.Float(v)
		}

		for _, v := range texts {
			e.String(v)
			e.Bytes([]byte(v))
		}
		e.Bool(true)
		e.Bool(false)
	}))
	for _, want := range uints {
		if got := d.Uint(); got != want {
			t.Errorf("uint %d, want %d", got, want)
		}
	}

	for _, want := range ints {
		if got := d.Int(); got != want {
			t.Errorf("int %d, want %d", got, want)
		}
	}

	for _, want := range floats {
		if got := d.Float(); math.Float64bits(got) != math.Float64bits(want) {
			t.Errorf("float %v, want %v", got, want)
		}
	}

	for _, want := range texts {
		if got := d.String(); got != want {
			t.Errorf("string %q, want %q", got, want)
		}
		if got := d.Bytes(); string(got) != want {
			t.Errorf("bytes %q, want %q", got, want)
		}
	}
	if !d.Bool() || d.Bool() || d.Err() != nil {
		t.Errorf("flags are wrong, or %v", d.Err())
	}
}

// A malformed field gives a zero value, and so does every field after it; the error comes in the end.
func TestMalformedFields(t *testing.T) {
	t.Parallel()

	all := strings.Repeat("\xff", 9)
	for name, c := range map[string]struct {
		body string
		read func(*Decoder) bool // reports a zero value
	}{
		"uint without end":       {"\xff", func(d *Decoder) bool { return d.Uint() == 0 }},
		"uint over 64 bits":      {all + "\x7f", func(d *Decoder) bool { return d.Uint() == 0 }},
		"int without end":        {"\xff", func(d *Decoder) bool { return d.Int() == 0 }},
		"short float":            {"1234567", func(d *Decoder) bool { return d.Float() == 0 }},
		"no flag":                {"", func(d *Decoder) bool { return !d.Bool() }},
		"flag of 2":              {"\x02", func(d *Decoder) bool { return !d.Bool() }},
		"bytes beyond the end":   {"\x05abc", func(d *Decoder) bool { return d.Bytes() == nil }},
		"bytes of 2^64":          {all + "\x01abc", func(d *Decoder) bool { return d.Bytes() == nil }},
		"string beyond the end":  {"\x05abc", func(d *Decoder) bool { return d.String() == "" }},
		"count beyond the end":   {"\x05abcd", func(d *Decoder) bool { return d.Count() == 0 }},
		"left over":              {"\x00x", func(d *Decoder) bool { return d.Uint() == 0 }},
		"nothing after an error": {"\x02\x01", func(d *Decoder) bool { return !d.Bool() && !d.Bool() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := NewDecoder([]byte(c.body))
			if !c.read(d) || !errors.Is(d.Err(), ErrProtocol) {
				t.Errorf("it was read, or Err is %v", d.Err())
			}
		})
	}
}

// The bytes of a field cannot grow into those of the next.
func TestBytesAreBounded(t *testing.T) {
	t.Parallel()
	d := NewDecoder(encoded(func(e *Encoder) { e.String("ab"); e.String("cd") }))
	first := d.Bytes()
	_ = append(first, "xx"...)
	if got := d.String(); got != "cd" {
		t.Errorf("the next field is %q", got)
	}
}
