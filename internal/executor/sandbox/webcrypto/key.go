package webcrypto

import (
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
	usages      []string
	material    any // []byte, or a key of the standard library
	extractable bool
}

func (s *subtleCrypto) wrap(k *cryptoKey) goja.Value { return s.r.Instance(s.key, k) }

// usable gives the key of a call, if it is of the algorithm and for the use.
func (s *subtleCrypto) usable(v goja.Value, a algorithm, use string) *cryptoKey {
	k := realm.MustState[cryptoKey](s.r, v, "CryptoKey")
	if a.name != k.name {
		s.fail("InvalidAccessError", "the key is for %s, not %s", k.name, realm.Clip(a.name))
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
func (s *subtleCrypto) checkUsages(usages, allowed []string) {
	for _, u := range usages {
		if !slices.Contains(allowed, u) {
			s.fail("SyntaxError", "such a key is not for %s", u)
		}
	}
}

// secret is a secret key of bytes, if they can be one for the algorithm.
func (s *subtleCrypto) secret(alg algorithm, raw []byte, extractable bool, usages []string) *cryptoKey {
	key := &cryptoKey{kind: "secret", name: alg.name, usages: usages, material: raw, extractable: extractable}

	var allowed []string
	switch alg.name {
	case "HMAC":
		key.hash = s.hashOf(alg)
		allowed = []string{"sign", "verify"}
		if len(raw) == 0 {
			s.fail("DataError", "the key is empty")
		}
	case "AES-GCM", "AES-CBC":
		allowed = []string{"encrypt", "decrypt", "wrapKey", "unwrapKey"}
		if len(raw) != 16 && len(raw) != 24 && len(raw) != 32 {
			s.fail("DataError", "an AES key has 16, 24 or 32 bytes")
		}
	case "PBKDF2", "HKDF":
		allowed = []string{"deriveKey", "deriveBits"}
		if extractable {
			s.fail("SyntaxError", "a key for %s is never extractable", alg.name)
		}
	default:
		s.fail("NotSupportedError", "the algorithm %s is not supported", realm.Clip(alg.name))
	}

	s.checkUsages(usages, allowed)
	return key
}

// asymmetric is a public or private key, if it is one of the algorithm.
func (s *subtleCrypto) asymmetric(alg algorithm, material any, extractable bool, usages []string) *cryptoKey {
	key := &cryptoKey{name: alg.name, material: material, extractable: extractable, usages: usages}

	fits := false
	switch material := material.(type) {
	case *ecdsa.PublicKey:
		key.kind = "public"
		key.curve = material.Curve.Params().Name
		fits = alg.name == "ECDSA"
	case *ecdsa.PrivateKey:
		key.kind = "private"
		key.curve = material.Curve.Params().Name
		fits = alg.name == "ECDSA"
	case ed25519.PublicKey:
		key.kind = "public"
		fits = alg.name == "Ed25519"
	case ed25519.PrivateKey:
		key.kind = "private"
		fits = alg.name == "Ed25519"
	case *rsa.PublicKey:
		key.kind = "public"
		fits = alg.isRSA() && material.N.BitLen() <= maxRSABits
	case *rsa.PrivateKey:
		key.kind = "private"
		fits = alg.isRSA() && material.N.BitLen() <= maxRSABits
	}

	if !fits {
		s.fail("DataError", "the key is not one for %s", realm.Clip(alg.name))
	}
	if key.curve != "" && key.curve != alg.get("namedCurve").String() {
		s.fail("DataError", "the key is on the curve %s", key.curve)
	}

	if alg.isRSA() {
		key.hash = s.hashOf(alg)
	}

	forPrivate, forPublic := pairUsages(alg)
	allowed := forPublic
	if key.kind == "private" {
		allowed = forPrivate
	}

	s.checkUsages(usages, []string{allowed})
	if key.kind == "private" && len(usages) == 0 {
		s.fail("SyntaxError", "a private key needs usages")
	}

	return key
}

// pairUsages are what the two keys of a pair are for.
func pairUsages(a algorithm) (forPrivate, forPublic string) {
	if a.name == "RSA-OAEP" {
		return "decrypt", "encrypt"
	}
	return "sign", "verify"
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

// algorithmOf describes a key's algorithm.
func (s *subtleCrypto) algorithmOf(key *cryptoKey) goja.Value {
	object := s.r.VM.NewObject()
	_ = object.Set("name", key.name)
	if key.hash != "" {
		h := s.r.VM.NewObject()
		_ = h.Set("name", key.hash)
		_ = object.Set("hash", h)
	}

	if key.curve != "" {
		_ = object.Set("namedCurve", key.curve)
	}

	switch material := key.material.(type) {
	case []byte:
		if key.name != "PBKDF2" && key.name != "HKDF" {
			_ = object.Set("length", 8*len(material))
		}
	case *rsa.PublicKey:
		s.describeRSA(object, material)
	case *rsa.PrivateKey:
		s.describeRSA(object, &material.PublicKey)
	}

	return object
}

func (s *subtleCrypto) describeRSA(o *goja.Object, key *rsa.PublicKey) {
	_ = o.Set("modulusLength", key.N.BitLen())
	_ = o.Set("publicExponent", s.r.Uint8Array(big.NewInt(int64(key.E)).Bytes()))
}
