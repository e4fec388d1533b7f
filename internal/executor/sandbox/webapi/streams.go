package webapi

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"sync"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/realm"
)

//go:embed streams.js
var streamsSource string

var streamsProgram = sync.OnceValue(func() *goja.Program { return goja.MustCompile("picloud:web", streamsSource, true) })

//go:embed urlpattern.js
var urlPatternSource string

var urlPatternProgram = sync.OnceValue(func() *goja.Program {
	return goja.MustCompile("picloud:urlpattern", LowerRegExps("", urlPatternSource), true)
})

// loadURLPattern defines URLPattern (URL Pattern standard).
func (g *Global) loadURLPattern() {
	v, err := g.VM.RunProgram(urlPatternProgram())
	if err != nil {
		panic(fmt.Sprintf("urlpattern: %v", err)) // bundled code
	}
	g.SetGlobal("URLPattern", v)
	g.WatchClass(v.(*goja.Object))
}

// streams is what Go calls of streams.js.
type streams struct {
	fromBytes, fromPull, bodyInit, untouched, disturbed, drain, blob, form, reader, piece, giveUp goja.Callable
}

// loadStreams runs streams.js, once in a runtime.
func (g *Global) loadStreams() *streams {
	if g.streams != nil {
		return g.streams
	}
	host := g.VM.NewObject()
	g.Define(host, "utf8Encode", g.utf8Encode)
	g.Define(host, "utf8Decode", g.utf8Decode)
	g.addCompression(host)
	g.Define(host, "tooLarge", func(c goja.FunctionCall) goja.Value {
		return g.NewError("LimitError", fmt.Sprintf("the body has more than the %d bytes that are allowed", c.Argument(0).ToInteger()))
	})
	g.Define(host, "random", func(goja.FunctionCall) goja.Value {
		var b [12]byte
		_, _ = rand.Read(b[:])
		return g.VM.ToValue(hex.EncodeToString(b[:]))
	})
	o := g.RunLibrary(streamsProgram(), host)
	w := &streams{}
	realm.Callables(o, map[string]*goja.Callable{"fromBytes": &w.fromBytes, "bodyInit": &w.bodyInit, "untouched": &w.untouched, "disturbed": &w.disturbed, "drain": &w.drain,
		"blob": &w.blob, "form": &w.form, "fromPull": &w.fromPull, "reader": &w.reader, "piece": &w.piece, "giveUp": &w.giveUp})
	g.streams = w
	g.LoadedLate()
	return w
}

// drain is a promise of all that a stream gives, as a Uint8Array.
func (g *Global) drain(stream goja.Value) goja.Value {
	limit := maxDrain
	if g.run != nil {
		limit = g.run.MaxBody
	}
	return g.MustCall(g.loadStreams().drain, stream, g.VM.ToValue(limit))
}

// maxDrain bounds a stream outside of runs.
const maxDrain = 10 << 20

// maxParts bounds the fields of a form.
const maxParts = 1000

// formData parses a body by its content type (Fetch standard, 5.3; RFC 7578).
func (g *Global) formData(raw []byte, contentType string) goja.Value {
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		media = ""
	}
	var parts []any
	switch media {
	case "application/x-www-form-urlencoded":
		for _, f := range parseForm(string(raw)) {
			parts = append(parts, g.VM.NewArray(f.Name, g.Uint8Array([]byte(f.Value)), goja.Null(), ""))
		}
	case "multipart/form-data":
		if parts, err = g.multipart(raw, params["boundary"]); err != nil {
			panic(g.VM.NewTypeError("the body is no multipart/form-data: %s", err))
		}
	default:
		panic(g.VM.NewTypeError("formData needs the content type multipart/form-data or application/x-www-form-urlencoded; it is %q", realm.Clip(contentType)))
	}
	return g.MustCall(g.loadStreams().form, g.VM.NewArray(parts...))
}

// formEscapes are those of names in a form (HTML standard, 4.10.21.8).
var formEscapes = strings.NewReplacer("%0A", "\n", "%0D", "\r", "%22", `"`)

func (g *Global) multipart(raw []byte, boundary string) (parts []any, err error) {
	if boundary == "" {
		return nil, errors.New("it names no boundary")
	}
	r := multipart.NewReader(bytes.NewReader(raw), boundary)
	for {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return parts, nil
		}
		if err != nil {
			return nil, errors.New("it is cut off or malformed")
		}
		if len(parts) >= maxParts {
			return nil, fmt.Errorf("it has more than %d fields", maxParts)
		}
		body, err := io.ReadAll(p)
		if err != nil {
			return nil, errors.New("it is cut off or malformed")
		}
		_, disposition, err := mime.ParseMediaType(p.Header.Get("Content-Disposition"))
		if err != nil {
			return nil, errors.New("a field has no name")
		}
		filename := goja.Null()
		if name, ok := disposition["filename"]; ok {
			filename = g.VM.ToValue(formEscapes.Replace(name))
		}
		parts = append(parts, g.VM.NewArray(formEscapes.Replace(disposition["name"]), g.Uint8Array(body), filename, p.Header.Get("Content-Type")))
	}
}
