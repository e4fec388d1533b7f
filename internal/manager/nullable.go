package manager

import (
	"bytes"
	"encoding/json"
)

// Nullable is what a change says of something that may be absent: nothing at all, that it shall be absent, or
// a value.
type Nullable[T any] struct {
	// Set says that the change speaks of it; Value is then nil for absence.
	Set   bool
	Value *T
}

// ValueOf sets a value, or absence for nil.
func ValueOf[T any](v *T) Nullable[T] { return Nullable[T]{Set: true, Value: v} }

// IsZero reports that the change says nothing.
func (n Nullable[T]) IsZero() bool { return !n.Set }

// MarshalJSON is for the audit trail: null, or the value.
func (n Nullable[T]) MarshalJSON() ([]byte, error) { return json.Marshal(n.Value) }

// or is what the change leaves of what there was.
func (n Nullable[T]) or(old *T) *T {
	if n.Set {
		return n.Value
	}
	return old
}

// UnmarshalJSON is not called for a field that is missing. Unknown members are errors, as in every body.
func (n *Nullable[T]) UnmarshalJSON(b []byte) error {
	n.Set = true
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(&n.Value)
}
