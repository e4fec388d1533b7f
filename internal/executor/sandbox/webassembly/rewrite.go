package webassembly

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// choosePrefix finds what no name of an export begins with.
func (b *binary) choosePrefix() {
	b.prefix = "\x00"
	for slices.ContainsFunc(b.exports, func(e exported) bool { return strings.HasPrefix(e.name, b.prefix) }) {
		b.prefix += "\x00"
	}
}

// functionExport is the name under which an escaping function is exported for our own use.
func (b *binary) functionExport(index uint32) string {
	return b.prefix + strconv.FormatUint(uint64(index), 10)
}

// counts of what is imported, by kind.
func (b *binary) importedCount(kind externKind) (n int) {
	for k := range b.imports {
		if b.imports[k].kind == kind {
			n++
		}
	}
	return n
}

// forEngine writes the binary as the engine gets it:
//
//   - each import has its number as the names of its module and of itself, and no limits: what is imported is
//     compared with its declaration, and put under that name, by link
//   - each escaping function is exported
//   - there is no start function: it is called once the instance is registered, so that what it leaves in
//     tables and globals outlives its failure
//   - memories and tables are bounded
//   - there are no custom sections
func (b *binary) forEngine(maxPages uint32) []byte {
	e := newEncoder()
	hasExports := false
	exports := func() {
		if !hasExports && len(b.escaping)+len(b.exports) > 0 {
			e.section(sectionExport, b.encodeExports)
		}
		hasExports = true
	}

	for _, s := range b.sections {
		if order[s.id] > order[sectionExport] {
			exports()
		}

		switch s.id {
		case sectionImport:
			e.section(s.id, b.encodeImports)
		case sectionTable:
			e.section(s.id, b.encodeTables)
		case sectionMemory:
			e.section(s.id, func(e *encoder) { b.encodeMemories(e, maxPages) })
		case sectionExport:
			exports()
		case sectionStart:
		default:
			e.raw(s.id, s.content)
		}
	}

	exports()
	return e.b
}

func (b *binary) encodeImports(e *encoder) {
	e.u32(uint32(len(b.imports)))

	for k, i := range b.imports {
		e.name(strconv.Itoa(k))
		e.name(strconv.Itoa(k))
		b.encodeImport(e, &i)
	}
}

// encodeImport writes what an import is, without the limits that were compared already.
func (b *binary) encodeImport(e *encoder, i *imported) {
	e.byte(byte(i.kind))

	switch i.kind {
	case kindFunction:
		e.u32(i.typ)
	case kindTable:
		e.byte(i.table.element)
		e.limits(limits{})
	case kindMemory:
		e.limits(limits{})
	case kindGlobal:
		e.globalType(i.global)
	}
}

func (b *binary) encodeTables(e *encoder) {
	own := b.tables[b.importedCount(kindTable):]
	e.u32(uint32(len(own)))

	for _, t := range own {
		e.byte(t.element)
		e.limits(limits{min: min(t.min, maxTable), max: atMost(t.max, maxTable)})
	}
}

func (b *binary) encodeMemories(e *encoder, maxPages uint32) {
	own := b.memories[b.importedCount(kindMemory):]
	e.u32(uint32(len(own)))

	for _, m := range own {
		e.limits(limits{min: min(m.min, maxPages), max: atMost(m.max, maxPages)})
	}
}

// atMost is a maximum that is bounded.
func atMost(most *uint32, bound uint32) *uint32 {
	if most != nil {
		bound = min(bound, *most)
	}
	return &bound
}

func (b *binary) encodeExports(e *encoder) {
	e.u32(uint32(len(b.exports) + len(b.escaping)))

	for _, x := range b.exports {
		e.export(x.name, x.kind, x.index)
	}

	for _, index := range slices.Sorted(maps.Keys(b.escaping)) { // equal modules share their code
		e.export(b.functionExport(index), kindFunction, index)
	}
}

// tooLarge says what of a module's own memories and tables can never be made here; empty if all can.
func (b *binary) tooLarge(maxPages uint32) string {
	for _, m := range b.memories[b.importedCount(kindMemory):] {
		if m.min > maxPages {
			return fmt.Sprintf("a memory of %d MiB is more than the %d MiB that all memories may have",
				m.min/16, maxPages/16)
		}
	}

	for _, t := range b.tables[b.importedCount(kindTable):] {
		if t.min > maxTable {
			return fmt.Sprintf("a table of %d elements is more than the %d that are allowed", t.min, maxTable)
		}
	}
	return ""
}

// maxTable is the most elements of a table: each takes 8 bytes. maxParameters bounds what a call converts,
// and is that of the JavaScript interface.
const (
	maxTable      = 1_000_000
	maxParameters = 1000
)
