package webcrypto

import (
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

// number reads a base64url member that is a number.
func (s *subtleCrypto) number(o *goja.Object, name string) *big.Int {
	return new(big.Int).SetBytes(s.member(o, name))
}

// fromJWK makes a key of a JSON Web Key.
func (s *subtleCrypto) fromJWK(o *goja.Object, a algorithm, extractable bool, usages []string) *cryptoKey {
	kty := ""
	if v := o.Get("kty"); v != nil {
		kty = v.String()
	}

	var material any
	switch {
	case kty == "oct":
		return s.secret(a, s.member(o, "k"), extractable, usages)
	case kty == "EC" && a.name == "ECDSA":
		material = s.ecFromJWK(o)
	case kty == "OKP" && a.name == "Ed25519":
		material = s.ed25519FromJWK(o)
	case kty == "RSA":
		material = s.rsaFromJWK(o)
	default:
		s.fail("DataError", "the JWK is not a key for %s", realm.Clip(a.name))
	}

	return s.asymmetric(a, material, extractable, usages)
}

// ed25519FromJWK makes a private key if the JWK has d (RFC 8037), else a public one.
func (s *subtleCrypto) ed25519FromJWK(o *goja.Object) any {
	if !realm.Given(o.Get("d")) {
		x := s.member(o, "x")
		if len(x) != ed25519.PublicKeySize {
			s.fail("DataError", "a public key of Ed25519 has 32 bytes")
		}
		return ed25519.PublicKey(x)
	}
	seed := s.member(o, "d")
	if len(seed) != ed25519.SeedSize {
		s.fail("DataError", "a private key of Ed25519 has 32 bytes")
	}

	return ed25519.NewKeyFromSeed(seed)
}

// ecFromJWK makes a private key if the JWK has d (RFC 7518, 6.2), else a public one.
func (s *subtleCrypto) ecFromJWK(o *goja.Object) any {
	curve := s.curve(o.Get("crv").String())
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
	n := s.number(o, "n")
	e := s.number(o, "e")
	if n.BitLen() < 1024 || n.BitLen() > maxRSABits || !e.IsInt64() || e.Int64() < 3 || e.Int64() > 1<<31-1 {
		s.fail("DataError", "an RSA key has from 1024 to %d bits", maxRSABits)
	}

	pub := rsa.PublicKey{N: n, E: int(e.Int64())}
	if !realm.Given(o.Get("d")) {
		return &pub
	}

	key := &rsa.PrivateKey{
		PublicKey: pub,
		D:         s.number(o, "d"),
		Primes:    []*big.Int{s.number(o, "p"), s.number(o, "q")},
	}
	if key.Validate() != nil {
		s.fail("DataError", "the numbers of the RSA key do not belong together")
	}

	key.Precompute()
	return key
}

// jwk is a JSON Web Key that is being written.
type jwk struct{ *goja.Object }

func (o jwk) text(name, value string) { _ = o.Set(name, value) }

func (o jwk) bytes(name string, raw []byte) {
	_ = o.Set(name, base64.RawURLEncoding.EncodeToString(raw))
}

// toJWK writes a key with the algorithm's name of RFC 7518 where it has one.
func (s *subtleCrypto) toJWK(k *cryptoKey) goja.Value {
	o := jwk{s.r.VM.NewObject()}
	switch key := k.material.(type) {
	case []byte:
		o.text("kty", "oct")
		o.bytes("k", key)
	case *ecdsa.PublicKey:
		s.ecToJWK(o, key)
	case *ecdsa.PrivateKey:
		s.ecToJWK(o, &key.PublicKey)
		d, err := key.Bytes()
		s.check(err)
		o.bytes("d", d)
	case ed25519.PublicKey:
		ed25519ToJWK(o, key)
	case ed25519.PrivateKey:
		ed25519ToJWK(o, ed25519.PublicKey(key[ed25519.SeedSize:]))
		o.bytes("d", key.Seed())
	case *rsa.PublicKey:
		rsaToJWK(o, key)
	case *rsa.PrivateKey:
		rsaToJWK(o, &key.PublicKey)
		rsaPrivateToJWK(o, key)
	}

	if alg := jwkAlgorithm(k); alg != "" {
		o.text("alg", alg)
	}

	_ = o.Set("ext", true)
	_ = o.Set("key_ops", s.r.Strings(k.usages))

	return o.Object
}

func (s *subtleCrypto) ecToJWK(o jwk, key *ecdsa.PublicKey) {
	raw, err := key.Bytes()
	s.check(err)
	size := (len(raw) - 1) / 2
	o.text("kty", "EC")
	o.text("crv", key.Curve.Params().Name)
	o.bytes("x", raw[1:1+size])
	o.bytes("y", raw[1+size:])
}

func ed25519ToJWK(o jwk, key ed25519.PublicKey) {
	o.text("kty", "OKP")
	o.text("crv", "Ed25519")
	o.bytes("x", key)
}

func rsaToJWK(o jwk, key *rsa.PublicKey) {
	o.text("kty", "RSA")
	o.bytes("n", key.N.Bytes())
	o.bytes("e", big.NewInt(int64(key.E)).Bytes())
}

func rsaPrivateToJWK(o jwk, key *rsa.PrivateKey) {
	key.Precompute()
	o.bytes("d", key.D.Bytes())
	o.bytes("p", key.Primes[0].Bytes())
	o.bytes("q", key.Primes[1].Bytes())
	o.bytes("dp", key.Precomputed.Dp.Bytes())
	o.bytes("dq", key.Precomputed.Dq.Bytes())
	o.bytes("qi", key.Precomputed.Qinv.Bytes())
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
	case "AES-GCM", "AES-CBC":
		raw, _ := k.material.([]byte)
		return "A" + strconv.Itoa(8*len(raw)) + strings.TrimPrefix(k.name, "AES-")
	default:
		return ""
	}
}
