package webapi

import (
	"encoding/base64"
	"strings"

	"github.com/dop251/goja"
)

// addBase64 defines atob and btoa (HTML standard, 8.3).
func (g *Global) addBase64() {
	g.GlobalFunc("btoa", func(c goja.FunctionCall) goja.Value {
		s := g.givenText(c, "btoa")

		raw := make([]byte, 0, len(s))
		for _, r := range s {
			if r > 0xff {
				panic(g.DOMException("InvalidCharacterError",
					"btoa: the string has a character outside of Latin1"))
			}
			raw = append(raw, byte(r))
		}

		return g.VM.ToValue(base64.StdEncoding.EncodeToString(raw))
	})

	g.GlobalFunc("atob", func(c goja.FunctionCall) goja.Value {
		raw, err := decodeBase64(g.givenText(c, "atob"))
		if err != nil {
			panic(g.DOMException("InvalidCharacterError", "atob: the string is not valid base64"))
		}

		runes := make([]rune, len(raw))
		for k, b := range raw {
			runes[k] = rune(b)
		}

		return g.VM.ToValue(string(runes))
	})
}

// givenText is the argument that a function needs.
func (g *Global) givenText(c goja.FunctionCall, function string) string {
	if len(c.Arguments) == 0 {
		panic(g.VM.NewTypeError("%s needs a text", function))
	}
	return c.Argument(0).String()
}

// decodeBase64 is the forgiving-base64 decode of the Infra standard: spaces are skipped, and padding is not
// needed, but where there is some it must be right.
func decodeBase64(s string) ([]byte, error) {
	s = strings.Map(func(r rune) rune {
		if r == ' ' || r == '\t' || r == '\n' || r == '\f' || r == '\r' {
			return -1
		}
		return r
	}, s)

	if len(s)%4 == 0 {
		s = strings.TrimSuffix(strings.TrimSuffix(s, "="), "=")
	}
	return base64.RawStdEncoding.DecodeString(s)
}
