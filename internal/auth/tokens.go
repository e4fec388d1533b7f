package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// Prefixes by which PiCloud recognizes its own credentials. They never reach a script.
const (
	KeyPrefix     = "pic_"
	SessionPrefix = "pcs_"
)

// NewToken makes a secret of 256 random bits with a prefix.
func NewToken(prefix string) string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails
	return prefix + base64.RawURLEncoding.EncodeToString(b[:])
}

// HashToken returns the hash under which a token is stored. It is fast: nobody guesses 256 random bits, so
// a slow hash as for passwords would protect nothing.
func HashToken(token string) []byte {
	h := sha256.Sum256([]byte(token))
	return h[:]
}

// IsOwnCredential reports whether an Authorization header carries one of PiCloud's credentials.
func IsOwnCredential(authorization string) bool {
	_, token, ok := cutScheme(authorization)
	return ok && isOwnToken(token)
}

func isOwnToken(token string) bool {
	return strings.HasPrefix(token, KeyPrefix) || strings.HasPrefix(token, SessionPrefix)
}

// BearerToken returns the token of an Authorization header (RFC 6750, 2.1).
func BearerToken(authorization string) (string, bool) {
	scheme, token, ok := cutScheme(authorization)
	return token, ok && strings.EqualFold(scheme, "Bearer")
}

func cutScheme(header string) (scheme, rest string, ok bool) {
	scheme, rest, ok = strings.Cut(strings.TrimSpace(header), " ")
	return scheme, strings.TrimSpace(rest), ok
}
