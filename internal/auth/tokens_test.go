package auth

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
)

// Credentials of PiCloud's own are recognized, so that they never reach a script.
func TestOwnCredentials(t *testing.T) {
	t.Parallel()

	basic := func(pair string) string { return base64.StdEncoding.EncodeToString([]byte(pair)) }
	for header, want := range map[string]bool{
		"Bearer pic_x": true, "bearer  pcs_x": true, "Basic pic_x": true, "  Bearer pic_x ": true,
		"pic_x": true, " pcs_x": true, "Bearer\tpic_x": true, "Bearer \t pic_x": true, "Bearer,pic_x": true,
		"Bearer:pic_x": true, `Bearer "pic_x"`: true, "Token token=pic_x": true, `Digest a="b", k="pcs_x"`: true,
		"Bearer other, pic_x": true, "Bearer%20pic_x": true, "Bearer Bearer pic_x": true,
		"Basic " + basic("pic_x:"): true, "basic  " + basic("ann:pcs_x"): true,
		"Basic " + strings.TrimRight(basic("ann:pic_xy"), "="): true,
		"Bearer abc":                         false,
		"":                                   false,
		"Bearer xpic_":                       false,
		"Bearer eyJh.pic_x.pcs_y":            false, // three parts of a JWT, which may begin with any text
		"Basic " + basic("ann:topic_x"):      false,
		"Basic %%%":                          false,
		"Bearer " + basic("pic_x is a text"): false,
	} {
		if got := HasOwnCredential(header); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
}

func TestBearerToken(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		header, token string
		ok            bool
	}{
		{"Bearer abc", "abc", true},
		{"bearer  abc ", "abc", true},
		{"Basic abc", "abc", false},
		{"Bearer", "", false},
		{"", "", false},
	} {
		token, ok := BearerToken(c.header)
		if token != c.token || ok != c.ok {
			t.Errorf("%q: %q %v", c.header, token, ok)
		}
	}
}

// Tokens differ, fit into a header, and are stored as another text than themselves.
func TestNewToken(t *testing.T) {
	t.Parallel()
	a, b := NewToken(KeyPrefix), NewToken(KeyPrefix)
	if a == b || !strings.HasPrefix(a, "pic_") || len(a) != 47 || strings.ContainsAny(a, " +/=") {
		t.Errorf("tokens are %s and %s", a, b)
	}
	if bytes.Equal(HashToken(a), HashToken(b)) || !bytes.Equal(HashToken(a), HashToken(a)) ||
		len(HashToken(a)) != 32 {
		t.Error("hashes do not identify tokens")
	}
}
