package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"slices"
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

// HasOwnCredential reports whether a header's value carries one of PiCloud's credentials, also in a form that
// PiCloud itself would not accept: without a scheme, after another separator than a space, in quotes, as a
// parameter, or as the name or password of Basic (RFC 7617). People make such mistakes, and a script must not
// gain by them.
func HasOwnCredential(value string) bool {
	if decoded, err := url.PathUnescape(value); err == nil && hasOwnWord(decoded) {
		return true
	}
	return hasOwnWord(value) || hasOwnWord(basicPair(value))
}

// hasOwnWord looks for a token at the beginning of each word. A token in the midst of one is not ours: any
// long random text may have a prefix of ours somewhere.
func hasOwnWord(text string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(text, endsWord), IsOwnToken)
}

// endsWord reports a character that no token of whatever kind has in its midst (token68 of RFC 9110, 11.2).
func endsWord(r rune) bool {
	letterOrDigit := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
	return !letterOrDigit && !strings.ContainsRune("-._~+/", r)
}

// basicPair is what stands encoded in an Authorization of the scheme Basic, "" in any other value.
func basicPair(authorization string) string {
	scheme, encoded, ok := strings.Cut(strings.TrimSpace(authorization), " ")
	if !ok || !strings.EqualFold(scheme, "Basic") {
		return ""
	}

	encoded = strings.TrimRight(strings.TrimSpace(encoded), "=")
	pair, err := base64.RawStdEncoding.DecodeString(encoded)
	if err != nil {
		pair, _ = base64.RawURLEncoding.DecodeString(encoded)
	}
	return string(pair)
}

// IsOwnToken reports a text that begins as PiCloud's own credentials do.
func IsOwnToken(token string) bool {
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
