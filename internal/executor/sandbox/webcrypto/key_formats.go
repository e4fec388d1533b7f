package webcrypto

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/x509"
	"slices"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/realm"
)

// importKey takes raw, jwk, spki and pkcs8: (format, key, algorithm, extractable, usages).
func (s *subtleCrypto) importKey(c goja.FunctionCall) goja.Value {
	format := c.Argument(0).String()
	alg := s.algorithm(c.Argument(2))
	extractable := c.Argument(3).ToBoolean()
	usages := s.usages(c.Argument(4))

	if format == "jwk" {
		o, ok := c.Argument(1).(*goja.Object)
		if !ok {
			panic(s.r.VM.NewTypeError("a JWK is an object"))
		}
		return s.wrap(s.fromJWK(o, alg, extractable, usages))
	}

	raw := s.bytes(c.Argument(1), "the key")
	switch format {
	case "raw":
		if public := s.fromRaw(alg, raw); public != nil {
			return s.wrap(s.asymmetric(alg, public, extractable, usages))
		}
		return s.wrap(s.secret(alg, raw, extractable, usages))
	case "spki":
		key, err := x509.ParsePKIXPublicKey(raw)
		if err != nil {
			s.fail("DataError", "the key is not in SubjectPublicKeyInfo form")
		}
		return s.wrap(s.asymmetric(alg, key, extractable, usages))
	case "pkcs8":
		key, err := x509.ParsePKCS8PrivateKey(raw)
		if err != nil {
			s.fail("DataError", "the key is not in PKCS #8 form")
		}
		return s.wrap(s.asymmetric(alg, key, extractable, usages))
	}

	s.fail("NotSupportedError", "the format %s is not supported", realm.Clip(format))
	return nil
}

// fromRaw is a public key of raw bytes, or nil if the algorithm's raw keys are secret ones.
func (s *subtleCrypto) fromRaw(a algorithm, raw []byte) any {
	switch a.name {
	case "ECDSA":
		public, err := ecdsa.ParseUncompressedPublicKey(s.curve(a.get("namedCurve").String()), raw)
		if err != nil {
			s.fail("DataError", "the key is no point of the curve")
		}
		return public
	case "Ed25519":
		if len(raw) != ed25519.PublicKeySize {
			s.fail("DataError", "a public key of Ed25519 has 32 bytes")
		}
		return ed25519.PublicKey(raw)
	}

	return nil
}

// exportKey gives raw, jwk, spki and pkcs8: (format, key).
func (s *subtleCrypto) exportKey(c goja.FunctionCall) goja.Value {
	format := c.Argument(0).String()
	key := realm.MustState[cryptoKey](s.r, c.Argument(1), "CryptoKey")
	if !key.extractable {
		s.fail("InvalidAccessError", "the key is not extractable")
	}
	if format == "jwk" {
		return s.toJWK(key)
	}

	var raw []byte

	var err error
	switch {
	case format == "raw":
		raw, err = toRaw(key)
	case format == "spki" && key.kind == "public":
		raw, err = x509.MarshalPKIXPublicKey(key.material)
	case format == "pkcs8" && key.kind == "private":
		raw, err = x509.MarshalPKCS8PrivateKey(key.material)
	}

	s.check(err)
	if raw == nil {
		s.fail("NotSupportedError", "a %s key of %s has no form %s", key.kind, key.name, realm.Clip(format))
	}

	return s.buffer(raw)
}

// toRaw is the raw form of a key, or nil if it has none.
func toRaw(k *cryptoKey) ([]byte, error) {
	switch key := k.material.(type) {
	case []byte:
		return realm.NotNil(slices.Clone(key)), nil
	case *ecdsa.PublicKey:
		return key.Bytes()
	case ed25519.PublicKey:
		return slices.Clone(key), nil
	}

	return nil, nil
}
