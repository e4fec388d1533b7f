package engine

import (
	"reflect"
	"regexp"
	"sync"
	"unsafe"

	"github.com/dop251/goja"
	"github.com/dop251/goja/unistring"

	"picloud/internal/executor/sandbox/regex"
)

// The engine has regular expressions of its own, which differ from the standard's in many ways. Those of
// scripts are matched by package regex: an object is the engine's, with its class and its lastIndex, but its
// pattern is a Pattern of ours behind what the engine takes for a pattern. Every native function that would
// match with it is replaced (package regexps); to one that was forgotten it looks like a pattern that never
// matches.

// Pattern is what a regular expression matches. It is immutable and shared by runtimes.
type Pattern struct {
	never   regexp.Regexp // comes first: what the engine sees
	Program *regex.Program
	Source  goja.String
	// Subclass says that the object was not made by RegExp itself: its matches are not kept for RegExp.$1.
	Subclass bool
}

// enginePattern mirrors goja's regexpPattern.
type enginePattern struct {
	src                                                    string
	global, ignoreCase, multiline, dotAll, sticky, unicode bool
	// regexpWrapper is a *regexp.Regexp in a pattern of the engine's own.
	regexpWrapper *Pattern
	_             unsafe.Pointer // regexp2Wrapper
}

// ours is the src of patterns of ours, told apart by where it is in memory.
var ours = string([]byte("a pattern of PiCloud's"))

var never = regexp.MustCompile(`[^\x{0}-\x{10ffff}]`)

// NewPattern compiles a pattern. Its error is a *regex.SyntaxError.
func NewPattern(source goja.String, flags regex.Flags) (*Pattern, error) {
	program, err := regex.Compile(codeUnits(source), flags)
	if err != nil {
		return nil, err
	}
	return &Pattern{never: *never, Program: program, Source: source}, nil
}

func codeUnits(s goja.String) []uint16 {
	ascii, units := RawText(s)
	if ascii == nil {
		return units
	}

	units = make([]uint16, len(ascii))
	for k, c := range ascii {
		units[k] = uint16(c)
	}
	return units
}

// engineForm is how the engine keeps a pattern.
func (p *Pattern) engineForm() *enginePattern {
	f := p.Program.Flags
	return &enginePattern{
		src: ours, regexpWrapper: p,
		global: f.Has(regex.Global), ignoreCase: f.Has(regex.IgnoreCase), multiline: f.Has(regex.Multiline),
		dotAll: f.Has(regex.DotAll), sticky: f.Has(regex.Sticky), unicode: f.Has(regex.Unicode),
	}
}

// flags are those of a pattern that the engine made.
func (p *enginePattern) flags() regex.Flags {
	var f regex.Flags
	for flag, is := range map[regex.Flags]bool{
		regex.Global: p.global, regex.IgnoreCase: p.ignoreCase, regex.Multiline: p.multiline,
		regex.DotAll: p.dotAll, regex.Sticky: p.sticky, regex.Unicode: p.unicode,
	} {
		if is {
			f |= flag
		}
	}
	return f
}

// regExpLayout is where the engine keeps regular expressions.
type regExpLayout struct {
	ok                            bool
	object                        kind    // of implementations
	pattern, source, symbols      uintptr // offsets in one
	guarded                       kind    // of RegExp.prototype as the engine made it
	guardedProps                  uintptr
	literal                       reflect.Type // of the instruction that makes one
	literalPattern, literalSource uintptr
	machine, interrupted          uintptr // offsets in the runtime, and in its machine
}

// regExps finds the engine's regular expressions, once.
var regExps = sync.OnceValue(func() *regExpLayout {
	l := &regExpLayout{}
	l.find()
	return l
})

