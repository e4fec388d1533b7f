package webcrypto

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"slices"

	"github.com/dop251/goja"
)

// generateKey makes a secret key, or a pair: (algorithm, extractable, usages).
func (s *subtleCrypto) generateKey(c goja.FunctionCall) goja.Value {
	alg := s.algorithm(c.Argument(0))
	extractable := c.Argument(1).ToBoolean()
	usages := s.usages(c.Argument(2))

	both := cryptoKey{name: alg.name, extractable: extractable}

	var private, public any
	switch alg.name {
	case "ECDSA":
		both.curve = alg.get("namedCurve").String()
		key, err := ecdsa.GenerateKey(s.curve(both.curve), rand.Reader)
		s.check(err)
		private, public = key, &key.PublicKey
	case "Ed25519":
		pub, key, err := ed25519.GenerateKey(rand.Reader)
		s.check(err)
		private, public = key, pub
	case "RSASSA-PKCS1-v1_5", "RSA-PSS", "RSA-OAEP":
		both.hash = s.hashOf(alg)
		key := s.generateRSA(alg)
		private, public = key, &key.PublicKey
	default:
		return s.wrap(s.generateSecret(alg, extractable, usages))
	}

	return s.pair(alg, both, private, public, usages)
}

// generateRSA makes a key of the length that the parameters name. Only the usual public exponent is taken.
func (s *subtleCrypto) generateRSA(a algorithm) *rsa.PrivateKey {
	bits := a.get("modulusLength").ToInteger()
	exponent := new(big.Int).SetBytes(s.bytes(a.get("publicExponent"), "publicExponent"))
	if exponent.Int64() != 65537 || bits < 2048 || bits > maxRSABits {
		s.fail("OperationError",
			"an RSA key has a modulusLength from 2048 to %d and the publicExponent 65537", maxRSABits)
	}

	key, err := rsa.GenerateKey(rand.Reader, int(bits))
	s.check(err)
	return key
}

// generateSecret makes a random key for HMAC or AES.
func (s *subtleCrypto) generateSecret(a algorithm, extractable bool, usages []string) *cryptoKey {
	raw := make([]byte, s.secretLength(a))
	_, _ = rand.Read(raw)
	if len(usages) == 0 {
		s.fail("SyntaxError", "a key needs usages")
	}
	return s.secret(a, raw, extractable, usages)
}

// pair makes a CryptoKeyPair. both is what its keys have in common; the public one can always be exported.
func (s *subtleCrypto) pair(a algorithm, both cryptoKey, private, public any, usages []string) goja.Value {
	forPrivate, forPublic := pairUsages(a)
	s.checkUsages(usages, []string{forPrivate, forPublic})
	if !slices.Contains(usages, forPrivate) {
		s.fail("SyntaxError", "a pair of keys needs the usage %s", forPrivate)
	}

	privateKey := both
	privateKey.kind = "private"
	privateKey.material = private
	privateKey.usages = []string{forPrivate}

	publicKey := both
	publicKey.kind = "public"
	publicKey.material = public
	publicKey.extractable = true
	if slices.Contains(usages, forPublic) {
		publicKey.usages = []string{forPublic}
	}

	out := s.r.VM.NewObject()
	_ = out.Set("publicKey", s.wrap(&publicKey))
	_ = out.Set("privateKey", s.wrap(&privateKey))

	return out
}
