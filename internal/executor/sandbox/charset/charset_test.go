package charset

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"
)

// everything is every pair of bytes, and what an encoding has of longer characters, a line each.
func everything(name string) []byte {
	var text []byte
	pairs := func(before string) {
		for a := range 256 {
			for b := range 256 {
				text = append(append(text, before...), byte(a), byte(b), '\n')
			}
		}
	}

	pairs("")

	switch name {
	case "euc-jp":
		pairs("\x8f")
	case "iso-2022-jp":
		for _, set := range []string{"(B", "(J", "(I", "$@", "$B"} {
			pairs("\x1b" + set)
		}
	case "gb18030":
		for a := 0x81; a <= 0xfe; a++ {
			for b := 0x30; b <= 0x39; b++ {
				for c := 0x81; c <= 0xfe; c += 5 {
					text = append(text, byte(a), byte(b), byte(c), byte(0x30+(a+b+c)%10), '\n')
				}
			}
		}
	}
	return text
}

// Every encoding has the characters and the errors of the standard. The sums are those of another
// implementation's text (@exodus/bytes 1.x), which follows it.
func TestEverything(t *testing.T) {
	t.Parallel()

	for _, c := range [][2]string{
		{"ibm866", "aa5a1af090aa709c"}, {"iso-8859-2", "3a288371854ffa48"}, {"iso-8859-3", "e0d7057f080da816"},
		{"iso-8859-4", "fd353a610a346bb5"}, {"iso-8859-5", "0294ddadc1277443"}, {"iso-8859-6", "1c0de1ca245520bf"},
		{"iso-8859-7", "7404fe8479c987b4"}, {"iso-8859-8", "66ab21d71a54d94a"}, {"iso-8859-8-i", "66ab21d71a54d94a"},
		{"iso-8859-10", "ebaa6f1d02c233e1"}, {"iso-8859-13", "341bcccf750354c3"}, {"iso-8859-14", "00825afcf804f297"},
		{"iso-8859-15", "48703cb908372a0b"}, {"iso-8859-16", "3e886618472b47db"}, {"koi8-r", "3d3bd3d9257913dc"},
		{"koi8-u", "5e64d388e657021a"}, {"macintosh", "97bc02643dbb06a1"}, {"windows-874", "b0cdb1449d3eabae"},
		{"windows-1250", "0e8be96a65bf45e8"}, {"windows-1251", "6a09f88ba65b9d8d"}, {"windows-1252", "3359ea2b2045f0a0"},
		{"windows-1253", "90dad5ce34cb549e"}, {"windows-1254", "f3e1215165c1d1b7"}, {"windows-1255", "278fce9a71e9edc5"},
		{"windows-1256", "0d68c8fc2552f0fd"}, {"windows-1257", "4b46f9926412fa26"}, {"windows-1258", "2cc72ec8c94eb98a"},
		{"x-mac-cyrillic", "b9cf9fa9538f5936"}, {"x-user-defined", "1ba16109c5fb2898"}, {"gbk", "0dfd53ac1e467329"},
		{"gb18030", "9729d6ca0264c957"}, {"big5", "eb37b683bc3b8d41"}, {"euc-jp", "4ccb28a437a43518"},
		{"iso-2022-jp", "311552ab144d7f15"}, {"shift_jis", "06eef6314f687274"}, {"euc-kr", "42e8e5e2b5646caf"},
		{"utf-16le", "fb88106df6f6333e"}, {"utf-16be", "737bcbb7fda43db2"},
	} {
		t.Run(c[0], func(t *testing.T) {
			t.Parallel()

			source := everything(c[0])
			text, _ := New(c[0]).Decode(source, false)
			sum := sha256.Sum256(text)
			if got := hex.EncodeToString(sum[:8]); got != c[1] {
				t.Errorf("sum %s, want %s", got, c[1])
			}

			// In pieces, of which most end in the middle of a character, it is the same text.
			d := New(c[0])

			var pieces []byte
			for k := 0; k < len(source); k += 7 {
				piece, _ := d.Decode(source[k:min(k+7, len(source))], true)
				pieces = append(pieces, piece...)
			}
			rest, _ := d.Decode(nil, false)
			if string(append(pieces, rest...)) != string(text) {
				t.Error("pieces give another text")
			}
		})
	}
}

