package sandbox

import (
	"encoding/base64"
	"strings"

	"github.com/dop251/goja"
	"github.com/dop251/goja/parser"

	"picloud/internal/executor/sandbox/engine"
)

// mapMark is what a bundle has before its source map, on its last line.
const mapMark = "\n//# sourceMappingURL="

// codeBytes is how much of a bundle is code.
func codeBytes(bundle string) uint64 {
	if at := strings.LastIndex(bundle, mapMark); at >= 0 {
		return uint64(at)
	}
	return uint64(len(bundle))
}

// compile compiles the code of a bundle. A program keeps the text that it was compiled from for as long as it
// lives, and the source map is the larger part of a bundle: the text that is compiled does not have it.
func compile(name, code string) (*goja.Program, error) {
	at := strings.LastIndex(code, mapMark)
	if at < 0 {
		return engine.Compile(name, code, false)
	}

	_, encoded, _ := strings.Cut(code[at:], ",")
	loadMap := func(string) ([]byte, error) { return base64.StdEncoding.DecodeString(encoded) }
	code = code[:at] + mapMark + "bundle.map"

	return engine.Compile(name, code, false, parser.WithSourceMapLoader(loadMap))
}
