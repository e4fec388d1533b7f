package webcrypto

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"math/big"
	"slices"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/realm"
)

// cryptoKey is a CryptoKey (Web Cryptography API, 13).
type cryptoKey struct {
	kind        string // secret, private, public
	name        string // of the algorithm
	hash        string // empty if the algorithm has none
	curve       string // empty if the algorithm has none
	bits        int    // length of a secret key
	usages      []string
	material    any // []byte, or a key of the standard library; ECDH has keys of package ecdsa
	extractable bool

	// What a script sees of them; nil until it looks. The standard gives the same objects each time.
	algorithmSeen, usagesSeen goja.Value
}

func (s *subtleCrypto) wrap(k *cryptoKey) goja.Value { return s.r.Instance(s.key, k) }

// keyOf is the key that an argument is; anything else throws a TypeError.
func (s *subtleCrypto) keyOf(v goja.Value) *cryptoKey {
	return realm.MustState[cryptoKey](s.r, v, "CryptoKey")
}

// usable gives the key of a call, if it is of the algorithm and for the use.
func (s *subtleCrypto) usable(v goja.Value, a algorithm, use string) *cryptoKey {
	k := s.keyOf(v)
	if a.name != k.name {
		s.fail("InvalidAccessError", "the key is for %s, not %s", k.name, a.name)
	}
	if !slices.Contains(k.usages, use) {
		s.fail("InvalidAccessError", "the key is not for %s", use)
	}
	return k
}

// allUsages are the key usages of the standard.
var allUsages = []string{
	"encrypt", "decrypt", "sign", "verify", "deriveKey", "deriveBits", "wrapKey", "unwrapKey",
}

// usages reads a list of key usages, each once.
func (s *subtleCrypto) usages(v goja.Value) []string {
	var out []string
	s.r.VM.ForOf(v, func(u goja.Value) bool {
		use := u.String()
		if !slices.Contains(allUsages, use) {
			panic(s.r.VM.NewTypeError("%q is no key usage", realm.Clip(use)))
		}

		if !slices.Contains(out, use) {
			out = append(out, use)
		}
		return true
	})
	return out
}

// checkUsages throws a SyntaxError for a usage that is not allowed.
func (s *subtleCrypto) checkUsages(usages []string, allowed string) {
	for _, u := range usages {
		if !has(allowed, u) {
			s.fail("SyntaxError", "such a key is not for %s", u)
		}
	}
}

// needUsages throws a SyntaxError for a secret or private key that would be for nothing.
func (s *subtleCrypto) needUsages(k *cryptoKey) {
	if k.kind != "public" && len(k.usages) == 0 {
		s.fail("SyntaxError", "a %s key needs usages", k.kind)
	}
}

// secret is a secret key of bytes, if they can be one for the algorithm.
func (s *subtleCrypto) secret(alg algorithm, raw []byte, extractable bool, usages []string) *cryptoKey {
	key := &cryptoKey{
		kind: "secret", name: alg.name, usages: usages, material: raw, extractable: extractable,
		bits: 8 * len(raw),
	}

	s.checkUsages(usages, alg.single)

	switch {
	case alg.name == "HMAC":
		key.hash = s.hashOf(alg)
		key.bits = s.macBits(alg, raw)
		key.material = firstBits(raw, key.bits)
	case alg.isAES():
		if len(raw) != 16 && len(raw) != 24 && len(raw) != 32 {
			s.fail("DataError", "an AES key has 16, 24 or 32 bytes")
		}
	case extractable: // PBKDF2 and HKDF
		s.fail("SyntaxError", "a key for %s is never extractable", alg.name)
	}

	s.needUsages(key)
	return key
}

// macBits is the length of an imported key for HMAC: all of it, or what the parameter length says, which may
// leave out bits of the last byte alone.
func (s *subtleCrypto) macBits(alg algorithm, raw []byte) int {
	if len(raw) == 0 {
		s.fail("DataError", "the key is empty")
	}
	if goja.IsUndefined(alg.get("length")) {
		return 8 * len(raw)
	}

	bits := int(s.number(alg, "length", unsignedLong))
	if bits > 8*len(raw) || bits <= 8*len(raw)-8 {
		s.fail("DataError", "the length does not fit the key's %d bits", 8*len(raw))
	}
	return bits
}

