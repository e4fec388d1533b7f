package webcrypto

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"math/big"

	"github.com/dop251/goja"
)

// generateKey makes a secret key, or a pair: (algorithm, extractable, usages).
func (s *subtleCrypto) generateKey(c goja.FunctionCall) goja.Value {
	alg := s.algorithm(c.Argument(0), "generateKey")
	extractable := c.Argument(1).ToBoolean()
	usages := s.usages(c.Argument(2))

	s.checkUsages(usages, alg.single+" "+alg.private+" "+alg.public)
	if alg.single != "" {
		return s.wrap(s.generateSecret(alg, extractable, usages))
	}

	both := cryptoKey{name: alg.name, extractable: extractable}

	var private, public any
	switch alg.name {
	case "ECDSA", "ECDH":
		both.curve = s.curveOf(alg)
		key, err := ecdsa.GenerateKey(s.curve(both.curve), rand.Reader)
		s.check(err)
		private, public = key, &key.PublicKey
	case "Ed25519":
		pub, key, err := ed25519.GenerateKey(rand.Reader)
		s.check(err)
		private, public = key, pub
	case "X25519":
		key, err := ecdh.X25519().GenerateKey(rand.Reader)
		s.check(err)
		private, public = key, key.PublicKey()
	default:
		both.hash = s.hashOf(alg)
		s.needForPrivate(alg, usages) // before the work
		key := s.generateRSA(alg)
		private, public = key, &key.PublicKey
	}

	return s.pair(alg, both, private, public, usages)
}

// generateRSA makes a key of the length that the parameters name. Only the usual public exponent is taken.
func (s *subtleCrypto) generateRSA(a algorithm) *rsa.PrivateKey {
	bits := s.number(a, "modulusLength", unsignedLong)
	exponent := new(big.Int).SetBytes(s.bytes(a.get("publicExponent"), "publicExponent"))
	if exponent.Cmp(big.NewInt(65537)) != 0 || bits < 2048 || bits > maxRSABits {
		s.fail("OperationError",
			"an RSA key has a modulusLength from 2048 to %d and the publicExponent 65537", maxRSABits)
	}

	key, err := rsa.GenerateKey(rand.Reader, int(bits))
	s.check(err)
	return key
}

// generateSecret makes a random key for HMAC or AES.
func (s *subtleCrypto) generateSecret(a algorithm, extractable bool, usages []string) *cryptoKey {
	bits := s.secretBits(a)
	raw := make([]byte, (bits+7)/8)
	_, _ = rand.Read(raw)

	return s.secret(a, raw, extractable, usages)
}

// secretBits is the length of a key that is made for HMAC or AES.
func (s *subtleCrypto) secretBits(a algorithm) int {
	if a.isAES() {
		bits := s.number(a, "length", 1<<16-1)
		if bits != 128 && bits != 192 && bits != 256 {
			s.fail("OperationError", "a key of %s has 128, 192 or 256 bits", a.name)
		}
		return int(bits)
	}

	if goja.IsUndefined(a.get("length")) {
		newHash, _ := s.newHash(s.hashOf(a))
		return 8 * newHash().BlockSize()
	}

	bits := s.number(a, "length", unsignedLong)
	if bits == 0 || bits > 8*maxDerived {
		s.fail("OperationError", "a key of %s has from 1 to %d bits", a.name, 8*maxDerived)
	}
	return int(bits)
}

// among picks the usages that one key of a pair has.
func among(usages []string, of string) []string {
	var out []string
	for _, use := range usages {
		if has(of, use) {
			out = append(out, use)
		}
	}
	return out
}

// needForPrivate throws a SyntaxError if a pair's private key would be for nothing.
func (s *subtleCrypto) needForPrivate(a algorithm, usages []string) {
	if len(among(usages, a.private)) == 0 {
		s.fail("SyntaxError", "a pair of keys needs one of the usages %s", a.private)
	}
}

// pair makes a CryptoKeyPair. both is what its keys have in common; the public one can always be exported.
func (s *subtleCrypto) pair(a algorithm, both cryptoKey, private, public any, usages []string) goja.Value {
	s.needForPrivate(a, usages)

	privateKey := both
	privateKey.kind = "private"
	privateKey.material = private
	privateKey.usages = among(usages, a.private)

	publicKey := both
	publicKey.kind = "public"
	publicKey.material = public
	publicKey.extractable = true
	publicKey.usages = among(usages, a.public)

	out := s.r.VM.NewObject()
	_ = out.Set("publicKey", s.wrap(&publicKey))
	_ = out.Set("privateKey", s.wrap(&privateKey))

	return out
}
