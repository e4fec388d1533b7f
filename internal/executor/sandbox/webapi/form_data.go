package webapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"strings"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/realm"
)

// maxParts bounds the fields of a form.
const maxParts = 1000

// formData parses a body by its content type (Fetch standard, 5.3; RFC 7578). The fields go to streams.js
// as lists of name, value, file name and content type.
func (g *Global) formData(raw []byte, h *headersState) goja.Value {
	media, _ := extractMIMEType(h)

	var fields []any
	switch media.essence {
	case "application/x-www-form-urlencoded":
		for _, f := range parseForm(string(raw)) {
			fields = append(fields, g.VM.NewArray(f.Name, g.Uint8Array([]byte(f.Value)), goja.Null(), ""))
		}
	case "multipart/form-data":
		var err error
		if fields, err = g.multipart(raw, media.parameter("boundary")); err != nil {
			panic(g.VM.NewTypeError("the body is no multipart/form-data: %s", err))
		}
	default:
		panic(g.VM.NewTypeError("formData needs the content type multipart/form-data or "+
			"application/x-www-form-urlencoded; it is %q", realm.Clip(media.String())))
	}

	return g.MustCall(g.loadStreams().form, g.VM.NewArray(fields...))
}

// formEscapes are those of names in a form (HTML standard, 4.10.21.8).
var formEscapes = strings.NewReplacer("%0A", "\n", "%0D", "\r", "%22", `"`)

var errCutOff = errors.New("it is cut off or malformed")

// multipart reads the fields of a multipart/form-data body. Its errors are clauses for the message of a
// TypeError.
func (g *Global) multipart(raw []byte, boundary *string) (fields []any, err error) {
	if boundary == nil || *boundary == "" {
		return nil, errors.New("it names no boundary")
	}

	r := multipart.NewReader(bytes.NewReader(raw), *boundary)
	for {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) && bytes.Contains(raw, []byte("--"+*boundary+"--")) {
			return fields, nil
		}
		if err != nil {
			return nil, errCutOff
		}
		if len(fields) >= maxParts {
			return nil, fmt.Errorf("it has more than %d fields", maxParts)
		}
		field, err := g.formField(part)
		if err != nil {
			return nil, err
		}
		fields = append(fields, field)
	}
}

func (g *Global) formField(part *multipart.Part) (goja.Value, error) {
	body, err := io.ReadAll(part)
	if err != nil {
		return nil, errCutOff
	}
	_, disposition, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	if err != nil {
		return nil, errors.New("a field has no name")
	}

	filename := goja.Null() // it is text
	if name, ok := disposition["filename"]; ok {
		filename = g.VM.ToValue(formEscapes.Replace(name))
	}

	name := formEscapes.Replace(disposition["name"])
	return g.VM.NewArray(name, g.Uint8Array(body), filename, part.Header.Get("Content-Type")), nil
}
