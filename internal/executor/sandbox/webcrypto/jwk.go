package webcrypto

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/realm"
)

// text reads a member of a JSON Web Key that is a text; empty if it is not there.
func text(o *goja.Object, name string) string {
	if v := o.Get(name); realm.Given(v) {
		return v.String()
	}
	return ""
}

// member reads a base64url member of a JSON Web Key (RFC 7517, RFC 7518 section 6).
func (s *subtleCrypto) member(o *goja.Object, name string) []byte {
	v := o.Get(name)
	if !realm.Given(v) {
		s.fail("DataError", "the JWK has no member %s", name)
	}

	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(v.String(), "="))
	if err != nil {
		s.fail("DataError", "the member %s of the JWK is not base64url", name)
	}

	return raw
}

// bigInt reads a base64url member that is a number.
func (s *subtleCrypto) bigInt(o *goja.Object, name string) *big.Int {
	return new(big.Int).SetBytes(s.member(o, name))
}

// fromJWK makes a key of a JSON Web Key.
func (s *subtleCrypto) fromJWK(o *goja.Object, a algorithm, extractable bool, usages []string) *cryptoKey {
	isPrivate := realm.Given(o.Get("d"))
	kinds := map[string]string{"Ed25519": "OKP", "X25519": "OKP", "ECDSA": "EC", "ECDH": "EC"}

	kty := kinds[a.name]
	switch {
	case a.name == "PBKDF2" || a.name == "HKDF":
		s.fail("NotSupportedError", "a key for %s cannot be a JWK", a.name)
	case a.single != "":
		kty = "oct"
		s.checkUsages(usages, a.single)
	case isPrivate:
		s.checkUsages(usages, a.private)
	default:
		s.checkUsages(usages, a.public)
	}

	if a.isRSA() {
		kty = "RSA"
	}
	if text(o, "kty") != kty {
		s.fail("DataError", "the JWK is not a key for %s", a.name)
	}
	s.checkJWK(o, a, extractable, usages)

	var key *cryptoKey
	switch kty {
	case "oct":
		key = s.secret(a, s.member(o, "k"), extractable, usages)
	case "EC":
		key = s.asymmetric(a, s.ecFromJWK(o, a), extractable, usages)
	case "RSA":
		key = s.asymmetric(a, s.rsaFromJWK(o), extractable, usages)
	default:
		if crv := text(o, "crv"); crv != a.name {
			s.fail("DataError", "the JWK is on the curve %s", realm.Clip(crv))
		}
		material := s.ed25519FromJWK
		if a.name == "X25519" {
			material = s.x25519FromJWK
		}
		key = s.asymmetric(a, material(o), extractable, usages)
	}

	s.checkJWKAlgorithm(o, key)
	return key
}

// checkJWK checks what a JWK says about the use of its key (RFC 7517, 4.2 and 4.3).
func (s *subtleCrypto) checkJWK(o *goja.Object, a algorithm, extractable bool, usages []string) {
	if use := o.Get("use"); realm.Given(use) && len(usages) > 0 && use.String() != a.jwkUse {
		s.fail("DataError", "the use of the JWK is not %s", a.jwkUse)
	}

	if ext := o.Get("ext"); realm.Given(ext) && !ext.ToBoolean() && extractable {
		s.fail("DataError", "the JWK is not extractable")
	}

	listed := o.Get("key_ops")
	if !realm.Given(listed) {
		return
	}

	var operations []string
	s.r.VM.ForOf(listed, func(v goja.Value) bool {
		operation := v.String()
		if slices.Contains(operations, operation) {
			s.fail("DataError", "key_ops of the JWK names %s twice", realm.Clip(operation))
		}
		operations = append(operations, operation)
		return len(operations) < 100
	})

	for _, use := range usages {
		if !slices.Contains(operations, use) {
			s.fail("DataError", "key_ops of the JWK does not have %s", use)
		}
	}
}

