package webassembly

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// imported is one import that a module declares.
type imported struct {
	module, name string
	kind         externKind

	// One of these, by kind.
	function *funcType
	typ      uint32 // the index of function
	table    tableType
	memory   limits
	global   globalType
}

// exported is one export that a module declares; index counts what is imported too.
type exported struct {
	name  string
	kind  externKind
	index uint32
}

// customSection is a section that has no meaning for the engine.
type customSection struct {
	name    string
	content []byte
}

// section is one of the other sections, as it was written.
type section struct {
	id      byte
	content []byte
}

// segment is an active element segment: count references for a table, from an offset.
type segment struct {
	table  uint32
	count  int
	offset constant
}

// constant is a constant expression, as far as it must be known before the engine evaluates it.
type constant struct {
	known      bool  // it is a number, or the value of a global
	number     int32 // unless fromGlobal
	global     uint32
	fromGlobal bool
}

// binary is what a module's bytes say of it, as far as this package must know. What the functions do only the
// engine reads.
type binary struct {
	types     []funcType
	imports   []imported
	functions []*funcType // these four: imported ones first
	tables    []tableType
	memories  []limits
	globals   []globalType
	exports   []exported
	customs   []customSection
	segments  []segment

	hasStart bool
	start    uint32 // the function that runs when an instance is made

	sections []section
	// escaping are the functions that can be referred to from elsewhere, by an export, a table or a global.
	escaping map[uint32]struct{}
	prefix   string // begins the names under which these are exported for our own use
}

// order ranks the sections by where they stand in a binary; 0: there is no such section.
var order = [...]int{
	sectionType: 1, sectionImport: 2, sectionFunction: 3, sectionTable: 4, sectionMemory: 5, sectionGlobal: 6,
	sectionExport: 7, sectionStart: 8, sectionElement: 9, sectionDataCount: 10, sectionCode: 11,
	sectionData: 12,
}

// parse reads a binary. Its error is for the script's author.
func parse(raw []byte) (b *binary, err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case *malformedError:
			b, err = nil, p
		default:
			panic(p)
		}
	}()

	if !strings.HasPrefix(string(raw[:min(len(raw), len(preamble))]), preamble) {
		return nil, errors.New("not a WebAssembly module of version 1: " +
			"it does not begin with \\0asm\\1\\0\\0\\0")
	}

	b = &binary{escaping: map[uint32]struct{}{}}
	b.readSections(&reader{all: raw, at: len(preamble), end: len(raw)})
	if b.hasStart {
		if err := b.checkStart(); err != nil {
			return nil, err
		}
	}

	b.choosePrefix()
	return b, nil
}

// readSections reads all sections, which must be in order, with custom ones between them.
func (b *binary) readSections(r *reader) {
	last := 0
	for r.left() > 0 {
		id := r.byte()
		size := r.u32()
		start := r.at
		content := r.bytes(size)
		inner := &reader{all: r.all, at: start, end: r.at}
		if id == sectionCustom {
			b.customs = append(b.customs, customSection{inner.name(), bytes.Clone(r.all[inner.at:inner.end])})
			continue
		}

		if int(id) >= len(order) || order[id] == 0 {
			r.fail("section %d is not supported", id)
		}
		if order[id] <= last {
			r.fail("section %d is out of order", id)
		}
		last = order[id]
		b.sections = append(b.sections, section{id, content})
		b.readSection(id, inner)
	}
}

func (b *binary) checkStart() error {
	if uint64(b.start) >= uint64(len(b.functions)) {
		return fmt.Errorf("the start function %d does not exist", b.start)
	}
	if t := b.functions[b.start]; t.slots() != 0 {
		return errors.New("the start function has parameters or results")
	}

	b.escaping[b.start] = struct{}{}
	return nil
}

// readSection reads the sections that this package must know, and passes over the others.
func (b *binary) readSection(id byte, r *reader) {
	read := map[byte]func(*reader){
		sectionType:     b.readType,
		sectionImport:   b.readImport,
		sectionFunction: b.readFunction,
		sectionTable:    func(r *reader) { b.tables = append(b.tables, r.tableType()) },
		sectionMemory:   func(r *reader) { b.memories = append(b.memories, r.memoryType()) },
		sectionGlobal:   b.readGlobal,
		sectionExport:   b.readExport,
		sectionElement:  b.readElement,
	}[id]
	switch {
	case id == sectionStart:
		b.hasStart, b.start = true, r.u32()
	case read == nil:
		return
	default:
		for range r.count() {
			read(r)
		}
	}

	if r.left() > 0 {
		r.fail("section %d is longer than its content", id)
	}
}

