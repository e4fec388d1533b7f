package api

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"picloud/internal/manager"
)

// nullable is a member of a change: it can be left out, null, or a value.
type nullable[T any] struct{ manager.Nullable[T] }

// Schema is that of the value, or null.
func (nullable[T]) Schema(r huma.Registry) *huma.Schema {
	s := *huma.SchemaFromType(r, reflect.TypeFor[T]())
	s.Nullable = true
	return &s
}