// checkJWKAlgorithm checks the algorithm that a JWK is for, if it says so.
func (s *subtleCrypto) checkJWKAlgorithm(o *goja.Object, key *cryptoKey) {
	alg := text(o, "alg")
	if alg == "" {
		return
	}

	var allowed []string
	switch key.name {
	case "ECDSA":
		allowed = []string{map[string]string{"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}[key.curve]}
	case "Ed25519":
		allowed = []string{"Ed25519", "EdDSA"}
	case "ECDH", "X25519":
		return
	default:
		allowed = []string{jwkAlgorithm(key)}
	}

	if !slices.Contains(allowed, alg) {
		s.fail("DataError", "the JWK is for %s, not %s", realm.Clip(alg), allowed[0])
	}
}

// ed25519FromJWK makes a private key if the JWK has d (RFC 8037), else a public one.
func (s *subtleCrypto) ed25519FromJWK(o *goja.Object) any {
	x := s.member(o, "x")
	if len(x) != ed25519.PublicKeySize {
		s.fail("DataError", "a public key of Ed25519 has 32 bytes")
	}
	if !realm.Given(o.Get("d")) {
		return ed25519.PublicKey(x)
	}

	seed := s.member(o, "d")
	if len(seed) != ed25519.SeedSize {
		s.fail("DataError", "a private key of Ed25519 has 32 bytes")
	}

	key := ed25519.NewKeyFromSeed(seed)
	if !slices.Equal(key[ed25519.SeedSize:], x) {
		s.fail("DataError", "the private key does not belong to the public one")
	}
	return key
}

// x25519FromJWK makes a private key if the JWK has d (RFC 8037), else a public one.
func (s *subtleCrypto) x25519FromJWK(o *goja.Object) any {
	public, err := ecdh.X25519().NewPublicKey(s.member(o, "x"))
	if err != nil {
		s.fail("DataError", "a public key of X25519 has 32 bytes")
	}
	if !realm.Given(o.Get("d")) {
		return public
	}

	key, err := ecdh.X25519().NewPrivateKey(s.member(o, "d"))
	if err != nil {
		s.fail("DataError", "a private key of X25519 has 32 bytes")
	}
	if !key.PublicKey().Equal(public) {
		s.fail("DataError", "the private key does not belong to the public one")
	}
	return key
}

// ecFromJWK makes a private key if the JWK has d (RFC 7518, 6.2), else a public one.
func (s *subtleCrypto) ecFromJWK(o *goja.Object, a algorithm) any {
	if crv := text(o, "crv"); crv != s.curveOf(a) {
		s.fail("DataError", "the JWK is on the curve %s", realm.Clip(crv))
	}

	curve := s.curve(s.curveOf(a))
	size := (curve.Params().BitSize + 7) / 8
	x := s.member(o, "x")
	y := s.member(o, "y")
	if len(x) != size || len(y) != size {
		s.fail("DataError", "the point of the JWK has the wrong length")
	}

	pub, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y)) // 4: uncompressed
	if err != nil {
		s.fail("DataError", "the key is no point of the curve")
	}
	if !realm.Given(o.Get("d")) {
		return pub
	}

	key, err := ecdsa.ParseRawPrivateKey(curve, s.member(o, "d"))
	if err != nil || !key.PublicKey.Equal(pub) {
		s.fail("DataError", "the private key does not belong to the point")
	}

	return key
}

// rsaFromJWK makes a private key if the JWK has d (RFC 7518, 6.3), else a public one.
func (s *subtleCrypto) rsaFromJWK(o *goja.Object) any {
	n := s.bigInt(o, "n")
	e := s.bigInt(o, "e")
	if n.BitLen() < 1024 || n.BitLen() > maxRSABits || !e.IsInt64() || e.Int64() < 3 || e.Int64() > 1<<31-1 {
		s.fail("DataError", "an RSA key has from 1024 to %d bits", maxRSABits)
	}

	pub := rsa.PublicKey{N: n, E: int(e.Int64())}
	if !realm.Given(o.Get("d")) {
		return &pub
	}
	if realm.Given(o.Get("oth")) {
		s.fail("NotSupportedError", "RSA keys of more than two primes are not supported")
	}

	key := &rsa.PrivateKey{
		PublicKey: pub,
		D:         s.bigInt(o, "d"),
		Primes:    []*big.Int{s.bigInt(o, "p"), s.bigInt(o, "q")},
	}
	if key.Validate() != nil {
		s.fail("DataError", "the numbers of the RSA key do not belong together")
	}

	key.Precompute()
	return key
}

// jwkAlgorithm is the name that RFC 7518 has for a key's algorithm, or none.
func jwkAlgorithm(k *cryptoKey) string {
	bits := strings.TrimPrefix(k.hash, "SHA-")
	switch k.name {
	case "HMAC":
		return "HS" + bits
	case "RSASSA-PKCS1-v1_5":
		return "RS" + bits
	case "RSA-PSS":
		return "PS" + bits
	case "RSA-OAEP":
		if bits == "1" {
			return "RSA-OAEP"
		}
		return "RSA-OAEP-" + bits
	case "AES-GCM", "AES-CBC", "AES-CTR", "AES-KW":
		return "A" + strconv.Itoa(k.bits) + strings.TrimPrefix(k.name, "AES-")
	default:
		return ""
	}
}
