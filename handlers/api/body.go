package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"picloud/internal/cloud"
)

// rawBody documents a JSON body that the handler decodes itself, because JSON values in it must be kept as
// they came. more are other media types that it takes as text.
func rawBody[T any](s *Server, o huma.Operation, more ...string) huma.Operation {
	body := reflect.TypeFor[T]()
	schema := s.api.OpenAPI().Components.Schemas.Schema(body, true, body.Name())

	o.RequestBody = &huma.RequestBody{
		Content: map[string]*huma.MediaType{"application/json": {Schema: schema}},
	}
	for _, media := range more {
		o.RequestBody.Content[media] = &huma.MediaType{Schema: &huma.Schema{Type: "string"}}
	}
	o.SkipValidateBody = true
	return o
}

// decodeBody reads JSON strictly: unknown fields and whatever follows are errors.
func decodeBody(raw []byte, into any) error {
	if !utf8.Valid(raw) {
		return cloud.Errorf(cloud.CodeMalformed, "the body is not UTF-8")
	}

	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err != nil {
		return decodeError(err)
	}

	if _, err = d.Token(); !errors.Is(err, io.EOF) {
		return cloud.Errorf(cloud.CodeMalformed, "something follows the JSON body")
	}
	return nil
}

// decodeError says what is wrong with a body. encoding/json tells two of the cases by their text alone.
func decodeError(err error) error {
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	field, unknown := strings.CutPrefix(err.Error(), "json: unknown field ")

	switch {
	case errors.As(err, &syntax) && strings.Contains(syntax.Error(), "max depth"):
		return cloud.Errorf(cloud.CodeInvalid, "the JSON nests too deeply")
	case errors.As(err, &typ):
		return cloud.Errorf(cloud.CodeInvalid, "the field %q must be %s", typ.Field, typ.Type)
	case unknown:
		return cloud.Errorf(cloud.CodeInvalid, "unknown field %s", field)
	default:
		return cloud.Errorf(cloud.CodeMalformed, "the body is not JSON")
	}
}