// find looks for the mirrored fields, and sets ok only if each of them is where it is expected.
func (l *regExpLayout) find() {
	defer func() {
		if recover() != nil { // reflect refuses what is not there
			l.ok = false
		}
	}()

	vm := goja.New()
	made, err := vm.RunString("/a/")
	if err != nil || !plain().ok || !layout().ok {
		return
	}

	o := made.(*goja.Object)
	impl := layout().impl(o).Type()
	pattern, ok1 := impl.FieldByName("pattern")
	source, ok2 := impl.FieldByName("source")
	l.object = wordsOf(o).kind
	l.pattern = pattern.Offset
	l.source = source.Offset
	symbols, ok6 := impl.FieldByName("symValues")
	l.symbols = symbols.Offset

	proto := o.Prototype()
	guard, ok3 := layout().impl(proto).Type().FieldByName("guardedProps")
	l.guarded = wordsOf(proto).kind
	l.guardedProps = guard.Offset

	machine, ok4 := reflect.TypeFor[goja.Runtime]().FieldByName("vm")
	interrupted, ok5 := machine.Type.Elem().FieldByName("interrupted")
	l.machine = machine.Offset
	l.interrupted = interrupted.Offset

	found := ok1 && ok2 && ok3 && ok4 && ok5 && ok6
	l.ok = found &&
		symbols.Type.Kind() == reflect.Pointer && interrupted.Type.Kind() == reflect.Uint32 &&
		source.Type == reflect.TypeFor[goja.String]() && guard.Type.Kind() == reflect.Map &&
		impl.Field(0).Type == layout().impl(vm.NewObject()).Type() &&
		mirrors(pattern.Type.Elem(), reflect.TypeFor[enginePattern](),
			"src", "global", "ignoreCase", "multiline", "dotAll", "sticky", "unicode", "regexpWrapper") &&
		l.findLiterals() && l.reads(vm)
}

// reads reports whether an object is read as what it is, and one that is made from a pattern is what it
// should be.
func (l *regExpLayout) reads(vm *goja.Runtime) bool {
	v, err := vm.RunString("/a(b)/gi")
	if err != nil || *l.flag(vm) != 0 || !plain().findTexts(vm) {
		return false
	}
	vm.Interrupt(0)
	isInterrupted := *l.flag(vm) == 1
	vm.ClearInterrupt()

	x, ok := l.regExp(v)
	if !ok || !isInterrupted {
		return false
	}

	source, flags := x.Original()
	if x.Pattern() != nil || source.String() != "a(b)" || flags != regex.Global|regex.IgnoreCase {
		return false
	}

	cell := x.lastIndex()
	return cell != nil && cell.writable && cell.value.ToInteger() == 0 && x.Unchanged(x.Object.Prototype())
}

// RegExp is a regular expression object.
type RegExp struct {
	Object *goja.Object
	impl   unsafe.Pointer
	l      *regExpLayout
}

// AsRegExp gives the regular expression that a value is.
func AsRegExp(v goja.Value) (RegExp, bool) { return regExps().regExp(v) }

func (l *regExpLayout) regExp(v goja.Value) (RegExp, bool) {
	o, ok := v.(*goja.Object)
	if !ok {
		return RegExp{}, false
	}
	if w := wordsOf(o); w.kind == l.object {
		return RegExp{o, w.impl, l}, true
	}
	return RegExp{}, false
}

// Pattern is what a regular expression matches, or nil if the engine made it, of a literal in code that it
// compiled itself (eval, new Function): Original is what that should match.
func (x RegExp) Pattern() *Pattern {
	p := *(**enginePattern)(unsafe.Add(x.impl, x.l.pattern))
	if unsafe.StringData(p.src) == unsafe.StringData(ours) {
		return p.regexpWrapper
	}
	return nil
}

// Original is the text and the flags of a regular expression that the engine made.
func (x RegExp) Original() (source goja.String, flags regex.Flags) {
	p := *(**enginePattern)(unsafe.Add(x.impl, x.l.pattern))
	return *(*goja.String)(unsafe.Add(x.impl, x.l.source)), p.flags()
}

// SetPattern makes a regular expression match something else.
func (x RegExp) SetPattern(p *Pattern) {
	*(**enginePattern)(unsafe.Add(x.impl, x.l.pattern)) = p.engineForm()
	*(*goja.String)(unsafe.Add(x.impl, x.l.source)) = p.Source
}