func (b *binary) readType(r *reader) {
	if form := r.byte(); form != 0x60 {
		r.fail("type form 0x%02x is not supported", form)
	}

	var t funcType
	for range r.count() {
		t.params = append(t.params, r.valueType())
	}

	for range r.count() {
		t.results = append(t.results, r.valueType())
	}
	if t.slots() > maxParameters {
		r.fail("a function has more than %d parameters or results", maxParameters)
	}
	b.types = append(b.types, t)
}

// typeAt reads the index of a function's type.
func (b *binary) typeAt(r *reader) (t *funcType, index uint32) {
	index = r.u32()
	if uint64(index) >= uint64(len(b.types)) {
		r.fail("there is no type %d", index)
	}
	return &b.types[index], index
}

func (b *binary) readFunction(r *reader) {
	t, _ := b.typeAt(r)
	b.functions = append(b.functions, t)
}

func (b *binary) readImport(r *reader) {
	i := imported{module: r.name(), name: r.name(), kind: externKind(r.byte())}
	switch i.kind {
	case kindFunction:
		i.function, i.typ = b.typeAt(r)
		b.functions = append(b.functions, i.function)
	case kindTable:
		i.table = r.tableType()
		b.tables = append(b.tables, i.table)
	case kindMemory:
		i.memory = r.memoryType()
		b.memories = append(b.memories, i.memory)
	case kindGlobal:
		i.global = r.globalType()
		b.globals = append(b.globals, i.global)
	default:
		r.fail("imports of kind %d are not supported", i.kind)
	}
	b.imports = append(b.imports, i)
}

func (b *binary) readGlobal(r *reader) {
	b.globals = append(b.globals, r.globalType())
	b.readConstant(r)
}

func (b *binary) readExport(r *reader) {
	e := exported{name: r.name(), kind: externKind(r.byte()), index: r.u32()}
	if e.kind > kindGlobal {
		r.fail("exports of kind %d are not supported", e.kind)
	}
	count := [...]int{len(b.functions), len(b.tables), len(b.memories), len(b.globals)}[e.kind]
	if uint64(e.index) >= uint64(count) {
		r.fail("there is no %s %d to export", e.kind, e.index)
	}
	if e.kind == kindFunction {
		b.escaping[e.index] = struct{}{}
	}
	b.exports = append(b.exports, e)
}

// readConstant reads a constant expression, and notes the functions that it refers to.
func (b *binary) readConstant(r *reader) (c constant) {
	for n := 0; ; n++ {
		op := r.byte()
		if op == 0x0b { // end
			c.known = c.known && n == 1
			return c
		}

		c.known = false
		switch op {
		case 0x41: // i32.const
			c = constant{known: true, number: r.s32()}
		case 0x42: // i64.const
			r.skipSigned(10)
		case 0x43: // f32.const
			r.bytes(4)
		case 0x44: // f64.const
			r.bytes(8)
		case 0xfd: // v128.const, the only one of its kind that is constant
			r.u32()
			r.bytes(16)
		case 0xd0: // ref.null
			r.refType()
		case 0xd2: // ref.func
			b.escaping[r.u32()] = struct{}{}
		case 0x23: // global.get
			c = constant{known: true, fromGlobal: true, global: r.u32()}
		case 0x6a, 0x6b, 0x6c, 0x7c, 0x7d, 0x7e: // add, sub and mul of i32 and i64
		default:
			r.fail("opcode 0x%02x is not constant", op)
		}
	}
}

// readElement reads one element segment. The bits of its flag say that it is not active, that it names its
// table or is declarative, and that its items are expressions (core specification, 5.5.12).
func (b *binary) readElement(r *reader) {
	flag := r.u32()
	if flag > 7 {
		r.fail("element segment 0x%02x is not supported", flag)
	}
	isActive := flag&1 == 0
	isExplicit := flag&2 != 0
	hasExpressions := flag&4 != 0

	s := segment{}
	if isActive {
		if isExplicit {
			s.table = r.u32()
		}
		s.offset = b.readConstant(r)
	}
	if !isActive || isExplicit {
		if hasExpressions {
			r.refType()
		} else if kind := r.byte(); kind != 0 {
			r.fail("element kind 0x%02x is not supported", kind)
		}
	}

	s.count = r.count()
	for range s.count {
		if hasExpressions {
			b.readConstant(r)
		} else {
			b.escaping[r.u32()] = struct{}{}
		}
	}
	if isActive {
		b.segments = append(b.segments, s)
	}
}
