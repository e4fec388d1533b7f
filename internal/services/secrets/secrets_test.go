package secrets

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"picloud/internal/cloud"
)

func newBox(t *testing.T, fill byte) *Box {
	t.Helper()
	b, err := NewBox(bytes.Repeat([]byte{fill}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func ref(app cloud.AppID, name string, secret bool) cloud.VariableRef {
	return cloud.VariableRef{App: app, Name: name, Secret: secret}
}

var token = ref(7, "TOKEN", true)

var values = map[string]string{
	"empty": "",
	"short": "x",
	"long":  strings.Repeat("wörth\x00", 1000),
}

// A value opens under its own name and key, unchanged, and does not show in what is stored.
func TestRoundTrip(t *testing.T) {
	t.Parallel()

	b := newBox(t, 1)
	for name, value := range values {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sealed := b.Seal(token, value)
			if len(value) > 8 && bytes.Contains(sealed, []byte(value[:8])) {
				t.Error("the value shows")
			}
			if got, err := b.Open(token, b.KeyID(), sealed); err != nil || got != value {
				t.Errorf("Open = %q, %v", got, err)
			}
			if bytes.Equal(sealed, b.Seal(token, value)) {
				t.Error("sealed twice, the same twice")
			}
		})
	}
}

// A value opens nowhere else, and not when a bit of it was changed.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	b, other := newBox(t, 1), newBox(t, 2)

	changed := func(sealed []byte, at int) []byte {
		c := bytes.Clone(sealed)
		c[at] ^= 1
		return c
	}
	for valueName, value := range values {
		sealed := b.Seal(token, value)
		for name, c := range map[string]struct {
			box    *Box
			v      cloud.VariableRef
			keyID  string
			sealed []byte
		}{
			"another app":      {b, ref(8, "TOKEN", true), b.KeyID(), sealed},
			"another name":     {b, ref(7, "OTHER", true), b.KeyID(), sealed},
			"as a variable":    {b, ref(7, "TOKEN", false), b.KeyID(), sealed},
			"another key":      {other, token, other.KeyID(), sealed},
			"another's key id": {other, token, b.KeyID(), sealed},
			"another key id":   {b, token, "00", sealed},
			"no key id":        {b, token, "", sealed},
			"a changed tag":    {b, token, b.KeyID(), changed(sealed, len(sealed)-1)},
			"a changed nonce":  {b, token, b.KeyID(), changed(sealed, 0)},
			"a longer value":   {b, token, b.KeyID(), append(bytes.Clone(sealed), 0)},
			"cut short":        {b, token, b.KeyID(), sealed[:5]},
			"without its tag":  {b, token, b.KeyID(), sealed[:b.aead.NonceSize()]},
			"nothing":          {b, token, b.KeyID(), nil},
		} {
			t.Run(valueName+"/"+name, func(t *testing.T) {
				t.Parallel()
				if got, err := c.box.Open(c.v, c.keyID, c.sealed); !errors.Is(err, ErrKey) || got != "" {
					t.Errorf("Open = %q, %v", got, err)
				}
			})
		}
	}
}

// A key id names its key: equal for equal keys, different for others.
func TestKeyID(t *testing.T) {
	t.Parallel()
	b := newBox(t, 1)
	if newBox(t, 1).KeyID() != b.KeyID() || newBox(t, 2).KeyID() == b.KeyID() || len(b.KeyID()) != 16 {
		t.Errorf("key id %q; of another key: %q", b.KeyID(), newBox(t, 2).KeyID())
	}
}

// Values that are stored stay readable: keys and bindings are derived as they always were.
func TestStoredValuesStayReadable(t *testing.T) {
	t.Parallel()
	b := newBox(t, 1)
	const sealed = "d7ff58e733b566d940b21901b705b627864e5f4d657d3e93af0123b1f4eebfc503fc"
	raw, err := hex.DecodeString(sealed)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := b.Open(token, "46a3c3f4bb0f05b7", raw); err != nil || got != "stored" {
		t.Errorf("Open = %q, %v", got, err)
	}
}
