package webcrypto

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"math/big"

	"github.com/dop251/goja"
)

// jwk is a JSON Web Key that is being written.
type jwk struct{ *goja.Object }

func (o jwk) text(name, value string) { _ = o.Set(name, value) }

func (o jwk) bytes(name string, raw []byte) {
	_ = o.Set(name, base64.RawURLEncoding.EncodeToString(raw))
}

// toJWK writes a key with the algorithm's name of RFC 7518 where it has one.
func (s *subtleCrypto) toJWK(k *cryptoKey) goja.Value {
	o := jwk{s.r.VM.NewObject()}
	_ = o.Set("key_ops", s.r.Strings(k.usages))
	_ = o.Set("ext", k.extractable)

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
		o.octets(k.name, key)
	case ed25519.PrivateKey:
		o.octets(k.name, key[ed25519.SeedSize:])
		o.bytes("d", key.Seed())
	case *ecdh.PublicKey:
		o.octets(k.name, key.Bytes())
	case *ecdh.PrivateKey:
		o.octets(k.name, key.PublicKey().Bytes())
		o.bytes("d", key.Bytes())
	case *rsa.PublicKey:
		rsaToJWK(o, key)
	case *rsa.PrivateKey:
		rsaToJWK(o, &key.PublicKey)
		rsaPrivateToJWK(o, key)
	}

	if alg := jwkAlgorithm(k); alg != "" {
		o.text("alg", alg)
	}

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

// octets writes the public part of an octet key pair (RFC 8037).
func (o jwk) octets(curve string, public []byte) {
	o.text("kty", "OKP")
	o.text("crv", curve)
	o.bytes("x", public)
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
