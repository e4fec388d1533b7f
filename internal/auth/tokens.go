package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// Prefixes by which PiCloud knows its own credentials, and keeps them from scripts.
const (
	KeyPrefix     = "pic_"
	SessionPrefix = "pcs_"
)

// NewToken makes a secret of 256 random bits with a prefix.
func NewToken(prefix string) string {
	var b [32]byte
	_, _ = rand.Read(b[:])
	return prefix + base64.RawURLEncoding.EncodeToString(b[:])
}

// HashToken is how a token is stored. A random token needs no slow hash.
func HashToken(token string) []byte {
	h := sha256.Sum256([]byte(token))
	return h[:]
}

// IsOwnCredential reports whether an Authorization header carries one of PiCloud's credentials.
func IsOwnCredential(authorization string) bool {
	_, token, ok := cutScheme(authorization)
	return ok && (strings.HasPrefix(token, KeyPrefix) || strings.HasPrefix(token, SessionPrefix))
}

// BearerToken gives the token of an Authorization header (RFC 6750, 2.1).
func BearerToken(authorization string) (string, bool) {
	scheme, token, ok := cutScheme(authorization)
	return token, ok && strings.EqualFold(scheme, "Bearer")
}

func cutScheme(h string) (scheme, rest string, ok bool) {
	scheme, rest, ok = strings.Cut(strings.TrimSpace(h), " ")
	return scheme, strings.TrimSpace(rest), ok
}
