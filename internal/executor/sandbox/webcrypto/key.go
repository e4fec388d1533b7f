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
	realm.Own
	kind        string // secret, private, public
	name        string // of the algorithm
	hash        string // empty: the algorithm has none
	curve       string // empty: the algorithm has none
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

func (s *subtleCrypto) checkUsages(usages, allowed []string) {
	for _, u := range usages {
		if !slices.Contains(allowed, u) {
			s.fail("SyntaxError", "such a key is not for %s", u)
		}
	}
}

// secret is a secret key of bytes, if they can be one for the algorithm.
func (s *subtleCrypto) secret(a algorithm, raw []byte, extractable bool, usages []string) *cryptoKey {
	k := &cryptoKey{kind: "secret", name: a.name, usages: usages, material: raw, extractable: extractable}
	var allowed []string
	switch a.name {
	case "HMAC":
		k.hash = s.hashOf(a)
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
			s.fail("SyntaxError", "a key for %s is never extractable", a.name)
		}
	default:
		s.fail("NotSupportedError", "the algorithm %s is not supported", realm.Clip(a.name))
	}

	s.checkUsages(usages, allowed)
	return k
}

// asymmetric is a public or private key, if it is one of the algorithm.
func (s *subtleCrypto) asymmetric(a algorithm, material any, extractable bool, usages []string) *cryptoKey {
	k := &cryptoKey{name: a.name, material: material, extractable: extractable, usages: usages}
	fits := false
	switch key := material.(type) {
	case *ecdsa.PublicKey:
		k.kind = "public"
		k.curve = key.Curve.Params().Name
		fits = a.name == "ECDSA"
	case *ecdsa.PrivateKey:
		k.kind = "private"
		k.curve = key.Curve.Params().Name
		fits = a.name == "ECDSA"
	case ed25519.PublicKey:
		k.kind = "public"
		fits = a.name == "Ed25519"
	case ed25519.PrivateKey:
		k.kind = "private"
		fits = a.name == "Ed25519"
	case *rsa.PublicKey:
		k.kind = "public"
		fits = a.isRSA() && key.N.BitLen() <= maxRSABits
	case *rsa.PrivateKey:
		k.kind = "private"
		fits = a.isRSA() && key.N.BitLen() <= maxRSABits
	}

	if !fits {
		s.fail("DataError", "the key is not one for %s", realm.Clip(a.name))
	}
	if k.curve != "" && k.curve != a.get("namedCurve").String() {
		s.fail("DataError", "the key is on the curve %s", k.curve)
	}

	if a.isRSA() {
		k.hash = s.hashOf(a)
	}

	forPrivate, forPublic := pairUsages(a)
	allowed := forPublic
	if k.kind == "private" {
		allowed = forPrivate
	}

	s.checkUsages(usages, []string{allowed})
	if k.kind == "private" && len(usages) == 0 {
		s.fail("SyntaxError", "a private key needs usages")
	}

	return k
}

// pairUsages are what the two keys of a pair are for.
func pairUsages(a algorithm) (forPrivate, forPublic string) {
	if a.name == "RSA-OAEP" {
		return "decrypt", "encrypt"
	}
	return "sign", "verify"
}

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
func (s *subtleCrypto) algorithmOf(k *cryptoKey) goja.Value {
	o := s.r.VM.NewObject()
	_ = o.Set("name", k.name)
	if k.hash != "" {
		h := s.r.VM.NewObject()
		_ = h.Set("name", k.hash)
		_ = o.Set("hash", h)
	}

	if k.curve != "" {
		_ = o.Set("namedCurve", k.curve)
	}

	switch key := k.material.(type) {
	case []byte:
		if k.name != "PBKDF2" && k.name != "HKDF" {
			_ = o.Set("length", 8*len(key))
		}
	case *rsa.PublicKey:
		s.describeRSA(o, key)
	case *rsa.PrivateKey:
		s.describeRSA(o, &key.PublicKey)
	}

	return o
}

func (s *subtleCrypto) describeRSA(o *goja.Object, key *rsa.PublicKey) {
	_ = o.Set("modulusLength", key.N.BitLen())
	_ = o.Set("publicExponent", s.r.Uint8Array(big.NewInt(int64(key.E)).Bytes()))
}
