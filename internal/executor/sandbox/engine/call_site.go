package engine

import (
	"reflect"
	"sort"
	"sync"
	"unsafe"

	"github.com/dop251/goja"
	"github.com/dop251/goja/file"
)

// callSite is where in its code a program is, and what it computes with.
type callSite struct {
	code  string
	at    int          // the offset in code that the engine notes for the present instruction
	stack []goja.Value // the last values, of which the last one is on top
}

// siteFields is where the engine keeps what a callSite has, as reflect counts fields.
type siteFields struct{ vm, prg, pc, sp, stack, src, srcMap, itemPC, itemPos []int }

var siteLayout = sync.OnceValue(func() *siteFields {
	f := &siteFields{}
	vm := fieldOf(reflect.TypeFor[goja.Runtime](), "vm", reflect.Pointer, &f.vm)
	prg := fieldOf(vm, "prg", reflect.Pointer, &f.prg)
	item := fieldOf(prg, "srcMap", reflect.Slice, &f.srcMap)
	fieldOf(vm, "pc", reflect.Int, &f.pc)
	fieldOf(vm, "sp", reflect.Int, &f.sp)
	fieldOf(item, "pc", reflect.Int, &f.itemPC)
	fieldOf(item, "srcPos", reflect.Int, &f.itemPos)

	value := fieldOf(vm, "stack", reflect.Slice, &f.stack)
	source := fieldOf(prg, "src", reflect.Pointer, &f.src)
	if f.itemPC == nil || f.itemPos == nil || f.sp == nil || f.pc == nil ||
		value != reflect.TypeFor[goja.Value]() || source != reflect.TypeFor[file.File]() {
		return nil
	}
	return f
})

// fieldOf finds a field by its name and kind, and gives the type that it points to or has items of.
func fieldOf(t reflect.Type, name string, kind reflect.Kind, index *[]int) reflect.Type {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	f, ok := t.FieldByName(name)
	if !ok || f.Type.Kind() != kind {
		return nil
	}

	*index = f.Index
	if kind == reflect.Int {
		return f.Type
	}
	return f.Type.Elem()
}

// siteOf reads where the runtime is. ok is false in native code.
func siteOf(vm *goja.Runtime) (site callSite, ok bool) {
	f := siteLayout()
	if f == nil {
		return site, false
	}

	machine := reflect.ValueOf(vm).Elem().FieldByIndex(f.vm).Elem()
	program := machine.FieldByIndex(f.prg)
	if program.IsNil() {
		return site, false
	}
	source := (*file.File)(program.Elem().FieldByIndex(f.src).UnsafePointer())
	if source == nil {
		return site, false
	}

	places := program.Elem().FieldByIndex(f.srcMap)
	pc := machine.FieldByIndex(f.pc).Int()
	after := sort.Search(places.Len(), func(k int) bool {
		return places.Index(k).FieldByIndex(f.itemPC).Int() > pc
	})
	if after > 0 {
		site.at = int(places.Index(after - 1).FieldByIndex(f.itemPos).Int())
	}

	values := machine.FieldByIndex(f.stack)
	stack := *(*[]goja.Value)(unsafe.Pointer(values.UnsafeAddr()))
	site.code = source.Source()
	site.stack = stack[:min(int(machine.FieldByIndex(f.sp).Int()), len(stack))]
	return site, site.at <= len(site.code)
}

// fromTop is the value that is so deep in the stack, from 1; undefined if there is none.
func (s *callSite) fromTop(depth int) goja.Value {
	if depth > len(s.stack) || s.stack[len(s.stack)-depth] == nil {
		return goja.Undefined()
	}
	return s.stack[len(s.stack)-depth]
}