// lastIndex is where the engine keeps the property, which no script can delete.
func (x RegExp) lastIndex() *property {
	v := (*plainObject)(x.impl).values["lastIndex"]
	if v == nil || reflect.TypeOf(v) != layout().valueProperty {
		return nil
	}
	return (*property)(reflect.ValueOf(v).UnsafePointer())
}

// LastIndex gives the property of that name.
func (x RegExp) LastIndex() goja.Value { return x.lastIndex().value }

// SetLastIndex assigns the property of that name. It reports false if that is read-only.
func (x RegExp) SetLastIndex(v goja.Value) bool {
	cell := x.lastIndex()
	if !cell.writable {
		return false
	}
	cell.value = v
	return true
}

// Unchanged reports that an object does what RegExp's own does: it has no other property, prototype is its
// prototype, and that has all that it had when Guard was called.
func (x RegExp) Unchanged(prototype *goja.Object) bool {
	o := (*plainObject)(x.impl)
	hasSymbols := *(*unsafe.Pointer)(unsafe.Add(x.impl, x.l.symbols)) != nil
	hasOwn := hasSymbols || len(o.propNames) != 1
	return !hasOwn && o.prototype == prototype && wordsOf(prototype).kind == x.l.guarded
}

// Guard adds properties to those of RegExp.prototype for which Unchanged looks. The engine watches them.
func Guard(prototype *goja.Object, names ...string) {
	w := wordsOf(prototype)
	if w.kind != regExps().guarded {
		return
	}

	props := *(*map[unistring.String]struct{})(unsafe.Add(w.impl, regExps().guardedProps))
	for _, name := range names {
		props[unistring.NewFromString(name)] = struct{}{}
	}
}

var templateProgram = sync.OnceValue(func() *goja.Program { return MustCompile("", "/(?:)/") })

// NewRegExps takes over the construction of regular expressions in a runtime: by becomes what new RegExp
// calls, call what RegExp called as a function does. The function it gives makes an object.
func NewRegExps(
	vm *goja.Runtime, ctor *goja.Object, call Native, by Constructor,
) func(p *Pattern, prototype *goja.Object) *goja.Object {
	ReplaceNative(ctor, call)
	construct := ReplaceConstructor(ctor, by)

	// Constructing from an object without flags copies it, whatever it is, if nothing is inherited.
	made, err := vm.RunProgram(templateProgram())
	if err != nil {
		panic(err) // a literal
	}
	template, _ := AsRegExp(made)
	(*plainObject)(template.impl).prototype = nil

	return func(p *Pattern, prototype *goja.Object) *goja.Object {
		o := construct([]goja.Value{made}, nil)
		x, _ := AsRegExp(o)
		x.SetPattern(p)
		(*plainObject)(x.impl).prototype = prototype
		return o
	}
}

// MatchArray makes an array with properties besides its items, which no setter of a script sees.
func MatchArray(vm *goja.Runtime, items []goja.Value, names []string, values []goja.Value) *goja.Object {
	o := vm.NewArray()
	l := plain()
	w := wordsOf(o)
	*(*[]goja.Value)(unsafe.Add(w.impl, l.items)) = items
	*(*uint32)(unsafe.Add(w.impl, l.length)) = uint32(len(items))
	*(*int)(unsafe.Add(w.impl, l.count)) = len(items)

	addProperties((*plainObject)(w.impl), names, values)
	return o
}

// NullObject makes an object without prototype.
func NullObject(vm *goja.Runtime, names []string, values []goja.Value) *goja.Object {
	o := vm.CreateObject(nil)
	addProperties((*plainObject)(wordsOf(o).impl), names, values)
	return o
}

func addProperties(o *plainObject, names []string, values []goja.Value) {
	for k, name := range names {
		key := unistring.NewFromString(name)
		o.values[key] = values[k]
		o.propNames = append(o.propNames, key)
	}
}
