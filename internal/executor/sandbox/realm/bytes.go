package realm

import (
	"bytes"
	"reflect"

	"github.com/dop251/goja"
)

// BytesOf copies an ArrayBuffer or a view of one. It reports false if v is neither.
func (r *Realm) BytesOf(v goja.Value) ([]byte, bool) {
	all, ok := r.MemoryOf(v)
	return bytes.Clone(all), ok
}

// MemoryOf gives the bytes of an ArrayBuffer or a view of one, the script's own: what is written there the
// script sees.
func (r *Realm) MemoryOf(v goja.Value) ([]byte, bool) {
	object, ok := v.(*goja.Object)
	if !ok {
		return nil, false
	}

	exported := object.ExportType()
	if exported == reflect.TypeFor[goja.ArrayBuffer]() {
		buffer, ok := object.Export().(goja.ArrayBuffer)
		return NotNil(buffer.Bytes()), ok
	}

	isTyped := exported != nil && exported.Kind() == reflect.Slice &&
		exported.Elem().Kind() != reflect.Interface
	if !isTyped && !r.IsDataView(object) {
		return nil, false
	}

	return viewed(object)
}

// viewed gives the bytes that a typed array or a DataView shows.
func viewed(view *goja.Object) ([]byte, bool) {
	object, ok := view.Get("buffer").(*goja.Object)
	if !ok {
		return nil, false
	}

	buffer, ok := object.Export().(goja.ArrayBuffer)
	if !ok {
		return nil, false
	}

	// A script can define these properties anew.
	offset := view.Get("byteOffset").ToInteger()
	length := view.Get("byteLength").ToInteger()
	all := buffer.Bytes()
	if offset < 0 || length < 0 || offset > int64(len(all)) || length > int64(len(all))-offset {
		return nil, false
	}

	return NotNil(all[offset : offset+length]), true
}

// NotNil is b, empty instead of nil.
func NotNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Uint8Array makes a Uint8Array of a copy.
func (r *Realm) Uint8Array(raw []byte) goja.Value {
	buffer := r.VM.NewArrayBuffer(bytes.Clone(raw))
	o, err := r.VM.New(r.VM.GlobalObject().Get("Uint8Array"), r.VM.ToValue(buffer))
	if err != nil {
		panic(err)
	}
	return o
}

// IsDataView reports a DataView, by its prototypes.
func (r *Realm) IsDataView(o *goja.Object) bool {
	for proto := o.Prototype(); proto != nil; proto = proto.Prototype() {
		if proto == r.dataViewProto {
			return true
		}
	}
	return false
}
