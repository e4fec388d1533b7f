package charset

// iso2022jp is the state of a decoder of ISO-2022-JP (Encoding standard, 12.2.1).
type iso2022jp struct {
	jis    table // of EUC-JP, where the same characters have the high bit set
	set    byte  // the last byte of the sequence that chose it; 0 is ASCII
	chosen bool  // by a sequence that nothing has followed yet: another one is an error
}

// The sets that an escape sequence chooses, by its last byte. 0208 has two.
const (
	setASCII    = 0
	setRoman    = 'J'
	setKatakana = 'I'
	set0208     = 'B'
)

const escape = 0x1b

// split finds the next character, or a sequence that chooses a set.
func (d *iso2022jp) split(text []byte) (rune, rune, int) {
	if text[0] == escape {
		return d.choose(text)
	}

	lead := text[0]

	d.chosen = false
	switch {
	case d.set == set0208:
		return d.two(text)
	case d.set == setKatakana && within(lead, 0x21, 0x5f):
		return halfWidth + rune(lead) - 0x21, 0, 1
	case d.set == setKatakana:
		return wrong, 0, 1
	case lead == 0x0e || lead == 0x0f || !isASCII(lead):
		return wrong, 0, 1
	case d.set == setRoman && lead == 0x5c:
		return '¥', 0, 1
	case d.set == setRoman && lead == 0x7e:
		return '‾', 0, 1
	default:
		return rune(lead), 0, 1
	}
}

// two is a character of two bytes.
func (d *iso2022jp) two(text []byte) (rune, rune, int) {
	if !within(text[0], 0x21, 0x7e) {
		return wrong, 0, 1
	}
	if len(text) < 2 {
		return 0, 0, 0
	}

	switch trail := text[1]; {
	case trail == escape:
		return wrong, 0, 1
	case within(trail, 0x21, 0x7e):
		return d.jis(text[0]|0x80, trail|0x80), 0, 2
	default:
		return wrong, 0, 2
	}
}

// choose takes an escape sequence. A wrong one is an error of its first byte alone.
func (d *iso2022jp) choose(text []byte) (rune, rune, int) {
	if len(text) == 1 || len(text) == 2 && (text[1] == '(' || text[1] == '$') {
		return 0, 0, 0
	}
	if len(text) == 2 {
		d.chosen = false
		return wrong, 0, 1
	}

	var set byte
	switch string(text[1:3]) {
	case "(B":
		set = setASCII
	case "(J":
		set = setRoman
	case "(I":
		set = setKatakana
	case "$@", "$B":
		set = set0208
	default:
		d.chosen = false
		return wrong, 0, 1
	}

	again := d.chosen
	d.set = set
	d.chosen = true
	if again {
		return wrong, 0, 3
	}
	return nothing, 0, 3
}
