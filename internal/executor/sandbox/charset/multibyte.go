package charset

import "unicode/utf8"

// The decoders of more than one byte a character, as the Encoding standard has them in its chapters 10 to 13.

// isASCII reports a byte that an encoding of two bytes gives back when it is the second of a wrong pair.
func isASCII(b byte) bool { return b < utf8.RuneSelf }

func within(b, low, high byte) bool { return low <= b && b <= high }

// pair is the end of a character of two bytes: what it stands for, or an error that leaves an ASCII byte to
// the next character.
func pair(value rune, trail byte) (rune, rune, int) {
	if value == wrong && isASCII(trail) {
		return wrong, 0, 1
	}
	return value, 0, 2
}

// withoutTrail is what a text begins with if its first byte tells: an ASCII character, an error where the
// byte leads no pair, or nothing yet where the pair's other byte is missing.
func withoutTrail(text []byte, isLead bool) (first rune, n int, isAll bool) {
	switch {
	case isASCII(text[0]):
		return rune(text[0]), 1, true
	case !isLead:
		return wrong, 1, true
	default:
		return 0, 0, len(text) < 2
	}
}

// splitGB18030 decodes gb18030 and gbk, whose decoder is the same (10.2.1).
func splitGB18030(index table) splitter {
	return func(text []byte) (rune, rune, int) {
		lead := text[0]
		switch {
		case isASCII(lead):
			return rune(lead), 0, 1
		case lead == 0x80:
			return '€', 0, 1
		case lead == 0xff:
			return wrong, 0, 1
		case len(text) < 2:
			return 0, 0, 0
		}

		second := text[1]
		if !within(second, '0', '9') {
			if within(second, 0x40, 0x7e) || within(second, 0x80, 0xfe) {
				value := index(lead, second)
				if value == wrong {
					value = leftOut(lead, second)
				}
				return pair(value, second)
			}
			return pair(wrong, second)
		}

		if len(text) < 3 {
			return 0, 0, 0
		}
		if !within(text[2], 0x81, 0xfe) {
			return wrong, 0, 1
		}
		if len(text) < 4 {
			return 0, 0, 0
		}
		if !within(text[3], '0', '9') {
			return wrong, 0, 1
		}
		return fourBytes(index, text[:4]), 0, 4
	}
}

// fourBytes is the character of four bytes in gb18030. One of them is U+FFFD itself.
func fourBytes(index table, text []byte) rune {
	if string(text) == "\x84\x31\xa4\x37" {
		return utf8.RuneError
	}
	return index(text...)
}

// splitBig5 decodes Big5 (11.1.1). Four characters are two of Unicode.
func splitBig5(index table) splitter {
	return func(text []byte) (rune, rune, int) {
		lead := text[0]
		if first, n, isAll := withoutTrail(text, within(lead, 0x81, 0xfe)); isAll {
			return first, 0, n
		}

		trail := text[1]
		switch string(text[:2]) {
		case "\x88\x62":
			return 'Ê', 0x304, 2
		case "\x88\x64":
			return 'Ê', 0x30c, 2
		case "\x88\xa3":
			return 'ê', 0x304, 2
		case "\x88\xa5":
			return 'ê', 0x30c, 2
		}

		if within(trail, 0x40, 0x7e) || within(trail, 0xa1, 0xfe) {
			return pair(index(lead, trail), trail)
		}
		return pair(wrong, trail)
	}
}

// splitEUCKR decodes EUC-KR (13.1.1).
func splitEUCKR(index table) splitter {
	return func(text []byte) (rune, rune, int) {
		lead := text[0]
		if first, n, isAll := withoutTrail(text, within(lead, 0x81, 0xfe)); isAll {
			return first, 0, n
		}

		trail := text[1]
		if within(trail, 0x41, 0xfe) {
			return pair(index(lead, trail), trail)
		}
		return pair(wrong, trail)
	}
}

// Half-width katakana, which stand at the same places in the Japanese encodings.
const (
	halfWidth    = 0xff61
	firstKana    = 0xa1
	lastKana     = 0xdf
	userDefined  = 0xe000
	perUserBlock = 188
)

// splitEUCJP decodes EUC-JP (12.1.1).
func splitEUCJP(index table) splitter {
	return func(text []byte) (rune, rune, int) {
		lead := text[0]
		isLead := lead == 0x8e || lead == 0x8f || within(lead, 0xa1, 0xfe)
		if first, n, isAll := withoutTrail(text, isLead); isAll {
			return first, 0, n
		}

		second := text[1]
		switch {
		case lead == 0x8e && within(second, firstKana, lastKana):
			return halfWidth + rune(second) - firstKana, 0, 2
		case lead == 0x8f && within(second, 0xa1, 0xfe):
			if len(text) < 3 {
				return 0, 0, 0
			}
			value := wrong
			if within(text[2], 0xa1, 0xfe) {
				value = index(lead, second, text[2])
			}
			if value == wrong && isASCII(text[2]) {
				return wrong, 0, 2
			}
			return value, 0, 3
		case within(lead, 0xa1, 0xfe) && within(second, 0xa1, 0xfe):
			return pair(index(lead, second), second)
		default:
			return pair(wrong, second)
		}
	}
}

// splitShiftJIS decodes Shift_JIS (12.3.1). The leads from 0xF0 to 0xF9 are for the user's own characters.
func splitShiftJIS(index table) splitter {
	return func(text []byte) (rune, rune, int) {
		lead := text[0]
		switch {
		case isASCII(lead) || lead == 0x80:
			return rune(lead), 0, 1
		case within(lead, firstKana, lastKana):
			return halfWidth + rune(lead) - firstKana, 0, 1
		case !within(lead, 0x81, 0x9f) && !within(lead, 0xe0, 0xfc):
			return wrong, 0, 1
		case len(text) < 2:
			return 0, 0, 0
		}

		trail := text[1]
		if !within(trail, 0x40, 0x7e) && !within(trail, 0x80, 0xfc) {
			return pair(wrong, trail)
		}

		if within(lead, 0xf0, 0xf9) {
			place := rune(trail) - 0x40
			if trail > 0x7e {
				place--
			}
			return userDefined + perUserBlock*rune(lead-0xf0) + place, 0, 2
		}
		return pair(index(lead, trail), trail)
	}
}

// splitUTF16 decodes UTF-16 (14.2); high is the place of the high byte in a unit.
func splitUTF16(high int) splitter {
	unit := func(text []byte) rune { return rune(text[high])<<8 | rune(text[1-high]) }

	return func(text []byte) (rune, rune, int) {
		if len(text) < 2 {
			return 0, 0, 0
		}

		value := unit(text)
		switch {
		case value < 0xd800 || value > 0xdfff:
			return value, 0, 2
		case value >= 0xdc00:
			return wrong, 0, 2
		case len(text) < 4:
			return 0, 0, 0
		}

		low := unit(text[2:])
		if low < 0xdc00 || low > 0xdfff {
			return wrong, 0, 2
		}
		return 0x10000 + (value-0xd800)<<10 + (low - 0xdc00), 0, 4
	}
}
