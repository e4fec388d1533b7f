package sandbox

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
)

//go:embed web.js
var webSource string

var webProgram = sync.OnceValue(func() *goja.Program { return goja.MustCompile("picloud:web", webSource, true) })

//go:embed urlpattern.js
var urlPatternSource string

var urlPatternProgram = sync.OnceValue(func() *goja.Program {
	return goja.MustCompile("picloud:urlpattern", lowerRegExps("", urlPatternSource), true)
})

// loadURLPattern defines URLPattern (URL Pattern standard).
func (i *isolate) loadURLPattern() {
	v, err := i.vm.RunProgram(urlPatternProgram())
	if err != nil {
		panic(fmt.Sprintf("urlpattern: %v", err)) // bundled code
	}
	i.global("URLPattern", v)
	ctor := v.(*goja.Object)
	i.classes = append(i.classes, class{ctor: ctor, proto: ctor.Get("prototype").(*goja.Object)})
}

// webNames are the names by which code can come to what web.js defines.
var webNames = vocabulary{starts: []string{
	"ReadableStream", "ReadableByteStream", "WritableStream", "TransformStream", "TextEncoderStream", "TextDecoderStream", "CountQueuingStrategy",
	"ByteLengthQueuingStrategy", "CompressionStream", "DecompressionStream", "Blob", "File", "FormData", "blob", "formData", "body",
}}

// web is what Go calls of web.js.
type web struct {
	fromBytes, fromPull, bodyInit, untouched, disturbed, drain, blob, form, reader, piece, giveUp goja.Callable
}

// loadWeb runs web.js, once in a runtime.
func (i *isolate) loadWeb() *web {
	if i.web != nil {
		return i.web
	}
	host := i.vm.NewObject()
	i.define(host, "utf8Encode", i.utf8Encode)
	i.define(host, "utf8Decode", i.utf8Decode)
	i.addCompression(host)
	i.define(host, "tooLarge", func(c goja.FunctionCall) goja.Value {
		return i.newError("LimitError", fmt.Sprintf("the body has more than the %d bytes that are allowed", c.Argument(0).ToInteger()))
	})
	i.define(host, "random", func(goja.FunctionCall) goja.Value {
		var b [12]byte
		_, _ = rand.Read(b[:])
		return i.vm.ToValue(hex.EncodeToString(b[:]))
	})
	o := i.runLibrary(webProgram(), host)
	w := &web{}
	callables(o, map[string]*goja.Callable{"fromBytes": &w.fromBytes, "bodyInit": &w.bodyInit, "untouched": &w.untouched, "disturbed": &w.disturbed, "drain": &w.drain,
		"blob": &w.blob, "form": &w.form, "fromPull": &w.fromPull, "reader": &w.reader, "piece": &w.piece, "giveUp": &w.giveUp})
	i.web, i.late = w, i.late || i.recorded != nil
	return w
}

func (i *isolate) mustCall(f goja.Callable, args ...goja.Value) goja.Value {
	return i.mustCallOn(f, goja.Undefined(), args...)
}

func (i *isolate) mustCallOn(f goja.Callable, this goja.Value, args ...goja.Value) goja.Value {
	v, err := f(this, args...)
	if err != nil {
		panic(err)
	}
	return v
}

// drain is a promise of all that a stream gives, as a Uint8Array.
func (i *isolate) drain(stream goja.Value) goja.Value {
	limit := maxDrain
	if i.cur != nil {
		limit = i.cur.msg.MaxBody
	}
	return i.mustCall(i.loadWeb().drain, stream, i.vm.ToValue(limit))
}

// maxDrain bounds a stream outside of runs.
const maxDrain = 10 << 20

// maxParts bounds the fields of a form.
const maxParts = 1000

// formData parses a body by its content type (Fetch standard, 5.3; RFC 7578).
func (i *isolate) formData(raw []byte, contentType string) goja.Value {
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		media = ""
	}
	var parts []any
	switch media {
	case "application/x-www-form-urlencoded":
		for _, f := range parseForm(string(raw)) {
			parts = append(parts, i.vm.NewArray(f.Name, i.uint8Array([]byte(f.Value)), goja.Null(), ""))
		}
	case "multipart/form-data":
		if parts, err = i.multipart(raw, params["boundary"]); err != nil {
			panic(i.vm.NewTypeError("the body is no multipart/form-data: %s", err))
		}
	default:
		panic(i.vm.NewTypeError("formData needs the content type multipart/form-data or application/x-www-form-urlencoded; it is %q", clip(contentType)))
	}
	return i.mustCall(i.loadWeb().form, i.vm.NewArray(parts...))
}

// formEscapes are those of names in a form (HTML standard, 4.10.21.8).
var formEscapes = strings.NewReplacer("%0A", "\n", "%0D", "\r", "%22", `"`)

func (i *isolate) multipart(raw []byte, boundary string) (parts []any, err error) {
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
			filename = i.vm.ToValue(formEscapes.Replace(name))
		}
		parts = append(parts, i.vm.NewArray(formEscapes.Replace(disposition["name"]), i.uint8Array(body), filename, p.Header.Get("Content-Type")))
	}
}
