package sdk

import (
	"math"
	"strconv"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/realm"
)

// option is a member of an options object, or nil if it was not given.
func option(o *goja.Object, name string) goja.Value {
	v := o.Get(name)
	if realm.IsNothing(v) {
		return nil
	}
	return v
}

// number is a finite number that a script gave; anything else throws a TypeError of the message.
func (h *Host) number(v goja.Value, message string) float64 {
	exported := v.Export()
	f, ok := exported.(float64)
	if n, isInt := exported.(int64); isInt {
		f, ok = float64(n), true
	}
	if !ok || math.IsNaN(f) || math.IsInf(f, 0) {
		panic(h.VM.NewTypeError(message))
	}

	return f
}

// How many items a list gives, unless the script says otherwise, and at most.
const (
	defaultItems = 100
	maxItems     = 1000
)

// limit is how many items a list may give.
func (h *Host) limit(opts *goja.Object) int {
	v := option(opts, "limit")
	if v == nil {
		return defaultItems
	}
	n := h.number(v, "limit must be a number")
	if n < 1 || n > maxItems || n != math.Trunc(n) {
		h.Throw("RangeError", "limit must be from 1 to 1000")
	}

	return int(n)
}

// encode is the JSON text of a value; one that has none throws a TypeError.
func (h *Host) encode(v goja.Value) string {
	text, err := h.JSON.Encode(v)
	if err != nil {
		panic(err)
	}
	if text == nil {
		panic(h.VM.NewTypeError("the value has no JSON form"))
	}
	return string(text)
}

// decode is the value of a JSON text that the parent sent.
func (h *Host) decode(text string) goja.Value {
	v, err := h.JSON.Decode(text)
	if err != nil {
		panic(err)
	}
	return v
}

// page is a list that the parent sent. each, which is given every item, may change it.
func (h *Host) page(text string, each func(item *goja.Object)) goja.Value {
	page := h.decode(text).(*goja.Object)

	items := page.Get("items").(*goja.Object)
	for k := range int(items.Get("length").ToInteger()) {
		each(items.Get(strconv.Itoa(k)).(*goja.Object))
	}
	return page
}

// date makes a Date of what its constructor takes.
func (h *Host) date(v goja.Value) (*goja.Object, error) {
	return h.VM.New(h.VM.GlobalObject().Get("Date"), v)
}
