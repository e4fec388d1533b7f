package cloud

import "encoding/json"

// AppendJSON appends the JSON text of a value of our own types, which always encode; of any other it may
// append null.
func AppendJSON(b []byte, v any) []byte {
	encoded, err := json.Marshal(v)
	if err != nil {
		return append(b, "null"...)
	}
	return append(b, encoded...)
}

// String is the error on one line, "" for none: "TypeError: x is not a function".
func (e *ScriptError) String() string {
	if e.Name == "" && e.Message == "" {
		return ""
	}
	return e.Name + ": " + e.Message
}