// What ends in the middle of a character, and where errors begin and end.
func TestErrors(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name, source, want string
		ok                 bool
	}{
		{"iso-8859-2", "\x80\xa1", "\u0080Ą", true}, {"windows-874", "\x81\xdb", "\u0081\ufffd", false},
		{"windows-1253", "\x81\xaa", "\u0081\ufffd", false},
		{"gb18030", "\x84\x31\xa4\x37", "\ufffd", true}, // U+FFFD itself is no error
		{"gb18030", "\x81\x30", "\ufffd", false}, {"gb18030", "\x81\x30\x81", "\ufffd", false},
		{"gb18030", "\x81\x30\x81\x41", "\ufffd0\u4e04", false}, {"gb18030", "\x80\xff", "€\ufffd", false},
		{"utf-16le", "A\x00\xfd\xff", "A\ufffd", true}, {"utf-16le", "\x00\xd8", "\ufffd", false},
		{"utf-16le", "\x00\xd8A", "\ufffd", false}, {"utf-16be", "\xd8\x00\x00A", "\ufffdA", false},
		{"iso-2022-jp", "\x1b", "\ufffd", false}, {"iso-2022-jp", "\x1b(", "\ufffd(", false},
		{"iso-2022-jp", "\x1b(B\x1b(J", "\ufffd", false}, {"iso-2022-jp", "\x1b(J\\~", "¥‾", true},
		{"iso-2022-jp", "\x1b$B0!\x1b(Ba", "亜a", true}, {"shift_jis", "\xf0\x40\x80", "\ue000\u0080", true},
		{"shift_jis", "\x81A\x81", "、\ufffd", false}, {"big5", "\x88\x62\x81A", "Ê\u0304\ufffdA", false},
		{"euc-jp", "\x8f\xa1A\x8e\xb1", "\ufffdAｱ", false}, {"euc-kr", "\xb0\xa1\xb0", "가\ufffd", false},
	} {
		t.Run(fmt.Sprintf("%s %x", c.name, c.source), func(t *testing.T) {
			t.Parallel()

			text, ok := New(c.name).Decode([]byte(c.source), false)
			if string(text) != c.want || ok != c.ok {
				t.Errorf("gives %q %v, want %q %v", text, ok, c.want, c.ok)
			}
		})
	}
}

// Labels are compared without case and white space of ASCII, and by nothing else.
func TestName(t *testing.T) {
	t.Parallel()

	for label, want := range map[string]string{
		"utf8": "utf-8", " UTF-8\n": "utf-8", "unicode20utf8": "utf-8", "x-unicode20utf8": "utf-8", "latin1": "windows-1252",
		"ascii": "windows-1252", "sjis": "shift_jis", "chinese": "gbk", "ucs-2": "utf-16le", "utf-16": "utf-16le",
		"csiso88598i": "iso-8859-8-i", "logical": "iso-8859-8-i", "x-x-big5": "big5", "tis-620": "windows-874",
		"\vutf-8": "", "utf-8\u00a0": "", "\u212aoi8-r": "", "": "", "replacement": "", "iso-2022-kr": "", "utf-7": "", "utf\n8": "",
	} {
		if got, ok := Name(label); got != want && (ok || want != "") {
			t.Errorf("%q is %q, want %q", label, got, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("gb18030", []byte("\x81\x30\x81\x30\x81"))
	f.Add("iso-2022-jp", []byte("\x1b$B0\x1b("))
	f.Fuzz(func(t *testing.T, label string, source []byte) {
		name, ok := Name(label)
		if !ok || name == "utf-8" {
			return
		}
		text, _ := New(name).Decode(source, false)
		d := New(name)
		half, _ := d.Decode(source[:len(source)/2], true)
		rest, _ := d.Decode(source[len(source)/2:], false)
		if string(text) != string(half)+string(rest) {
			t.Fatalf("%s: %q in two pieces is another text", name, source)
		}
	})
}
