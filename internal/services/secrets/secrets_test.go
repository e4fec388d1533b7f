package secrets

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"picloud/internal/cloud"
)

func box(t *testing.T, fill byte) *Box {
	t.Helper()
	b, err := NewBox(bytes.Repeat([]byte{fill}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A value opens under its own name and key and nowhere else, unchanged or not at all.
func TestBox(t *testing.T) {
	b, name := box(t, 1), cloud.VariableRef{App: 7, Name: "TOKEN", Secret: true}
	for _, value := range []string{"", "x", strings.Repeat("wörth\x00", 1000)} {
		sealed := b.Seal(name, value)
		if len(value) > 8 && bytes.Contains(sealed, []byte(value[:8])) {
			t.Error("the value shows")
		}
		if got, err := b.Open(name, b.KeyID(), sealed); err != nil || got != value {
			t.Errorf("Open = %q, %v", got, err)
		}
		if bytes.Equal(sealed, b.Seal(name, value)) {
			t.Error("sealed twice, the same twice")
		}
		for what, try := range map[string]func() (string, error){
			"another app": func() (string, error) {
				return b.Open(cloud.VariableRef{App: 8, Name: "TOKEN", Secret: true}, b.KeyID(), sealed)
			},
			"another name": func() (string, error) {
				return b.Open(cloud.VariableRef{App: 7, Name: "OTHER", Secret: true}, b.KeyID(), sealed)
			},
			"as a variable": func() (string, error) {
				return b.Open(cloud.VariableRef{App: 7, Name: "TOKEN", Secret: false}, b.KeyID(), sealed)
			},
			"another key":     func() (string, error) { return box(t, 2).Open(name, box(t, 2).KeyID(), sealed) },
			"another key id":  func() (string, error) { return b.Open(name, "00", sealed) },
			"a changed byte":  func() (string, error) { c := bytes.Clone(sealed); c[len(c)-1] ^= 1; return b.Open(name, b.KeyID(), c) },
			"a changed nonce": func() (string, error) { c := bytes.Clone(sealed); c[0] ^= 1; return b.Open(name, b.KeyID(), c) },
			"cut short":       func() (string, error) { return b.Open(name, b.KeyID(), sealed[:5]) },
			"nothing":         func() (string, error) { return b.Open(name, b.KeyID(), nil) },
		} {
			if got, err := try(); !errors.Is(err, ErrKey) {
				t.Errorf("%s: %q, %v", what, got, err)
			}
		}
	}
	if box(t, 1).KeyID() != b.KeyID() || box(t, 2).KeyID() == b.KeyID() {
		t.Error("key ids do not name keys")
	}
}