// firstBits is the beginning of raw, with zeros after it in the last byte.
func firstBits(raw []byte, bits int) []byte {
	out := slices.Clone(raw[:(bits+7)/8])
	if odd := bits % 8; odd != 0 {
		out[len(out)-1] &= 0xff << (8 - odd)
	}
	return realm.NotNil(out)
}

// asymmetric is a public or private key, if it is one of the algorithm.
func (s *subtleCrypto) asymmetric(alg algorithm, material any, extractable bool, usages []string) *cryptoKey {
	key := &cryptoKey{name: alg.name, material: material, extractable: extractable, usages: usages}

	fits := false
	switch material := material.(type) {
	case *ecdsa.PublicKey:
		key.kind = "public"
		key.curve = material.Curve.Params().Name
		fits = alg.isEC()
	case *ecdsa.PrivateKey:
		key.kind = "private"
		key.curve = material.Curve.Params().Name
		fits = alg.isEC()
	case ed25519.PublicKey:
		key.kind = "public"
		fits = alg.name == "Ed25519"
	case ed25519.PrivateKey:
		key.kind = "private"
		fits = alg.name == "Ed25519"
	case *ecdh.PublicKey:
		key.kind = "public"
		fits = alg.name == "X25519"
	case *ecdh.PrivateKey:
		key.kind = "private"
		fits = alg.name == "X25519"
	case *rsa.PublicKey:
		key.kind = "public"
		fits = alg.isRSA() && material.N.BitLen() <= maxRSABits
	case *rsa.PrivateKey:
		key.kind = "private"
		fits = alg.isRSA() && material.N.BitLen() <= maxRSABits
	}

	if !fits {
		s.fail("DataError", "the key is not one for %s", alg.name)
	}
	if key.curve != "" && key.curve != s.curveOf(alg) {
		s.fail("DataError", "the key is on the curve %s", key.curve)
	}

	if alg.isRSA() {
		key.hash = s.hashOf(alg)
	}

	s.needUsages(key)
	return key
}

// curve is a named curve; an unknown one throws a NotSupportedError.
func (s *subtleCrypto) curve(name string) elliptic.Curve {
	switch name {
	case "P-256":
		return elliptic.P256()
	case "P-384":
		return elliptic.P384()
	case "P-521":
		return elliptic.P521()
	}

	s.fail("NotSupportedError", "the curve %s is not supported", realm.Clip(name))
	return nil
}

// usagesOf lists a key's usages.
func (s *subtleCrypto) usagesOf(key *cryptoKey) goja.Value {
	if key.usagesSeen == nil {
		key.usagesSeen = s.r.Strings(key.usages)
	}
	return key.usagesSeen
}

// algorithmOf describes a key's algorithm.
func (s *subtleCrypto) algorithmOf(key *cryptoKey) goja.Value {
	if key.algorithmSeen != nil {
		return key.algorithmSeen
	}

	object := s.r.VM.NewObject()
	_ = object.Set("name", key.name)

	switch material := key.material.(type) {
	case []byte:
		if key.name != "PBKDF2" && key.name != "HKDF" {
			_ = object.Set("length", key.bits)
		}
	case *rsa.PublicKey:
		s.describeRSA(object, material)
	case *rsa.PrivateKey:
		s.describeRSA(object, &material.PublicKey)
	}

	if key.hash != "" {
		h := s.r.VM.NewObject()
		_ = h.Set("name", key.hash)
		_ = object.Set("hash", h)
	}

	if key.curve != "" {
		_ = object.Set("namedCurve", key.curve)
	}

	key.algorithmSeen = object
	return object
}

func (s *subtleCrypto) describeRSA(o *goja.Object, key *rsa.PublicKey) {
	_ = o.Set("modulusLength", key.N.BitLen())
	_ = o.Set("publicExponent", s.r.Uint8Array(big.NewInt(int64(key.E)).Bytes()))
}
