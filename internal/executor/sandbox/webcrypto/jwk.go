package webcrypto

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"strconv"
	"strings"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/realm"
)

// member reads a base64url member of a JSON Web Key (RFC 7517, RFC 7518 section 6).
func (s *subtleCrypto) member(o *goja.Object, name string) []byte {
	v := o.Get(name)
	if v == nil || goja.IsUndefined(v) {
		s.fail("DataError", "the JWK has no member %s", name)
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(v.String(), "="))
	if err != nil {
		s.fail("DataError", "the member %s of the JWK is not base64url", name)
	}
	return raw
}

func (s *subtleCrypto) number(o *goja.Object, name string) *big.Int {
	return new(big.Int).SetBytes(s.member(o, name))
}

func hasMember(o *goja.Object, name string) bool {
	v := o.Get(name)
	return v != nil && !goja.IsUndefined(v)
}

func (s *subtleCrypto) fromJWK(o *goja.Object, a algorithm, extractable bool, usages []string) *cryptoKey {
	kty := ""
	if v := o.Get("kty"); v != nil {
		kty = v.String()
	}
	switch {
	case kty == "oct":
		return s.secret(a, s.member(o, "k"), extractable, usages)
	case kty == "EC" && a.name == "ECDSA":
		return s.asymmetric(a, s.ecFromJWK(o), extractable, usages)
	case kty == "OKP" && a.name == "Ed25519":
		if !hasMember(o, "d") {
			x := s.member(o, "x")
			if len(x) != ed25519.PublicKeySize {
				s.fail("DataError", "a public key of Ed25519 has 32 bytes")
			}
			return s.asymmetric(a, ed25519.PublicKey(x), extractable, usages)
		}
		d := s.member(o, "d")
		if len(d) != ed25519.SeedSize {
			s.fail("DataError", "a private key of Ed25519 has 32 bytes")
		}
		return s.asymmetric(a, ed25519.NewKeyFromSeed(d), extractable, usages)
	case kty == "RSA":
		return s.asymmetric(a, s.rsaFromJWK(o), extractable, usages)
	}
	s.fail("DataError", "the JWK is not a key for %s", realm.Clip(a.name))
	return nil
}

func (s *subtleCrypto) ecFromJWK(o *goja.Object) any {
	curve := s.curve(o.Get("crv").String())
	size := (curve.Params().BitSize + 7) / 8
	x, y := s.member(o, "x"), s.member(o, "y")
	if len(x) != size || len(y) != size {
		s.fail("DataError", "the point of the JWK has the wrong length")
	}
	pub, err := ecdsa.ParseUncompressedPublicKey(curve, append(append([]byte{4}, x...), y...))
	if err != nil {
		s.fail("DataError", "the key is no point of the curve")
	}
	if !hasMember(o, "d") {
		return pub
	}
	key, err := ecdsa.ParseRawPrivateKey(curve, s.member(o, "d"))
	if err != nil || !key.PublicKey.Equal(pub) {
		s.fail("DataError", "the private key does not belong to the point")
	}
	return key
}

func (s *subtleCrypto) rsaFromJWK(o *goja.Object) any {
	n, e := s.number(o, "n"), s.number(o, "e")
	if n.BitLen() < 1024 || n.BitLen() > maxRSABits || !e.IsInt64() || e.Int64() < 3 || e.Int64() > 1<<31-1 {
		s.fail("DataError", "an RSA key has from 1024 to %d bits", maxRSABits)
	}
	pub := rsa.PublicKey{N: n, E: int(e.Int64())}
	if !hasMember(o, "d") {
		return &pub
	}
	key := &rsa.PrivateKey{PublicKey: pub, D: s.number(o, "d"), Primes: []*big.Int{s.number(o, "p"), s.number(o, "q")}}
	if key.Validate() != nil {
		s.fail("DataError", "the numbers of the RSA key do not belong together")
	}
	key.Precompute()
	return key
}

// toJWK writes a key with the algorithm's name of RFC 7518 where it has one.
func (s *subtleCrypto) toJWK(k *cryptoKey) goja.Value {
	o := s.r.VM.NewObject()
	set := func(name string, raw []byte) { _ = o.Set(name, base64.RawURLEncoding.EncodeToString(raw)) }
	switch key := k.material.(type) {
	case []byte:
		_ = o.Set("kty", "oct")
		set("k", key)
	case *ecdsa.PublicKey:
		s.ecToJWK(o, key, set)
	case *ecdsa.PrivateKey:
		s.ecToJWK(o, &key.PublicKey, set)
		d, err := key.Bytes()
		s.check(err)
		set("d", d)
	case ed25519.PublicKey:
		_, _ = o.Set("kty", "OKP"), o.Set("crv", "Ed25519")
		set("x", key)
	case ed25519.PrivateKey:
		_, _ = o.Set("kty", "OKP"), o.Set("crv", "Ed25519")
		set("x", key[ed25519.SeedSize:])
		set("d", key.Seed())
	case *rsa.PublicKey:
		rsaToJWK(o, key, set)
	case *rsa.PrivateKey:
		rsaToJWK(o, &key.PublicKey, set)
		key.Precompute()
		for name, n := range map[string]*big.Int{"d": key.D, "p": key.Primes[0], "q": key.Primes[1], "dp": key.Precomputed.Dp, "dq": key.Precomputed.Dq, "qi": key.Precomputed.Qinv} {
			set(name, n.Bytes())
		}
	}
	if alg := jwkAlgorithm(k); alg != "" {
		_ = o.Set("alg", alg)
	}
	_ = o.Set("ext", true)
	_ = o.Set("key_ops", s.r.Strings(k.usages))
	return o
}

func (s *subtleCrypto) ecToJWK(o *goja.Object, key *ecdsa.PublicKey, set func(string, []byte)) {
	raw, err := key.Bytes()
	s.check(err)
	size := (len(raw) - 1) / 2
	_, _ = o.Set("kty", "EC"), o.Set("crv", key.Curve.Params().Name)
	set("x", raw[1:1+size])
	set("y", raw[1+size:])
}

func rsaToJWK(o *goja.Object, key *rsa.PublicKey, set func(string, []byte)) {
	_ = o.Set("kty", "RSA")
	set("n", key.N.Bytes())
	set("e", big.NewInt(int64(key.E)).Bytes())
}

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
