package webassembly

// encoder writes a binary.
type encoder struct{ b []byte }

// sections of a binary, by their numbers.
const (
	sectionCustom    = 0
	sectionType      = 1
	sectionImport    = 2
	sectionFunction  = 3
	sectionTable     = 4
	sectionMemory    = 5
	sectionGlobal    = 6
	sectionExport    = 7
	sectionStart     = 8
	sectionElement   = 9
	sectionCode      = 10
	sectionData      = 11
	sectionDataCount = 12
)

// preamble begins every binary: the magic number, and version 1.
const preamble = "\x00asm\x01\x00\x00\x00"

func newEncoder() *encoder { return &encoder{b: []byte(preamble)} }

func (e *encoder) byte(b ...byte) { e.b = append(e.b, b...) }

func (e *encoder) u32(v uint32) {
	for v >= 0x80 {
		e.b = append(e.b, byte(v)|0x80)
		v >>= 7
	}
	e.b = append(e.b, byte(v))
}

func (e *encoder) s64(v int64) {
	for {
		b := byte(v & 0x7f)
		v >>= 7
		if v == 0 && b&0x40 == 0 || v == -1 && b&0x40 != 0 {
			e.b = append(e.b, b)
			return
		}
		e.b = append(e.b, b|0x80)
	}
}

func (e *encoder) name(s string) {
	e.u32(uint32(len(s)))
	e.b = append(e.b, s...)
}

// section appends a section, whose content f writes.
func (e *encoder) section(id byte, f func(*encoder)) {
	content := &encoder{}
	f(content)
	e.raw(id, content.b)
}

// raw appends a section whose content is written already.
func (e *encoder) raw(id byte, content []byte) {
	e.byte(id)
	e.u32(uint32(len(content)))
	e.b = append(e.b, content...)
}

func (e *encoder) funcType(t *funcType) {
	e.byte(0x60)
	e.u32(uint32(len(t.params)))
	e.byte(t.params...)
	e.u32(uint32(len(t.results)))
	e.byte(t.results...)
}

func (e *encoder) limits(l limits) {
	if l.max == nil {
		e.byte(0)
		e.u32(l.min)
		return
	}
	e.byte(1)
	e.u32(l.min)
	e.u32(*l.max)
}

func (e *encoder) globalType(t globalType) {
	e.byte(t.value)
	if t.mutable {
		e.byte(1)
	} else {
		e.byte(0)
	}
}

// export writes one entry of an export section.
func (e *encoder) export(name string, kind externKind, index uint32) {
	e.name(name)
	e.byte(byte(kind))
	e.u32(index)
}

// body writes a function without locals.
func (e *encoder) body(code ...byte) {
	e.u32(uint32(len(code) + 2))
	e.byte(0)
	e.byte(code...)
	e.byte(0x0b)
}
